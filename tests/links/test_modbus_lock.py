"""The lock of a Modbus line: PIN, window, lock-out, flood limit, and the last word of somebody at the pack."""

from __future__ import annotations

import pytest

from bmsd.links.modbus_lock import (
    HOUR_MS,
    LOCKED_OUT_MS,
    MINUTE_MS,
    TRIES,
    WINDOW_MS,
    WRITES_PER_HOUR,
    WRITES_PER_MINUTE,
    Doing,
    Lock,
    Unlocked,
    Why,
)

RIGHT, WRONG, NONE = (lambda: True), (lambda: False), (lambda: None)


def never() -> bool:
    raise AssertionError("nobody may look at a PIN now")


def test_a_new_lock_is_locked() -> None:
    """S14."""
    lock = Lock()
    assert (lock.doing(0), lock.open_ms(0), lock.out_ms(0)) == (Doing.LOCKED, 0, 0)


def test_the_right_pin_opens_for_its_window_and_no_longer() -> None:
    """S14, S11."""
    lock = Lock()
    assert lock.unlock(RIGHT, 1000) is Why.NONE
    assert lock.open_ms(1000) == WINDOW_MS
    assert lock.doing(1000 + WINDOW_MS - 1) is Doing.UNLOCKED
    assert lock.doing(1000 + WINDOW_MS) is Doing.LOCKED


@pytest.mark.parametrize("answer", [WRONG, NONE])
@pytest.mark.parametrize("how", ["pin", "unlocked"])
def test_a_wrong_pin_closes_what_was_open(how, answer) -> None:
    """S14: whoever guesses ends it for all, whichever way it was opened."""
    lock = Lock()
    if how == "pin":
        lock.unlock(RIGHT, 1000)
    else:
        lock.hear(Unlocked(1000, 600_000))
    assert lock.doing(2000) is Doing.UNLOCKED
    lock.unlock(answer, 2000)
    assert lock.doing(2000) is Doing.LOCKED


def test_five_wrong_pins_lock_out_and_then_none_is_looked_at() -> None:
    """S14."""
    lock = Lock()
    told = [lock.unlock(WRONG, 1000 + n) for n in range(TRIES)]
    assert told == [Why.WRONG_PIN] * (TRIES - 1) + [Why.LOCKED_OUT]
    last_ms = 1000 + TRIES - 1
    assert lock.unlock(never, last_ms + LOCKED_OUT_MS - 1) is Why.LOCKED_OUT
    assert lock.doing(last_ms + LOCKED_OUT_MS - 1) is Doing.LOCKED_OUT
    assert lock.doing(last_ms + LOCKED_OUT_MS) is Doing.LOCKED
    assert lock.unlock(WRONG, last_ms + LOCKED_OUT_MS) is Why.WRONG_PIN
    assert lock.unlock(RIGHT, last_ms + LOCKED_OUT_MS + 1) is Why.NONE


def test_a_right_pin_forgives_the_wrong_ones() -> None:
    lock = Lock()
    for _ in range(3):
        for n in range(TRIES - 1):
            assert lock.unlock(WRONG, n) is Why.WRONG_PIN
        assert lock.unlock(RIGHT, 10) is Why.NONE


def test_no_pin_is_no_failure() -> None:
    lock = Lock()
    assert {lock.unlock(NONE, n) for n in range(20)} == {Why.NO_PIN}
    assert lock.doing(20) is Doing.LOCKED


def test_somebody_at_the_pack_opens_it_and_ends_a_lock_out() -> None:
    lock = Lock()
    for n in range(TRIES):
        lock.unlock(WRONG, n)
    lock.hear(Unlocked(1000, 601_000))
    assert lock.doing(1000) is Doing.UNLOCKED
    assert lock.open_ms(1000) == 600_000
    assert lock.doing(601_000) is Doing.LOCKED


def test_somebody_at_the_pack_closes_what_a_pin_opened() -> None:
    """S14."""
    lock = Lock()
    lock.unlock(RIGHT, 1000)
    lock.hear(Unlocked(2000, 0))
    assert lock.doing(2000) is Doing.LOCKED


def test_a_word_that_was_heard_is_not_heard_again() -> None:
    """The same file read again neither closes what a PIN opened since, nor opens what was closed since."""
    lock = Lock()
    lock.hear(Unlocked(1000, 0))
    lock.unlock(RIGHT, 2000)
    lock.hear(Unlocked(1000, 0))
    assert lock.doing(2000) is Doing.UNLOCKED
    lock.hear(Unlocked(3000, 600_000))
    lock.close(4000)
    lock.hear(Unlocked(3000, 600_000))
    assert lock.doing(4000) is Doing.LOCKED


def test_more_than_so_many_in_a_minute_is_too_many_and_the_refused_ones_do_not_count() -> None:
    """S9."""
    lock = Lock()
    assert [lock.too_many(n) for n in range(WRITES_PER_MINUTE + 50)] == [False] * WRITES_PER_MINUTE + [
        True
    ] * 50
    assert not lock.too_many(MINUTE_MS)
    assert lock.too_many(MINUTE_MS)


def test_more_than_so_many_in_an_hour_is_too_many_until_somebody_at_the_pack_opens_it() -> None:
    """S9: ten a minute for days would be a file on the card every six seconds."""
    lock = Lock()
    times_ms = [n * MINUTE_MS // WRITES_PER_MINUTE for n in range(WRITES_PER_HOUR + 20)]
    assert [lock.too_many(time_ms) for time_ms in times_ms] == [False] * WRITES_PER_HOUR + [True] * 20
    assert lock.too_many(HOUR_MS - 1)
    assert not lock.too_many(HOUR_MS)
    lock.hear(Unlocked(HOUR_MS + 1, 2 * HOUR_MS))
    assert [lock.too_many(HOUR_MS + 1 + n) for n in range(WRITES_PER_MINUTE)] == [False] * WRITES_PER_MINUTE
