"""Losing data tells nobody more than before: no charge voltage rises, no way of saying stop is left out."""

from __future__ import annotations

import pytest

from bmsd.inverters.frames import decode
from bmsd.inverters.protocols import PROTOCOLS, Protocol, messages
from bmsd.inverters.view import DATA_LOST, UNBOUND, Bounds, remember, view
from tests.inverters.packs import CONFIGURED, POINTS, document

CONTROLLING = [row for row in PROTOCOLS.values() if row.has_limits]
EVERY = pytest.mark.parametrize("row", CONTROLLING, ids=lambda row: row.name)
LOSSES = [None, "pack_mv", "current_ma", "cell_min_mv", "cell_max_mv", "battery_decic"]
PERMITS = {"charge_enable", "discharge_enable"}
BLOCKS = {"modules_blocking_charge", "modules_blocking_discharge"}


def lose(what: str | None, **points):
    return document(**{**points, what: None}) if what else None


class Life:
    """What one inverter is told, view after view."""

    def __init__(self, row: Protocol, bounds: Bounds = UNBOUND) -> None:
        self.row, self.bounds = row, bounds

    def tell(self, snapshot) -> dict:
        """Give every value that goes out, read back from the bytes."""
        seen = view(snapshot, CONFIGURED, self.row.above_pack_mv, self.bounds)
        self.bounds = remember(seen, self.bounds, CONFIGURED, self.row.above_pack_mv)
        values: dict = {}
        for frame, data in messages(self.row, seen):
            values |= decode(frame, data)
        return values


@EVERY
@pytest.mark.parametrize("what", LOSSES)
@pytest.mark.parametrize("asked_mv", [54_100, 52_850, 55_200, 46_400, 45_900])
def test_losing_data_never_raises_the_charge_voltage_told(row, what, asked_mv) -> None:
    """S7, S14: also where the core itself asks for the configured voltage again, as after its restart."""
    life = Life(row)
    before = life.tell(document(charge_limit_mv=asked_mv))["charge_limit_mv"]
    for later_mv in (asked_mv, 55_200):
        after = life.tell(lose(what, charge_limit_mv=later_mv))["charge_limit_mv"]
        assert after <= before
        assert after >= min(before, 46_400)


@EVERY
@pytest.mark.parametrize("what", LOSSES)
def test_lost_data_says_stop_by_the_voltage_too(row, what) -> None:
    """The pack's own where it was last known, as where charging is forbidden; not below the pack's lowest."""
    life = Life(row)
    life.tell(document())
    assert life.tell(lose(what))["charge_limit_mv"] == POINTS["pack_mv"] + row.above_pack_mv
    life.tell(document(pack_mv=30_000))
    assert life.tell(lose(what))["charge_limit_mv"] == 46_400


@EVERY
def test_what_a_core_asks_lower_while_cells_are_lost_is_told(row) -> None:
    life = Life(row)
    life.tell(document(charge_limit_mv=54_100, pack_mv=54_000))
    assert life.tell(lose("cell_max_mv", charge_limit_mv=52_800))["charge_limit_mv"] == 52_800
    assert life.tell(lose("cell_max_mv", charge_limit_mv=54_100))["charge_limit_mv"] == 52_800


@EVERY
def test_good_data_ends_the_bounds(row) -> None:
    life = Life(row)
    life.tell(document(charge_limit_mv=52_800))
    life.tell(None)
    assert life.tell(document())["charge_limit_mv"] == 55_200


@EVERY
@pytest.mark.parametrize("what", LOSSES)
def test_losing_data_never_lowers_the_discharge_voltage_told(row, what) -> None:
    """The same on the other side."""
    asked_mv = 47_600
    life = Life(row)
    before = life.tell(document(discharge_limit_mv=asked_mv))
    if "discharge_limit_mv" in before:
        assert before["discharge_limit_mv"] == asked_mv
        assert life.tell(lose(what, discharge_limit_mv=46_400))["discharge_limit_mv"] == asked_mv


@EVERY
@pytest.mark.parametrize("what", LOSSES)
def test_lost_data_says_stop_in_every_way_that_the_protocol_has(row, what) -> None:
    """S7: what an inverter goes on with must not be the last "allowed"."""
    sent = {frame.id for frame, _ in messages(row, view(lose(what), CONFIGURED, row.above_pack_mv))}
    ways = {
        frame.id
        for frame in row.frames
        if any(bit.name in PERMITS or DATA_LOST in bit.alarms for bit in frame.bits)
        or any(signal.name in BLOCKS or signal.name.endswith("_limit_ma") for signal in frame.signals)
    }
    assert ways <= sent
    values = Life(row).tell(lose(what, force_charge=True, full_charge=True))
    assert not any(values.get(name) for name in PERMITS)
    assert all(values.get(name, 1) == 1 for name in BLOCKS)
    assert values["charge_limit_ma"] == values["discharge_limit_ma"] == 0
    assert not any(value for name, value in values.items() if "force_charge" in name or "request" in name)


def test_growatts_permissions_are_taken_back_when_the_data_is_lost() -> None:
    """Its frame with the permissions also has cells, and was not sent without them: the last "allowed" stood."""
    row = PROTOCOLS["growatt"]
    allowed = dict(_frames(row, document()))
    assert allowed[0x319][0] == 0xC0
    assert dict(_frames(row, None))[0x319] == bytes(8)


def _frames(row: Protocol, snapshot):
    return ((frame.id, data) for frame, data in messages(row, view(snapshot, CONFIGURED, row.above_pack_mv)))
