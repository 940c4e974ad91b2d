"""Who this device is, for masters that ask for a serial number."""

from __future__ import annotations

from binascii import crc32
from functools import cache
from pathlib import Path

MACHINE_ID = Path("/etc/machine-id")
_FOR = b"bmsd"


@cache
def serial_number() -> str:
    """Give a number of 16 digits that stays with the machine; the machine's own id is not for others to see.

    A checksum keeps it so: 32 bits of 128. The hashes of the standard library bring OpenSSL along, 3 MiB.
    """
    try:
        machine = MACHINE_ID.read_bytes().strip()
    except OSError:
        machine = b""
    if not machine:
        return "0" * 16
    return f"{crc32(_FOR + machine):08X}".ljust(16, "0")
