"""Where programs that are not ours find bmsd: a serial line, and an address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.foreign.served import served


@pytest.fixture(params=["rtu", "tcp"])
def place(request, tmp_path) -> Iterator[tuple[str, str]]:
    """Give each way to the pack: its kind and its port."""
    with served(tmp_path, request.param) as found:
        yield found
