"""The processor in the file for Telegraf drops what is unknown, in the language and interpreter that Telegraf embeds.

BMSD_STARLARK names the folder of starlark-go (tests/foreign/install). Telegraf itself is in no place that this
project installs from.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from bmsd.docgen import clients
from tests.foreign.served import ran

FOLDER = os.environ.get("BMSD_STARLARK", "")
CLIENT = Path(__file__).with_name("starlark_client.py")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER, reason="BMSD_STARLARK names no folder: tests/foreign/install"),
]


def left_of(folder: Path, fields: dict[str, float]) -> dict[str, float]:
    file = folder / "telegraf.conf"
    file.write_text(clients.telegraf(), encoding="utf-8")
    command = [sys.executable, str(CLIENT), str(file), json.dumps(fields)]
    return json.loads(ran(command, {**os.environ, "PYTHONPATH": FOLDER}))


def test_what_is_unknown_is_dropped_and_nothing_else(tmp_path) -> None:
    """S2."""
    unknown = {row.name: row.word.value[3] * row.scale for row in clients.shown()}
    assert left_of(tmp_path, unknown) == {}
    for end in (1, 2):
        known = {row.name: row.word.value[end] * row.scale for row in clients.shown()}
        assert left_of(tmp_path, known) == pytest.approx(known)
