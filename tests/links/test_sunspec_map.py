"""The SunSpec chain: its rows against the definitions, its values against the pack, read in any pieces."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from bmsd.config.load import load
from bmsd.ipc import shared_files
from bmsd.ipc.shared_files import monotonic_ms
from bmsd.ipc.snapshot import read_snapshot
from bmsd.links import identity, sunspec_values
from bmsd.links.modbus_pack import MappedPack
from bmsd.links.modbus_rtu import Refusal, RefusedError
from bmsd.links.modbus_sunspec import SunSpecMap
from bmsd.links.snapshots import Snapshots
from bmsd.tables import alarms, points, sunspec
from bmsd.tables.alarms import Severity
from bmsd.tables.sunspec import MODELS, Type
from tests.support.snapshots import publish_snapshot

pytestmark = pytest.mark.usefixtures("clock")
DEFINITIONS = Path(__file__).parent / "sunspec"
EXAMPLE = (Path(__file__).resolve().parents[2] / "etc" / "bmsd.toml").read_text(encoding="utf-8")
POINTS = {
    "sequence": 7, "uptime_ms": 65_999, "state": "discharging", "pack_mv": 53_204, "current_ma": -12_340,
    "power_mw": -656_537, "soc_permille": 605, "soh_permille": 981, "capacity_mah": 274_680, "remaining_mah": 166_181,
    "cycles_milli": 70_499_600, "cell_mv": [3318 + n for n in range(16)], "cell_min_mv": 3318, "cell_max_mv": 3333,
    "cell_average_mv": 3325, "min_cell": 1, "max_cell": 16, "balancing": [False] * 15 + [True],
    "battery_decic": [-85, 210], "switch_decic": 300, "charge_limit_mv": 55_219, "charge_limit_ma": 50_090,
    "discharge_limit_ma": 80_090, "discharge_limit_mv": 46_401, "charge_allowed": True, "discharge_allowed": True,
    "charge_commanded": True, "charge_actual": True, "discharge_commanded": True, "discharge_actual": True,
    "precharge_commanded": False, "precharge_actual": None, "force_charge": False,
}  # fmt: skip
ONLY_WHEN_READ_BACK = {
    # The models have one sensor per cell, a pack has a few that belong to no cell in particular.
    (805, "CellTmp"),
}


def definition(number: int) -> dict:
    group: dict = json.loads((DEFINITIONS / f"model_{number}.json").read_text())["group"]
    return group


class Bench:
    """A pack that is published, and the chain a master sees of it."""

    def __init__(self, folder: Path, cells: int = 16, **config: str) -> None:
        text = EXAMPLE.replace("cells = 16", f"cells = {cells}")
        for old, new in config.items():
            text = re.sub(rf"^{old} = .*$", f"{old} = {new}", text, flags=re.MULTILINE)
        (folder / "bmsd.toml").write_text(text)
        self.map = SunSpecMap(MappedPack(load(folder / "bmsd.toml"), Snapshots(folder)), 7)
        self._folder = folder

    def publish(self, *active: str, age_ms: int = 0, **changed) -> Bench:
        rows = [{"name": name, "latched": False} for name in active]
        body = {"cells": 16, "points": {**POINTS, **changed}, "alarms": rows}
        publish_snapshot(self._folder, body, monotonic_ms() - age_ms)
        return self

    def models(self) -> dict[int, dict]:
        """Walk the chain as a client does, and decode it by the definitions alone."""
        assert bytes_of(self.map.read(40_000, 2)) == b"SunS"
        at, found = 40_002, {}
        while (number := self.map.read(at, 1)[0]) != 0xFFFF:
            length = self.map.read(at + 1, 1)[0]
            words = [word for n in range(length) for word in self.map.read(at + 2 + n, 1)]
            found[number] = decoded(definition(number), words)
            at += 2 + length
        assert self.map.read(at, 2) == [0xFFFF, 0]
        return found


def bytes_of(words: list[int]) -> bytes:
    return b"".join(word.to_bytes(2, "big") for word in words)


def decoded(group: dict, words: list[int]) -> dict:
    """Decode words by a definition: not-implemented is None, scaled values are in the model's units."""
    raw, at = {}, 0
    for point in group["points"]:
        if point["name"] not in {"ID", "L"}:
            raw[point["name"]] = number(point, bytes_of(words[at : at + point["size"]]))
            at += point["size"]
    found = {p["name"]: scaled(p, raw[p["name"]], raw) for p in group["points"] if p["name"] in raw}
    for block in group.get("groups", ()):
        size, turns = sum(point["size"] for point in block["points"]), []
        while at < len(words):
            inner, place = {}, at
            for point in block["points"]:
                inner[point["name"]] = number(point, bytes_of(words[place : place + point["size"]]))
                place += point["size"]
            turns.append({p["name"]: scaled(p, inner[p["name"]], raw) for p in block["points"]})
            at += size
        if block["count"]:
            assert raw[block["count"]] == len(turns)
        found["block"] = turns
    assert at == len(words)
    return found


