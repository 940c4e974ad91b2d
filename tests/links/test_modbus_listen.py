"""A line that is listened to: good frames and others, and the speed at which it fits."""

from __future__ import annotations

import json
import os
import random
import threading
import time
import tty
from pathlib import Path

import pytest

from bmsd.cli import modbus_line
from bmsd.cli.main import main
from bmsd.ipc.shared_files import Publisher, monotonic_ms
from bmsd.links import modbus_listen
from bmsd.links.modbus_listen import LineSetting, LineTraffic, heard_at, listened, search, settings_after
from bmsd.links.modbus_rtu import with_crc
from bmsd.tables import jk
from tests.support.configured import EXAMPLE

READ = with_crc(bytes.fromhex("010300640002"))
ANSWER = with_crc(bytes.fromhex("01030400010002"))
OTHER = with_crc(bytes.fromhex("090300640002"))
STORY = bytes.fromhex("4E5700130000000006030000000000006800000129")
NOISE = random.Random(1).randbytes(60)
FIRST = LineSetting(115_200, "N")


class Port:
    """A port that brings some pieces, one at each reading, and then nothing."""

    timeout: float | None = None

    def __init__(self, *pieces: bytes) -> None:
        self._pieces, self._left = list(pieces), b""

    def read(self, size: int = 1) -> bytes:
        if size == 1 and not self._left and self._pieces:
            time.sleep(0.003)
            self._left = self._pieces.pop(0)
        elif size == 1 and not self._left:
            time.sleep(self.timeout or 0)
        data, self._left = self._left[:size], self._left[size:]
        return data


@pytest.mark.parametrize(
    ("pieces", "frames", "garbage", "units", "fits"),
    [
        ((), 0, 0, (), False),
        ((READ, ANSWER, OTHER), 3, 0, (1, 9), True),
        ((READ + ANSWER + OTHER,), 3, 0, (1, 9), True),
        ((READ, NOISE[:4]), 1, 4, (1,), True),
        ((READ, NOISE), 1, 60, (1,), False),
        ((NOISE, NOISE), 0, 120, (), False),
        ((with_crc(bytes.fromhex("010600640001")), with_crc(bytes.fromhex("018302"))), 2, 0, (1,), True),
        ((jk.FRAME_HEAD + bytes(295) + bytes((sum(jk.FRAME_HEAD) & 0xFF,)),), 1, 0, (), True),
        ((READ[:5],), 0, 5, (), False),
    ],
)  # fmt: skip
def test_frames_of_everybody_and_what_is_none_are_counted(pieces, frames, garbage, units, fits) -> None:
    found = listened(Port(*pieces), FIRST, 0.1)
    assert (found.frames, found.garbage, found.units, found.fits) == (frames, garbage, units, fits)
    assert found.bytes == sum(map(len, pieces))


def test_the_older_jk_protocol_is_recognised() -> None:
    found = listened(Port(STORY), FIRST, 0.1)
    assert (found.is_4e57, found.fits) == (True, True)


def test_every_speed_and_parity_is_tried_once_after_the_first() -> None:
    after = list(settings_after(FIRST))
    assert FIRST not in after
    assert len(set(after)) == len(after) == len(modbus_listen.BAUDRATES) * len(modbus_listen.PARITIES) - 1


def test_the_search_ends_where_it_fits_and_silence_is_not_searched() -> None:
    right = LineSetting(19_200, "E")
    found = search(FIRST, lambda one: LineTraffic(one, 100, 5 * (one == right), 100 * (one != right)))
    assert (found[0].setting, found[-1].setting) == (FIRST, right)
    assert len(search(FIRST, LineTraffic)) == 1
    assert len(search(FIRST, lambda one: LineTraffic(one, 8, 1))) == 1
    assert len(search(FIRST, lambda one: LineTraffic(one, 8, 0, 8))) == 1 + len(list(settings_after(FIRST)))


@pytest.fixture
def folder(tmp_path) -> Path:
    """Give a folder with a configuration whose line is one end of a pty, and what says something at the other."""
    (tmp_path / "bmsd.toml").write_text(EXAMPLE.read_text(encoding="utf-8"))
    return tmp_path


