"""The cell model against measured voltages of an A123 LFP cell at 25, 5 and -15 °C.

The model's parameters were fitted on the same measurements: this proves the equations, not the foresight.
"""

import csv
import math
from itertools import pairwise
from pathlib import Path

import pytest

from bmsd.sim.cells import Cells
from bmsd.sim.celltypes import CELL_TYPES

RECORDINGS = Path(__file__).parent.parent / "recordings"
SETTLED_S = 1800.0
"""The cell comes off a full charge with voltage left over that no state of the model holds."""


def replay(name: str, temperature_c: float, capacity_ah: float) -> tuple[float, float]:
    """Drive the model with the recorded current; give the rms error in mV and the charge's in percent."""
    cells = Cells(CELL_TYPES["lifepo4-a123"], 1, capacity_ah, 1.0)
    cells.warm(temperature_c)
    cells.hysteresis = 1.0
    with (RECORDINGS / f"{name}.csv").open(encoding="utf-8") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    errors_mv = []
    for before, row in pairwise(rows):
        cells.advance(row["current_a"], row["t_s"] - before["t_s"])
        if row["t_s"] > SETTLED_S:
            step_v = (row["current_inst_a"] - row["current_a"]) * cells.r0_ohm
            errors_mv.append((cells.volts[0] + step_v - row["voltage_v"]) * 1000)
    rms_mv = math.sqrt(sum(error * error for error in errors_mv) / len(errors_mv))
    return rms_mv, (cells.soc[0] - rows[-1]["soc_ref"]) * 100


@pytest.mark.parametrize(
    ("name", "temperature_c", "capacity_ah", "limit_mv"),
    # Found: 5.5, 11.2 and 14.0 mV rms. A wrong sign, time constant or R(T) shows as 30 mV and more.
    [
        ("lfp_a123_dyn_p25C", 25.0, 2.053, 8.0),
        ("lfp_a123_dyn_p05C", 5.0, 2.051, 14.0),
        ("lfp_a123_dyn_m15C", -15.0, 2.062, 18.0),
    ],
)
def test_the_model_follows_a_real_cell_through_a_drive_cycle(name, temperature_c, capacity_ah, limit_mv):
    rms_mv, soc_error_percent = replay(name, temperature_c, capacity_ah)
    assert rms_mv < limit_mv
    # the cycler's own offset of 1 to 2 mA, taken off the reference, is 0.4 % in 4 h
    assert abs(soc_error_percent) < 0.5