def number(point: dict, data: bytes) -> str | int | None:
    kind = point["type"]
    if kind == "string":
        return data.rstrip(b"\0").decode() or None
    signed = kind in {"int16", "sunssf"}
    value = int.from_bytes(data, "big", signed=signed)
    return None if kind != "pad" and value == (-0x8000 if signed else (1 << 8 * len(data)) - 1) else value


def scaled(point: dict, value, raw: dict):
    return value if value is None or "sf" not in point else round(value * 10 ** raw[point["sf"]], 6)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def defined(points: list[dict]) -> list[tuple]:
    return [
        (p["name"], p["type"], p["size"], p.get("sf", "")) for p in points if p["name"] not in {"ID", "L"}
    ]


def written(points: tuple[sunspec.SunspecPoint, ...]) -> list[tuple]:
    return [(row.name, row.type.value[0], row.registers, row.scale) for row in points]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.id))
def test_the_rows_are_those_of_the_definition(model) -> None:
    group = definition(model.id)
    assert written(model.points) == defined(group["points"])
    assert model.title == group["label"]
    (block,) = group.get("groups", [{"points": []}])
    assert written(model.block) == defined(block["points"])


def test_the_values_named_in_the_rows_are_there_and_none_is_made_for_nothing(bench) -> None:
    bench.publish()
    snapshot = read_snapshot(bench.map._pack.snapshots.folder)
    fixed = sunspec_values.fixed(bench.map._pack.config, 7)
    made = sunspec_values.present(snapshot, fixed["nominal_mv"])
    rows = [row for model in MODELS for row in (*model.points, *model.block)]
    used = {row.value for row in rows if isinstance(row.value, str)}
    assert used <= {*made, *fixed}
    assert {*made, *fixed} - used - points.BY_NAME.keys() == {"nominal_mv"}


def test_the_chain_stands_where_it_stood(bench) -> None:
    """Sixteen cells; other numbers move what follows the cells by four registers each."""
    bench.publish()
    starts = {1: 40_002, 802: 40_070, 803: 40_134, 804: 40_194, 805: 40_258, 713: 40_366}
    assert {number: bench.map.read(at, 1)[0] for number, at in starts.items()} == {n: n for n in starts}
    assert bench.map.read(40_375, 2) == [0xFFFF, 0]


@pytest.mark.parametrize("cells", [3, 8, 16])
def test_each_number_of_cells_has_a_whole_chain(tmp_path, cells) -> None:
    found = Bench(tmp_path, cells).publish().models()
    assert list(found) == [1, 802, 803, 804, 805, 713]
    assert len(found[805]["block"]) == found[805]["NCell"] == cells


def test_every_mandatory_point_has_a_value(bench) -> None:
    found = bench.publish().models()
    for model, values in found.items():
        group = definition(model)
        (block,) = group.get("groups", [{"points": []}])
        levels = [(group["points"], values), *((block["points"], turn) for turn in values.get("block", ()))]
        missing = {
            (model, p["name"])
            for points, level in levels for p in points
            if p.get("mandatory") == "M" and p["name"] in level and level[p["name"]] is None
        }  # fmt: skip
        assert missing <= ONLY_WHEN_READ_BACK


