"""Battery sensors that disagree by more than a pack can: one of them is wrong, and nobody knows which (S2, S4).

The coldest sensor decides when a pack is warm enough, the warmest when it is too warm to be heated on. A pack with
one battery sensor is compared with the sensor of its switch board.
"""

from __future__ import annotations

from bmsd.core.alarms import Finding
from bmsd.core.plausible import Values
from bmsd.core.settings import Settings

MOST_DECIK = 250
"""Sensors of one pack are no further apart than this: a mat at one end of a pack makes up to 20 K [est]. Where
`temperature_spread` is set higher, that counts."""
BOARD_DECIK = 400
"""A switch board that carries current may be this much warmer than the pack beside it [est]."""
BACK_DECIK = 30
"""They agree again this much below the limit."""


def is_too_far(settings: Settings, values: Values, nearer_decik: int = 0) -> bool | None:
    """Tell whether the sensors disagree; None where one of them is unknown."""
    if len(values.battery_decic) == 1 and settings.switch_sensor:
        one, board = values.battery_min, values.switch_decic.value
        if not one.complete or one.value is None or board is None:
            return None
        return board - one.value > BOARD_DECIK - nearer_decik
    apart = values.battery_spread
    if not apart.complete or apart.value is None:
        return None
    return apart.value > max(settings.parameters.temperature_spread_decik, MOST_DECIK) - nearer_decik


def is_warm(settings: Settings, values: Values) -> bool:
    """Tell whether the warmest sensor has come halfway from recovery to the upper limit of charging."""
    p, warmest = settings.parameters, values.battery_max.value
    return warmest is not None and 2 * warmest > p.charge_utpr_decic + p.charge_otpr_decic


def findings(settings: Settings, values: Values, active: bool) -> dict[str, Finding]:
    """Turn sensors that disagree into an alarm's cause; an unknown one has an alarm of its own."""
    far = is_too_far(settings, values, BACK_DECIK if active else 0)
    if far is False:
        return {}
    apart = values.battery_spread
    return {"temperature_mismatch": Finding(far, apart.value, apart.where)}
