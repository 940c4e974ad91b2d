"""The PIN: what is kept of it, who may read that, and which numbers are none."""

from __future__ import annotations

import stat

import pytest

from bmsd.config import pin


@pytest.fixture
def path(tmp_path):
    return pin.path_beside(tmp_path / "bmsd.toml")


def test_only_a_salted_hash_is_kept(path) -> None:
    pin.write(path, 271_828)
    first = path.read_text()
    assert "271828" not in first
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    pin.write(path, 271_828)
    assert path.read_text() != first, "the same PIN twice gives two hashes"
    assert pin.matches(path, 271_828) is True
    assert pin.matches(path, 271_829) is False


@pytest.mark.parametrize(
    "text",
    ["", "271828\n", "md5 16384 8 1 00 00", "scrypt 2 8 1 00 00", "scrypt 16384 8 1 zz 00", "\x00" * 50, "é"],
)
def test_a_file_that_is_broken_or_weaker_is_no_pin(path, text) -> None:
    """S14: then nothing unlocks."""
    path.write_text(text)
    assert pin.matches(path, 271_828) is None


def test_no_file_is_no_pin(path) -> None:
    assert pin.matches(path, 271_828) is None


@pytest.mark.parametrize(
    "number", [0, 1234, 99_999, 1_000_000_000, 123_456, 654_321, 111_111, 135_790_000_000]
)
def test_what_is_tried_first_or_does_not_fit_is_no_pin(number) -> None:
    assert pin.problem(number)


@pytest.mark.parametrize("number", [100_000, 271_828, 123_457, 999_999_998])
def test_a_good_pin(number) -> None:
    assert pin.problem(number) == ""