def test_the_pack_reads_as_it_is(bench) -> None:
    found = bench.publish("cell_spread").models()
    common, base, bank, string, module, storage = (found[n] for n in (1, 802, 803, 804, 805, 713))
    assert (common["Mn"], common["Md"], common["DA"]) == ("bmsd", "LiFePO4 16S", 7)
    assert len(common["SN"]) == 16
    assert (base["V"], base["A"], base["W"]) == (53.2, 12.3, 657)
    assert (base["SoC"], base["DoD"], base["SoH"], base["NCyc"]) == (60.5, 39.5, 98.1, 70_500)
    assert (base["AHRtg"], base["WHRtg"]) == (280, 14_336)
    assert (base["CellVMax"], base["CellVMin"], base["CellVAvg"]) == (3.333, 3.318, 3.325)
    assert (base["AChaMax"], base["ADisChaMax"]) == (50.0, 80.0)
    assert (base["VMax"], base["VMin"]) == (55.21, 46.41)
    assert (base["SoCMax"], base["SoCMin"], base["Typ"], base["Hb"]) == (100, 0, 4, 65)
    assert (base["State"], base["ChaSt"], base["LocRemCtl"], base["StateVnd"]) == (3, 3, 1, 4)
    assert (base["Evt1"], base["EvtVnd1"], base["EvtVnd2"]) == (1 << 17, 1 << 4, 0)
    assert (bank["NStr"], bank["NStrCon"], bank["ModTmpMax"], bank["ModTmpMin"]) == (1, 1, 21, -8.5)
    assert (bank["block"][0]["StrConSt"], bank["block"][0]["StrSt"]) == (0b011, 0b11)
    assert (string["A"], string["ModTmpAvg"], string["NCellBal"]) == (12.3, 6.2, 1)
    assert (module["V"], module["CellVMaxCell"], module["CellVMinCell"]) == (53.2, 16, 1)
    assert [cell["CellV"] for cell in module["block"]] == [round(3.318 + n / 1000, 3) for n in range(16)]
    assert [cell["CellSt"] for cell in module["block"]] == [0] * 15 + [1]
    assert (storage["SoC"], storage["Sta"], storage["WHAvail"]) == (60.5, 1, 8508)


def test_discharge_is_positive_and_charge_negative(bench) -> None:
    """The sign is the other way round than everywhere else in bmsd."""
    for current_ma, amperes in ((-12_340, 12.3), (12_340, -12.3), (0, 0)):
        found = bench.publish(current_ma=current_ma, power_mw=current_ma * 53).models()
        assert found[802]["A"] == found[804]["A"] == found[803]["StrAMax"] == amperes
        assert found[803]["block"][0]["StrA"] == amperes
        assert found[802]["W"] == round(-current_ma * 53 / 1000)


def test_limits_are_told_on_their_safe_side(bench) -> None:
    base = bench.publish(charge_limit_ma=99, discharge_limit_mv=46_400).models()[802]
    assert (base["AChaMax"], base["VMin"]) == (0, 46.4)


@pytest.mark.parametrize("way", ["charge", "discharge"])
@pytest.mark.parametrize("allowed", [False, None])
def test_what_is_not_allowed_has_a_limit_of_zero(bench, way, allowed) -> None:
    """S1: also while it is not known whether it is allowed."""
    base = bench.publish(**{f"{way}_allowed": allowed}).models()[802]
    assert base["AChaMax" if way == "charge" else "ADisChaMax"] == 0


def test_unknown_values_are_not_implemented_ones(bench) -> None:
    """S2: and never a number."""
    unknown = dict.fromkeys(POINTS) | {
        "cell_mv": [None] * 16,
        "battery_decic": [210, None],
        "balancing": None,
    }
    found = bench.publish(**unknown).models()
    for number, name in (
        (802, "V"), (802, "A"), (802, "W"), (802, "SoC"), (802, "State"), (802, "ChaSt"), (802, "NCyc"),
        (803, "NStrCon"), (803, "ModTmpMax"), (803, "ModTmpMin"), (803, "ModTmpAvg"), (804, "St"), (804, "ConSt"),
        (805, "V"), (713, "SoC"), (713, "WHAvail"),
    ):  # fmt: skip
        assert found[number][name] is None, (number, name)
    assert {cell["CellV"] for cell in found[805]["block"]} == {None}
    assert found[802]["AHRtg"] == 280


def test_a_huge_pack_is_scaled_and_what_does_not_fit_is_clamped(tmp_path) -> None:
    bench = Bench(tmp_path, capacity_ah="5000", charge_ocp_a="1000", discharge_ocp_a="1000")
    base = bench.publish(current_ma=-5_000_000, power_mw=-(10**10)).models()[802]
    assert (base["AHRtg"], base["WHRtg"]) == (5000, 256_000)
    assert (base["A"], base["W"]) == (3276.7, 327_670)


@pytest.mark.parametrize("alarm", alarms.ALARMS, ids=lambda alarm: alarm.name)
def test_every_alarm_has_one_event_bit_and_its_own_bit_by_code(bench, alarm) -> None:
    base = bench.publish(alarm.name).models()[802]
    assert base["Evt1"].bit_count() == 1
    labels = {
        s["value"]: s["name"] for p in definition(802)["points"] if p["name"] == "Evt1" for s in p["symbols"]
    }
    label = labels[base["Evt1"].bit_length() - 1]
    assert label.endswith("WARNING") == (alarm.severity is Severity.WARNING), label
    own = base["EvtVnd1"] | base["EvtVnd2"] << 31
    assert own == (1 << alarm.code - 1 if alarm.code <= 62 else 0)


