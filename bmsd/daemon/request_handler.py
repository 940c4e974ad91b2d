"""Carry out what operators ask: narrow requests for the core, parameter writes as one set, and the bench.

Whatever is refused says why and changes nothing (S8); remote requests never widen what the rules allow (S14). One
with "remote" came over a wire: it says from where, and may only switch and set, to the narrower side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from bmsd.config.advice import told
from bmsd.config.load import Config
from bmsd.core.types import Event, Request
from bmsd.errors import ParameterError, PeerError
from bmsd.ipc.request_socket import PendingRequest
from bmsd.ipc.shared_files import monotonic_ms
from bmsd.tables import alarms, ordered, parameters, remote
from bmsd.tables.chemistries import PRESETS
from bmsd.tables.parameters import Parameters

CONSENTS = ("charge", "discharge", "balance")
KNOWN = (
    "switch",
    "reset",
    "wake",
    "emergency",
    "charge",
    "factory-reset",
    "set",
    "preset",
    "unset",
    "writes",
    "sim",
)
REMOTE_KNOWN = ("switch", "set")
LONGEST_UNLOCK_S = 3600
LARGEST = 10**12
"""No parameter comes near; a longer number is no number."""
_PLACE = re.compile(r"[A-Za-z0-9@ .:-]{1,60}")
Bench = Callable[[dict[str, Any]], dict[str, Any]]


class RequestHandler:
    """Where requests arrive. `parameters` are in force; `changed` are those changed at run time.

    `remote` are those narrowed remotely; they stand before the others until somebody here says otherwise.
    """

    def __init__(
        self,
        config: Config,
        changed: Mapping[str, int],
        bench: Bench | None = None,
        from_afar: Mapping[str, int] | None = None,
    ) -> None:
        self._config = config
        self._bench = bench
        self.changed = dict(changed)
        self._here = self._checked(self.changed)
        # The configuration may have become narrower meanwhile.
        self.remote = {
            name: value
            for name, value in (from_afar or {}).items()
            if remote.narrows(remote.BY_NAME.get(name), value, self._here)
        }
        self.parameters = self._checked({**self.changed, **self.remote})
        self.unlocked: dict[str, Any] = {"at_ms": monotonic_ms(), "until_ms": 0, "link": ""}
        """Until when writes are unlocked by somebody here, and on which link; empty means all."""
        self.events: list[Event] = []
        """What was changed, until `take_events`."""

    def take_events(self) -> list[Event]:
        """Give and forget the events of accepted writes."""
        events, self.events = self.events, []
        return events

    def handle(self, asked: PendingRequest, now_ms: int, *, contactors_open: bool = False) -> Request | None:
        """Carry out a request and answer it; a request for the core is given back, unanswered."""
        try:
            who = who_asks(asked)
            request = self._for_core(asked.request, who)
            if asked.request["do"] == "factory-reset":
                request = self._factory_reset(who, now_ms, contactors_open)
            if request is not None:
                return request
            reply = self._carry_out(asked.request, who, now_ms)
        except ParameterError as error:
            asked.answer({"ok": False, "error": str(error), "problems": error.problems})
        except PeerError as error:
            asked.answer({"ok": False, "error": str(error)})
        else:
            asked.answer({"ok": True, **reply})
        return None

    def _for_core(self, request: Mapping[str, Any], who: str) -> Request | None:
        if request["do"] == "switch":
            name, on = request.get("name"), request.get("on")
            if name not in CONSENTS or not isinstance(on, bool):
                raise PeerError(f"switch needs a name ({', '.join(CONSENTS)}) and on true or false")
            return Request("remote" if "remote" in request else "switch", name, on, who)
        if request["do"] == "reset":
            name = request.get("alarm")
            if not isinstance(name, str) or name not in alarms.BY_NAME:
                raise PeerError(f"there is no alarm {name!r}; 'bmsctl alarms' lists the active ones")
            return Request("reset", name, None, who)
        if request["do"] == "emergency":
            if not isinstance(request.get("on"), bool):
                raise PeerError("emergency needs on true or false")
            return Request("emergency", "override", request["on"], who)
        if request["do"] == "charge":
            name, on = request.get("name"), request.get("on")
            if not isinstance(name, str) or name not in ordered.LASTS_MS or not isinstance(on, bool):
                raise PeerError(f"charge needs a name ({', '.join(ordered.LASTS_MS)}) and on true or false")
            return Request(ordered.KIND, name, on, who)
        if request["do"] == "wake":
            return Request("wake", "pack", None, who)
        return None

    def _factory_reset(self, who: str, now_ms: int, contactors_open: bool) -> Request:
        """Take the configured parameters, and let the core forget the switches; nothing latched is touched (S13).

        With a contactor closed it is refused: the chip takes new limits only while both are open (S6, S8).
        """
        if not contactors_open:
            raise PeerError(
                "a contactor is closed: first 'bmsctl switch charge off' and"
                " 'bmsctl switch discharge off', then again"
            )
        self._use({}, {}, who, now_ms)
        return Request("factory", "", None, who)

    def _carry_out(self, request: dict[str, Any], who: str, now_ms: int) -> dict[str, Any]:
        if request["do"] == "set":
            values = _integers(request.get("values"))
            return (
                self._set_from_afar(values, who, now_ms)
                if "remote" in request
                else self._set(values, who, now_ms)
            )
        if request["do"] == "preset":
            return self._preset(request.get("name"), who, now_ms)
        if request["do"] == "unset":
            return self._use({}, {}, who, now_ms)
        if request["do"] == "writes":
            return self._unlock(request, who, now_ms)
        if request["do"] == "sim":
            if self._bench is None:
                raise PeerError("this is no simulated bench: 'sim' works only with bmsd --simulate")
            return self._bench(request)
        raise PeerError(f"unknown request {request['do']!r}; known: {', '.join(KNOWN)}")

    def _set(self, values: Mapping[str, int], who: str, now_ms: int) -> dict[str, Any]:
        return self._use({**self.changed, **values}, self._without(values), who, now_ms)

    def _set_from_afar(self, values: Mapping[str, int], who: str, now_ms: int) -> dict[str, Any]:
        """Narrow what was set here, or withdraw what was narrowed remotely before (S14)."""
        found = remote.problems(values, self._here)
        if found:
            raise ParameterError(found)
        wanted = {**self.remote, **values}
        narrower = {name: value for name, value in wanted.items() if value != self._here.get(name)}
        return self._use(self.changed, narrower, who, now_ms)

    def _without(self, names: Iterable[str]) -> dict[str, int]:
        """Give what was narrowed remotely, but for what is now said here."""
        return {name: value for name, value in self.remote.items() if name not in set(names)}

    def _unlock(self, request: Mapping[str, Any], who: str, now_ms: int) -> dict[str, Any]:
        """Let a link take writes for a time, or no more; 0 seconds is no more."""
        seconds, link = request.get("unlock_s"), request.get("link", "")
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds <= LONGEST_UNLOCK_S:
            raise PeerError(f"writes needs unlock_s, a whole number from 0 to {LONGEST_UNLOCK_S}")
        lines = [name for name, port in self._config.modbus_ports.items() if port.writes]
        if not isinstance(link, str) or not lines or (link and link not in lines):
            raise PeerError(
                f"no such Modbus line takes writes; those with modbus.writes: {', '.join(lines) or 'none'}"
            )
        self.unlocked = {"at_ms": now_ms, "until_ms": now_ms + seconds * 1000 if seconds else 0, "link": link}
        state = "unlocked" if seconds else "locked"
        self.events.append(
            Event(
                at_ms=now_ms,
                kind="writes",
                name=link or "modbus",
                state=state,
                where=None,
                value=seconds or None,
                who=who,
            )
        )
        return {"unlocked_s": seconds}

    def _preset(self, name: object, who: str, now_ms: int) -> dict[str, Any]:
        """Take a whole preset; what has no preset, such as current limits, stays as configured."""
        if name not in PRESETS:
            raise PeerError(f"there is no preset {name!r}; known: {', '.join(PRESETS)}")
        own = {
            row.name: self._config.parameters.get(row.name)
            for row in parameters.ROWS
            if row.share_of or row.preset.value(self._config.chemistry, str(name)) is None
        }
        values = parameters.defaults(
            self._config.chemistry, str(name), self._config.cells, own, self._config.capacity_mah
        )
        known = {key: v for key, v in values.items() if v is not None}
        return self._use(known, self._without(known), who, now_ms)

    def _use(
        self, changes: Mapping[str, int], from_afar: Mapping[str, int], who: str, now_ms: int
    ) -> dict[str, Any]:
        """Check a complete set and take it, or raise ParameterError and change nothing (S8)."""
        here, wanted = self._checked(changes), self._checked({**changes, **from_afar})
        changed = self._differences(self.parameters, wanted, who, now_ms)
        self.events += changed
        self._here, self.parameters = here, wanted
        self.changed = {
            name: value for name, value in changes.items() if value != self._config.parameters.get(name)
        }
        self.remote = dict(from_afar)
        return {"changed": [event.name for event in changed]}

    def _checked(self, changes: Mapping[str, int]) -> Parameters:
        """Make a complete set that the rows, the heater and the front-end chip allow (S4, S6, S8)."""
        unknown = [name for name in changes if name not in parameters.BY_NAME]
        if unknown:
            raise ParameterError([f"no parameter is called {name}" for name in unknown])
        if found := told(self._config.trial, changes):
            raise ParameterError([text for _, text in found])
        return replace(self._config.parameters, **dict(changes))

    def _differences(self, old: Parameters, new: Parameters, who: str, now_ms: int) -> list[Event]:
        return [
            Event(
                at_ms=now_ms,
                kind="parameter",
                name=row.name,
                state="set",
                where=None,
                value=new.get(row.name),
                limit=old.get(row.name),
                who=who,
            )
            for row in parameters.ROWS
            if new.get(row.name) != old.get(row.name)
        ]

    def body(self) -> dict[str, Any]:
        """Give the parameters as the shared file carries them."""
        config = self._config
        return {
            "chemistry": config.chemistry,
            "preset": config.preset,
            "cells": config.cells,
            "values": {row.name: self.parameters.get(row.name) for row in parameters.ROWS},
            "configured": {row.name: config.parameters.get(row.name) for row in parameters.ROWS},
        }


def who_asks(asked: PendingRequest) -> str:
    """Say who asks: as the kernel told it, and for a wire also which; PeerError for what may not come over one."""
    if "remote" not in asked.request:
        return asked.who
    where = asked.request["remote"]
    if not isinstance(where, str) or not _PLACE.fullmatch(where):
        raise PeerError('"remote" must name the wire in a few plain words')
    if asked.request["do"] not in REMOTE_KNOWN:
        raise PeerError(f"remotely only these are taken: {', '.join(REMOTE_KNOWN)}")
    return f"{where} ({asked.who})"


def _integers(values: object) -> dict[str, int]:
    if not isinstance(values, dict) or not values:
        raise PeerError('set needs "values": an object of parameter names and integers')
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise PeerError(f"{name} is {value!r}, but must be an integer in inside units")
        if abs(value) > LARGEST:
            raise PeerError(f"{name} is far outside any range")
    return {str(name): value for name, value in values.items()}
