"""The shared files of the runtime directory: missing, cut, of another version, in a full directory (S7, S9)."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bmsd.errors import StaleError
from bmsd.ipc import shared_files
from bmsd.ipc.shared_files import PARAMETERS, Publisher, boot_id, read_document
from tests.support.effort import examples


def publish(folder, **more) -> None:
    assert Publisher(folder).publish(PARAMETERS, {"values": {"a": 1}, **more}, 5)


def says(folder, word: str) -> None:
    with pytest.raises(StaleError, match=word):
        read_document(folder / PARAMETERS)


def test_what_was_published_is_read_back(tmp_path) -> None:
    """S7, S11: with the time that decides and the boot it belongs to."""
    publish(tmp_path)
    found = read_document(tmp_path / PARAMETERS)
    assert found["values"] == {"a": 1}
    assert (found["at_ms"], found["boot"]) == (5, boot_id())


def test_a_missing_file_says_that_nobody_runs(tmp_path) -> None:
    says(tmp_path, "not running")
    says(tmp_path / "none", "not running")


def test_a_half_written_file_is_none(tmp_path) -> None:
    publish(tmp_path)
    whole = (tmp_path / PARAMETERS).read_bytes()
    for length in range(len(whole)):
        (tmp_path / PARAMETERS).write_bytes(whole[:length])
        says(tmp_path, "cannot be read")


keys = st.sampled_from(("values", "at_ms", "boot"))
documents = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner),
)


@hypothesis_settings(deadline=None, max_examples=examples(200), suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300) | documents.map(lambda value: json.dumps(value).encode()))
def test_any_other_content_is_no_document(tmp_path, data) -> None:
    (tmp_path / PARAMETERS).write_bytes(data)
    with pytest.raises(StaleError):
        read_document(tmp_path / PARAMETERS)


def test_a_file_of_another_version_is_told(tmp_path) -> None:
    publish(tmp_path, schema=99)
    says(tmp_path, "version")


def test_a_file_that_may_not_be_read_says_which_group_to_join(tmp_path, monkeypatch) -> None:
    publish(tmp_path)

    def refuse(*_args, **_more):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_text", refuse)
    says(tmp_path, "group bmsd")


@pytest.mark.parametrize("call", ["write", "open", "replace"])
def test_a_full_directory_is_counted_and_never_raised(tmp_path, monkeypatch, call) -> None:
    """S9: and the old file stays whole."""
    publisher = Publisher(tmp_path)
    publisher.publish(PARAMETERS, {"values": 1}, 5)

    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shared_files.os, call, full)
    assert not publisher.publish(PARAMETERS, {"values": 2}, 6)
    assert publisher.failures == 1
    assert read_document(tmp_path / PARAMETERS)["values"] == 1


def test_a_lost_directory_is_counted(tmp_path) -> None:
    publisher = Publisher(tmp_path / "gone")
    assert not publisher.publish(PARAMETERS, {}, 1)
    assert publisher.failures == 1


def test_this_boot_has_a_name() -> None:
    assert boot_id() == boot_id() != ""


def test_the_name_of_the_boot_is_read_once_and_asked_again_while_there_is_none(monkeypatch) -> None:
    read, asked = Path.read_text, []

    def counted(path: Path) -> str:
        asked.append(path)
        if len(asked) == 1:
            raise OSError("not yet")
        return read(path)

    shared_files._boot_id.cache_clear()
    monkeypatch.setattr(Path, "read_text", counted)
    assert boot_id() == "unknown"
    assert boot_id() == boot_id() != "unknown"
    assert len(asked) == 2
