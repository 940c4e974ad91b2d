"""What wakes a link: the core's notice, something to read, its own time; and what it does where no notice can be."""

from __future__ import annotations

import os
import threading
import time
from types import SimpleNamespace

import pytest

from bmsd.ipc.notice import NOTICE, Notice
from bmsd.links.link import Link
from bmsd.links.watcher import NoticeWatcher
from tests.support.patience import Patience

LONG_MS, TICK_MS = 60_000, 20


class Woken:
    """A link that waits once in a thread of its own."""

    def __init__(self, link: Link, watcher: NoticeWatcher, *descriptors: int) -> None:
        self._thread = threading.Thread(target=watcher.wait, args=(link, LONG_MS, LONG_MS, *descriptors))
        self._thread.start()

    def within_patience(self) -> bool:
        patience = Patience(10)
        while self._thread.is_alive() and not patience.is_over():
            self._thread.join(0.01)
        return not self._thread.is_alive()


@pytest.fixture
def link(tmp_path):
    made = Link("can", SimpleNamespace(), tmp_path)  # type: ignore[arg-type]
    yield made
    made.stop()


@pytest.fixture
def notice(tmp_path):
    made = Notice(tmp_path)
    made.give()
    return made


@pytest.fixture
def watcher(tmp_path):
    made = NoticeWatcher(tmp_path)
    yield made
    made.close()


def waited_ms(link, watcher, pause_ms: int, *descriptors: int) -> float:
    began = time.monotonic()
    watcher.wait(link, pause_ms, TICK_MS, *descriptors)
    return (time.monotonic() - began) * 1000


def test_a_notice_wakes(link, notice, watcher) -> None:
    waited_ms(link, watcher, 0)
    woken = Woken(link, watcher)
    notice.give()
    assert woken.within_patience()


def test_a_notice_that_came_before_the_wait_is_not_missed(link, notice, watcher) -> None:
    waited_ms(link, watcher, 0)
    notice.give()
    assert Woken(link, watcher).within_patience()


def test_a_notice_wakes_once(link, notice, watcher) -> None:
    waited_ms(link, watcher, 0)
    for _ in range(300):
        notice.give()
    watcher.wait(link, LONG_MS, LONG_MS)
    assert waited_ms(link, watcher, 60) >= 60


def test_something_to_read_and_the_end_of_the_link_wake(link, notice, watcher) -> None:
    reads, writes = os.pipe()
    woken = Woken(link, watcher, reads)
    os.write(writes, b"x")
    assert woken.within_patience()
    os.read(reads, 1)
    woken = Woken(link, watcher, reads)
    link.stop()
    assert woken.within_patience()
    os.close(reads)
    os.close(writes)


def test_without_a_notice_file_the_link_looks_by_itself(link, watcher) -> None:
    """A core that is not there yet, or one of an older version."""
    assert TICK_MS <= waited_ms(link, watcher, LONG_MS) < LONG_MS


def test_the_file_of_a_later_core_is_watched(link, tmp_path, watcher) -> None:
    waited_ms(link, watcher, 0)
    notice = Notice(tmp_path)
    notice.give()
    waited_ms(link, watcher, 0)
    woken = Woken(link, watcher)
    notice.give()
    assert woken.within_patience()


@pytest.mark.parametrize("how", ["unlink", "rename"])
def test_a_file_that_was_taken_away_is_watched_again_when_it_is_there(
    link, notice, tmp_path, watcher, how
) -> None:
    waited_ms(link, watcher, 0)
    path = tmp_path / NOTICE
    path.unlink() if how == "unlink" else path.rename(tmp_path / "aside")
    waited_ms(link, watcher, LONG_MS)
    assert TICK_MS <= waited_ms(link, watcher, LONG_MS) < LONG_MS
    notice.give()
    waited_ms(link, watcher, 0)
    woken = Woken(link, watcher)
    notice.give()
    assert woken.within_patience()


def test_where_the_kernel_has_no_more_watches_the_link_looks_by_itself(link, notice, watcher) -> None:
    watcher._fd = -1
    assert TICK_MS <= waited_ms(link, watcher, LONG_MS) < LONG_MS


def test_a_notice_that_cannot_be_given_is_counted(tmp_path) -> None:
    """S9: nothing is raised, nobody is waited for."""
    notice = Notice(tmp_path / "gone")
    notice.give()
    assert notice.failures == 1
