"""A pack that a real Modbus link serves, on a serial line or over TCP, and what a program that is not ours has to read.

Each such program is started with `rtu PORT` or `tcp PORT` and does the same round. It prints a line `name: words` for
every answer, and the code of the exception for one that was refused. A program leaves out what it cannot do.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bmsd import __version__
from bmsd.config import pin
from tests.support.configured import pack_text, written
from tests.support.patience import allowed
from tests.support.running import PlayedCore, eventually, free_port, joined_ptys, link

POINTS = {
    "sequence": 7, "state": "discharging", "pack_mv": 53200, "current_ma": -12300, "power_mw": -654000,
    "soc_permille": 605, "soh_permille": 990, "cell_mv": [3318 + n for n in range(16)], "cell_min_mv": 3318,
    "cell_max_mv": 3333, "cell_average_mv": 3325, "cell_difference_mv": 15, "min_cell": 1, "max_cell": 16,
    "battery_decic": [235, -75], "switch_decic": 300, "charge_allowed": True, "discharge_allowed": True,
    "charge_limit_mv": 55200, "charge_limit_ma": 50_000, "discharge_limit_ma": 80_000, "discharge_limit_mv": 46400,
    "remaining_mah": 169_380, "capacity_mah": 280_000, "discharge_commanded": True, "discharge_actual": True,
    "charge_actual": True,
}  # fmt: skip
PIN = 271_828
ROUNDS = 25
CONFIG = pack_text("[outputs]\ncharge = 1\ndischarge = 2\n") + "[modbus]\n"
LINE = 'unit = 1\nwrites = true\nmore_units = { 2 = ["jk"] }\n'
CELLS = [3318 + n for n in range(16)]
LIVE = {
    100: [7], 101: [4], 108: [5320], 109: [0xFFFF, 0xCFF4], 111: [0xFFFF, 0xFFFF - 653], 113: [605],
    129: [5520, 500, 800, 4640], 180: CELLS, 224: [7],
}  # fmt: skip
"""Words of the block `live`, worked out by hand from the snapshot and docs/generated/modbus.md."""
REST = {
    "jk_cells": CELLS,
    "jk_pack": [0, 53_200],
    "nowhere": [2],
    "jk_inputs": [1],
    "jk_off": [2],
    "jk_one": [1],
    "locked": [2],
    "is_locked": [1],
    "unlocked": [],
    "is_unlocked": [2],
    "no_core": [4],
    "locks": [],
    "is_locked_again": [1],
}
"""What the other answers are: words, nothing for a write that was taken, or the code of the exception."""
IDENTITY = {0: "bmsd", 1: "bmsd-16S", 2: __version__}
OF_A_ROUND = ("live", "inputs", "jk_cells", "jk_pack")


@contextmanager
def served(folder: Path, kind: str, **changed: Any) -> Iterator[tuple[str, str]]:
    """Serve the pack, with some points changed; give how a program is told where."""
    core = PlayedCore(folder, POINTS | changed)
    try:
        with joined_ptys() as (ours, theirs):
            port = str(free_port())
            serial = f'port = "{ours}"\nbaudrate = 115200\n'
            where = serial if kind == "rtu" else f'tcp = "127.0.0.1:{port}"\n'
            config = written(folder, CONFIG + where + LINE)
            pin.write(pin.path_beside(config), PIN)
            with link("modbus", config, folder):
                eventually(lambda: link_state(folder)["state"] == "running")
                yield kind, theirs if kind == "rtu" else port
    finally:
        core.die()


def link_state(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "link-modbus.json").read_text()))


def ran(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end; give what it said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=allowed(60), env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


def assert_told(output: str, *left_out: str) -> None:
    """Compare all that a program printed with what was served."""
    lines = [line.partition(":") for line in output.splitlines()]
    texts = [text.split(maxsplit=1) for name, _, text in lines if name == "identity"]
    answers = [(name, [int(word) for word in text.split()]) for name, _, text in lines if name != "identity"]
    in_rounds, after = answers[: len(OF_A_ROUND) * ROUNDS], answers[len(OF_A_ROUND) * ROUNDS :]
    assert [name for name, _ in in_rounds] == [*OF_A_ROUND] * ROUNDS
    for name, words in in_rounds:
        if name in REST:
            assert words == REST[name]
            continue
        assert len(words) == 125
        assert {at: words[at - 100 : at - 100 + len(LIVE[at])] for at in LIVE} == LIVE
    told = {name: words for name, words in REST.items() if name not in (*OF_A_ROUND, *left_out)}
    assert dict(after) == told
    if "identity" not in left_out:
        assert {int(number): text for number, text in texts} == IDENTITY