def run(folder: Path, *words: str) -> int:
    given = ["--runtime-dir", str(folder), "--config", str(folder / "bmsd.toml"), "--seconds", "0.1"]
    return main(["modbus", "test", *given, *words])


def test_a_real_port_is_listened_to_without_a_word(folder, capsys) -> None:
    ours, theirs = os.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)
    path = os.ttyname(theirs)
    text = (folder / "bmsd.toml").read_text().replace('port = "/dev/ttyAMA0"', f'port = "{path}"')
    assert path in text
    (folder / "bmsd.toml").write_text(text)
    end = threading.Event()

    def master() -> None:
        while not end.wait(0.01):
            os.write(ours, READ)

    thread = threading.Thread(target=master)
    thread.start()
    try:
        found = heard_at(path, FIRST, 0.3)
        assert found.frames >= 1
        assert found.fits
        assert run(folder, "--seconds", "0.5") == 0
        assert "This fits; units named: 1." in capsys.readouterr().out
        assert run(folder, "--seconds", "0.5", "--json") == 0
        assert json.loads(capsys.readouterr().out)["heard"][0]["units"] == [1]
    finally:
        end.set()
        thread.join()
    os.set_blocking(ours, False)
    with pytest.raises(BlockingIOError):
        os.read(ours, 1)
    os.close(ours)
    os.close(theirs)


def heard(monkeypatch, *found: LineTraffic) -> None:
    monkeypatch.setattr(modbus_listen, "search", lambda *_: list(found))


BAD_FIRST = LineTraffic(FIRST, 50, 0, 50)


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        ([LineTraffic(FIRST)], 1, "Nothing is heard"),
        ([BAD_FIRST, LineTraffic(LineSetting(1200, "O"), 50, 0, 50)], 1, "Bytes are heard but no good frame"),
        ([BAD_FIRST, LineTraffic(LineSetting(9600, "E"), 50, 5)], 1, 'modbus.baudrate = 9600 and modbus.parity = "E"'),
        ([LineTraffic(FIRST, 21, is_4e57=True)], 0, 'mode = "jk-4e57"'),
        ([LineTraffic(FIRST, 40, 5, units=(1,))], 0, "This fits; units named: 1."),
    ],
)  # fmt: skip
def test_what_was_heard_is_said_with_the_next_step(folder, monkeypatch, capsys, found, code, words) -> None:
    heard(monkeypatch, *found)
    assert run(folder) == code
    assert words in " ".join(capsys.readouterr().out.split())


def link(folder: Path, **figures: object) -> None:
    told = {"state": "running", "requests": 5, "foreign_frames": 2, "garbage_bytes": 9, "units_heard": [1, 9]}
    Publisher(folder).publish("link-modbus.json", {**told, **figures}, monotonic_ms())


@pytest.mark.parametrize(
    ("figures", "code", "words"),
    [
        ({"requests": 8, "foreign_frames": 4, "garbage_bytes": 10}, 0,
         "answered 3 requests, and heard 2 frames for others and 1 bytes that belong to no frame. Units named since"),
        ({"garbage_bytes": 400}, 1, "systemctl stop bmsd-link@modbus"),
        ({}, 1, "Nothing is heard"),
    ],
)  # fmt: skip
def test_while_the_link_runs_it_tells_what_it_hears(
    folder, monkeypatch, capsys, figures, code, words
) -> None:
    link(folder)
    monkeypatch.setattr(modbus_line.time, "sleep", lambda _: link(folder, **figures))
    assert run(folder) == code
    assert words in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--link", "modbus@nowhere"), 1, "no serial line 'modbus@nowhere'; there are: modbus"),
        (("--seconds", "0"), 2, "from 0.1 to 60"),
        (("--seconds", "61"), 2, "from 0.1 to 60"),
        (("--config", "/nowhere/bmsd.toml"), 1, "--check-config"),
        ((), 1, "/dev/ttyAMA0 cannot be opened"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(folder, capsys, words, code, said) -> None:
    assert run(folder, *words) == code
    assert said in capsys.readouterr().err
