"""The one place that uses pymodbus: a master that reads registers over TCP. On a serial line it is `modbus_master`.

pymodbus renames much from version to version. What differs is found by looking, not by its version: the word for the
unit was `slave` in 3.0 and is `device_id` today.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

from bmsd.config.load import MeterConfig
from bmsd.errors import PeerError
from bmsd.tables.devices.rows import Ask

TIMEOUT_S = 1.0
"""How long a device may take; JK boards were seen to take some hundred milliseconds."""
_WORDS_FOR_UNIT = ("device_id", "slave", "unit")
_FUNCTIONS = {3: "read_holding_registers", 4: "read_input_registers"}


class LineError(PeerError):
    """The port or the connection is gone."""


class Client:
    """One master; `make` gives a client of pymodbus."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._client: Any = None

    def read(self, unit: int, ask: Ask) -> list[int]:
        """Give registers. PeerError: refused, silent, or a wrong number of them; LineError: nobody can be asked."""
        client = self._connected()
        method = getattr(client, _FUNCTIONS[ask.function])
        try:
            answer = method(ask.address, count=ask.count, **{word_for_unit(method): unit})
        except (
            Exception
        ) as error:  # pymodbus raises its own, the port's and asyncio's, differently in each version
            self.close()
            raise PeerError(str(error) or type(error).__name__) from None
        if answer is None or answer.isError():
            code = getattr(answer, "exception_code", None)
            raise PeerError(str(answer) if code is None else f"refused with exception {code:02}")
        words = list(getattr(answer, "registers", ()))
        if len(words) != ask.count:
            raise PeerError(f"{len(words)} registers came, not {ask.count}")
        return words

    def close(self) -> None:
        """Let the port go; the next request opens it again."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Any:
        if self._client is not None:
            return self._client
        try:
            client = self._make()
            good = client.connect()
        except Exception as error:
            raise LineError(str(error)) from None
        if not good:
            raise LineError("it cannot be opened")
        self._client = client
        return client


def word_for_unit(method: Callable[..., Any]) -> str:
    """Find how this version calls the unit."""
    known = inspect.signature(method).parameters
    return next((word for word in _WORDS_FOR_UNIT if word in known), "slave")


def tcp_client(settings: MeterConfig) -> Client:
    """Make the client of a section with an address. LineError: pymodbus is not there."""
    assert settings.tcp is not None
    try:
        from pymodbus import client
    except ImportError as error:
        raise LineError(f"pymodbus is missing (python3-pymodbus): {error}") from None
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # what it has to say comes as an error, too
    host, port = settings.tcp
    return Client(lambda: client.ModbusTcpClient(host, port=port, timeout=TIMEOUT_S, retries=0))
