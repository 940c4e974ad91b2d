"""S15: what waits for a person is a short list, each with its reason."""

from __future__ import annotations

from bmsd.docgen.latches import LATCHES, section
from bmsd.tables.alarms import ALARMS, Release
from tests.campaign.outcome import EXPLAINED


def test_every_alarm_that_only_a_person_ends_has_its_reason() -> None:
    """S15: and no other alarm is in the list."""
    assert set(LATCHES) == {alarm.name for alarm in ALARMS if alarm.ends is Release.OPERATOR}
    assert all(reason.endswith(".") and len(reason) > 30 for reason in LATCHES.values())
    assert section().count("\n") == len(LATCHES) + 1


def test_the_campaign_explains_each_latch_by_a_fault_but_one_of_the_configuration() -> None:
    assert set(LATCHES) - set(EXPLAINED) == {"configuration_fault"}
