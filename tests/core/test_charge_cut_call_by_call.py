"""Each single sign that charge is cut or is not, with everything else in favour of heat (S3)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core import charge_cut
from bmsd.core.alarms import ALL_QUIET
from bmsd.core.diode import Diode, Diodes
from bmsd.core.plausible import UNKNOWN
from bmsd.core.settings import Settings
from bmsd.core.state import CommonState, State
from bmsd.core.switching import SwitchState
from bmsd.core.types import AfeReport, AfeState, Inhibit, InhibitCause, Inputs, Levels
from bmsd.tables.alarms import Block
from tests.support.bench_inputs import believed, make_settings

SPLIT, COMMON, FETS = (make_settings(topology=name) for name in ("split", "common", "afe"))
T = 6_000_000
LIMIT_MA = 2000
"""2 % of 100 A."""
OPENED, CLOSED = SwitchState(False, T - 60_000), SwitchState(True, T - 60_000)
FIRST = Inhibit(InhibitCause.CHARGE_FIRST, "charge")
FLOWS = Inhibit(InhibitCause.CHARGE_FLOWS, "current_ma")
NOT_PROVED = Inhibit(InhibitCause.NOT_PROVED_CUT, "charger_mv")
NOTHING_READ = Levels()


def against(
    settings: Settings = SPLIT,
    *,
    lines: Levels = NOTHING_READ,
    contacts: Levels = NOTHING_READ,
    state: dict[str, Any] | None = None,
    lost: dict[str, Any] | None = None,
    **measured: Any,
) -> Inhibit | None:
    """Judge a pack beside a dead charger's side, with everything open and nothing flowing, but for what is given."""
    inputs = Inputs(T, AfeReport(AfeState.READY, None), lines, contacts)
    values = believed(settings, **measured)._replace(**(lost or {}))
    before: dict[str, Any] = {"charge": OPENED, "main": OPENED, **(state or {})}
    return charge_cut.against_heat(settings, State(ALL_QUIET, **before), values, inputs)


@pytest.mark.parametrize("settings", [SPLIT, COMMON, FETS])
def test_where_all_is_open_and_nothing_flows_charge_is_cut(settings) -> None:
    assert against(settings) is None


@pytest.mark.parametrize(
    "sign",
    [{"state": {"charge": CLOSED}}, {"lines": Levels(charge=True)}, {"contacts": Levels(charge=True)}],
)
def test_a_charge_switch_is_not_open_while_one_sign_says_that_it_is_closed(sign) -> None:
    """S3: what it is told, what its line reads, what its contact reads."""
    assert against(**sign) == FIRST


@pytest.mark.parametrize(("since_ms", "reason"), [(1999, None), (2000, FLOWS)])
def test_beside_a_contact_that_reads_open_a_current_may_be_two_seconds_old(since_ms, reason) -> None:
    """S3: so long a mean, or a value that is held, may still tell of before."""
    opened = {"charge": SwitchState(False, T - since_ms)}
    assert against(contacts=Levels(charge=False), state=opened, current_ma=60_000) == reason
    assert against(state=opened, current_ma=60_000) == FLOWS, "without a contact there is no proof"


def test_beside_a_contactor_that_never_moved_no_current_is_one_of_before() -> None:
    """S3."""
    never = {"charge": SwitchState()}
    assert against(contacts=Levels(charge=False), state=never, current_ma=60_000) == FLOWS


@pytest.mark.parametrize(
    ("current_ma", "reason"), [(LIMIT_MA, None), (LIMIT_MA + 1, FLOWS), (None, FLOWS), (-40_000, None)]
)
def test_a_charge_current_or_an_unknown_one_is_no_cut(current_ma, reason) -> None:
    """S2, S3."""
    assert against(current_ma=current_ma) == reason


@pytest.mark.parametrize(("charger_mv", "reason"), [
    (13_101, NOT_PROVED), (13_100, None), (13_299, NOT_PROVED), (13_300, None),
])  # fmt: skip
def test_without_a_contact_the_charger_side_stands_apart_or_nothing_is_proved(charger_mv, reason) -> None:
    """S3."""
    assert against(charger_mv=charger_mv) == reason


@pytest.mark.parametrize("lost", [{"pack_mv": UNKNOWN}, {"charger_mv": None}])
def test_an_unknown_voltage_on_either_side_proves_nothing(lost) -> None:
    """S2, S3."""
    assert against(lost=lost) == NOT_PROVED


@pytest.mark.parametrize(
    "sign", [{"state": {"main": CLOSED}}, {"lines": Levels(main=True)}, {"contacts": Levels(main=True)}]
)
def test_a_common_contactor_that_one_sign_calls_closed_is_no_cut_unless_the_inverter_is_told_zero(
    sign,
) -> None:
    """S3: then the current is the proof, and not the contactor."""
    assert against(COMMON, **sign) == FIRST
    state = {"common": CommonState(Block.CHARGE), **sign.get("state", {})}
    told = {**sign, "state": state}
    assert against(COMMON, **told, current_ma=LIMIT_MA) is None
    assert against(COMMON, **told, current_ma=LIMIT_MA + 1) == FLOWS
    assert against(COMMON, **told, current_ma=None) == FLOWS


def test_a_common_contactor_is_asked_only_where_it_is_the_one() -> None:
    read = Levels(main=True)
    assert against(SPLIT, state={"main": CLOSED}, lines=read, contacts=read) is None
    assert against(COMMON, state={"charge": CLOSED}, contacts=Levels(charge=True)) is None


@pytest.mark.parametrize(("current_ma", "reason"), [(-1, None), (0, FLOWS), (None, FLOWS)])
def test_a_charge_fet_that_is_on_for_its_diode_is_no_charge_while_current_flows_out(
    current_ma, reason
) -> None:
    """S2, S3."""
    spared = {"diodes": Diodes(charge=Diode(True))}
    assert against(FETS, state=spared, lines=Levels(charge=True), current_ma=current_ma) == reason


def test_a_charge_fet_that_is_on_for_charge_is_no_cut_whatever_its_diode_was_spared() -> None:
    """S3: a discharge proves nothing of it."""
    state = {"diodes": Diodes(charge=Diode(True)), "charge": CLOSED}
    assert against(FETS, state=state, current_ma=-40_000) == FIRST
