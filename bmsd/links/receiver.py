"""What arrives on the bus: the inverter's life sign, what it says, and what is not right about it.

Each oddity is said once. Nothing heard changes what is sent: an inverter can only be told, not tell us (S14).
"""

from __future__ import annotations

from typing import Any

from bmsd.errors import PeerError
from bmsd.inverters import heard
from bmsd.inverters.frames import Value
from bmsd.inverters.protocols import Protocol
from bmsd.links.adapters import BUS_OFF, RESTARTED, error_classes
from bmsd.links.link import NOTICE, WARNING, Link, Lost
from bmsd.links.socketcan import CanMessage

LONGEST_11_BIT = 0x7FF
ALIVE_MS = 5000
"""An inverter not heard for this long is silent; that is told, and never a reason to stop sending."""
ERRORS_MS = 5000
"""How long a reported error of the bus counts as present."""
TWIN_MS = 30_000
"""Another sender of our identifiers counts as present for so long; batteries are known that speak every 10 s."""
MOST_SAID = 16
"""Different oddities that are said one by one."""


class Receiver:
    """Everything that is known about the other side of one bus."""

    def __init__(self, link: Link, protocol: Protocol, channel: object) -> None:
        self.received = 0
        self.nonsense = 0
        self.errors = 0
        self.any_ms: int | None = None
        """When any good frame came last."""
        self._link = link
        self._peer = Lost(link, "inverter")
        self._controller = Lost(link, f"CAN controller {channel}", was_there=True)
        self._alive_ms: int | None = None
        self._errors_ms: int | None = None
        self._off_ms: int | None = None
        self._restarted = True
        self._twins: dict[int, int] = {}
        self._classes: list[str] = []
        self._odd: set[tuple[str, int]] = set()
        self._asked: dict[str, bool] = {}
        self._answers = 0
        self._says: dict[str, Value] = {}
        self.speak(protocol)

    def speak(self, protocol: Protocol) -> None:
        """Listen for the inverter of a protocol from now on."""
        self._protocol = protocol
        self._ours = {(frame.id, frame.extended) for frame in protocol.frames}
        self._says, self._twins = {}, {}

    def take(self, message: CanMessage, now_ms: int) -> None:
        """Take one frame that arrived."""
        if message.is_error_frame:
            self._error(message, now_ms)
            return
        self.received += 1
        self.any_ms, self._restarted = now_ms, True
        if message.is_remote_frame or message.is_fd:
            return
        key = (message.arbitration_id, bool(message.is_extended_id))
        if key in self._ours:
            self._twin(key[0], now_ms)
        if self._is_alive(key):
            self._alive_ms = now_ms
        if row := heard.find(self._protocol.heard, *key):
            self._read(row, bytes(message.data))

    def off(self, now_ms: int) -> None:
        """Note that the controller is off the bus, which it tells only in the moment when it happens."""
        self._off_ms, self._restarted = now_ms, False
        self._controller.since(
            "off the bus after too many errors; the kernel starts it again by its restart-ms"
        )

    def watch(self, now_ms: int) -> None:
        """Say once that inverter or controller is gone, and once that it is back."""
        if self._twins and now_ms - max(self._twins.values()) > TWIN_MS:
            self._twins = {}
            self._link.say(NOTICE, "the other sender of our identifiers is silent")
        if self._restarted and self._off_ms is not None and now_ms - self._off_ms > ERRORS_MS:
            # Not at the first restart: a short circuit takes the controller off the bus ten times a second.
            self._controller.back()
        if self._alive_ms is None:
            return
        if now_ms - self._alive_ms > ALIVE_MS:
            self._peer.since(f"not heard for {ALIVE_MS // 1000} s; frames are still sent")
        else:
            self._peer.back()

    def text(self, now_ms: int) -> str:
        """Say how the inverter is."""
        if not self._protocol.alive_ids:
            return "nothing is expected back"
        if self._alive_ms is None:
            return "inverter not heard yet"
        return "inverter silent" if now_ms - self._alive_ms > ALIVE_MS else "inverter heard"

    @property
    def twins(self) -> list[str]:
        """List our identifiers that another sender uses."""
        return [f"0x{number:03X}" for number in sorted(self._twins)]

    def bus_errors(self, now_ms: int) -> list[str]:
        """Say what the bus reported lately."""
        if self._errors_ms is not None and now_ms - self._errors_ms <= ERRORS_MS:
            return self._classes
        return [] if self._restarted else ["the controller stays off the bus: nobody starts it again"]

    def figures(self, now_ms: int) -> dict[str, Any]:
        """Give what the state file tells."""
        asks = [row.meaning for row in self._protocol.heard if self._asked.get(row.asks)]
        return {
            "frames_received": self.received,
            "nonsense_received": self.nonsense,
            "error_frames": self.errors,
            "bus_errors": self.bus_errors(now_ms),
            "other_senders": self.twins,
            "inverter_age_ms": None if self._alive_ms is None else max(now_ms - self._alive_ms, 0),
            "inverter_says": self._says,
            "inverter_asks": asks,
        }

    def _is_alive(self, key: tuple[int, bool]) -> bool:
        """Tell the inverter's keep-alive from frames that only share its number, 29-bit ones among them."""
        number, extended = key
        return number in self._protocol.alive_ids and extended == (number > LONGEST_11_BIT)

    def _twin(self, number: int, now_ms: int) -> None:
        if not self._twins:
            self._link.say(
                WARNING,
                f"another sender uses 0x{number:03X}, which is ours: is a second battery on this bus? The inverter"
                " follows whichever spoke last: take one of them off this bus",
            )
        self._twins[number] = now_ms

    def _read(self, row: heard.Received, data: bytes) -> None:
        try:
            values = heard.read(row, data)
        except PeerError as error:
            self.nonsense += 1
            self._say_once(
                "nonsense", row.frame.id, f"the inverter sends nonsense, which is ignored: {error}"
            )
            return
        self._says |= values
        if row.asks:
            self._ask(row, bool(values[row.asks]))

    def _ask(self, row: heard.Received, asked: bool) -> None:
        if asked != self._asked.get(row.asks, False) and self._answers < MOST_SAID:
            self._answers += 1
            said = (
                f"asks {row.meaning}; bmsd does not do that by itself"
                if asked
                else f"no longer asks {row.meaning}"
            )
            self._link.say(WARNING if asked else NOTICE, f"the inverter {said}")
        self._asked[row.asks] = asked

    def _error(self, message: CanMessage, now_ms: int) -> None:
        self.errors += 1
        self._errors_ms = now_ms
        self._classes = error_classes(message)
        self._restarted |= bool(message.arbitration_id & RESTARTED)
        if message.arbitration_id & BUS_OFF:
            self.off(now_ms)

    def _say_once(self, kind: str, number: int, text: str) -> None:
        if (kind, number) in self._odd or len(self._odd) >= MOST_SAID:
            return
        self._odd.add((kind, number))
        self._link.say(WARNING, text)
