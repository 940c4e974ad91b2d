"""The configuration file as `bmsctl setup` writes it: its text, its check, and how it gets into its place."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import shutil
import tempfile
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import Any

from bmsd.cli.setup_questions import BY_KEY, Answers, may_be_none, row_of
from bmsd.config.load import load
from bmsd.control.feasibility import afe_settings_fit
from bmsd.errors import ConfigError
from bmsd.tables import configuration

GROUP = "bmsd"
WIDEST = 110
_HEAD = """\
# bmsd: configuration of one battery pack, written by 'bmsctl setup' on {date}.
# Change what you like, then check it: bmsd --check-config --config {path}
# All keys and parameters: man bmsd.toml, or docs/generated/configuration.md and parameters.md.
"""
_ABOUT = {
    "pack": "The cells. The limits of every cell follow from chemistry and preset.",
    "afe": "The chip that measures the cells, on the I2C bus.",
    "outputs": "Lines of the GPIO chip. On a Raspberry Pi choose GPIO 9 to 27: they are pulled down at power-up.",
    "switches": "How the contactors are wired.",
    "heater": "A heater needs a thermostat and a fuse of its own, whatever stands here.",
    "can": "What the inverter is told. Further keys of this section go to python-can as they are.",
    "modbus": "The RS485 port; it can only be read unless writes are switched on. Another one is [modbus.NAME].",
    "meter": "Energy meters and other packs that are read.",
    "bench": "Only with bmsd --simulate.",
    "parameters": "Any limit may stand here; what does not comes from the preset. The two below have no safe default.",
}


def text_of(answers: Answers, path: Path) -> str:
    """Write the file: one section after the other, each with its comment."""
    head = _HEAD.format(date=datetime.now(UTC).date(), path=path)
    parts = [_section(section, answers) for section in configuration.SECTIONS]
    return "\n".join([head, *(part for part in parts if part)])


def _section(section: str, answers: Answers) -> str:
    names = [key.partition(".")[2] for key in answers if key.startswith(f"{section}.")]
    order = [*configuration.keys_of(section)]
    names.sort(key=lambda name: order.index(name) if name in order else len(order))
    given = {name: answers[f"{section}.{name}"] for name in names}
    lines = [
        (name, f"{name} = {toml(value, f'{section}.{name}')}")
        for name, value in given.items()
        if value is not None
    ]
    if not lines:
        return ""
    absent = [name for name, value in given.items() if value is None and may_be_none(f"{section}.{name}")]
    column = max(len(line) for _, line in lines)
    body = [_with_help(f"{section}.{name}", line, column) for name, line in lines]
    if absent:
        body.append(f"# Not wired: {', '.join(absent)}.")
    lost = {key: BY_KEY[key].lost for key in (f"{section}.{name}" for name in absent) if key in BY_KEY}
    for what, keys in groupby(sorted(lost, key=lambda key: lost[key]), key=lambda key: lost[key]):
        if what:
            missing = " and ".join(key.partition(".")[2] for key in keys)
            body += [f"# {line}" for line in wrap(f"Without {missing} {what}.", WIDEST - 2)]
    return "\n".join([f"[{section}]", f"# {_ABOUT[section]}", *body, ""])


def _with_help(key: str, line: str, column: int) -> str:
    row = row_of(key)
    full = f"{line:<{column}}  # {row.help}" if row else line
    return full if len(full) <= WIDEST else line


def toml(value: Any, key: str = "") -> str:
    """Write one value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for the one control character that JSON lets pass.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(toml(one) for one in value)}]"
    return f"{value:#04x}" if key == "afe.address" else repr(value)


def check(text: str, path: Path) -> list[str]:
    """Check the file with the drop-ins that lie beside its place, as the daemon would at its start."""
    with tempfile.TemporaryDirectory(prefix="bmsd-setup-") as directory:
        trial = Path(directory) / path.name
        trial.write_text(text, encoding="utf-8")
        with contextlib.suppress(OSError):
            (trial.parent / "conf.d").symlink_to(path.parent.absolute() / "conf.d")
        try:
            loaded = load(trial, on_chip=True)
            afe_settings_fit(loaded, loaded.parameters)
        except ConfigError as error:
            return [problem.replace(directory, str(path.parent)) for problem in error.problems]
        except ValueError as error:
            return [f"{path}: [parameters] do not fit the chip: {error}"]
    return []


def blocked(path: Path) -> str:
    """Say why a file cannot be written here; empty when it can. Nothing is touched."""
    if path.is_dir():
        return f"{path} is a directory: name the file, as in {path}/bmsd.toml"
    if not path.parent.is_dir():
        return f"there is no directory {path.parent}: make it, or choose another place with --config"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return (
            f"{path.parent} cannot be written by you: run it as root (sudo bmsctl setup), or choose --config"
        )
    return ""


def write(path: Path, text: str) -> Path | None:
    """Put the file in its place in one step; give the name under which the old one is kept."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            _hand_over(file.fileno())
            os.fsync(file.fileno())
        kept = _keep(path) if path.exists() else None
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return kept


def _hand_over(number: int) -> None:
    """Let root write, the daemon's group read, and nobody else; without that group everybody may read."""
    try:
        os.fchown(number, 0 if os.geteuid() == 0 else -1, grp.getgrnam(GROUP).gr_gid)
        os.fchmod(number, 0o640)
    except (KeyError, PermissionError):
        os.fchmod(number, 0o644)


def _keep(path: Path) -> Path:
    """Keep the present file under a name with the time; never over an older one."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    names = (path.with_name(f"{path.name}.{stamp}{more}") for more in ("", *(f"-{n}" for n in range(1, 100))))
    kept = next(name for name in names if not name.exists())
    try:
        os.link(path, kept)
    except OSError:
        shutil.copy2(path, kept)  # a file system without links
    return kept
