"""What link and subcommands of the simulated BQ769x2 see of the chip they belong to."""

from __future__ import annotations

from typing import Protocol

from bmsd.sim.chips.bq769x2_engine import Engine
from bmsd.sim.chips.bq769x2_memory import DataMemory
from bmsd.sim.chips.bq769x2_switches import Switches


class LinkState(Protocol):
    """How the chip speaks on the bus."""

    crc: bool
    address: int


class Inside(Protocol):
    """The chip behind its registers."""

    device_number: int
    registers: bytearray
    faults: dict[str, int]
    memory: DataMemory
    engine: Engine
    switches: Switches
    powered: bool
    config_update: bool
    security: int
    last_key_word: int
    otp_writes: int

    @property
    def link(self) -> LinkState:
        """Give the side towards the bus."""
        ...

    @property
    def balancing_mask(self) -> int:
        """Show the inputs being balanced now, bit 0 the lowest."""
        ...

    @property
    def balancing_s(self) -> int:
        """Count the seconds the present balancing has run."""
        ...

    def feed_watchdog(self) -> None:
        """Take note of valid communication."""
        ...

    def balance(self, mask: int) -> None:
        """Balance these inputs for the programmed time."""
        ...

    def allow_sleep(self, on: bool) -> None:
        """Carry out SLEEP_ENABLE and SLEEP_DISABLE."""
        ...

    def enter_config_update(self) -> None:
        """Stop measuring and protecting, with everything forbidden."""
        ...

    def leave_config_update(self) -> None:
        """Take over the settings and start again."""
        ...

    def evaluate_switches(self) -> None:
        """Switch off what is no longer wanted."""
        ...

    def show_status(self) -> None:
        """Write status bits into their registers."""
        ...

    def power_cycle(self) -> None:
        """Start as after power-up."""
        ...

    def shut_down(self) -> None:
        """Stop answering and permitting until the next power cycle."""
        ...
