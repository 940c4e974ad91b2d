"""Kinds of cells the bench can be built of: resistances, time constants, hysteresis, curve.

The OCV curves are named after the files in `data/`. Fitted values come from public test data, [est] marks
estimates between the bounds that data sheets give. Resistances do not depend on charge: below 10 % a real
cell sags more, by 50 mV and up at a drive cycle's currents.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CellType:
    """One kind of cell. Resistances are in ohm times Ah, so that they scale with the capacity.

    `cold_share` and `r1_share` are b / (a + b) of R(T) = a + b exp[B (1/T - 1/298.15 K)].
    """

    ocv_table: str
    r0_ohm_ah: float
    r1_ohm_ah: float
    tau1_s: float
    r2_ohm_ah: float
    tau2_s: float
    cold_share: float
    arrhenius_k: float
    hysteresis_v: float
    hysteresis_rate: float
    over_charge_v: float
    ceiling_v: float
    plates: bool
    """Graphite anodes plate lithium when charged below freezing; titanate does not."""


# Slopes and ceilings above full are estimates; 5 V is about where LFP electrolyte breaks down.
CELL_TYPES = {
    # 280 Ah prismatic, LF280K class: 0.30, 0.15 and 0.15 mOhm, estimates between data sheet bounds.
    "lifepo4": CellType(
        ocv_table="lifepo4_a123",
        r0_ohm_ah=0.084,
        r1_ohm_ah=0.042,
        tau1_s=60.0,
        r2_ohm_ah=0.042,
        tau2_s=1800.0,
        cold_share=0.367,
        arrhenius_k=5000.0,
        hysteresis_v=0.015,
        hysteresis_rate=40.0,
        over_charge_v=30.0,
        ceiling_v=5.0,
        plates=True,
    ),
    # 26650 of 2.05 Ah: 10.3, 20 and 45 mOhm, fitted on the ESC toolbox data;
    # 10 to 12 mV rms at 25, 5 and -15 °C between 90 and 15 % charge.
    "lifepo4-a123": CellType(
        ocv_table="lifepo4_a123",
        r0_ohm_ah=0.0211,
        r1_ohm_ah=0.041,
        tau1_s=47.0,
        r2_ohm_ah=0.0923,
        tau2_s=3000.0,
        cold_share=0.369,
        arrhenius_k=5000.0,
        hysteresis_v=0.015,
        hysteresis_rate=40.0,
        over_charge_v=30.0,
        ceiling_v=5.0,
        plates=True,
    ),
    # 3.69 Ah: 22, 16 and 15 mOhm, and a curve 40 mV higher; its R(T) is taken from lifepo4.
    # 5 to 7 mV rms between 90 and 20 % at 25 °C.
    "lifepo4-tue": CellType(
        ocv_table="lifepo4_tue",
        r0_ohm_ah=0.0812,
        r1_ohm_ah=0.059,
        tau1_s=17.0,
        r2_ohm_ah=0.0554,
        tau2_s=2400.0,
        cold_share=0.367,
        arrhenius_k=5000.0,
        hysteresis_v=0.03,
        hysteresis_rate=31.0,
        over_charge_v=30.0,
        ceiling_v=5.0,
        plates=True,
    ),
    # NMC of 2.87 Ah: 28.5, 13.5 and 30 mOhm, B = 3500 K (TU/e data).
    # 14 to 15 mV rms between 90 and 20 % at 0 to 41 °C; the entropic slope, up to 5 mV, is left out.
    "li-ion": CellType(
        ocv_table="li-ion_tue",
        r0_ohm_ah=0.0818,
        r1_ohm_ah=0.0387,
        tau1_s=11.0,
        r2_ohm_ah=0.0861,
        tau2_s=3000.0,
        cold_share=1.0,
        arrhenius_k=3500.0,
        hysteresis_v=0.02,
        hysteresis_rate=100.0,
        over_charge_v=10.0,
        ceiling_v=5.2,
        plates=True,
    ),
    # SCiB class, 20 Ah: 0.5 and 0.3 mOhm, an estimate from its 1200 W peak.
    "lto": CellType(
        ocv_table="lto_libresolar",
        r0_ohm_ah=0.01,
        r1_ohm_ah=0.006,
        tau1_s=20.0,
        r2_ohm_ah=0.0,
        tau2_s=1800.0,
        cold_share=1.0,
        arrhenius_k=2500.0,
        hysteresis_v=0.003,
        hysteresis_rate=40.0,
        over_charge_v=10.0,
        ceiling_v=3.5,
        plates=False,
    ),
}
