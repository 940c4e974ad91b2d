"""Switch all outputs off when the core no longer can: after a crash, a kill, a hang (S5).

Run by systemd after every stop and by the core's own guard. It needs no configuration: the running core leaves
the list of its lines in the runtime directory.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bmsd.errors import BmsdError, OutputError
from bmsd.hardware.board import FetsConfig, OutputsConfig, open_lines
from bmsd.hardware.outputs import Lines

OUTPUTS_FILE = "core/outputs.json"
"""In a directory that the links of the installed package may not write."""
PATIENCE_S = 5.0
SETTLE_S = 0.02
"""How long a line gets to follow before it is read back: something outside may pull at it."""
BENCH_LINES_FILE = "bench-lines.json"
FETS = ("charge FET", "discharge FET")


def remember(
    runtime_dir: Path, outputs: OutputsConfig, fets: FetsConfig | None = None, *, simulated: bool
) -> None:
    """Leave the list of lines, and where the chip's own FETs are, where safe-off finds it."""
    kept: dict[str, Any] = {
        "simulated": simulated,
        "outputs": {**asdict(outputs), "feedback": {}, "button": None},
    }
    if fets is not None:
        kept["fets"] = asdict(fets)
    text = json.dumps(kept)
    file = runtime_dir / OUTPUTS_FILE
    file.parent.mkdir(mode=0o750, exist_ok=True)
    file.write_text(text)


def switch_off(runtime_dir: Path, config: Path | None) -> str:
    """Switch everything off and say what was done; raise OSError or BmsdError when it cannot be."""
    simulated, outputs, fets = _outputs(runtime_dir, config)
    if simulated:
        return _bench_off(runtime_dir)
    until = time.monotonic() + PATIENCE_S
    if fets is None:
        _lines_off(outputs, until)
        return f"all outputs are off: {', '.join(outputs.lines)}"
    # The lines do not wait for a bus that is held or hangs; the bus is asked before and after them.
    problem = _try_fets_off(fets)
    _lines_off(outputs, until)
    while problem is not None:
        if time.monotonic() >= until:
            raise problem
        time.sleep(0.1)
        problem = _try_fets_off(fets)
    return f"all outputs are off: {', '.join([*FETS, *outputs.lines])}"


def _try_fets_off(fets: FetsConfig) -> Exception | None:
    """Switch the chip's own FETs off over the bus, as long as no other core has it; give what went wrong."""
    from bmsd.afe.chips import CHIPS
    from bmsd.afe.transfers import run
    from bmsd.hardware.i2c import I2cPort

    port = I2cPort(fets.bus, fets.timeout_ms)
    try:
        port.claim()
        read = run(CHIPS[fets.chip].fets_off(), port, fets.address, lambda ms: time.sleep(ms / 1000))
    except (BmsdError, OSError) as error:
        return error
    finally:
        port.release()
    still_on = [name for name, on in zip(FETS, read, strict=True) if on]
    return OSError(f"still on after safe-off: {', '.join(still_on)}") if still_on else None


def _lines_off(outputs: OutputsConfig, until: float) -> None:
    """Switch all lines off and read them back."""
    lines = _lines(outputs, until)
    time.sleep(SETTLE_S)
    still_on = [name for name in outputs.lines if lines.read(name)]
    lines.close()
    if still_on:
        raise OSError(f"lines still on after safe-off: {', '.join(still_on)}")


def _lines(outputs: OutputsConfig, until: float) -> Lines:
    """Request the lines, again for a while: a core that was just killed may still hold them."""
    while True:
        try:
            return open_lines(outputs)
        except OutputError:
            if time.monotonic() >= until:
                raise
        time.sleep(0.1)


def _outputs(runtime_dir: Path, config: Path | None) -> tuple[bool, OutputsConfig, FetsConfig | None]:
    """Find the lines and FETs: what the core left, else what the configuration says."""
    try:
        found: dict[str, Any] = json.loads((runtime_dir / OUTPUTS_FILE).read_text())
        fets = FetsConfig(**found["fets"]) if "fets" in found else None
        return found["simulated"], OutputsConfig(**found["outputs"]), fets
    except (OSError, ValueError, KeyError, TypeError):
        if config is None:
            raise
    from bmsd.config.load import load

    loaded = load(config, dangers=False)
    return False, loaded.outputs, loaded.fets


def _bench_off(runtime_dir: Path) -> str:
    path = runtime_dir / BENCH_LINES_FILE
    try:
        levels = json.loads(path.read_text())
    except FileNotFoundError:
        return "all outputs of the bench are off: none was ever on"
    was_on = [name for name, on in levels.items() if on]
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(dict.fromkeys(levels, False)))
    os.replace(temporary, path)
    return f"all outputs of the bench are off; on were: {', '.join(was_on) or 'none'}"


def _report(why: str, runtime_dir: Path, config: Path | None) -> int:
    try:
        done = switch_off(runtime_dir, config)
    except (OSError, ValueError, KeyError, BmsdError) as error:
        print(f"bmsd-safe-off: {why}; outputs could NOT be switched off: {error}", file=sys.stderr)
        return 1
    print(f"bmsd-safe-off: {why}; {done}", file=sys.stderr)
    return 0


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(
        prog="bmsd-safe-off",
        description="Switch all outputs of bmsd off.",
        epilog="Exit: 0 done, 1 not possible, 2 wrong usage.",
    )
    made.add_argument("--runtime-dir", type=Path, default=Path("/run/bmsd"),
                      help="where the core left the list of its lines; default %(default)s")  # fmt: skip
    made.add_argument("--config", type=Path, default=Path("/etc/bmsd/bmsd.toml"),
                      help="where the lines are read from if there is no list; default %(default)s")  # fmt: skip
    made.add_argument("--because", metavar="WHY", default="asked to", help="why, for the message")
    made.add_argument("--version", action="version", version=_version())
    return made


def main() -> int:
    """Run the program `bmsd-safe-off`."""
    options = parser().parse_args()
    return _report(options.because, options.runtime_dir, options.config)


def _version() -> str:
    from bmsd import __version__

    return f"bmsd-safe-off {__version__}"


if __name__ == "__main__":
    sys.exit(main())
