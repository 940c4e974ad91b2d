"""What inverters say on the bus: rows of the same vocabulary as the frames we send.

It is shown and told, and decides nothing: an inverter cannot widen what the core allows (S14). A row's `low` and
`high` are the bounds of what is plausible in steps of the wire; beyond them a frame is nonsense.
"""

from __future__ import annotations

from dataclasses import dataclass

from bmsd.errors import PeerError
from bmsd.inverters.frames import Bit, Frame, Signal, Text, Value, beyond, decode


@dataclass(frozen=True, slots=True)
class Received:
    """One frame that an inverter sends."""

    frame: Frame
    title: str
    asks: str = ""
    """Name of a bit or signal that, when it is not zero, asks for something bmsd does not do by itself."""
    meaning: str = ""
    """What it then asks for."""
    fixed: bytes = b""
    """Content that it always has."""


# fmt: off
ALIVE = Received(Frame(0x305, 8), "keep-alive")
ALIVE_ONLY = (ALIVE,)

_PATTERN = bytes.fromhex("1122334455667788")
GROWATT = (Received(Frame(0x301, 8), "keep-alive", fixed=_PATTERN),)

DEYE_CLOCK = Frame(0x305, 8, (
    Signal("clock_second", 0, 1, high=59),
    Signal("clock_minute", 1, 1, high=59),
    Signal("clock_hour", 2, 1, high=23),
    Signal("clock_day", 3, 1, high=31),
    Signal("clock_month", 4, 1, high=12),
    Signal("clock_year", 5, 1, high=99),
))
DEYE = (Received(DEYE_CLOCK, "keep-alive with its clock"),)

# Recent GX firmware puts measurements into 0x305, in a layout that nobody published.
GX_NAME = Frame(0x307, 8, texts=(Text("inverter_maker", 4, None, 3, "\0"),))
VICTRON = (
    ALIVE,
    Received(Frame(0x306, 8), "GX: a battery is present"),
    Received(GX_NAME, "GX: its name"),
)
GX_SIGN = Received(GX_NAME, "GX: its name, as in three captures", fixed=bytes.fromhex("1234567856494300"))

BYD = (ALIVE, Received(Frame(0x306, 8), "keep-alive"), Received(Frame(0x307, 8), "keep-alive"))

# Its current is negative while charging, ours positive.
SMA_MEASUREMENTS = Frame(0x305, 8, (
    Signal("inverter_mv", 0, 2, 1, 100, high=1000),
    Signal("inverter_ma", 2, 2, -1, 100, signed=True, low=-20_000, high=20_000),
    Signal("inverter_decic", 4, 2, signed=True, low=-500, high=1500),
    Signal("inverter_soc_permille", 6, 2, signed=True, low=0, high=1000),
))
SMA_STATE = Frame(0x306, 8, (
    Signal("inverter_soh_permille", 0, 2, 1, 10),
    Signal("inverter_charge_mode", 2, 1),
    Signal("inverter_state", 3, 1, high=4),
    Signal("inverter_error", 4, 2),
    Signal("inverter_charge_mv", 6, 2, 1, 100, high=1000),
))
SMA = (
    Received(SMA_MEASUREMENTS, "Sunny Island: measurements"),
    Received(SMA_STATE, "Sunny Island: state, 1 running, 3 warning, 4 failure"),
    Received(Frame(0x307, 8), "Sunny Island: relays"),
)

LUXPOWER = (
    ALIVE,
    Received(Frame(0x300, 8, bits=(Bit("shut_down_battery", 0, 0),), least=1), "request", "shut_down_battery",
          "that the battery be shut down (rapid shutdown)"),
)

SOFAR = (
    ALIVE,
    Received(Frame(0x605, 8, least=1), "query of Sofar's own protocol, not answered"),
    Received(Frame(0x705, 8, least=1), "query of Sofar's own protocol, not answered"),
    # One source has it from the inverter, another from the battery: shown, and not called a request.
    Received(Frame(0x30F, 8, (Signal("sofar_mode", 0, 2),), least=2), "mode (one source): 1 forced charge, 2 stand-by"),
)
# fmt: on


def find(rows: tuple[Received, ...], identifier: int, extended: bool) -> Received | None:
    """Find the row of an arriving frame."""
    return next((r for r in rows if (r.frame.id, r.frame.extended) == (identifier, extended)), None)


def read(row: Received, data: bytes) -> dict[str, Value]:
    """Read an arriving frame; PeerError in words: it cannot be what its row says."""
    if len(data) > row.frame.length:
        raise PeerError(f"frame 0x{row.frame.id:03X} has {len(data)} bytes, {row.frame.length} are known")
    values = decode(row.frame, data)
    if row.fixed and data != row.fixed:
        raise PeerError(f"frame 0x{row.frame.id:03X} says {data.hex(' ')} instead of {row.fixed.hex(' ')}")
    for name in beyond(row.frame, data):
        raise PeerError(f"frame 0x{row.frame.id:03X} says {name} = {values[name]}")
    return values
