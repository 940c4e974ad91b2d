"""Tests that must follow each other do: xdist's groups are not without effect, which it would not tell."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("followers")
def test_a_group_reaches_the_one_who_deals_out(request) -> None:
    """xdist puts it behind the name of the test; nothing else would show that it was lost."""
    dealt = getattr(request.config.option, "loadgroup", False)  # set in a worker of `--dist loadgroup`
    assert not dealt or request.node.nodeid.endswith("@followers"), (
        "pytest and xdist do not fit: constraints.txt"
    )
