"""What `bmsctl doctor` can see of a machine: files under a root, what some programs say, who is looking.

Reads only. Unknown stays unknown: a file that may not be read is another answer than one that is not there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

PATIENCE_S = 3.0
_CHIP_INFO, _LINE_INFO = 0x8044B401, 0xC100B405
"""Two questions of linux/gpio.h that ask and change nothing; lines are not requested."""
_LINE = struct.Struct("=32s32sIIQ176x")
_USED = 1


class CheckState(Enum):
    """What a check comes to."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class CheckResult(NamedTuple):
    """The answer of one check: what was found, and what to do next where it is not good."""

    verdict: CheckState
    text: str
    step: str = ""


def good(text: str) -> CheckResult:
    """Say that something is as it should be."""
    return CheckResult(CheckState.GOOD, text)


def warn(text: str, step: str) -> CheckResult:
    """Say that something could be better, and how."""
    return CheckResult(CheckState.WARN, text, step)


def bad(text: str, step: str) -> CheckResult:
    """Say that something must be changed, and how."""
    return CheckResult(CheckState.BAD, text, step)


def unknown(text: str, step: str = "") -> CheckResult:
    """Say what could not be seen."""
    return CheckResult(CheckState.UNKNOWN, text, step)


def skipped(text: str) -> CheckResult:
    """Say why a check does not apply here."""
    return CheckResult(CheckState.SKIPPED, text)


_URGENCY = (CheckState.BAD, CheckState.WARN, CheckState.UNKNOWN, CheckState.GOOD, CheckState.SKIPPED)


def worst(findings: Iterable[CheckResult], none: str) -> CheckResult:
    """Tell of the worst of several, of all where all are good, and why not where there is none."""
    found = sorted(findings, key=lambda finding: _URGENCY.index(finding.verdict))
    if not found:
        return skipped(none)
    same = [finding for finding in found if finding.verdict is found[0].verdict]
    return (
        good(", ".join(finding.text for finding in same)) if same[0].verdict is CheckState.GOOD else same[0]
    )


