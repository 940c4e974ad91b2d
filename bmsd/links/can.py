"""The inverter link: tell an inverter over CAN what the pack is and what it may do.

Each frame is made from the present snapshot and sent once; the kernel's cyclic sending is never used, because
it goes on when we hang. Lost data takes the limits to zero at once and the frames to silence after a time (S7).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bmsd.config.can import CanConfig
from bmsd.errors import ConfigError
from bmsd.inverters.frames import Frame
from bmsd.inverters.protocols import AUTO, Protocol, messages, named, problems, row_of
from bmsd.inverters.view import Bounds, Configured, View, remember, view
from bmsd.ipc.shared_files import monotonic_ms
from bmsd.links.adapters import (
    BusLostError,
    descriptor_of,
    interface_problem,
    is_off,
    opened,
    received,
    send,
)
from bmsd.links.detection import ProtocolDetector
from bmsd.links.link import REPORT_MS, Backoff, Link, Lost
from bmsd.links.receiver import Receiver
from bmsd.links.snapshots import SharedFile, Snapshots
from bmsd.links.socketcan import CanBus, ClassicMessage
from bmsd.links.traffic import Traffic
from bmsd.links.watcher import NoticeWatcher

TICK_MS = 100
"""How often the snapshot is looked at where nobody gives notice, and the bus where nothing tells that a frame came."""
SHORTEST_PAUSE_MS = 20
MOST_RECEIVED = 200
"""Frames taken at a time, so that a flooded bus cannot keep us from sending."""
STEADY_MS = 5000
"""A bus is back when it has worked for this long: one that fails at once again is not, and is not reported again."""
_CURRENTS = ("charge_limit_ma", "discharge_limit_ma")
DEAF_MS = 30_000
"""An adapter that says nothing for so long, while we only listen, is opened again: it may have lost its other end."""


@dataclass(slots=True)
class Counters:
    """What happened on the bus since the link started."""

    sent: int = 0
    dropped: int = 0
    bad_received: int = 0
    bus_failures: int = 0


def run(link: Link) -> None:
    """Serve the inverter until the link is told to end."""
    settings = link.config.buses[link.name]
    found = problems(settings.protocol, settings.bus.get("bitrate"))
    found += filter(None, [interface_problem(settings.bus["interface"])])
    if found:
        raise ConfigError([f"{link.config.path}: {text}" for text in found])
    inverter = InverterState(link, settings)
    patience = Backoff()
    while not link.stopping:
        try:
            with opened(settings.bus) as bus:
                inverter.serve(bus, patience)
        except BusLostError as error:
            inverter.bus_lost(str(error), patience.failed())


class InverterState:
    """One inverter: what it was told last, and when it was heard."""

    def __init__(self, link: Link, settings: CanConfig) -> None:
        self.counters = Counters()
        self._link = link
        self._settings = settings
        self._protocol: Protocol = named(row_of(settings.protocol), settings.battery_name)
        self._silence_ms = round(settings.silence_after_s * 1000)
        self._snapshots = Snapshots(link.runtime_dir)
        self._notices = NoticeWatcher(link.runtime_dir)
        self._core = Lost(link, "core data")
        self._bus = Lost(link, f"CAN bus {settings.bus.get('channel')}")
        self._queue = Lost(link, f"room for frames to {settings.bus.get('channel')}", was_there=True)
        self._receiver = Receiver(link, self._protocol, settings.bus.get("channel"))
        self._traffic = Traffic(link.runtime_dir, link.name)
        self._chooser = (
            ProtocolDetector(link, settings, monotonic_ms()) if settings.protocol == AUTO else None
        )
        self._good = False
        self._good_ms = monotonic_ms()
        self._due_ms: dict[int, int] = {}
        self._told_ms: int | None = None
        self._held_ms: int | None = None
        """When what is due may be told."""
        self._heard_ms = -TICK_MS
        """When the bus woke us last."""
        self._dropped_ms: int | None = None
        self._urgent: tuple[bool, ...] = ()
        # Nothing asked yet: at the pack's lowest voltage no charger gives current.
        self._bounds = _told_before(link) or Bounds(self._configured().discharge_mv)

    def serve(self, bus: CanBus, patience: Backoff) -> None:
        """Tell and listen until the link ends, the bus is lost, or it is to be opened again."""
        began_ms = monotonic_ms()
        self._bus.was_there = True
        if is_off(self._settings.bus):
            self._receiver.off(began_ms)
        while not self._link.stopping:
            self.cycle(bus)
            now_ms = monotonic_ms()
            if now_ms - began_ms >= STEADY_MS:
                self._bus.back()
                patience.worked()
            if self._is_deaf(now_ms, began_ms):
                return
            self._wait(bus, monotonic_ms())
        self.goodbye(bus)

    def cycle(self, bus: CanBus) -> None:
        """Look at the core, tell what is due, listen. BusLostError: the bus is gone."""
        now_ms = monotonic_ms()
        told = self._look(now_ms)
        if not self._is_silent(now_ms):
            self._tell(bus, told, now_ms)
        self._listen(bus)
        self._choose(now_ms)
        self._report(now_ms, told)

    def goodbye(self, bus: CanBus) -> None:
        """Take back what was allowed; an inverter that already hears nothing goes on hearing nothing."""
        if not self._is_silent(monotonic_ms()):
            self._send_all(bus, list(messages(self._protocol, self._view(None))))

    def bus_lost(self, reason: str, wait_s: float) -> None:
        """Wait for the next attempt to open the bus, and go on telling how the link is."""
        self.counters.bus_failures += 1
        self._bus.since(reason)
        self._link.pause(wait_s, lambda: self._publish("error", f"no CAN bus: {reason}", monotonic_ms()))
        if self._chooser:
            self._chooser.begin_again(monotonic_ms())

    def _look(self, now_ms: int) -> View:
        snapshot = self._snapshots.fresh(now_ms)
        whole = self._view(snapshot.document if snapshot else None)
        self._bounds = remember(whole, self._bounds, self._configured(), self._protocol.above_pack_mv)
        told = _shared(whole, self._settings.share_percent)
        self._good = told.good
        if snapshot and told.good:
            self._good_ms = int(snapshot.document["at_ms"])
            self._core.back()
        else:
            self._core.since(self._core_text())
        return told

    def _view(self, document: Mapping[str, Any] | None) -> View:
        return view(document, self._configured(), self._protocol.above_pack_mv, self._bounds)

    def _is_silent(self, now_ms: int) -> bool:
        return not self._good and now_ms - self._good_ms >= self._silence_ms

    def _is_deaf(self, now_ms: int, began_ms: int) -> bool:
        """Tell whether an adapter may have lost its other end, which only sending would show."""
        since_ms = max(self._receiver.any_ms or began_ms, began_ms)
        return self._chooser is not None and self._chooser.listening and now_ms - since_ms >= DEAF_MS

    def _configured(self) -> Configured:
        config, parameters = self._link.config, self._link.config.parameters
        return Configured(
            parameters.cell_charge_mv * config.cells,
            parameters.cell_discharge_mv * config.cells,
            config.chemistry,
            config.capacity_mah,
        )

    def _tell(self, bus: CanBus, told: View, now_ms: int) -> None:
        """Send every frame that is due; all of them when there is something an inverter should hear at once."""
        urgent = told.urgent != self._urgent
        due = [f for f in self._protocol.frames if urgent or now_ms >= self._due_ms.get(f.id, 0)]
        may_ms = now_ms if self._told_ms is None else self._told_ms + self._protocol.least_ms
        self._held_ms = may_ms if due and may_ms > now_ms else None
        if not due or self._held_ms is not None:
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

    def _wait(self, bus: CanBus, now_ms: int) -> None:
        """Wait until something is due or something came; a busy bus is listened to in steps, or each frame wakes us."""
        pause_ms, descriptor = self._pause_ms(now_ms), descriptor_of(bus)
        rest_ms = TICK_MS if descriptor is None else self._heard_ms + TICK_MS - now_ms
        if descriptor is None or rest_ms > 0:
            self._notices.wait(self._link, min(pause_ms, rest_ms), TICK_MS)
        elif descriptor in self._notices.wait(self._link, pause_ms, TICK_MS, descriptor):
            self._heard_ms = monotonic_ms()

    def _pause_ms(self, now_ms: int) -> int:
        """Tell when to look again though nothing comes: to send or report, and when the snapshot gets old (S7)."""
        old_ms = self._snapshots.old_ms() if self._good else None
        planned = (now_ms + REPORT_MS, old_ms, self._held_ms, *self._due_ms.values())
        return max(
            min(at_ms for at_ms in planned if at_ms is not None and at_ms > now_ms) - now_ms,
            SHORTEST_PAUSE_MS,
        )

    def _send_all(self, bus: CanBus, planned: list[tuple[Frame, bytes]]) -> None:
        """Send one set of frames; the rest of a set that finds the queue full is dropped, never repeated."""
        for done, (frame, data) in enumerate(planned):
            if done:
                time.sleep(self._protocol.spacing_ms / 1000)
            message = ClassicMessage(arbitration_id=frame.id, data=data, is_extended_id=frame.extended)
            if not send(bus, message):
                self.counters.dropped += len(planned) - done
                self._note_full(monotonic_ms())
                return
            self.counters.sent += 1
            self._traffic.note(message, monotonic_ms(), sent=True)
        if not self._is_stuck(monotonic_ms()):
            self._queue.back()

    def _note_full(self, now_ms: int) -> None:
        """Note a set that was dropped; the second within a time is reported: one alone is a busy moment."""
        if self._is_stuck(now_ms):
            self._queue.since(
                "the queue is full, as when nobody acknowledges: is the inverter on? Else look for wiring, termination"
                " and bit rate"
            )
        self._dropped_ms = now_ms

    def _listen(self, bus: CanBus) -> None:
        """Take what has arrived, without waiting. BusLostError: the interface is gone or talks nonsense."""
        for message in received(bus, MOST_RECEIVED):
            if message is None:
                self.counters.bad_received += 1
                continue
            now_ms = monotonic_ms()
            self._receiver.take(message, now_ms)
            self._traffic.note(message, now_ms, sent=False)
            if self._chooser and not (message.is_error_frame or message.is_remote_frame or message.is_fd):
                extended = bool(message.is_extended_id)
                self._chooser.hear(message.arbitration_id, extended, bytes(message.data))

    def _choose(self, now_ms: int) -> None:
        chosen = self._chooser.choose(now_ms) if self._chooser else None
        if chosen:
            self._protocol = named(chosen, self._settings.battery_name)
            self._receiver.speak(self._protocol)
            self._traffic.forget_sent()
            # All of its frames are due at once.
            self._due_ms, self._urgent = {}, ()

    def _is_stuck(self, now_ms: int) -> bool:
        return self._dropped_ms is not None and now_ms - self._dropped_ms <= STEADY_MS

    def _report(self, now_ms: int, told: View) -> None:
        self._receiver.watch(now_ms)
        chosen = f" ({self._chooser.text(now_ms)})" if self._chooser else ""
        if self._chooser and self._chooser.listening:
            state, detail = "waiting", self._chooser.text(now_ms)
        elif told.good:
            state, detail = "running", f"{self._protocol.title}{chosen}; {self._receiver.text(now_ms)}"
        elif self._is_silent(now_ms):
            state, detail = "waiting", f"silent: {self._core_text()}"
        else:
            state, detail = "waiting", f"limits are zero: {self._core_text()}"
        if twins := self._receiver.twins:
            detail += f"; another sender uses our {', '.join(twins)}"
        if errors := self._receiver.bus_errors(now_ms):
            detail += f"; {', '.join(errors)}"
        if self._is_stuck(now_ms):
            detail += "; the queue is full"
        self._publish(state, detail, now_ms)

    def _publish(self, state: str, detail: str, now_ms: int) -> None:
        self._link.report(state, detail, **self._figures(now_ms))
        self._traffic.publish(
            now_ms, protocol=self._protocol.name, channel=str(self._settings.bus.get("channel"))
        )

    def _core_text(self) -> str:
        return self._snapshots.trouble or "the core does not know every measurement"

    def _figures(self, now_ms: int) -> dict[str, Any]:
        c = self.counters
        return {
            "buses": list(self._link.config.buses),
            "protocol": self._protocol.name,
            "share_percent": self._settings.share_percent,
            "frames_sent": c.sent,
            "frames_dropped": c.dropped,
            "dropped_age_ms": None if self._dropped_ms is None else now_ms - self._dropped_ms,
            "bad_received": c.bad_received,
            "bus_failures": c.bus_failures,
            **{f"told_{name}": value for name, value in self._bounds._asdict().items()},
            **self._receiver.figures(now_ms),
        }


def _told_before(link: Link) -> Bounds | None:
    """Give what the last run of this link told: a restart without data raises no charge voltage either."""
    said = SharedFile(link.runtime_dir / f"link-{link.name}.json").last() or {}
    found = Bounds(*(said.get(f"told_{name}") for name in Bounds._fields))
    return found if isinstance(found.charge_mv, int) else None


def _shared(told: View, percent: int) -> View:
    """Give what one of several inverters is told: its share of the currents, rounded down."""
    if percent == 100:
        return told
    shares = {name: int(told.values[name] or 0) * percent // 100 for name in _CURRENTS}
    return replace(told, values={**told.values, **shares})