@pytest.mark.parametrize(
    ("active", "changed", "state", "status"),
    [
        ((), {"state": "starting", "charge_actual": False, "discharge_actual": False}, 2, 3),
        (("afe_lost",), {"state": "fault"}, 99, 3),
        (
            ("cell_ovp",),
            {"state": "idle", "charge_actual": False, "discharge_actual": False, "current_ma": 0},
            5,
            1,
        ),
        ((), {"state": "idle", "charge_actual": False, "discharge_actual": False, "current_ma": 0}, 1, 1),
        ((), {"state": "sleeping", "current_ma": 99}, 4, 6),
        ((), {"state": "idle", "current_ma": 0, "soc_permille": 1000}, 3, 5),
        ((), {"state": "idle", "current_ma": 0, "soc_permille": 0}, 3, 2),
        ((), {"state": "charging", "current_ma": 100}, 3, 4),
    ],
)
def test_states_are_told_in_sunspecs_words(bench, active, changed, state, status) -> None:
    base = bench.publish(*active, **changed).models()[802]
    assert (base["State"], base["ChaSt"]) == (state, status)


@pytest.mark.parametrize(
    ("changed", "state", "status"),
    [
        ({"charge": None, "discharge": None}, None, None),
        ({"charge": None, "discharge": False}, None, None),
        ({"charge": True, "discharge": None}, 3, 6),
        ({"charge": None, "discharge": True}, 3, 6),
        ({"charge": False, "discharge": False}, 1, 1),
    ],
)
def test_contactors_that_are_unknown_are_not_told_as_open(bench, changed, state, status) -> None:
    """S2."""
    points = {f"{way}_{what}": on for way, on in changed.items() for what in ("actual", "commanded")}
    base = bench.publish(state="idle", current_ma=0, **points).models()[802]
    assert (base["State"], base["ChaSt"]) == (state, status)


def test_a_state_of_charge_that_is_unknown_is_neither_full_nor_empty_nor_held(bench) -> None:
    """S2."""
    assert bench.publish(state="idle", current_ma=0, soc_permille=None).models()[802]["ChaSt"] is None


def test_a_contactor_that_does_not_follow_is_told(bench) -> None:
    string = bench.publish("charge_contactor_welded", charge_actual=None, charge_commanded=False).models()[
        804
    ]
    assert (string["ConFail"], string["ConSt"], string["St"]) == (6, 0b010, 0)
    assert bench.publish("precharge_failed").models()[804]["ConFail"] == 7
    assert bench.publish("cell_lost").models()[804]["ConFail"] == 8


def test_any_piece_of_the_chain_reads_the_same(bench) -> None:
    bench.publish()
    whole = [word for at in range(40_000, 40_377) for word in bench.map.read(at, 1)]
    choice = random.Random(5)
    for _ in range(500):
        start = choice.randrange(377)
        count = choice.randrange(1, min(125, 377 - start) + 1)
        assert bench.map.read(40_000 + start, count) == whole[start : start + count]


@pytest.mark.parametrize(("address", "count"), [(39_999, 1), (39_999, 2), (40_377, 1), (40_376, 2), (0, 1)])
def test_what_is_outside_the_chain_is_no_address(bench, address, count) -> None:
    bench.publish()
    with pytest.raises(RefusedError) as refused:
        bench.map.read(address, count)
    assert refused.value.code is Refusal.ADDRESS


def test_old_data_is_a_device_failure_everywhere(bench) -> None:
    """S7."""
    bench.publish(age_ms=shared_files.FRESH_MS + 100)
    for address in (40_000, 40_070, 40_375):
        with pytest.raises(RefusedError) as refused:
            bench.map.read(address, 1)
        assert refused.value.code is Refusal.DEVICE


def test_the_serial_number_stays_and_does_not_show_the_machines_own_id(monkeypatch, tmp_path) -> None:
    own = "0123456789abcdef0123456789abcdef"
    (tmp_path / "id").write_text(f"{own}\n")
    monkeypatch.setattr(identity, "MACHINE_ID", tmp_path / "id")
    first = identity.serial_number.__wrapped__()
    assert re.fullmatch("[0-9A-F]{16}", first)
    assert first.lower() not in own
    assert identity.serial_number.__wrapped__() == first
    (tmp_path / "id").write_text(f"{own[::-1]}\n")
    assert identity.serial_number.__wrapped__()[:8] != first[:8], "the end may be cut off, as in a name"
    (tmp_path / "id").unlink()
    assert identity.serial_number.__wrapped__() == "0" * 16


def test_types_are_laid_out_as_the_definitions_say() -> None:
    assert all(kind.word is None or kind.word.words == (2 if "32" in kind.value[0] else 1) for kind in Type)
