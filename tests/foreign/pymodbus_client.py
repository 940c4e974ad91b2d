"""Ask bmsd by whatever pymodbus is found what tests/foreign/served.py serves; print a line for each answer.

    pymodbus_client.py rtu|tcp PORT ROUNDS PATIENCE_S

The ways to call it changed with 3.0 (the clients' place and arguments), 3.7 (the requests' place), 3.8 (arguments by
name alone, a device's identification as one call) and 3.10 (`device_id`).
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

kind, port, rounds, patience = sys.argv[1:]
try:
    from pymodbus.client import ModbusSerialClient, ModbusTcpClient

    MORE: dict[str, Any] = {}
except ImportError:  # before 3.0
    from pymodbus.client.sync import ModbusSerialClient, ModbusTcpClient

    MORE = {"method": "rtu"}

patience_s = float(patience)
if kind == "rtu":
    client = ModbusSerialClient(port=port, baudrate=115200, timeout=patience_s, **MORE)
else:
    client = ModbusTcpClient("127.0.0.1", port=int(port), timeout=patience_s)
known = inspect.signature(client.read_holding_registers).parameters
UNIT = next((name for name in ("device_id", "slave") if name in known), "unit")


def say(name: str, answer: Any) -> None:
    """Print words, or the code of the exception; whatever else it is ends the program."""
    if answer.isError():
        print(f"{name}: {answer.exception_code}")
    elif "Write" in type(answer).__name__:  # some versions give back what was written
        print(f"{name}:")
    else:
        print(f"{name}:", *answer.registers)


def holding(name: str, unit: int, at: int, count: int) -> None:
    say(name, client.read_holding_registers(at, count=count, **{UNIT: unit}))


def inputs(name: str, unit: int, at: int, count: int) -> None:
    say(name, client.read_input_registers(at, count=count, **{UNIT: unit}))


def one(name: str, unit: int, at: int, value: int) -> None:
    say(name, client.write_register(at, value, **{UNIT: unit}))


def many(name: str, unit: int, at: int, *values: int) -> None:
    say(name, client.write_registers(at, list(values), **{UNIT: unit}))


def identity() -> None:
    """Print the texts by which a device names itself."""
    try:
        answer = client.read_device_information(read_code=1, object_id=0, **{UNIT: 1})
    except AttributeError:  # before it was one call
        from pymodbus.mei_message import ReadDeviceInformationRequest

        request = ReadDeviceInformationRequest(read_code=1, object_id=0)
        request.unit_id = 1
        answer = client.execute(request)
    for number, text in answer.information.items():
        print(f"identity: {number} {text.decode()}")


assert client.connect()
for _ in range(int(rounds)):
    holding("live", 1, 100, 125)
    inputs("inputs", 1, 100, 125)
    holding("jk_cells", 2, 0x1200, 16)
    holding("jk_pack", 2, 0x1290, 2)
holding("nowhere", 1, 90, 2)
inputs("jk_inputs", 2, 0x1200, 16)
many("jk_off", 2, 0x1602, 1)
one("jk_one", 2, 0x1602, 1)
one("locked", 1, 700, 0)
holding("is_locked", 1, 600, 1)
many("unlocked", 1, 610, *divmod(271_828, 1 << 16))
holding("is_unlocked", 1, 600, 1)
one("no_core", 1, 700, 0)
one("locks", 1, 612, 1)
holding("is_locked_again", 1, 600, 1)
identity()
client.close()
