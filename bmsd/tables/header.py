"""The Raspberry Pi's header: which lines are on before anybody drives them, and which belong to somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""Labels of the GPIO chips behind the header: Pi 5, Pi 4, and the ones before; their numbers differ between kernels."""
DEVICES = ("/dev/gpiochip0", "/dev/gpiochip4")
"""Where kernels put them; another board may have something else there."""
PULLED_UP = range(9)
"""Lines that are pulled up at power-up; the others are pulled down (BCM2835 and BCM2711 data sheets)."""
FREE = (17, 27, 22, 23, 16, 26, 12, 13)
"""Pulled down, and free beside most boards for CAN and RS485."""


class Taken(NamedTuple):
    """Lines that something else uses."""

    lines: tuple[int, ...]
    by: str
    always: bool = False
    """Nobody has a reason to share them."""


class Users(NamedTuple):
    """What a configuration says of others on the header."""

    i2c_bus: int | None = None
    can_interfaces: frozenset[str] = frozenset()
    """Network interfaces."""
    serial_ports: frozenset[str] = frozenset()
    kernel_rts: frozenset[str] = frozenset()
    """Those of the ports whose direction the kernel switches by RTS."""


_I2C = {0: (0, 1), 1: (2, 3)}
_MORE_I2C = {3: (4, 5), 4: (8, 9), 5: (12, 13), 6: (22, 23)}
"""Where the overlays i2c3 to i2c6 of a Pi 4 put them unless told otherwise."""
_UART = ("/dev/ttyAMA0", "/dev/ttyS0", "/dev/serial0")
_SPI_UART = "/dev/ttySC"


def taken(users: Users) -> Iterator[Taken]:
    """Give the lines of others: first those that nobody may have, then those that usually are not free."""
    for bus, lines in _I2C.items():
        if users.i2c_bus == bus:
            yield Taken(lines, f"the I2C bus {bus} of [afe]", True)
    for port in sorted(users.serial_ports & set(_UART)):
        yield Taken((14, 15), f"the serial port {port}", True)
        if port in users.kernel_rts:
            yield Taken((16, 17), f"the handshake lines of {port}")
    if users.i2c_bus in _MORE_I2C:
        yield Taken(_MORE_I2C[users.i2c_bus], f"the I2C bus {users.i2c_bus} of [afe]")
    yield Taken(_I2C[1], "pull-ups of 1.8 kohm on the Pi itself (I2C bus 1)")
    yield Taken(_I2C[0], "the identification of a HAT (I2C bus 0)")
    if any(name.startswith("can") for name in users.can_interfaces):
        yield Taken((8, 9, 10, 11), "SPI, by which most CAN boards are driven")
        yield Taken((25,), "the interrupt of most CAN boards")
    if len(users.can_interfaces) > 1:
        yield Taken((7,), "SPI, by which CAN boards with two channels are driven")
    if any(port.startswith(_SPI_UART) for port in users.serial_ports):
        yield Taken((18, 19, 20, 21, 24), "SPI and the interrupt of RS485 boards with /dev/ttySC ports")
