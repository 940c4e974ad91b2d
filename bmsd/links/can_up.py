"""Bring an inverter's CAN interface up with the bit rate of the configuration; run by bmsd-can@.service.

The core and the CAN link have no right to change a network interface, and need none. An interface that the
configuration does not name is left alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bmsd.config.load import DEFAULT_PATH, Config, load
from bmsd.errors import ConfigError
from bmsd.hardware.can_interface import bitrate_of

EXIT_GOOD, EXIT_FAILED, EXIT_CONFIG = 0, 1, 78
RESTART_MS = 100
"""How long a controller rests after bus-off before the kernel starts it again."""
TIMEOUT_S = 10
_NOT_SUPPORTED = "support"
"""In every wording that kernel and `ip` have for it."""


def bring_up(config: Config, interface: str) -> str:
    """Bring one interface up and say what was done; raise OSError in words when `ip` refuses."""
    bus = next(
        (
            found.bus
            for found in config.buses.values()
            if (found.bus["interface"], found.bus["channel"]) == ("socketcan", interface)
        ),
        None,
    )
    if bus is None:
        return f"{interface} is not an inverter's in {config.path}: left alone"
    bitrate = int(bus["bitrate"])
    link = describe(interface)
    kind, up = link.get("linkinfo", {}).get("info_kind", ""), "UP" in link.get("flags", ())
    if kind != "can":
        # Virtual and serial-line interfaces have no bit rate that the kernel could set.
        _ip("set", interface, "up")
        return f"{interface} ({kind or 'no bit rate of its own'}) is up"
    data = link["linkinfo"].get("info_data", {})
    if up and (bitrate_of(data), data.get("restart_ms")) == (bitrate, RESTART_MS):
        return f"{interface} was up already at {bitrate} bit/s"
    _ip("set", interface, "down")
    words = ("up", "type", "can", "bitrate", str(bitrate))
    try:
        _ip("set", interface, *words, "restart-ms", str(RESTART_MS))
    except OSError as error:
        # Drivers that cannot restart a controller, as that of serial lines, refuse the whole request.
        if _NOT_SUPPORTED not in str(error):
            raise
        _ip("set", interface, *words)
        return f"{interface} is up at {bitrate} bit/s; its driver does not restart it after bus-off"
    return f"{interface} is up at {bitrate} bit/s, {RESTART_MS} ms rest after bus-off"


def describe(interface: str) -> dict[str, Any]:
    """Ask the kernel about an interface."""
    found = json.loads(_ip("show", interface, options=("-json", "-details")))
    return dict(found[0]) if found else {}


def _ip(*words: str, options: tuple[str, ...] = ()) -> str:
    command = ["ip", *options, "link", words[0], "dev", *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    if done.returncode:
        raise OSError(f"'{' '.join(command)}' failed: {done.stderr.strip()}")
    return done.stdout


def main(arguments: list[str] | None = None) -> int:
    """Run the program; exit 0 done or not ours, 1 refused by the kernel, 78 configuration refused."""
    parser = argparse.ArgumentParser(
        prog="python3 -m bmsd.links.can_up", description="Bring the inverter's CAN interface up."
    )
    parser.add_argument("interface")
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, help="default %(default)s")
    options = parser.parse_args(arguments)
    try:
        print(bring_up(load(options.config, dangers=False), options.interface))
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return EXIT_CONFIG
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        print(f"{options.interface} cannot be brought up: {error}", file=sys.stderr)
        return EXIT_FAILED
    return EXIT_GOOD


if __name__ == "__main__":
    sys.exit(main())
