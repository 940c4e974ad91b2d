"""The fault classes: what each one is, when it counts as survived, how that is done, and where it ends.

docs/fault-classes.md is made of this and of the `fault_class` marks of the tests: `./run docs`.
"""

from __future__ import annotations

# number, class, survived when, how, what is not survived or not shown
# fmt: off
CLASSES = (
    (1, "Noise on a cell",
     "nothing trips for it, and a cell that really is too high or too low is cut in time",
     "a trip needs its whole delay without one good reading between; an unknown one counts as neither",
     "noise of every cell at once with a sigma of 25 mV raised `cell_frozen` once within an hour on the bench"),
    (2, "A reading that stands still: one cell, all cells, the current",
     "found by loads that come and go, everything opens",
     "each cell is compared with the middle one, current with voltage (rule S2)",
     "a constant charge in the flat part of the curve shows nothing until the sum of the cells is too far from the"
     " stack: a frozen cell can be `stack_error_v` above over-voltage"),
    (3, "Sense wires: open, short, swapped, a bad crimp",
     "no charge, and the cell is named",
     "readings that cannot be true are unknown at once; unknown opens after `value_max_age_s`",
     "a bad crimp is not named: no front end measures wire resistance yet. On the bench 2 ohm read 0.2 V low while the"
     " cell is balanced, which the sum of the cells shows; less than `stack_error_v` is not found"),
    (4, "Battery and switch sensors: open, short, missing, drifting",
     "unknown, which ends charge and heat; never taken for cold",
     "outside -40 to 120 °C is unknown; `temperature_spread` tells of drift; the coldest and the warmest decide",
     "two sensors that drift together"),
    (5, "Front-end chip: no answer, bad checksums, reset, settings that changed by themselves",
     "retried, then opened; written and read back with everything open, then closed",
     "`bmsd/afe/session.py`, rule S6",
     ""),
    (6, "I2C bus held low",
     "each cycle ends in time and everything opens",
     "the adapter's own time-out, two transfers a cycle at most; the chip takes its permits back after 5 s",
     "a kernel driver that never returns: the guard, the chip and the watchdog relay are left (rule S5)"),
    (7, "Current sensor: lost, frozen, sign, offset",
     "found, or harmless beside the voltages",
     "current and voltages are compared; found is latched and opens both. The cells' limits need no current",
     "gain, and an offset while contactors are closed: seen only when nothing can flow. The state of charge is wrong"
     " meanwhile, and no limit for current holds, the chip's neither: the fuse does"),
    (8, "Contactor: welded, stuck open, bouncing",
     "latched, told, no chatter; the other contactor opens",
     "auxiliary contacts, or what flows without them; `contactor_settle_s`",
     "what flows through a weld from a charger that obeys nobody; a single wrong reading of an auxiliary contact after"
     " its settling time latches at once"),
    (9, "Pre-charge: onto a short, onto a load, onto nothing",
     "a short is left after 2 s, three tries, then an operator; never a hard closing",
     "the load side has to reach its share of the pack; one that does not rise at all is left early",
     ""),
    (10, "Inverter: silent, deaf to its limits, of another protocol",
     "told zero where there is nothing to give; enforced, then opened",
     "`bmsd/core/limit_compliance.py`; CAN frames end when data is lost (rule S7)",
     "an inverter that is only silent opens nothing: its currents are judged, not its words. A deaf load behind a"
     " common contactor gets 5 s of current every 5 minutes, because the contactor is tried for a charger"),
    (11, "CAN: bus-off, dead transceiver, full queue",
     "the link recovers and says so, the core misses nothing",
     "a process of its own; a full queue drops the set, a lost bus is opened again with growing pauses",
     "bus-off of a real controller: no CAN hardware here; python-can's errors for it are played"),
    (12, "Modbus: floods, orders, nonsense",
     "no order that widens is taken, none at all while locked; no cycle is lost",
     "a process of its own; writes are off, else locked, few in a minute, and the core takes only what narrows",
     ""),
    (13, "Heater: stuck on, stuck off, burnt, shorted, over 3 A",
     "cut and told, charge stays blocked",
     "a watcher of warmth; a measured current where a board has one",
     "no board measures the heater's current yet: without it a relay that sticks and a short are seen by nothing but"
     " warmth. With it a shorted heater is tried again up to `contactor_operations_per_hour` times an hour, for one"
     " period each"),
    (14, "Freezing cells behind a sensor at the warm end",
     "charge blocked by the coldest sensor",
     "the least of all sensors, and none if one is unknown",
     "all sensors at the warm end"),
    (15, "Daemon: hang, crash, kill -9, out of memory, no descriptors, full or read-only disk",
     "outputs fall off, or control goes on",
     "guard process, safe-off, chip watchdog (rule S5); files are never waited for (rule S9)",
     "lack of memory is met here as kill -9, which is what the kernel makes of it"),
    (16, "Power cut while writing, broken state, wrong clock, restarts",
     "starts, forgets no latch, trusts no broken file",
     "one small file, replaced whole, with a checksum; the monotonic clock decides (rules S11, S13)",
     "a stored charge count is believed whatever its age: what a pack lost while the machine was off is not in it"),
    (17, "Configuration: crossed limits, signs, cell count",
     "refused, each mistake by name",
     "`bmsd/config/checks.py`; a cell count that is one off shows against the stack voltage",
     "values that are possible and wrong, such as another shunt"),
    (18, "Two faults at once",
     "the worse action wins, both are named, ending one gives nothing back that the other holds",
     "every alarm adds what it blocks; only an empty list of reasons is a yes (rule S1)",
     "36 pairs of nine faults, not every pair there is"),
    (19, "Emergency override: again and again, by anybody, at the wrong time",
     "half an hour, announced, each word recorded; its last limits hold",
     "`bmsd/core/emergency.py`, rule S10",
     "nobody counts how often it is asked for again after it ended"),
    (20, "Balancing: idle, hot, while measuring, beside a lost value",
     "ends, and readings are true",
     "only while it helps and nothing blocks it; the chip's own 20 s end it when nobody can",
     "see class 3 for wires that are bad"),
)
# fmt: on
