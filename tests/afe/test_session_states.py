"""The table that the session follows: a chip is ready only for settings that were read back (S6)."""

from __future__ import annotations

import pytest

from bmsd.afe.session_states import STATES, Happened
from bmsd.core.types import AfeState

UNTRUSTED = [place for place in AfeState if place is not AfeState.READY]


@pytest.mark.parametrize("place", UNTRUSTED)
@pytest.mark.parametrize("happened", Happened)
def test_only_settings_that_read_back_make_a_chip_ready(place: AfeState, happened: Happened) -> None:
    """S6."""
    assert (STATES.follow(place, happened) is AfeState.READY) is (happened is Happened.HOLDS)


@pytest.mark.parametrize(
    ("happened", "target"),
    [
        (Happened.FOUND, AfeState.CONFIGURING), (Happened.UNSET, AfeState.WATCHING),
        (Happened.LOST, AfeState.CONFIGURING), (Happened.REFUSED, AfeState.REFUSED),
        (Happened.GIVEN_UP, AfeState.ABSENT),
    ],
)  # fmt: skip
def test_what_happens_leads_to_the_same_place_from_everywhere(happened: Happened, target: AfeState) -> None:
    assert {STATES.follow(place, happened) for place in UNTRUSTED} == {target}


def test_a_ready_chip_is_left_only_when_it_lost_its_settings_or_is_given_up() -> None:
    """S6, S7: a check that cannot be read is a bad cycle, and a number of those gives it up."""
    left = {happened: STATES.follow(AfeState.READY, happened) for happened in Happened}
    assert {happened: place for happened, place in left.items() if place is not AfeState.READY} == {
        Happened.LOST: AfeState.CONFIGURING,
        Happened.GIVEN_UP: AfeState.ABSENT,
    }
