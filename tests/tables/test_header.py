"""Lines of the header that belong to others, as the same configuration uses them (S5)."""

from __future__ import annotations

import pytest

from bmsd.tables import header
from bmsd.tables.header import Users, taken


def lines(users: Users, *, always: bool) -> set[int]:
    return {line for one in taken(users) if one.always is always for line in one.lines}


def test_the_bus_that_is_used_and_no_other_is_nobody_elses() -> None:
    assert lines(Users(i2c_bus=1), always=True) == {2, 3}
    assert lines(Users(i2c_bus=0), always=True) == {0, 1}
    assert lines(Users(), always=True) == set()
    assert lines(Users(), always=False) == {0, 1, 2, 3}, "pulled up hard, or asked by the firmware"
    assert lines(Users(i2c_bus=3), always=False) == {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize("port", ["/dev/ttyAMA0", "/dev/ttyS0", "/dev/serial0"])
def test_a_port_on_the_header_takes_its_lines(port) -> None:
    users = Users(serial_ports=frozenset({port}))
    assert lines(users, always=True) == {14, 15}
    assert not lines(users, always=False) & {16, 17}
    assert lines(users._replace(kernel_rts=frozenset({port})), always=False) >= {16, 17}


def test_a_port_elsewhere_takes_none() -> None:
    users = Users(serial_ports=frozenset({"/dev/ttyUSB0"}), kernel_rts=frozenset({"/dev/ttyUSB0"}))
    assert lines(users, always=True) == set()
    assert not lines(users, always=False) - {0, 1, 2, 3}


def test_a_can_board_takes_spi_and_its_interrupt() -> None:
    one = lines(Users(can_interfaces=frozenset({"can0"})), always=False)
    assert one >= {8, 9, 10, 11, 25}
    assert 7 not in one
    assert 7 in lines(Users(can_interfaces=frozenset({"can0", "can1"})), always=False)
    assert 25 not in lines(Users(can_interfaces=frozenset({"vcan0"})), always=False)


def test_an_rs485_board_takes_its_own() -> None:
    assert lines(Users(serial_ports=frozenset({"/dev/ttySC1"})), always=False) >= {18, 19, 20, 21, 24}


def test_the_free_lines_are_free_beside_everything() -> None:
    users = Users(1, frozenset({"can0", "can1"}), frozenset({"/dev/ttyAMA0", "/dev/ttySC0"}))
    everything = lines(users, always=True) | lines(users, always=False) | {*header.PULLED_UP}
    assert not everything & {*header.FREE}
