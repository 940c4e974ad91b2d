"""Units: how a number is named and scaled inside (integers) and outside (what people read).

Inside bmsd a name ends in its integer unit (`cell_ovp_mv`); outside, in configuration, JSON, CSV and
documents, the same thing ends in the unit of people (`cell_ovp_v`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: its symbol, its name endings inside and outside, and how many inside make one outside."""

    symbol: str
    inside: str
    outside: str
    scale: int

    @property
    def digits(self) -> int:
        """Count the decimals that show one step of the inside unit."""
        return len(str(self.scale)) - 1

    def public_name(self, name: str) -> str:
        """Turn an inside name into the outside one: `cell_ovp_mv` becomes `cell_ovp_v`."""
        if self.inside and name.endswith(self.inside):
            return name[: len(name) - len(self.inside)] + self.outside
        return name

    def to_public(self, value: int) -> float | int:
        """Scale an inside value for people; whole units stay integers."""
        return value if self.scale == 1 else round(value / self.scale, self.digits)

    def to_inside(self, value: float) -> int:
        """Scale a person's value to the nearest inside step."""
        return round(value * self.scale)

    def text(self, value: int) -> str:
        """Write an inside value for people, with its unit: 3600 mV becomes `3.600 V`."""
        whole, rest = divmod(abs(value), self.scale)
        number = f"{whole}.{rest:0{self.digits}d}" if self.digits else str(whole)
        return f"{'-' if value < 0 else ''}{number} {self.symbol}".rstrip()


VOLT = Unit("V", "_mv", "_v", 1000)
AMPERE = Unit("A", "_ma", "_a", 1000)
WATT = Unit("W", "_mw", "_w", 1000)
OHM = Unit("Ω", "_mohm", "_ohm", 1000)
CELSIUS = Unit("°C", "_decic", "_c", 10)
KELVIN = Unit("K", "_decik", "_k", 10)
HOUR = Unit("h", "_h", "_h", 1)
SECOND = Unit("s", "_ms", "_s", 1000)
MICROSECOND = Unit("µs", "_us", "_us", 1)
MILLISECOND = Unit("ms", "_ms", "_ms", 1)
PERCENT = Unit("%", "_permille", "_percent", 10)
AMPERE_HOUR = Unit("Ah", "_mah", "_ah", 1000)
COUNT = Unit("", "", "", 1)
