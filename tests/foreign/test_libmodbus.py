"""A program on libmodbus, the C library that most masters in C and C++ are built on, reads and writes bmsd."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.foreign.served import ROUNDS, assert_told, ran
from tests.support.patience import allowed

SOURCE = Path(__file__).with_name("libmodbus_client.c")
LIBRARY = ("pkg-config", "--cflags", "--libs", "libmodbus")


def flags() -> list[str] | None:
    """Ask where the library is; None without it, or without what would compile."""
    if not (shutil.which("gcc") and shutil.which("pkg-config")):
        return None
    asked = subprocess.run(LIBRARY, capture_output=True, text=True)
    return asked.stdout.split() if asked.returncode == 0 else None


FLAGS = flags()
pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(FLAGS is None, reason="no gcc with libmodbus (libmodbus-dev, pkg-config)"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> str:
    made = tmp_path_factory.mktemp("libmodbus") / "client"
    ran(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", str(made), str(SOURCE), *(FLAGS or [])])
    return str(made)


def test_libmodbus_reads_and_writes(program, place) -> None:
    """Without the device's identification: the library cuts answers of functions that it does not know."""
    patience_s = max(1, round(allowed(2)))
    output = ran([program, *place, str(ROUNDS), str(patience_s)])
    *lines, last = output.splitlines()
    assert last == "report: 1", "it asks with function 17 who is there, which is refused as a function"
    assert_told("\n".join(lines), "identity")
