"""What the core publishes: words that are made when they change, and a notice for what does not wait (S7)."""

from __future__ import annotations

import struct

import pytest

from bmsd.core import report
from bmsd.core.types import Request
from bmsd.errors import StaleError
from bmsd.ipc.notice import NOTICE
from bmsd.ipc.snapshot import read_snapshot
from tests.benchmarks.rig import Rig


class Core:
    """A controller on the bench that publishes every cycle."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.rig = Rig(folder).settle(60)
        self.cycle()

    def cycle(self, *requests: Request) -> None:
        rig = self.rig
        rig.clock.wait_until(rig.clock.now() + 250)
        now_ms = int(rig.clock.now())
        rig.bench.advance(now_ms)
        rig.publish(rig.control.cycle(now_ms, requests), now_ms)

    def run(self, seconds: int) -> None:
        for _ in range(seconds * 4):
            self.cycle()

    @property
    def notices(self) -> int:
        return struct.unpack("<Q", (self.folder / NOTICE).read_bytes())[0]

    @property
    def seen(self) -> dict:
        return dict(read_snapshot(self.folder).document)


@pytest.fixture
def core(tmp_path):
    made = Core(tmp_path)
    yield made
    made.rig.close()


def test_while_nothing_happens_nobody_is_woken(core) -> None:
    before = core.notices
    core.run(60)
    assert core.notices == before
    assert core.seen["points"]["sequence"] > 240


@pytest.mark.parametrize("side", ["charge", "discharge"])
def test_a_permission_that_is_withdrawn_and_given_again_wakes(core, side) -> None:
    """S7: in the cycle that decides it."""
    for on in (False, True):
        before = core.notices
        core.cycle(Request(kind="switch", name=side, on=on, who="test"))
        assert core.notices > before
        assert core.seen["points"][f"{side}_allowed"] is on


def test_data_that_are_lost_and_back_wake(core) -> None:
    """S7: the first cycle without a measurement, and the first with one."""
    core.rig.bench.chip.fault("nack", True)
    before = core.notices
    for _ in range(20):
        core.cycle()
        if core.seen["points"]["cell_min_mv"] is None:
            break
    assert core.seen["points"]["cell_min_mv"] is None
    assert core.notices > before


def test_the_words_are_made_again_only_when_they_are_others(core, monkeypatch) -> None:
    made = []
    real = report.why
    monkeypatch.setattr(report, "why", lambda out: made.append(1) or real(out))
    core.run(10)
    assert made == []
    core.cycle(Request(kind="switch", name="charge", on=False, who="test"))
    assert made
    assert [reason["because"] for reason in core.seen["why"]["charge"]] != []


def test_alarms_stand_beside_the_points_of_their_own_cycle(core) -> None:
    """S7: in every cycle from the loss of the chip on."""
    core.rig.bench.chip.fault("nack", True)
    for _ in range(40):
        core.cycle()
        control = core.rig.control
        expected = [alarm["name"] for alarm in report.alarms(control.settings, control.state)]
        assert [alarm["name"] for alarm in core.seen["alarms"]] == expected
        assert core.seen["event_sequence"] == core.rig.ring.sequence
    assert expected


def test_the_end_wakes_and_the_snapshot_is_gone(core) -> None:
    """S7: nobody waits until it is old."""
    before = core.notices
    core.rig.publisher.withdraw()
    assert core.notices > before
    with pytest.raises(StaleError, match="does not exist"):
        read_snapshot(core.folder)
