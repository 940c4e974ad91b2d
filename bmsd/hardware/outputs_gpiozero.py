"""Lines through gpiozero: active-high drivers with pull-downs only.

gpiozero claims a pin as input first and pulses active-low outputs ON when it makes them; the configuration
check refuses those. The pin factory is given explicitly, never guessed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from bmsd.errors import OutputError


class GpiozeroLines:
    """Output lines and contacts as gpiozero devices."""

    def __init__(self, outputs: Mapping[str, int], contacts: Mapping[str, int], factory: Any) -> None:
        import gpiozero

        try:
            self._outputs = {
                name: gpiozero.DigitalOutputDevice(
                    pin, active_high=True, initial_value=False, pin_factory=factory
                )
                for name, pin in outputs.items()
            }
            self._contacts = {
                name: gpiozero.DigitalInputDevice(pin, pull_up=False, pin_factory=factory)
                for name, pin in contacts.items()
            }
        except (gpiozero.GPIOZeroError, OSError) as error:
            raise OutputError(f"GPIO lines {dict(outputs)} cannot be had: {error}") from error
        self.wired = frozenset(outputs)

    def drive(self, name: str, on: bool) -> None:
        """Set one line."""
        try:
            self._outputs[name].value = on
        except Exception as error:  # a pin library may raise anything of its own
            raise OutputError(f"output {name} cannot be set: {error}") from error

    def read(self, name: str) -> bool:
        """Read the pin itself, not what was last written."""
        try:
            return bool(self._outputs[name].pin.state)
        except Exception as error:
            raise OutputError(f"output {name} cannot be read: {error}") from error

    def contact(self, name: str) -> bool | None:
        """Read an auxiliary contact."""
        device = self._contacts.get(name)
        try:
            return None if device is None else bool(device.value)
        except Exception:
            return None

    def close(self) -> None:
        """Write off, then let go: gpiozero turns a closed pin into an input."""
        for name, device in self._outputs.items():
            # Each on its own: one that fails must not keep the others on (S5).
            with contextlib.suppress(OutputError):
                self.drive(name, False)
            device.close()
        for device in self._contacts.values():
            device.close()


def default_factory() -> Any:
    """Make the lgpio factory, the only one that works on every Raspberry Pi."""
    try:
        from gpiozero.pins.lgpio import LGPIOFactory
    except ImportError as error:
        raise OutputError(
            f"gpiozero has no usable pin library: {error}. Install python3-lgpio, or use"
            ' outputs.backend = "gpiod"'
        ) from error
    try:
        return LGPIOFactory()
    except Exception as error:  # a pin library may raise anything of its own
        raise OutputError(
            f'gpiozero cannot use the GPIO chip: {error}. On a board that is no Raspberry Pi use backend = "gpiod"'
        ) from error
