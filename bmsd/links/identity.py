"""Who this device is, for masters that ask for a serial number."""

from __future__ import annotations

from functools import cache
from pathlib import Path

MACHINE_ID = Path("/etc/machine-id")
_FOR = b"bmsd"


@cache
def serial_number() -> str:
    """Give a number of 16 digits that stays with the machine; the machine's own id is not for others to see."""
    try:
        machine = MACHINE_ID.read_bytes().strip()
    except OSError:
        machine = b""
    if not machine:
        return "0" * 16
    import hashlib  # 3 MiB of OpenSSL, which a link without such a map does without
    import hmac

    return hmac.new(machine, _FOR, hashlib.sha256).hexdigest()[:16].upper()
