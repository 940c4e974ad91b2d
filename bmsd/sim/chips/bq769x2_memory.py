"""Data memory of the simulated BQ769x2: its defaults after every reset, block access, signature.

Written from TI SLUUBY2B apart from the driver's tables on purpose: a wrong address in one of the two
shows up as a disagreement in the tests.
"""

from __future__ import annotations

import struct
import zlib

FIRST = 0x9180
_SIZE = 0x0280
_STATIC_FROM = 0x9231
"""The signature leaves out calibration, which lies below."""

_DEFAULTS: tuple[tuple[int, str, float], ...] = (
    *((0x9180 + 2 * cell, "<h", 12120) for cell in range(16)),
    (0x91A8, "<f", 7.4768),
    (0x91AC, "<f", 2230042.463),
    (0x9234, "<H", 0x2982),
    (0x923C, "<B", 0x20),
    (0x9241, "<h", 600),
    (0x9243, "<B", 1),
    (0x9244, "<B", 85),
    (0x9245, "<B", 5),
    (0x9248, "<h", 20),
    (0x924A, "<B", 5),
    (0x924B, "<h", 500),
    (0x924D, "<B", 10),
    (0x924E, "<h", 2000),
    (0x9250, "<h", 200),
    (0x9255, "<B", 5),
    (0x9257, "<H", 0x0414),
    (0x9259, "<H", 0x3672),
    (0x925B, "<H", 0xFFFF),
    (0x925D, "<H", 0xFFFF),
    (0x925F, "<H", 0x0002),
    (0x9261, "<B", 0x88),
    (0x9265, "<B", 0x98),
    (0x9266, "<B", 0xD5),
    (0x9267, "<B", 0x56),
    (0x9269, "<B", 0xE4),
    (0x926A, "<B", 0xE6),
    (0x926B, "<B", 0xE2),
    (0x926D, "<H", 0xF800),
    (0x926F, "<B", 0xFC),
    (0x9270, "<B", 0xF7),
    (0x9271, "<B", 0xF4),
    (0x9273, "<h", 50),
    (0x9275, "<B", 50),
    (0x9276, "<H", 74),
    (0x9278, "<B", 86),
    (0x9279, "<H", 74),
    (0x927B, "<B", 2),
    (0x927C, "<B", 2),
    (0x927E, "<B", 10),
    (0x927F, "<B", 15),
    (0x9280, "<B", 2),
    (0x9281, "<B", 4),
    (0x9282, "<B", 4),
    (0x9283, "<B", 1),
    (0x9284, "<B", 3),
    (0x9285, "<B", 7),
    (0x9287, "<B", 2),
    (0x9288, "<h", -200),
    (0x928A, "<h", -4000),
    (0x928C, "<B", 2),
    (0x928D, "<h", 200),
    (0x9294, "<B", 5),
    (0x929A, "<b", 55),
    (0x929B, "<B", 2),
    (0x929C, "<b", 50),
    (0x929D, "<b", 60),
    (0x929E, "<B", 2),
    (0x929F, "<b", 55),
    (0x92A0, "<B", 80),
    (0x92A1, "<B", 2),
    (0x92A2, "<B", 65),
    (0x92A3, "<b", 85),
    (0x92A4, "<B", 2),
    (0x92A5, "<b", 80),
    (0x92A6, "<b", 0),
    (0x92A7, "<B", 2),
    (0x92A8, "<b", 5),
    (0x92A9, "<b", 0),
    (0x92AA, "<B", 2),
    (0x92AB, "<b", 5),
    (0x92AC, "<b", -20),
    (0x92AD, "<B", 2),
    (0x92AE, "<b", -15),
    (0x92AF, "<B", 3),
    (0x92B0, "<h", 200),
    (0x92B2, "<H", 60),
    (0x92C2, "<B", 0x07),
    (0x92FD, "<B", 0x07),
    (0x9303, "<B", 0x05),
    (0x9307, "<B", 80),
    (0x9308, "<B", 0x0D),
    (0x9309, "<B", 0x01),
    (0x9310, "<h", 100),
    (0x9312, "<h", 50),
    (0x9314, "<B", 5),
    (0x9336, "<b", -20),
    (0x9337, "<b", 60),
    (0x9338, "<b", 70),
    (0x9339, "<B", 20),
    (0x933A, "<B", 1),
    (0x933B, "<h", 3900),
    (0x933D, "<B", 40),
    (0x933E, "<B", 20),
    (0x9343, "<H", 0x0040),
)


class DataMemory:
    """The chip's RAM copy of its settings."""

    def __init__(self) -> None:
        self._bytes = bytearray(_SIZE)
        self.reset()

    def reset(self) -> None:
        """Load the defaults, as every reset does."""
        self._bytes[:] = bytes(_SIZE)
        for address, form, value in _DEFAULTS:
            struct.pack_into(form, self._bytes, address - FIRST, value)

    @staticmethod
    def holds(address: int) -> bool:
        """Tell whether an address lies in data memory."""
        return FIRST <= address < FIRST + _SIZE

    def unsigned(self, address: int, length: int = 1) -> int:
        """Read an unsigned value."""
        start = address - FIRST
        return int.from_bytes(self._bytes[start : start + length], "little")

    def signed(self, address: int, length: int = 1) -> int:
        """Read a signed value."""
        start = address - FIRST
        return int.from_bytes(self._bytes[start : start + length], "little", signed=True)

    def real(self, address: int) -> float:
        """Read a 32-bit float."""
        value: float = struct.unpack_from("<f", self._bytes, address - FIRST)[0]
        return value

    def block(self, address: int) -> bytes:
        """Read the 32 bytes from an address on; beyond the end they are 0."""
        start = address - FIRST
        return bytes(self._bytes[start : start + 32]).ljust(32, b"\0")

    def write(self, address: int, data: bytes) -> None:
        """Write bytes; what lies beyond the end is dropped."""
        start = address - FIRST
        room = _SIZE - start
        self._bytes[start : start + min(len(data), room)] = data[:room]

    def flip(self, address: int) -> None:
        """Invert the lowest bit of one byte."""
        self._bytes[address - FIRST] ^= 0x01

    def signature(self) -> int:
        """Compute a 15-bit signature of the static configuration."""
        return zlib.crc32(self._bytes[_STATIC_FROM - FIRST :]) & 0x7FFF
