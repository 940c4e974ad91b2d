"""One pack in the states that every protocol has to tell, and the frames it tells them in."""

from __future__ import annotations

from bmsd.inverters.frames import decode
from bmsd.inverters.protocols import PROTOCOLS, Protocol, messages
from bmsd.inverters.view import Configured, view

CONFIGURED = Configured(charge_mv=55_200, discharge_mv=46_400, capacity_mah=280_000)
CELLS = [3330, 3320, *[3325] * 14]
POINTS = {
    "pack_mv": 53_200, "current_ma": -12_300, "battery_decic": [210, 250], "switch_decic": 300,
    "soc_permille": 605, "soh_permille": 990, "capacity_mah": 280_000, "remaining_mah": 169_400,
    "discharged_mah": 2_800_000, "cycles_milli": 10_900, "cell_mv": CELLS, "cell_min_mv": 3320,
    "cell_max_mv": 3330, "cell_difference_mv": 10, "min_cell": 2, "max_cell": 1, "charge_allowed": True,
    "discharge_allowed": True, "charge_limit_mv": 55_200, "charge_limit_ma": 50_000,
    "discharge_limit_ma": 80_000, "discharge_limit_mv": 46_400, "force_charge": False, "heater_ma": 0,
    "runtime_ms": 90_061_999, "charge_commanded": True, "charge_actual": True, "discharge_commanded": True,
    "discharge_actual": None, "heater_commanded": False, "heater_actual": False, "balance_commanded": False,
}  # fmt: skip
COLD = {
    "charge_allowed": False, "charge_limit_ma": 0, "heater_commanded": True, "heater_actual": True,
    "heater_ma": 2000, "charge_commanded": False, "charge_actual": False,
}  # fmt: skip


def document(alarms=(), lifted=(), **points) -> dict:
    rows = [{"name": name} for name in alarms] + [{"name": name, "lifted": ["discharge"]} for name in lifted]
    return {"points": {**POINTS, **points}, "alarms": rows}


STATES = {
    "healthy": document(),
    "too cold to charge, heater on": document(["charge_utp"], **COLD),
    "data lost": None,
    "emergency override": document(["emergency_override"], ["cell_uvp", "pack_uvp"], force_charge=True),
}


def told(protocol: Protocol | str, snapshot) -> dict[str, str]:
    """Give what goes out for a snapshot: identifier to bytes in hex."""
    row = PROTOCOLS[protocol] if isinstance(protocol, str) else protocol
    sent = messages(row, view(snapshot, CONFIGURED, row.above_pack_mv))
    return {f"{frame.id:03X}": data.hex(" ").upper() for frame, data in sent}


def decoded(protocol: Protocol | str, snapshot) -> dict:
    """Give every value that goes out, read back from the bytes."""
    row = PROTOCOLS[protocol] if isinstance(protocol, str) else protocol
    values: dict = {}
    for frame, data in messages(row, view(snapshot, CONFIGURED, row.above_pack_mv)):
        values |= decode(frame, data)
    return values
