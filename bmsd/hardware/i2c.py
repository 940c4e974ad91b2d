"""The real I2C bus: the only user of smbus2, and of it only `i2c_rdwr`.

The adapter's own time-out is set short, because this is the one call of the control loop that blocks.
After a failure the bus is opened again. Errors stay OSError; what they mean is said in bmsd.afe.transfers.
"""

from __future__ import annotations

import fcntl
import os
from typing import Any

from bmsd.errors import BusError

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
        self._claim: int | None = None

    def claim(self) -> None:
        """Make sure that the bus is there and no other bmsd has it, until the process ends.

        Raises BusError with the next step.
        """
        path = f"/dev/i2c-{self._bus_number}"
        try:
            self._claim = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            raise BusError(
                f"there is no {path}: switch I2C on (dtparam=i2c_arm=on in config.txt), load the module i2c-dev,"
                " or set afe.bus to one of 'ls /dev/i2c-*'"
            ) from None
        except PermissionError:
            raise BusError(
                f"{path} may not be opened: the user that runs bmsd must be in the group i2c (ls -l {path})"
            ) from None
        except BlockingIOError:
            raise BusError(f"{path} is held by another bmsd; only one may own a bus") from None
        except OSError as error:
            raise BusError(f"{path} cannot be opened: {error}") from error

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

    def release(self) -> None:
        """Release the bus for another bmsd."""
        self.close()
        claim, self._claim = self._claim, None
        if claim is not None:
            os.close(claim)

    def _open(self) -> None:
        import smbus2

        bus: Any = smbus2.SMBus(self._bus_number)
        try:
            fcntl.ioctl(bus.fd, _I2C_TIMEOUT, self._timeout_units)
        except OSError:
            bus.close()
            raise
        self._bus, self._message = bus, smbus2.i2c_msg
