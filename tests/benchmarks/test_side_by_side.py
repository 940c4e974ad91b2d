"""What stands side by side on the page of benchmarks: counted whole, judged by its budget, told when it is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.benchmarks import accounting, beside, peer, run
from tests.benchmarks.accounting import Account, Rates
from tests.benchmarks.beside import Measured, Surroundings
from tests.benchmarks.load import Pty
from tests.benchmarks.rig import Figure
from tests.support.running import eventually

BUSY = """
import sys, threading, time
done, hold = threading.Barrier(3), threading.Event()
def work():
    while time.thread_time() < 0.1:
        pass
    for _ in range(50):
        time.sleep(0.001)
    done.wait()
    hold.wait()
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
done.wait()
print("done", flush=True)
sys.stdin.read()
"""
"""Two threads work 0.1 s and sleep fifty times each; the first one only waits for them."""
ONE = Measured(cpu_ms=1.0, wakeups=2.0, preemptions=0.5, resident_kib=10 * 1024, proportional_kib=5 * 1024)
OURS = ("core", "guard", "can", "modbus", "journal")
ANSWER = b"\x55\xaa\xeb\x90" + bytes(296)


@pytest.fixture
def busy() -> Iterator[int]:
    """Give the number of a process that has worked."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", BUSY], **pipes)
    assert process.stdout
    assert process.stdout.readline() == b"done\n"
    yield process.pid
    process.communicate()


def test_every_thread_is_accounted_for(busy) -> None:
    account = accounting.read(busy)
    assert account.cpu_ns > 200_000_000
    assert account.sleeps >= 100


def test_a_process_that_is_gone_has_no_account() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(ProcessLookupError):
        accounting.read(process.pid)


def test_rates_are_of_one_second(monkeypatch) -> None:
    accounts = iter(
        [
            Account(cpu_ns=5_000_000, sleeps=10, preemptions=1),
            Account(cpu_ns=35_000_000, sleeps=70, preemptions=4),
        ]
    )
    clock = iter([100.0, 106.0])
    monkeypatch.setattr(accounting, "read", lambda _: next(accounts))
    monkeypatch.setattr(accounting.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(accounting.time, "sleep", lambda _: None)
    rates, elapsed_s = accounting.window({"core": 1}, 6)
    assert rates == {"core": Rates(cpu_ms=5.0, wakeups=10.0, preemptions=0.5)}
    assert elapsed_s == 6


def test_the_bench_is_taken_off_the_core_and_off_nothing_else() -> None:
    both = {name: Rates(cpu_ms=9.0, wakeups=4.0, preemptions=1.0) for name in ("core", "can")}
    found = beside.apart(both, 2.5)
    assert found["core"] == Rates(cpu_ms=6.5, wakeups=4.0, preemptions=1.0)
    assert found["can"] == both["can"]
    assert found["bench"].cpu_ms == 2.5


def measured(**changed: float) -> dict[str, Measured]:
    """Give what every process takes: 1 ms/s, but for what is changed."""
    return {
        name: replace(ONE, cpu_ms=changed.get(name, 1.0))
        for name in (*OURS, "bench", "driver", "bus", "settings")
    }


def test_all_of_bmsd_is_held_against_all_of_the_peer() -> None:
    """16 of 4 ms/s at 250 ms is 4 times, 1.6 of the budget; the bench counts on neither side."""
    found = beside.figures(
        {0.25: measured(core=12.0, driver=2.0, bench=50.0), 1.0: measured(core=-2.0)}, "A 1 and B 2"
    )
    rows = {one.what: one for one in found}
    usual, slow = found[:2]
    assert (usual.budget, usual.idle) == ("<= 2.5 x 4.00 ms/s", "16.00 ms/s = 4.00 x")
    assert usual.ratio == pytest.approx(1.6)
    assert "by A 1 and B 2; the bench, 50.00 ms/s, left out" in usual.note
    assert slow.ratio == pytest.approx(2 / 3)
    assert rows["all of bmsd"].idle == "16.00 ms/s, at 1 s 2.00"
    assert rows["all of bmsd"].note.startswith("10.0 wake-ups/s, at 1 s 10.0;")
    assert rows["all of dbus-serialbattery"].note.endswith("30.0 MiB resident, 15.0 proportional")
    assert {f"of that: {name}" for name in OURS} < set(rows)


@pytest.mark.parametrize(("answers", "frames"), [(20, 60), (60, 0)])
def test_a_side_that_did_not_work_is_not_measured(answers, frames) -> None:
    beside.at_work(60, 60)
    with pytest.raises(peer.PeerError, match=f"{answers} answers and the inverter {frames} frames"):
        beside.at_work(answers, frames)


def test_answers_and_frames_are_carried_and_counted() -> None:
    can, link, driver = Pty(), Pty(), Pty()
    around = Surroundings(can.far, link.far, driver.far)
    around.start()
    near = [os.open(one.path, os.O_RDWR) for one in (can, link, driver)]
    try:
        os.write(near[2], b"request")
        assert os.read(near[1], 100) == b"request"
        os.write(near[1], ANSWER)
        assert os.read(near[2], 100).startswith(ANSWER[:4])
        os.write(near[0], b"t3568000000000000000\r")
        assert os.read(near[0], 100) == beside.ALIVE
        eventually(lambda: (around.answers, around.frames) == (1, 1))
    finally:
        around.end()
        for end in near:
            os.close(end)
        for one in (can, link, driver):
            one.close()


def test_cells_have_to_be_those_of_the_pack(monkeypatch, tmp_path) -> None:
    found = peer.Installed(folder=tmp_path, python=sys.executable)
    driver = peer.Peer(found, tmp_path, "/dev/null", 2)
    monkeypatch.setattr(peer.Peer, "published", lambda _: [3300, 3320])
    assert driver.reads(lambda: [3305, 3316])
    assert not driver.reads(lambda: [3306, 3320])
    assert not driver.reads(list)
    monkeypatch.setattr(peer.Peer, "published", lambda _: [])
    assert not driver.reads(lambda: [3305, 3316])


def test_a_driver_that_ends_is_told_with_what_it_said(tmp_path) -> None:
    found = peer.Installed(folder=tmp_path, python=sys.executable)
    driver = peer.Peer(found, tmp_path, "/dev/null", 2)
    driver._start("driver", sys.executable, "-c", "raise SystemExit('no such battery')")
    with pytest.raises(peer.PeerError, match="driver ended: no such battery"):
        driver.settle(lambda: [3300], 60)


@pytest.mark.parametrize("place", ["", "/nowhere"])
def test_without_the_peer_the_page_and_the_screen_say_so(monkeypatch, capsys, place) -> None:
    monkeypatch.setenv("BMSD_PEER", place)
    monkeypatch.setenv("BMSD_PEER_PYTHON", sys.executable)
    (row,) = beside.beside()
    assert row.idle == beside.SKIPPED
    assert peer.HOW in row.note
    assert "SKIPPED: beside dbus-serialbattery" in capsys.readouterr().err


def test_what_was_skipped_is_not_called_kept(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "DOCUMENT", tmp_path / "page.md")
    kept = Figure("speed", "<= 1", "1", "", 1.0)
    run.write([kept, Figure("the other", "", run.SKIPPED)], "a machine")
    text = (tmp_path / "page.md").read_text()
    assert text.rstrip().endswith("Every budget that was measured is kept. Not measured: the other.")
