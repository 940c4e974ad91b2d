"""Writes over one Modbus line: what they mean, whether they are taken, and what the core says to them.

Off unless the configuration says otherwise. Only switches and run-time parameters; the core checks every set as a
whole (S8) and lets no remote write allow more than what was set at the pack (S14).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmsd.config import pin
from bmsd.errors import PeerError, StaleError
from bmsd.ipc.request_socket import ask
from bmsd.ipc.shared_files import PARAMETERS, WRITES, Publisher, monotonic_ms
from bmsd.links.limit import HOUR_MS, MINUTE_MS, Limit, RateLimits
from bmsd.links.link import NOTICE, WARNING, Link
from bmsd.links.modbus_lock import WRITES_PER_HOUR, WRITES_PER_MINUTE, Lock, Unlocked, Why
from bmsd.links.modbus_rtu import Refusal, RefusedError, RegisterAccess
from bmsd.links.snapshots import SharedFile, Snapshots
from bmsd.tables import registers, remote
from bmsd.tables.registers import S32

ANSWER_S = 1.5
"""A core that is well answers with its next cycle: within 1 s, asleep too."""
SEEN_MS = 200
_CODES = {
    Why.LOCKED: Refusal.ADDRESS, Why.WRONG_PIN: Refusal.VALUE, Why.LOCKED_OUT: Refusal.ADDRESS,
    Why.TOO_MANY: Refusal.BUSY, Why.NO_PIN: Refusal.VALUE, Why.ADDRESS: Refusal.ADDRESS,
    Why.VALUE: Refusal.VALUE, Why.REFUSED: Refusal.VALUE, Why.NO_CORE: Refusal.DEVICE,
}  # fmt: skip
"""What the master sees. Locked is no such address: busy or a device failure would be tried again and again."""
_WORDS = {
    Why.LOCKED: "writes are locked",
    Why.WRONG_PIN: "wrong PIN",
    Why.LOCKED_OUT: "locked out after wrong PINs",
    Why.TOO_MANY: f"more than {WRITES_PER_MINUTE} in a minute or {WRITES_PER_HOUR} in an hour",
    Why.NO_PIN: "no PIN is set: 'bmsctl modbus pin'",
    Why.ADDRESS: "no such register to write",
    Why.VALUE: "no such value",
}

Ask = Callable[[Path, Mapping[str, Any], float], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RemoteWrite:
    """What a write asks of the core: one set of parameters, or some switches, those to be switched off first."""

    requests: tuple[dict[str, Any], ...]
    text: str


class _NotTakenError(Exception):
    def __init__(self, why: Why, text: str = "") -> None:
        super().__init__(text or _WORDS[why])
        self.why = why


class Writes:
    """The way in of one line."""

    def __init__(self, link: Link, ask_core: Ask = ask) -> None:
        self._link = link
        self._ask = ask_core
        self._lock = Lock()
        self._publisher = Publisher(link.runtime_dir)
        self._memory = f"lock-{link.name}.json"
        self._remember()
        self._told = RateLimits(Limit(2 * WRITES_PER_MINUTE, MINUTE_MS), Limit(WRITES_PER_HOUR, HOUR_MS))
        self._unlocked = SharedFile(link.runtime_dir / WRITES)
        self._parameters = SharedFile(link.runtime_dir / PARAMETERS)
        self._snapshots = Snapshots(link.runtime_dir)
        self._pin = pin.path_beside(link.config.path)
        self._taken = self._refused = 0
        self._last = Why.NONE

    def carry_out(self, who: str, address: int, words: Sequence[int]) -> None:
        """Carry out a write; RefusedError: nothing was changed, and the journal says why."""
        now_ms = monotonic_ms()
        self._hear()
        who, order = f"{self._link.name} {who}", RegisterAccess(address, len(words), tuple(words))
        try:
            self._one(order, who, now_ms)
        except _NotTakenError as error:
            self._refused += 1
            self._last = error.why
            if not self._told.spent(now_ms):
                self._link.say(WARNING, f"write by {who} at {order.address} refused: {error}")
            raise RefusedError(_CODES[error.why]) from None
        self._taken += 1

    def registers(self, now_ms: int) -> dict[str, int]:
        """Give what the registers tell of it."""
        self._hear()
        return {
            "lock": self._lock.doing(now_ms),
            "unlocked_ms": self._lock.open_ms(now_ms),
            "locked_out_ms": self._lock.out_ms(now_ms),
            "last_refusal": self._last,
            "writes_taken": self._taken,
            "writes_refused": self._refused,
        }

    def _remember(self) -> None:
        """Know what an earlier run of this boot knew: a link that starts again gives nobody new tries."""
        known = SharedFile(self._link.runtime_dir / self._memory).last() or {}
        with contextlib.suppress(KeyError, TypeError, ValueError):
            self._lock.remembered(int(known["failures"]), int(known["out_until_ms"]), monotonic_ms())
        self._known = self._lock.memory

    def _keep(self) -> None:
        """Write down what an own next run has to know, when it changed."""
        if self._lock.memory != self._known:
            self._known = self._lock.memory
            self._publisher.publish(self._memory, self._known, monotonic_ms())

    def _hear(self) -> None:
        document = self._unlocked.last() or {}
        told = document.get("unlocked") or {}
        if told.get("link") in ("", self._link.name):
            self._lock.hear(Unlocked(int(told["at_ms"]), int(told["until_ms"])))
            self._keep()

    def _one(self, order: RegisterAccess, who: str, now_ms: int) -> None:
        if order.address == registers.LOCK_AT and order.values == (1,):
            was_open = self._lock.open_ms(now_ms)
            self._lock.close(now_ms)
            if was_open:
                self._link.say(NOTICE, f"writes locked by {who}")
            return
        if order.address == registers.PIN_AT and order.count == S32.words:
            self._unlock(order, who, now_ms)
            return
        if not self._lock.open_ms(now_ms):
            raise _NotTakenError(Why.LOCKED)
        write = remote_write(order)
        if self._lock.too_many(now_ms):
            raise _NotTakenError(Why.TOO_MANY)
        for wanted in write.requests:
            self._asked({**wanted, "remote": who})
        self._see(write)
        self._link.say(NOTICE, f"write by {who}: {write.text}")

    def _see(self, write: RemoteWrite) -> None:
        """Wait until a master that reads back sees it: the core answers a moment before it publishes."""
        until_ms = monotonic_ms() + SEEN_MS
        while monotonic_ms() < until_ms and not all(self._is_seen(wanted) for wanted in write.requests):
            time.sleep(0.005)

    def _is_seen(self, wanted: Mapping[str, Any]) -> bool:
        if wanted["do"] == "set":
            told = self._parameters.last()
            return told is None or bool(wanted["values"].items() <= told["values"].items())
        seen = self._snapshots.last()
        # Where there is none, nobody sees anything.
        return seen is None or bool((wanted["name"] not in seen.document["remote_off"]) == wanted["on"])

    def _unlock(self, order: RegisterAccess, who: str, now_ms: int) -> None:
        if self._lock.too_many(now_ms):
            raise _NotTakenError(Why.TOO_MANY)
        number = order.values[0] << 16 | order.values[1]
        why = self._lock.unlock(lambda: pin.matches(self._pin, number), now_ms)
        self._keep()
        if why is not Why.NONE:
            raise _NotTakenError(why)
        self._link.say(NOTICE, f"writes unlocked by PIN for {self._lock.open_ms(now_ms) // 1000} s, by {who}")

    def _asked(self, request: dict[str, Any]) -> None:
        try:
            self._ask(self._link.runtime_dir, request, ANSWER_S)
        except StaleError as error:
            raise _NotTakenError(Why.NO_CORE, str(error)) from None
        except PeerError as error:
            raise _NotTakenError(Why.REFUSED, str(error)) from None


def remote_write(order: RegisterAccess) -> RemoteWrite:
    """Say what a write asks of the core. _NotTakenError: nothing that there is."""
    if registers.is_parameters(order.address, order.count):
        return _parameters(order)
    place = order.address - registers.SWITCHES_AT
    names = tuple(remote.SWITCHES)[place : place + order.count] if place >= 0 else ()
    if len(names) != order.count:
        raise _NotTakenError(Why.ADDRESS)
    if any(value not in (0, 1) for value in order.values):
        raise _NotTakenError(Why.VALUE, "a switch is 0 or 1")
    wanted = sorted(zip(order.values, names, strict=True), key=lambda pair: pair[0])
    return RemoteWrite(
        tuple({"do": "switch", "name": name, "on": bool(value)} for value, name in wanted),
        ", ".join(f"{name} {'on' if value else 'off'}" for value, name in wanted),
    )


def _parameters(order: RegisterAccess) -> RemoteWrite:
    place = order.address - registers.PARAMETERS_AT
    if place % S32.words or order.count % S32.words:
        raise _NotTakenError(Why.ADDRESS, "half a parameter: each is two registers, written together")
    names = {row.number: row.name for row in remote.ROWS}
    values: dict[str, int] = {}
    for n in range(order.count // S32.words):
        high, low = order.values[2 * n], order.values[2 * n + 1]
        value = (high << 16 | low) - (high >> 15 << 32)
        name = names.get(place // S32.words + n)
        if value == _AS_IT_IS:
            continue
        if name is None:
            raise _NotTakenError(Why.ADDRESS)
        values[name] = value
    if not values:
        return RemoteWrite((), "nothing")
    text = ", ".join(f"{name} {value}" for name, value in values.items())
    return RemoteWrite(({"do": "set", "values": values},), text)


_AS_IT_IS = -0x8000_0000
"""A parameter of a longer write that is to stay as it is."""
