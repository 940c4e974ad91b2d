"""What waits for a person, and why it may not end by itself: the list that S15 allows."""

from __future__ import annotations

from bmsd.docgen.markdown import code, table
from bmsd.tables.alarms import BY_NAME

LATCHES = {
    "cell_floor": "A cell that was so low may have grown shorts of copper; charged unseen it can burn.",
    "chip_fault": "The chip says of itself that its measurements are not to be trusted.",
    "precharge_failed": "The resistor has borne its tries: one more onto a short burns it.",
    "charge_contactor_welded": "Nothing that bmsd commands ends the charge: somebody has to disconnect.",
    "discharge_contactor_welded": "Nothing that bmsd commands ends the discharge: somebody has to disconnect.",
    "main_contactor_welded": "Nothing that bmsd commands ends the current: somebody has to disconnect.",
    "charge_contactor_open": "A coil or driver that failed once may fail closed next; it is a repair in any case.",
    "discharge_contactor_open": "A coil or driver that failed once may fail closed next; it is a repair in any case.",
    "main_contactor_open": "A coil or driver that failed once may fail closed next; it is a repair in any case.",
    "heater_no_warming": "Current without warmth heats something else than the cells. Charge and discharge go on.",
    "heater_stuck_on": "A relay that sticks cooks the pack; only pulling a plug ends it.",
    "configuration_fault": "Limits that cannot be read protect nothing.",
    "current_implausible": "Without a true current neither over-current nor a forbidden charge is seen.",
    "current_reversed": "With the wrong sign every rule about a direction acts on the other one.",
    "charge_trip_repeated": "Each try opens under load; a charger that trips four times an hour will a fifth time.",
    "discharge_trip_repeated": "Each try opens under load; a load that trips four times an hour will a fifth time.",
    "short_circuit_repeated": "Each try onto a short wears contacts and fuse; a short does not go away by itself.",
}
"""Every alarm that only a person ends, with the reason."""


def section() -> str:
    """Write the table of latches."""
    rows = [(code(name), BY_NAME[name].title, reason) for name, reason in LATCHES.items()]
    return table(("Latch", "What it is", "Why it does not end by itself"), rows)
