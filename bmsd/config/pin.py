"""The PIN that unlocks writes over Modbus: kept as a salted scrypt hash in a file beside the configuration.

A PIN on a wire is read by everybody on that wire. It keeps away mistakes and the curious, nobody else.
"""

from __future__ import annotations

import grp
import os
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

FILE = "modbus.pin"
LOWEST, HIGHEST = 100_000, 999_999_999
"""Six to nine digits: it fits two registers, and 20 tries an hour take years to find it."""
_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 1
"""16 MiB for one try; 66 ms on a 2-core x86-64 machine."""
GROUP = "bmsd"


def path_beside(config: Path) -> Path:
    """Name the file of the PIN that belongs to a configuration file."""
    return config.parent / FILE


def problem(pin: int) -> str:
    """Say why a number is no good PIN; empty when it is."""
    if not LOWEST <= pin <= HIGHEST:
        return "a PIN has six to nine digits and does not begin with 0"
    digits = str(pin)
    steps = {ord(b) - ord(a) for a, b in pairwise(digits)}
    if len(steps) == 1:
        return "a PIN of equal or counted digits, such as 123456, is the first one that is tried"
    return ""


def write(path: Path, pin: int) -> None:
    """Replace the PIN; only root and the daemon's group may read what is kept of it."""
    salt = os.urandom(16)
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        with suppress(KeyError, PermissionError):
            os.fchown(descriptor, -1, grp.getgrnam(GROUP).gr_gid)
        os.fchmod(descriptor, 0o640)
        text = f"scrypt {_COST} {_BLOCK} {_PARALLEL} {salt.hex()} {_hash(pin, salt).hex()}\n"
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)


def matches(path: Path, pin: int) -> bool | None:
    """Tell whether this is the PIN; None: there is none, or its file cannot be used."""
    try:
        kind, cost, block, parallel, salt, wanted = path.read_text(encoding="ascii").split()
        if (kind, int(cost), int(block), int(parallel)) != ("scrypt", _COST, _BLOCK, _PARALLEL):
            return None
        from hmac import compare_digest  # like hashlib below

        return compare_digest(_hash(pin, bytes.fromhex(salt)), bytes.fromhex(wanted))
    except (OSError, ValueError):
        return None


def _hash(pin: int, salt: bytes) -> bytes:
    import hashlib  # 3 MiB of OpenSSL, which a line that nobody unlocks does without

    return hashlib.scrypt(str(pin).encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL)
