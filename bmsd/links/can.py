"""The inverter link: tell an inverter over CAN what the pack is and what it may do.

Each frame is made from the present snapshot and sent once; the kernel's cyclic sending is never used, because
it goes on when we hang. Lost data takes the limits to zero at once and the frames to silence after a time (S7).
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import can

from bmsd.bus import monotonic_ms
from bmsd.config import CanConfig
from bmsd.errors import ConfigError
from bmsd.inverters.frames import Frame
from bmsd.inverters.protocols import PROTOCOLS, Protocol, messages, named, problems
from bmsd.inverters.view import View, Voltages, view
from bmsd.links.link import Backoff, Link, Lost
from bmsd.links.snapshots import Snapshots

TICK_S = 0.1
"""How often the snapshot is looked at: lost data and lost permissions do not wait for the next period."""
SHORTEST_PAUSE_S = 0.02
SEND_TIMEOUT_S = 0.05
MOST_RECEIVED = 200
"""Frames taken per tick, so that a flooded bus cannot keep us from sending."""
ALIVE_MS = 5000
"""An inverter not heard for this long is silent; that is told, and never a reason to stop sending."""


@dataclass(slots=True)
class Counters:
    """What happened on the bus since the link started."""

    sent: int = 0
    dropped: int = 0
    received: int = 0
    bad_received: int = 0
    bus_failures: int = 0


class BusLostError(Exception):
    """The interface is gone or refuses to work."""


def run(link: Link) -> None:
    """Serve the inverter until the link is told to end."""
    settings = link.config.can
    assert settings is not None
    if found := problems(settings.protocol, settings.bus.get("bitrate")):
        raise ConfigError([f"{link.config.path}: {text}" for text in found])
    inverter = Inverter(link, settings)
    patience = Backoff()
    while not link.stopping:
        try:
            with _opened(settings.bus) as bus:
                inverter.serve(bus, patience)
        except BusLostError as error:
            inverter.bus_lost(str(error), patience.failed())


@contextlib.contextmanager
def _opened(settings: dict[str, Any]) -> Iterator[can.BusABC]:
    """Open the bus for a time. Drivers raise what they like, at opening and at closing."""
    try:
        bus = can.Bus(**settings)
    except Exception as error:
        raise BusLostError(str(error) or type(error).__name__) from error
    try:
        yield bus
    finally:
        with contextlib.suppress(Exception):
            bus.shutdown()


class Inverter:
    """One inverter: what it was told last, and when it was heard."""

    def __init__(self, link: Link, settings: CanConfig) -> None:
        self.counters = Counters()
        self._link = link
        self._protocol: Protocol = named(PROTOCOLS[settings.protocol], settings.battery_name)
        self._silence_ms = round(settings.silence_after_s * 1000)
        self._snapshots = Snapshots(link.runtime_dir)
        self._core = Lost(link, "core data")
        self._bus = Lost(link, f"CAN bus {settings.bus.get('channel')}")
        self._peer = Lost(link, "inverter")
        self._good = False
        self._good_ms = monotonic_ms()
        self._heard_ms: int | None = None
        self._due_ms: dict[int, int] = {}
        self._told_ms: int | None = None
        self._urgent: tuple[bool, ...] = ()

    def serve(self, bus: can.BusABC, patience: Backoff) -> None:
        """Tell and listen until the link ends or the bus is lost."""
        while not self._link.stopping:
            self.cycle(bus)
            self._bus.back()
            patience.worked()
            self._link.wait(self._pause_s(monotonic_ms()))
        self.goodbye(bus)

    def cycle(self, bus: can.BusABC) -> None:
        """Look at the core, tell what is due, listen. BusLostError: the bus is gone."""
        now_ms = monotonic_ms()
        told = self._look(now_ms)
        if not self._is_silent(now_ms):
            self._tell(bus, told, now_ms)
        self._listen(bus)
        self._report(now_ms, told)

    def goodbye(self, bus: can.BusABC) -> None:
        """Take back what was allowed; an inverter that already hears nothing goes on hearing nothing."""
        if not self._is_silent(monotonic_ms()):
            self._send_all(bus, list(messages(self._protocol, view(None, self._configured()))))

    def bus_lost(self, reason: str, wait_s: float) -> None:
        """Wait for the next attempt to open the bus, and go on telling how the link is."""
        self.counters.bus_failures += 1
        self._bus.since(reason)
        until_ms = monotonic_ms() + round(wait_s * 1000)
        while not self._link.stopping and (left_ms := until_ms - monotonic_ms()) > 0:
            self._link.report("error", f"no CAN bus: {reason}", **self._figures(monotonic_ms()))
            self._link.wait(min(left_ms / 1000, 1.0))

    def _look(self, now_ms: int) -> View:
        snapshot = self._snapshots.fresh(now_ms)
        told = view(snapshot.document if snapshot else None, self._configured(), self._protocol.above_pack_mv)
        self._good = told.good
        if snapshot and told.good:
            self._good_ms = int(snapshot.document["at_ms"])
            self._core.back()
        else:
            self._core.since(self._snapshots.trouble or "the core does not know every measurement")
        return told

    def _is_silent(self, now_ms: int) -> bool:
        return not self._good and now_ms - self._good_ms >= self._silence_ms

    def _configured(self) -> Voltages:
        parameters, cells = self._link.config.parameters, self._link.config.cells
        chemistry = self._link.config.chemistry
        return Voltages(parameters.cell_charge_mv * cells, parameters.cell_discharge_mv * cells, chemistry)

    def _tell(self, bus: can.BusABC, told: View, now_ms: int) -> None:
        """Send every frame that is due; all of them when there is something an inverter should hear at once."""
        urgent = told.urgent != self._urgent
        too_soon = self._told_ms is not None and now_ms - self._told_ms < self._protocol.least_ms
        due = [f for f in self._protocol.frames if urgent or now_ms >= self._due_ms.get(f.id, 0)]
        if not due or too_soon:
            return
        for frame in due:
            self._plan(frame, now_ms)
        self._urgent, self._told_ms = told.urgent, now_ms
        self._send_all(bus, [(f, data) for f, data in messages(self._protocol, told) if f in due])

    def _plan(self, frame: Frame, now_ms: int) -> None:
        """Set when a frame is due again: in step with before, but what was missed is not made up for."""
        period_ms = self._protocol.period_of(frame)
        due_ms = self._due_ms.get(frame.id, 0)
        in_step = 0 <= now_ms - due_ms < period_ms
        self._due_ms[frame.id] = (due_ms if in_step else now_ms) + period_ms

    def _pause_s(self, now_ms: int) -> float:
        """Give the time until the next frame is due, at most that until the snapshot is looked at again."""
        left_ms = min(self._due_ms.values(), default=0) - now_ms
        return min(max(left_ms / 1000, SHORTEST_PAUSE_S), TICK_S)

    def _send_all(self, bus: can.BusABC, planned: list[tuple[Frame, bytes]]) -> None:
        """Send one set of frames; the rest of a set that finds the queue full is dropped, never repeated."""
        for done, (frame, data) in enumerate(planned):
            if done:
                time.sleep(self._protocol.spacing_ms / 1000)
            if not self._send(bus, frame, data):
                self.counters.dropped += len(planned) - done
                return
            self.counters.sent += 1

    def _send(self, bus: can.BusABC, frame: Frame, data: bytes) -> bool:
        """Send one frame; False when the queue is full. BusLostError: anything worse."""
        # Without is_extended_id the library makes a 29-bit frame.
        message = can.Message(arbitration_id=frame.id, data=data, is_extended_id=frame.extended)
        try:
            bus.send(message, timeout=SEND_TIMEOUT_S)
        except (can.CanError, OSError) as error:
            if _queue_is_full(error):
                return False
            raise BusLostError(str(error)) from error
        return True

    def _listen(self, bus: can.BusABC) -> None:
        """Take what has arrived, without waiting. BusLostError: the interface is gone or talks nonsense."""
        bad = 0
        for _ in range(MOST_RECEIVED):
            try:
                message = bus.recv(0)
            except (ValueError, IndexError):  # noise on a text adapter
                bad += 1
                if bad >= 3:
                    raise BusLostError("the adapter sends what is not CAN") from None
                self.counters.bad_received += 1
                continue
            except (can.CanError, OSError) as error:
                raise BusLostError(str(error)) from error
            if message is None:
                return
            self.counters.received += 1
            if message.arbitration_id in self._protocol.alive_ids and not message.is_error_frame:
                self._heard_ms = monotonic_ms()

    def _report(self, now_ms: int, told: View) -> None:
        self._watch_peer(now_ms)
        if told.good:
            state, detail = "running", f"{self._protocol.title}; {self._peer_text(now_ms)}"
        elif self._is_silent(now_ms):
            state, detail = "waiting", f"silent: {self._core_text()}"
        else:
            state, detail = "waiting", f"limits are zero: {self._core_text()}"
        self._link.report(state, detail, **self._figures(now_ms))

    def _watch_peer(self, now_ms: int) -> None:
        if self._heard_ms is None:
            return
        if now_ms - self._heard_ms > ALIVE_MS:
            self._peer.since(f"not heard for {ALIVE_MS // 1000} s; frames are still sent")
        else:
            self._peer.back()

    def _peer_text(self, now_ms: int) -> str:
        if not self._protocol.alive_ids:
            return "nothing is expected back"
        if self._heard_ms is None:
            return "inverter not heard yet"
        return "inverter silent" if now_ms - self._heard_ms > ALIVE_MS else "inverter heard"

    def _core_text(self) -> str:
        return self._snapshots.trouble or "the core does not know every measurement"

    def _figures(self, now_ms: int) -> dict[str, Any]:
        heard_ms = None if self._heard_ms is None else now_ms - self._heard_ms
        c = self.counters
        return {
            "protocol": self._protocol.name,
            "frames_sent": c.sent,
            "frames_dropped": c.dropped,
            "frames_received": c.received,
            "bad_received": c.bad_received,
            "bus_failures": c.bus_failures,
            "inverter_age_ms": heard_ms,
        }


def _queue_is_full(error: Exception) -> bool:
    """Tell a queue without room, as when nobody acknowledges, from a bus that is gone."""
    number = getattr(error, "error_code", None) or getattr(error, "errno", None)
    text = str(error).lower()
    return number in {errno.ENOBUFS, errno.EAGAIN} or "full" in text or "timeout" in text
