"""The words of bmsd, one row each: what the field calls a thing, and the one word for it in code and documents."""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """One term: its name, what it means, what others call it, and where the code has it."""

    name: str
    meaning: str
    also: str = ""
    """Abbreviations, and words of other makers for the same."""
    where: str = ""


TERMS = (
    Term("absorption", "The part of a charge in which the voltage stands and the current falls.", "CV phase, boost",
         "bmsd/core/charging.py"),
    Term("AFE", "Analog front end: the chip that measures cells, current and temperatures.",
         "front end, monitor chip",
         "bmsd/afe"),
    Term("alarm", "A row of the alarm table that is active: a warning, a protection or a fault.",
         "alert, event, error",
         "bmsd/tables/alarms.py"),
    Term("anchor", "A moment at which the charge is known without counting: full, or empty.",
         "SOC reset, calibration point",
         "bmsd/core/soc.py"),
    Term("auxiliary contact", "A contact of a contactor that tells where it really is.", "feedback, mirror contact"),
    Term("balancing", "Taking charge from the highest cells, so that all are full together.", "equalizing"),
    Term("bench", "The simulated pack, chip and inverter that the real daemon runs against.", "simulator",
         "bmsd/sim"),
    Term("CCL", "Charge current limit: the largest current that the inverter may charge with.", "max charge current",
         "bmsd/core/limits.py"),
    Term("chip protection",
         "The front end's own limits, a margin beyond the daemon's; they act when the daemon does not.",
         "secondary protection, backstop", "bmsd/control/chip_protection.py"),
    Term("contactor", "The switch that joins the pack, controlled by one GPIO line.", "relay, MOS, switch"),
    Term("CVL", "Charge voltage limit: the voltage that the inverter may charge to.", "charge voltage",
         "bmsd/core/limits.py"),
    Term("cycle", "One pass from measuring to switching, four times a second.", "scan, tick",
         "bmsd/control/controller.py"),
    Term("DCL", "Discharge current limit.", "max discharge current", "bmsd/core/limits.py"),
    Term("derating", "Lowering a current limit near the end of a range, before a limit trips.", "throttling",
         "bmsd/core/derating.py"),
    Term("DVL", "Discharge voltage limit: the lowest voltage that the inverter may discharge to.", "cut-off voltage",
         "bmsd/core/limits.py"),
    Term("emergency override", "Thirty minutes in which an operator may use a pack beyond some limits.", "force",
         "bmsd/core/emergency.py"),
    Term("force charge", "The request to the inverter to charge now, from the grid too.",
         "charge immediately, request",
         "bmsd/core/low_battery.py"),
    Term("frozen", "A reading that does not change although it must.", "stuck"),
    Term("guard", "A second process that switches everything off when the core dies or hangs.", "supervisor",
         "bmsd/shutdown/guard.py"),
    Term("inhibit", "A reason against charging, discharging, heating or balancing; `bmsctl why` lists them.",
         "block, forbid", "bmsd/core/permissions.py"),
    Term("latch", "An alarm that only an operator ends.", "lock-out", "bmsd/docgen/latches.py"),
    Term("link", "A process that connects the pack to one bus or program outside: CAN, Modbus, journal, meter.",
         "gateway, driver", "bmsd/links"),
    Term("OCP", "Over-current protection.", "OCC, OCD"),
    Term("OTP", "Over-temperature protection."),
    Term("OVP", "Over-voltage protection of a cell.", "COV, overcharge protection"),
    Term("OVPR", "Release of OVP: below it the alarm ends.", "recovery, hysteresis"),
    Term("permission", "What is left when no inhibit speaks against charging or discharging.", "enable, allow",
         "bmsd/core/permissions.py"),
    Term("permit", "A pin of the front end that takes part in letting a contactor close.", "DCHG, DDSG pin"),
    Term("plausible", "Believable: inside the range of a working sensor, and not at odds with another reading.",
         "valid", "bmsd/core/plausible.py"),
    Term("point", "A published value.", "measurement, tag", "bmsd/tables/points.py"),
    Term("pre-charge", "Filling the inverter's capacitors through a resistor before the contactor closes.",
         "soft start",
         "bmsd/core/contactors.py"),
    Term("release", "The end of an alarm after its cause is gone.", "recovery"),
    Term("safe-off", "The program that switches every output off after the core is gone.", "",
         "bmsd/shutdown/safe_off.py"),
    Term("shunt", "The resistor that the current is measured across."),
    Term("shutdown voltage", "Cell voltage below which the pack takes itself off and waits for a charger.", "UVP2",
         "bmsd/tables/parameters.py"),
    Term("SOC", "State of charge: what is left, in per cent of the capacity.", "charge level", "bmsd/core/soc.py"),
    Term("SOH",
         "State of health: what a full pack gives today, in per cent of its rated capacity. bmsd does not"
         " estimate it yet."),
    Term("stack", "All cells in series; the stack voltage is measured at its own pins.", "pack voltage"),
    Term("topology afe", "The chip's own FETs in series are the pack's switches.", "FET port"),
    Term("topology common", "One contactor for both directions.", "common port"),
    Term("topology split", "One contactor for charging, one for discharging.", "separate port"),
    Term("trip", "The moment an alarm becomes active: beyond its limit for its delay.", "fault, fire"),
    Term("UTP", "Under-temperature protection."),
    Term("UVP", "Under-voltage protection of a cell.", "CUV, overdischarge protection"),
    Term("UVPR", "Release of UVP: above it the alarm ends.", "recovery, hysteresis"),
    Term("weld detection", "Finding a contactor that stays closed although it was opened.", "stuck contactor",
         "bmsd/core/weld_detection.py"),
    Term("write unlock", "A time in which Modbus masters may write, begun by somebody at the pack or by a PIN.",
         "unlock", "bmsd/links/modbus_lock.py"),
)  # fmt: skip
