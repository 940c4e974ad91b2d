"""What the core shares with links and programs: a snapshot every cycle, other files when they change, and a notice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bmsd.control.controller import Controller
from bmsd.core import report
from bmsd.core.report import Cycle
from bmsd.daemon.event_log import Ring
from bmsd.ipc.notice import Notice
from bmsd.ipc.shared_files import EVENTS, PARAMETERS, SNAPSHOT, WRITES, Publisher, boot_id
from bmsd.ipc.snapshot_page import SnapshotPublisher

_URGENT = ("charge_allowed", "discharge_allowed")
_LIMITS = ("charge_limit_ma", "discharge_limit_ma", "heat_ma")
_MEASURED = ("pack_mv", "current_ma", "cell_min_mv", "cell_max_mv")


class CorePublisher:
    """Everything that one core publishes."""

    def __init__(self, runtime_dir: Path, cells: int, *, simulated: bool) -> None:
        self._files = Publisher(runtime_dir)
        self._snapshots = SnapshotPublisher(runtime_dir / SNAPSHOT, boot_id())
        self._notice = Notice(runtime_dir)
        self._always = {"cells": cells, "simulated": simulated}
        self._words: tuple[tuple[Any, ...], Mapping[str, Any]] = ((), {})
        self._urgent: tuple[Any, ...] = ()

    def snapshot(self, control: Controller, cycle: Cycle, events: int, now_ms: int) -> None:
        """Publish what one cycle found and decided; `events` is the number of the last event."""
        out, inputs = control.out, control.inputs
        if out is None or inputs is None:
            return
        points = report.points(control.settings, control.state, out, inputs, control.levels, cycle)
        self._snapshots.publish(points, self._said(control, events), now_ms)
        urgent = (events, *_urgent(points))
        if urgent != self._urgent:
            self._urgent = urgent
            self._notice.give()

    def _said(self, control: Controller, events: int) -> Mapping[str, Any]:
        """Give the words of the snapshot, the same object while they are the same."""
        state, out, inputs = control.state, control.out, control.inputs
        assert out is not None
        assert inputs is not None
        detail, remote_off = inputs.afe.detail, state.consent.remote_off
        inhibits = (out.charge_inhibits, out.discharge_inhibits, out.heater_inhibits, out.balance_inhibits)
        key = (control.settings, state.alarms, state.override, inhibits, detail, remote_off, events)
        if key != self._words[0]:
            said = {
                **self._always,
                "alarms": report.alarms(control.settings, state),
                "why": report.why(out),
                "afe": detail,
                "event_sequence": events,
                "remote_off": remote_off.names,
            }
            self._words = (key, said)
        return self._words[1]

    def events(self, ring: Ring, now_ms: int) -> None:
        """Publish the ring of events."""
        self._files.publish(EVENTS, ring.body(), now_ms)

    def parameters(self, body: Mapping[str, Any], now_ms: int) -> None:
        """Publish the parameters in force."""
        self._files.publish(PARAMETERS, body, now_ms)

    def writes(self, unlocked: Mapping[str, int], now_ms: int) -> None:
        """Publish until when somebody at the pack lets others write."""
        self._files.publish(WRITES, {"unlocked": unlocked}, now_ms)

    def withdraw(self) -> None:
        """Take the snapshot away and say so: nobody decides any more."""
        self._snapshots.withdraw()
        self._notice.give()


def _urgent(points: Mapping[str, Any]) -> tuple[bool, ...]:
    """Give what an inverter should hear of at once: a permission, a limit that is zero, data that is lost (S7)."""
    sensors = points["battery_decic"]
    return (
        *(points[name] is True for name in _URGENT),
        *(bool(points[name]) for name in _LIMITS),
        *(points[name] is None for name in _MEASURED),
        None in sensors or not sensors,
    )