class GpioChip(NamedTuple):
    """One GPIO chip: its device, its label, and who holds which line; a free line is not in `holders`."""

    path: str
    label: str
    lines: int
    holders: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine, real or made of files for a test."""

    root: Path = Path("/")
    uid: int = field(default_factory=os.geteuid)
    groups: frozenset[int] = field(default_factory=lambda: frozenset(os.getgroups()) | {os.getegid()})

    @property
    def real(self) -> bool:
        """Tell whether this is the machine we run on."""
        return self.root == Path("/")

    def at(self, path: str) -> Path:
        """Give the place of a path under the root."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """Read a text; None when it is not there or may not be read."""
        try:
            return self.at(path).read_text(encoding="utf-8", errors="replace").replace("\0", "\n").strip()
        except OSError:
            return None

    def number(self, path: str) -> int | None:
        """Read a number, also a hexadecimal one."""
        with contextlib.suppress(ValueError):
            return int(self.text(path) or "", 0)
        return None

    def cell(self, path: str) -> int | None:
        """Read one number of a device tree."""
        try:
            data = self.at(path).read_bytes()
        except OSError:
            return None
        return int.from_bytes(data, "big") if len(data) == 4 else None

    def exists(self, path: str) -> bool | None:
        """Tell whether something is there; None when that may not be seen."""
        try:
            self.at(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return None
        return True

    def glob(self, pattern: str) -> list[str]:
        """Find paths, as seen from the root; none where they may not be seen."""
        try:
            found = sorted(self.root.glob(pattern.lstrip("/")))
        except OSError:
            return []
        return [f"/{path.relative_to(self.root)}" for path in found]

    def target(self, path: str) -> str:
        """Follow a link one step and give the last part of where it leads; the path's own name without one."""
        try:
            return Path(os.readlink(self.at(path))).name
        except OSError:
            return Path(path).name

    def owner(self, path: str) -> tuple[int, int, int] | None:
        """Give user, group and permission bits of a file."""
        try:
            found = self.at(path).stat()
        except OSError:
            return None
        return found.st_uid, found.st_gid, found.st_mode & 0o777

    def free_bytes(self, path: str) -> tuple[int, int] | None:
        """Give free and all bytes of a file system."""
        try:
            found = os.statvfs(self.at(path))
        except OSError:
            return None
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def says(self, *words: str) -> str | None:
        """Give what a program says; None when it is not there, fails, or takes too long."""
        program = shutil.which(words[0], path="/usr/sbin:/usr/bin:/sbin:/bin") if self.real else None
        if program is None:
            return None
        try:
            done = subprocess.run(
                [program, *words[1:]], capture_output=True, text=True, timeout=PATIENCE_S,
                stdin=subprocess.DEVNULL, env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    def properties(self, *words: str) -> dict[str, str]:
        """Give what systemctl show says; nothing where there is no systemd."""
        said = self.says("systemctl", "show", *words) or ""
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def library(self, name: str) -> Path | None:
        """Find a Python library without loading it; give the file or directory it is in."""
        try:
            spec = find_spec(name)
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        inside = list(spec.submodule_search_locations or ())
        return Path(inside[0]) if inside else Path(spec.origin or name)

    def members(self, group: str) -> tuple[int, frozenset[str]] | None:
        """Give number and members of a group, with those whose own group it is; None without such a group."""
        for name, number, users in self._rows("/etc/group"):
            if name == group:
                own = {user for user, _, gid in self._rows("/etc/passwd") if gid == number}
                return int(number), frozenset(users.split(",")) - {""} | own
        return None

    def user(self, name: str) -> int | None:
        """Give a user's number."""
        return next((int(uid) for user, uid, _ in self._rows("/etc/passwd") if user == name), None)

    def may_use(self, path: str, user: str, need: int = 0o6) -> bool | None:
        """Tell whether a user may read and write, or do what the bits say; None when that cannot be seen."""
        owner, uid = self.owner(path), self.user(user)
        if owner is None or uid is None:
            return None
        if owner[0] == uid:
            return owner[2] >> 6 & need == need
        group = next((name for name, number, _ in self._rows("/etc/group") if int(number) == owner[1]), "")
        if user in (self.members(group) or (0, frozenset[str]()))[1]:
            return owner[2] >> 3 & need == need
        return owner[2] & need == need

    def group_of(self, path: str) -> str:
        """Name the group that owns a file."""
        owner = self.owner(path)
        rows = self._rows("/etc/group")
        return next((name for name, number, _ in rows if owner and int(number) == owner[1]), "?")

    def _rows(self, path: str) -> Iterator[tuple[str, str, str]]:
        """Give name, number and fourth field of a file of users or groups."""
        for line in (self.text(path) or "").splitlines():
            parts = line.split(":")
            if len(parts) >= 4 and parts[2].isdigit():
                yield parts[0], parts[2], parts[3]

    def gpio_chips(self) -> list[GpioChip] | None:
        """Ask the kernel for its GPIO chips and who holds their lines; None when it may not be asked."""
        found, denied = [], False
        for path in self.glob("/dev/gpiochip*"):
            try:
                found.append(_gpio_chip(self.at(path)))
            except OSError:
                denied = True
        return None if denied else found


def _gpio_chip(path: Path) -> GpioChip:
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        info = fcntl.ioctl(number, _CHIP_INFO, bytes(68))
        label, lines = _word(info[32:64]), int.from_bytes(info[64:68], "little")
        holders = {}
        for line in range(lines):
            asked = _LINE.pack(b"", b"", line, 0, 0)
            _, consumer, _, _, flags = _LINE.unpack(fcntl.ioctl(number, _LINE_INFO, asked))
            if flags & _USED:
                holders[line] = _word(consumer) or "the kernel"
    finally:
        os.close(number)
    return GpioChip(str(path), label, lines, holders)


def _word(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode(errors="replace")
