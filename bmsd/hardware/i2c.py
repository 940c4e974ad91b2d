"""The real I2C bus: the only user of smbus2, and of it only `i2c_rdwr`.

The adapter's own time-out is set short, because this is the one call of the control loop that blocks.
After a failure the bus is opened anew. Errors stay OSError; what they mean is said in bmsd.afe.transfers.
"""

from __future__ import annotations

import fcntl
from typing import Any

_I2C_TIMEOUT = 0x0702
"""The ioctl of linux/i2c-dev.h; its unit is 10 ms, and it holds for the whole adapter."""


class I2cPort:
    """One Linux I2C bus, /dev/i2c-`bus_number`, opened at the first transfer."""

    def __init__(self, bus_number: int, timeout_ms: int = 20) -> None:
        """Bound each transfer to `timeout_ms`, rounded up to 10 ms."""
        self._bus_number = bus_number
        self._timeout_units = max(1, -(-timeout_ms // 10))
        self._bus: Any = None
        self._message: Any = None

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        """Write, then read, in one combined transaction; raises OSError."""
        if self._bus is None:
            self._open()
        messages = [self._message.write(address, out)] if out else []
        if read:
            messages.append(self._message.read(address, read))
        try:
            self._bus.i2c_rdwr(*messages)
        except OSError:
            self.close()
            raise
        return bytes(messages[-1]) if read else b""

    def close(self) -> None:
        """Release the bus; the next transfer opens it again."""
        bus, self._bus = self._bus, None
        if bus is not None:
            try:
                bus.close()
            except OSError:
                pass  # nothing is lost: the descriptor is gone either way

    def _open(self) -> None:
        import smbus2

        bus: Any = smbus2.SMBus(self._bus_number)
        try:
            fcntl.ioctl(bus.fd, _I2C_TIMEOUT, self._timeout_units)
        except OSError:
            bus.close()
            raise
        self._bus, self._message = bus, smbus2.i2c_msg
