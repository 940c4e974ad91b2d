"""Cell chemistries: what they are called and where state of charge can be read from a rested cell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chemistry:
    """One cell chemistry.

    `rested_soc` pairs a rested cell voltage with a state of charge, only where the curve is steep enough
    to tell; between `flat_low_mv` and `flat_high_mv` a voltage says nothing about charge.
    """

    name: str
    title: str
    rested_soc: tuple[tuple[int, int], ...]
    """(cell_mv, permille), rising; used once, when there is no stored charge count."""
    flat_low_mv: int
    flat_high_mv: int
    nominal_mv: int
    """Voltage of one cell by which its energy is rated."""


# LiFePO4: mid of charge and discharge branch at 45 °C, A123 26650 (ESC toolbox data, MIT).
# Li-ion: NMC 2.87 Ah, GITT (PyBatteryID, BSD-3-Clause). LTO: Libre Solar firmware table (Apache-2.0).
CHEMISTRIES = {
    "lifepo4": Chemistry(
        "lifepo4",
        "LiFePO4",
        ((2166, 0), (2841, 20), (3033, 50), (3180, 100), (3213, 130), (3396, 970), (3508, 990)),
        flat_low_mv=3200,
        flat_high_mv=3395,
        nominal_mv=3200,
    ),
    "li-ion": Chemistry(
        "li-ion",
        "Li-ion (NMC)",
        (
            (3041, 0),
            (3320, 43),
            (3424, 130),
            (3521, 217),
            (3591, 304),
            (3634, 391),
            (3688, 478),
            (3781, 565),
            (3875, 652),
            (3944, 739),
            (4034, 826),
            (4086, 913),
            (4198, 1000),
        ),
        flat_low_mv=0,
        flat_high_mv=0,
        nominal_mv=3600,
    ),
    "lto": Chemistry(
        "lto",
        "LTO",
        (
            (2000, 0),
            (2105, 50),
            (2125, 100),
            (2154, 200),
            (2177, 300),
            (2198, 400),
            (2224, 500),
            (2259, 600),
            (2309, 700),
            (2376, 800),
            (2458, 900),
            (2800, 1000),
        ),
        flat_low_mv=0,
        flat_high_mv=0,
        nominal_mv=2300,
    ),
}
PRESETS = ("default", "jk-compatible")
