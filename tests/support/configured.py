"""The configurations that tests start from: the shipped example, and a plain pack with what a test adds to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmsd.config.load import Config, load
from bmsd.daemon.main import checked_config
from bmsd.errors import ConfigError

EXAMPLE = Path(__file__).resolve().parents[2] / "etc" / "bmsd.toml"
GOOD = EXAMPLE.read_text(encoding="utf-8")


def pack_text(
    sections: str = "",
    *,
    chemistry: str = "lifepo4",
    preset: str = "default",
    cells: int = 16,
    capacity_ah: int = 280,
    **parameters: float,
) -> str:
    """Give a pack on a BQ76952 with some sections, and with parameters beside the two that have no preset.

    [parameters] comes last, so that a test may add lines to it, or sections.
    """
    chosen = {"charge_ocp_a": 100, "discharge_ocp_a": 150, **parameters}
    lines = "".join(f"{name} = {value}\n" for name, value in chosen.items())
    return f"""
[pack]
chemistry = "{chemistry}"
preset = "{preset}"
cells = {cells}
capacity_ah = {capacity_ah}
[afe]
chip = "bq76952"
shunt_mohm = 0.25
{sections.strip()}
[parameters]
{lines}"""


def written(folder: Path, text: str) -> Path:
    """Write a configuration; give its file."""
    path = folder / "bmsd.toml"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str) -> Config:
    """Write a configuration, and load it."""
    return load(written(folder, text))


def problems(path: Path) -> list[str]:
    """Let the daemon refuse a configuration; give everything it says."""
    with pytest.raises(ConfigError) as refused:
        checked_config(path)
    return refused.value.problems
