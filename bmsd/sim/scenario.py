"""Scenarios: what pack stands on the bench, and what happens to it when."""

from __future__ import annotations

from bmsd.config import Config
from bmsd.sim.plant import PlantSettings


def plant_settings(config: Config) -> PlantSettings:
    """Build the plant that a configuration describes."""
    return PlantSettings(
        chemistry=config.chemistry,
        cells=config.cells,
        capacity_ah=config.capacity_mah / 1000,
        heater_resistance_ohm=(config.heater_mohm or 24_000) / 1000,
        heater_supply="pack" if config.heater_from_pack else "charger",
    )
