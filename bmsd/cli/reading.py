"""What bmsctl reads from the runtime directory; every reader raises StaleError in words, never shows old as new."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmsd.errors import StaleError
from bmsd.ipc import shared_files, status
from bmsd.ipc.snapshot import fresh_snapshot, read_snapshot

DEFAULT_DIR = Path("/run/bmsd")
DIR_VARIABLE = "BMSD_RUNTIME_DIR"


def runtime_dir(chosen: str | None) -> Path:
    """Give the runtime directory: the option, else the environment, else the installed place."""
    return Path(chosen or os.environ.get(DIR_VARIABLE) or DEFAULT_DIR)


@dataclass(frozen=True, slots=True)
class Now:
    """One reading of everything: the snapshot as published and the document made of it."""

    snapshot: Mapping[str, Any]
    document: Mapping[str, Any]
    parameters: Mapping[str, int]
    """In force, by inside name; empty where they cannot be read."""


def now(directory: Path, *, fresh: bool = True) -> Now:
    """Read snapshot, links and parameters; with `fresh`, an old snapshot raises StaleError."""
    read = fresh_snapshot if fresh else read_snapshot
    snapshot = read(directory).document
    found = links(directory)
    values = (optional(directory / shared_files.PARAMETERS) or {}).get("values")
    document = status.public(snapshot, found, shared_files.monotonic_ms())
    return Now(snapshot, document, values if isinstance(values, dict) else {})


def links(directory: Path) -> dict[str, dict[str, Any] | None]:
    """Read what every link says of itself; the first CAN link names further buses, also those that do not run."""
    first = optional(directory / "link-can.json") or {}
    buses = first["buses"] if isinstance(first.get("buses"), list) else []
    further = [path.stem.removeprefix("link-") for path in directory.glob("link-*.json")]
    return {name: optional(directory / f"link-{name}.json") for name in (*status.LINKS, *buses, *further)}


def optional(path: Path) -> dict[str, Any] | None:
    """Read a shared file that need not be there."""
    try:
        return shared_files.read_document(path)
    except StaleError:
        return None


def parameters(directory: Path) -> dict[str, Any]:
    """Read the parameter file behind a living daemon."""
    fresh_snapshot(directory)
    return shared_files.read_document(directory / shared_files.PARAMETERS)


def events(directory: Path) -> list[dict[str, Any]]:
    """Read the last events, oldest first."""
    found = shared_files.read_document(directory / shared_files.EVENTS).get("events")
    if not isinstance(found, list):
        raise StaleError(f"{directory / shared_files.EVENTS} is incomplete")
    return found


class NewEvents:
    """Give each event once; a restarted daemon counts from the beginning again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._last = 0

    def take(self) -> list[dict[str, Any]]:
        """Give the events since the last call; none while the file cannot be read."""
        try:
            found = events(self._directory)
        except StaleError:
            return []
        if found and found[-1]["n"] < self._last:
            self._last = 0
        new = [event for event in found if event["n"] > self._last]
        if new:
            self._last = new[-1]["n"]
        return new
