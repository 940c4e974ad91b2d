"""Every error bmsd raises, in three families: the caller is wrong, the hardware is wrong, the peer is wrong."""

from __future__ import annotations

from typing import NamedTuple


class BmsdError(Exception):
    """Base of all errors that bmsd itself raises."""


class ConfigError(BmsdError):
    """The configuration is refused; `problems` lists every fault found, one text each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ParameterError(BmsdError, ValueError):
    """A set of parameters is refused as a whole; nothing was changed (S8)."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class HardwareError(BmsdError):
    """Something attached does not answer or answers wrongly."""


class AfeError(HardwareError):
    """The front-end chip cannot be read or set."""


class Unfit(NamedTuple):
    """One setting that a front-end chip cannot do, in the unit that its field's name ends in."""

    field: str
    what: str
    value: int
    low: int
    high: int
    text: str
    """All of it in the chip's own words."""


class UnfitError(AfeError, ValueError):
    """The front-end chip cannot be set like this; `unfit` lists every setting that it cannot do."""

    def __init__(self, unfit: list[Unfit]) -> None:
        super().__init__("; ".join(one.text for one in unfit))
        self.unfit = unfit


class BusError(AfeError):
    """A transfer failed: no acknowledge, time-out, or a stuck bus."""


class CrcError(AfeError):
    """A byte arrived with a wrong checksum."""


class VerifyError(AfeError):
    """The chip does not hold what was written to it."""


class WrongChipError(AfeError):
    """Another chip answers than the configuration names."""


class OutputError(HardwareError):
    """An output line cannot be had or does not follow."""


class PeerError(BmsdError):
    """A client, a master or the daemon on the other side said something wrong."""


class StaleError(PeerError):
    """The daemon's data is missing, unreadable or too old to be shown as present."""
