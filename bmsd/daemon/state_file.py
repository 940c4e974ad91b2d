"""What survives a power cut: charge counter, consents, operator-latched alarms, counters, changed parameters.

One small file, replaced atomically and checked by a sum. Writing happens in a thread of its own that holds only
the newest state, so that a slow or full disk never delays the core (S9); bytes written are counted.
"""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bmsd.core.contactor_life import COUNTED, ContactorLife
from bmsd.core.heater_watch import Proof
from bmsd.core.soc import SocState
from bmsd.core.state import Consent
from bmsd.ipc.shared_files import write_all
from bmsd.tables.alarms import BOTH, Block

STATE_FILE = "state.json"
SCHEMA = 1
EVERY_MS = 600_000
"""A moving charge counter is written this often: 144 times 1 KiB a day."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The surviving state. `problem` says in words why a file that was there could not be used."""

    soc: SocState | None = None
    consent: Consent = Consent()
    latched: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)
    """Run-time parameter changes, by inside name."""
    runtime_ms: int = 0
    problem: str = ""
    worn: Mapping[str, ContactorLife] = field(default_factory=dict)
    """What contactors and relays have done, by name."""
    asked_for: Block = BOTH
    """Directions that need no word of an operator to close: a factory reset asks for each again, over restarts too."""
    boot: str = ""
    """The boot whose clock the times in `worn` belong to."""
    remote: Mapping[str, int] = field(default_factory=dict)
    """Parameters changed remotely, which stand before the ones made here."""
    heat: Proof = Proof()
    """How long the heater ran, and whether it warmed the pack."""


def load(state_dir: Path) -> Stored:
    """Read the surviving state; a missing file is a first start, a broken one is reported and not used."""
    path = state_dir / STATE_FILE
    try:
        document = json.loads(path.read_text())
        body = document["body"]
        if document["schema"] != SCHEMA or document["sum"] != _sum(body):
            raise ValueError("its checksum or schema is wrong")
        return _stored(body)
    except FileNotFoundError:
        return Stored()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return Stored(problem=f"{path} cannot be used: {error}")


def _stored(body: Mapping[str, Any]) -> Stored:
    """Take the state apart; a value of a wrong type is refused here, not in the decision."""
    counter = body["soc"]
    return Stored(
        soc=None if counter is None else _counter(counter),
        consent=Consent(
            **{name: _flag(on) for name, on in body["consent"].items()},
            remote_off=_blocks(body.get("remote_off", ())),
        ),
        latched={
            name: (_maybe(pair[0]), _maybe(pair[1])) for name, pair in body["latched"].items() if _pair(pair)
        },
        changed={name: _whole(value) for name, value in body["changed"].items()},
        remote={name: _whole(value) for name, value in body.get("remote", {}).items()},
        runtime_ms=_whole(body["runtime_ms"]),
        # A file of a version that did not count yet has neither.
        worn={name: _worn(name, raw) for name, raw in body.get("worn", {}).items()},
        asked_for=_directions(body.get("asked_for", BOTH.names)),
        boot=str(body.get("boot", "")),
        heat=_heat(body.get("heat", {})),
    )


def _directions(names: Iterable[str]) -> Block:
    return _blocks(names) & BOTH


def _blocks(names: Iterable[str]) -> Block:
    block = Block.NONE
    for name in names:
        block |= Block[name.upper()]
    return block


def _worn(name: str, raw: Mapping[str, Any]) -> ContactorLife:
    # A file of a version that did not keep it yet does not say when it went off.
    off_ms = _maybe(raw.get("off_ms"))
    one = ContactorLife(_whole(raw["closings"]), tuple(_whole(t) for t in raw["starts_ms"]), off_ms)
    if name not in COUNTED or one.closings < 0:
        raise ValueError(f"the closings of {name} are wrong")
    return one


def _heat(raw: Mapping[str, Any]) -> Proof:
    one = Proof(
        heated_ms=_whole(raw.get("heated_ms", 0)),
        reference_decic=_maybe(raw.get("reference_decic")),
        run_ms=_whole(raw.get("run_ms", 0)),
        last_ms=_maybe(raw.get("last_ms")),
    )
    if one.heated_ms < 0 or one.run_ms < 0:
        raise ValueError("a time of the heater is below zero")
    return one


def _counter(raw: Mapping[str, Any]) -> SocState:
    kept: dict[str, Any] = {name: _flag(raw[name]) for name in _FLAGS}
    # A file of a version that did not count one of them yet does not have it.
    kept |= {name: _whole(raw[name]) for name in _COUNTS if name in raw}
    if min(kept.values()) < 0:
        raise ValueError("a count is below zero")
    return SocState(**kept)


_FLAGS = ("full", "empty", "synchronised")
_COUNTS = ("charge_mams", "error_permille", "moved_mams", "discharged_mams", "full_charges", "unfilled_ms")


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _maybe(value: object) -> int | None:
    return None if value is None else _whole(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _pair(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        raise TypeError(f"{value!r} is no pair")
    return True


def _sum(body: Any) -> int:
    return zlib.crc32(json.dumps(body, sort_keys=True, separators=(",", ":")).encode())


def encode(stored: Stored) -> bytes:
    """Write the surviving state as the file holds it; monotonic times do not survive."""
    counter = stored.soc
    body = {
        "soc": None if counter is None else {name: getattr(counter, name) for name in _FLAGS + _COUNTS},
        "consent": {name: getattr(stored.consent, name) for name in ("charge", "discharge", "balance")},
        "remote_off": stored.consent.remote_off.names,
        "latched": {name: list(pair) for name, pair in stored.latched.items()},
        "changed": dict(stored.changed),
        "remote": dict(stored.remote),
        "runtime_ms": stored.runtime_ms,
        "worn": {name: asdict(one) for name, one in stored.worn.items()},
        "asked_for": stored.asked_for.names,
        "boot": stored.boot,
        "heat": stored.heat._asdict(),
    }
    return json.dumps({"schema": SCHEMA, "sum": _sum(body), "body": body}).encode()


class Writer:
    """Write the newest state in the background; `failed` tells of a disk that does not take it."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / STATE_FILE
        self._next: bytes | None = None
        self._wake = threading.Condition()
        self._stop = False
        self.bytes_written = 0
        self.failed = ""
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)
        self._thread.start()

    def put(self, stored: Stored) -> None:
        """Hand over the newest state; one that still waits is replaced."""
        data = encode(stored)
        with self._wake:
            self._next = data
            self._wake.notify()

    def close(self, timeout_s: float = 2.0) -> None:
        """Write what waits, for a bounded time."""
        with self._wake:
            self._stop = True
            self._wake.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._next is not None or self._stop)
                data, self._next = self._next, None
                if data is None:
                    return
            self._write(data)

    def _write(self, data: bytes) -> None:
        temporary = f"{self._path}.new"
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, self._path)
        except OSError as error:
            self.failed = f"{self._path} cannot be written: {error}"
            return
        self.failed = ""
        self.bytes_written += len(data)
