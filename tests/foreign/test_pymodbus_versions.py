"""Versions of pymodbus between 2.5 and the one of today read and write bmsd: each one changed how it waits and frames.

BMSD_PYMODBUS names a folder for each, with colons between (tests/foreign/install); the one of today is always there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.foreign.served import ROUNDS, assert_told, ran
from tests.support.patience import allowed

FOLDERS = os.environ.get("BMSD_PYMODBUS", "").split(":")
CLIENT = Path(__file__).with_name("pymodbus_client.py")
NONE = "BMSD_PYMODBUS names no folders: tests/foreign/install"
pytestmark = [pytest.mark.system, pytest.mark.slow]


def read_and_write(place: tuple[str, str], folder: str) -> None:
    command = [sys.executable, str(CLIENT), *place, str(ROUNDS), f"{allowed(2):.2f}"]
    assert_told(ran(command, {**os.environ, "PYTHONPATH": folder}))


def test_the_pymodbus_of_the_tests_reads_and_writes(place) -> None:
    pytest.importorskip("pymodbus.client")
    read_and_write(place, "")


@pytest.mark.parametrize("folder", FOLDERS, ids=[Path(folder).name for folder in FOLDERS])
def test_another_pymodbus_reads_and_writes(place, folder) -> None:
    if not folder:
        pytest.skip(NONE)
    read_and_write(place, folder)
