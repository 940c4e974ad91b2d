"""bmsctl modbus: whether masters may write, for how long, and with which PIN."""

from __future__ import annotations

import getpass
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bmsd.cli import reading
from bmsd.cli.console import Console
from bmsd.cli.params import UsageError
from bmsd.cli.show import print_json
from bmsd.config import pin
from bmsd.errors import PeerError
from bmsd.ipc.request_socket import ask
from bmsd.ipc.sentences import duration_text
from bmsd.ipc.shared_files import boot_id
from bmsd.ipc.snapshot import fresh_snapshot

LONGEST_LINE = 100
_LOCK = {1: "locked", 2: "unlocked", 3: "locked out after wrong PINs"}


def show(directory: Path, options: Namespace, console: Console) -> int:
    """Show each line and what it does with writes."""
    fresh_snapshot(directory)
    found = {
        path.stem.removeprefix("link-"): reading.optional(path) or {}
        for path in sorted(directory.glob("link-modbus*.json"))
    }
    told = {name: _writes(link) for name, link in found.items()}
    if options.json:
        print_json(console, told)
        return 0
    for name, writes in told.items():
        console.say(f"{name}: {_text(writes)}")
    if not told:
        console.say("no Modbus link runs")
    return 0


def _writes(link: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a link tells of its writes; unknown where it does not run."""
    alive = link.get("boot") == boot_id() and link.get("state") not in {None, "stopped"}
    raw = link.get("writes") or {}
    return {
        "enabled": bool(raw) if alive else None,
        "lock": _LOCK.get(raw.get("lock", 0)) if alive else None,
        "unlocked_s": raw.get("unlocked_ms", 0) // 1000 if alive and raw else None,
        "locked_out_s": raw.get("locked_out_ms", 0) // 1000 if alive and raw else None,
        "taken": raw.get("writes_taken") if alive else None,
        "refused": raw.get("writes_refused") if alive else None,
    }


def _text(writes: Mapping[str, Any]) -> str:
    if writes["enabled"] is None:
        return "does not run"
    if not writes["enabled"]:
        return "takes no writes (modbus.writes is not set)"
    left_s = writes["unlocked_s"] or writes["locked_out_s"]
    span = f" for {duration_text(left_s * 1000)}" if left_s else ""
    return f"{writes['lock']}{span}; {writes['taken']} writes taken, {writes['refused']} refused"


def unlock(directory: Path, options: Namespace, console: Console) -> int:
    """Let masters write for a time."""
    ask(directory, {"do": "writes", "unlock_s": options.time, "link": options.link})
    where = options.link or "every Modbus line that has modbus.writes set"
    console.paragraph(f"Masters may write for {duration_text(options.time * 1000)} on {where}.")
    return 0


def lock(directory: Path, options: Namespace, console: Console) -> int:
    """Take no writes any more."""
    ask(directory, {"do": "writes", "unlock_s": 0, "link": options.link})
    console.say(f"no writes are taken any more on {options.link or 'any Modbus line'}")
    return 0


def set_pin(_directory: Path, options: Namespace, console: Console) -> int:
    """Choose the PIN, or remove it; what is kept of it is a salted hash."""
    path = pin.path_beside(Path(options.config))
    try:
        if options.remove:
            path.unlink(missing_ok=True)
            console.say(f"{path} is removed: writes can only be unlocked at the pack")
            return 0
        pin.write(path, _asked())
    except OSError as error:
        raise PeerError(f"{path} cannot be written: {error}; try with sudo") from None
    console.say(f"the PIN is set; {path} keeps its hash")
    return 0


def _asked() -> int:
    """Ask twice at a keyboard; elsewhere take one line."""
    at_keyboard = bool(sys.stdin and sys.stdin.isatty())
    text = getpass.getpass("New PIN, six to nine digits: ") if at_keyboard else sys.stdin.readline()
    if at_keyboard and getpass.getpass("Once more: ") != text:
        raise UsageError("the two are not the same")
    text = text.strip()
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST_LINE:
        raise UsageError("a PIN is digits alone")
    if problem := pin.problem(int(text)):
        raise UsageError(problem)
    return int(text)
