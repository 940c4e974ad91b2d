"""What holds for every inverter protocol: alarms, ends of ranges, lost data, override, names and bit rates."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmsd.errors import PeerError
from bmsd.inverters.frames import MILD, Frame, Signal, Text, decode, encode
from bmsd.inverters.protocols import (
    PROTOCOLS,
    messages,
    name_problems,
    named,
    problems,
    row_of,
    unexpressed,
)
from bmsd.inverters.view import DATA_LOST, LIFTED, Configured, view
from bmsd.tables.alarms import ALARMS, BY_NAME, Severity
from tests.inverters.packs import CELLS, CONFIGURED, POINTS, STATES, decoded, document, told

EVERY = pytest.mark.parametrize("name", PROTOCOLS)
CONTROLLING = pytest.mark.parametrize("name", [n for n, row in PROTOCOLS.items() if row.has_limits])

# --- Alarms ---------------------------------------------------------------------------------------------------


def untold(name: str) -> set[str]:
    """Name the alarms that a protocol says it has no word for."""
    return {alarm.name for alarm in ALARMS if alarm.condition in PROTOCOLS[name].untold}


def alarm_bits(name: str, snapshot) -> set[str]:
    """Name the flags that stand for alarms and are raised."""
    values = decoded(name, snapshot)
    told_by = {bit.name for frame in PROTOCOLS[name].frames for bit in frame.bits if bit.alarms or bit.mild}
    return {bit for bit in told_by if values.get(bit)}


NOT_A_WARNING = (
    "told by a bit that stops inverters; the Bit of a warning has a name that begins with 'warning'"
)


def stopping(raised: set[str], values) -> set[str]:
    """Name the flags among them that are no warnings."""
    return {bit for bit in raised if not bit.startswith("warning") and values[bit] != MILD}


@EVERY
def test_the_alarms_that_a_protocol_has_no_bit_for_are_known(name) -> None:
    assert set(unexpressed(PROTOCOLS[name])) == untold(name)


@EVERY
def test_each_alarm_raises_a_flag_or_is_listed(name) -> None:
    assert alarm_bits(name, document()) == set()
    silent = {alarm.name for alarm in ALARMS if not alarm_bits(name, document([alarm.name]))}
    assert silent == untold(name)


@EVERY
def test_every_flag_names_alarms_that_exist(name) -> None:
    rows = [bit for frame in PROTOCOLS[name].frames for bit in frame.bits]
    names = {alarm for bit in rows for alarm in bit.alarms + bit.mild}
    lifted = {f"{alarm.name}{LIFTED}" for alarm in ALARMS if alarm.overridable}
    assert names - {DATA_LOST} - lifted <= BY_NAME.keys()


@EVERY
@pytest.mark.parametrize("alarm", [alarm.name for alarm in ALARMS if alarm.overridable])
def test_an_alarm_that_the_override_lifts_warns_and_does_not_stop_the_inverter(name, alarm) -> None:
    """S10."""
    raised = alarm_bits(name, document(lifted=[alarm]))
    values = decoded(name, document(lifted=[alarm]))
    assert raised, (
        f"{name} says nothing while {alarm} is lifted: a warning Bit needs conditions.lifted(...) of it"
    )
    assert not stopping(raised, values), NOT_A_WARNING


@EVERY
def test_the_override_is_announced(name) -> None:
    """S10."""
    values = decoded(name, document(["emergency_override"]))
    raised = alarm_bits(name, document(["emergency_override"]))
    assert raised, f"{name} does not tell the override: a warning Bit needs conditions.OVERRIDE"
    assert not stopping(raised, values), NOT_A_WARNING


@EVERY
@pytest.mark.parametrize("alarm", [alarm.name for alarm in ALARMS if alarm.severity is Severity.WARNING])
def test_a_warning_does_not_stop_the_inverter(name, alarm) -> None:
    """A warning that shares the condition of a protection would be told as that protection, and cut the house off."""
    snapshot = document([alarm])
    wrong = stopping(alarm_bits(name, snapshot), decoded(name, snapshot))
    assert not wrong, f"{NOT_A_WARNING}; {BY_NAME[alarm].condition} may be that of a protection"


PAIRS = {
    "cell_floor": (0, 4), "discharge_otp": (0, 6), "switch_otp": (0, 6),
    "discharge_utp": (1, 0), "charge_otp": (1, 2), "discharge_ocp": (1, 6), "charge_ocp2": (2, 0),
    "precharge_failed": (2, 2), "main_contactor_welded": (2, 2), "short_circuit": (2, 4), "afe_lost": (2, 6),
    "chip_fault": (2, 6), "heater_stuck_on": (0, 0), "configuration_fault": (0, 0),
    # Warnings. An empty pack is one: an alarm would stop the inverter that has to charge it; a full one likewise.
    "cell_ovp": (4, 2), "pack_ovp": (4, 2), "cell_may_be_high": (4, 2),
    "cell_uvp": (4, 4), "pack_uvp": (4, 4), "cell_shutdown": (4, 4), "auto_shutdown": (4, 4), "cell_low": (4, 4),
    "charge_utp": (5, 4), "voltage_limit_ignored": (4, 2), "discharge_limit_ignored": (5, 6),
    "charge_limit_ignored": (6, 0), "contactor_worn": (6, 2), "cell_spread": (7, 0), "heater_long_run": (4, 0),
    "temperature_spread": (4, 0), "temperature_mismatch": (4, 0), "emergency_override": (4, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", ["victron", "sma", "goodwe", "byd", "pylontech13"])
@pytest.mark.parametrize("alarm", PAIRS)
def test_an_alarm_turns_its_own_pair_from_fine_to_raised(name, alarm) -> None:
    before = bytes.fromhex(told(name, document())["35A"])
    after = bytes.fromhex(told(name, document([alarm]))["35A"])
    byte, bit = PAIRS[alarm]
    fine = 0 if name == "pylontech13" else 2
    assert before[byte] >> bit & 3 == fine
    assert after[byte] >> bit & 3 == 1
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    assert before[byte] ^ after[byte] == (fine ^ 1) << bit


@pytest.mark.parametrize("name", ["victron", "sma", "goodwe", "byd", "pylontech13"])
def test_with_lost_data_no_pair_says_that_anything_is_fine(name) -> None:
    """S2, S7: an alarm told before must not be taken back by not knowing."""
    assert told(name, None)["35A"] == "00 00 40 00 00 00 00 00"


@pytest.mark.parametrize(
    ("alarm", "byte", "bit"),
    [
        ("discharge_ocp", 0, 7), ("charge_ocp", 0, 6), ("short_circuit", 0, 5), ("cell_ovp", 0, 4),
        ("cell_uvp", 0, 3), ("pack_ovp", 0, 2), ("pack_uvp", 0, 1), ("precharge_failed", 0, 0),
        ("discharge_otp", 1, 7), ("charge_otp", 1, 6), ("discharge_utp", 1, 5), ("chip_fault", 1, 3),
        ("discharge_limit_ignored", 2, 7), ("charge_limit_ignored", 2, 6), ("voltage_limit_ignored", 2, 4),
        ("cell_low", 2, 3), ("charge_utp", 3, 4), ("cell_spread", 3, 2),
    ],
)  # fmt: skip
def test_growatts_tables_have_each_alarm_in_its_place(alarm, byte, bit) -> None:
    sent = told("growatt", document([alarm]))
    assert bytes.fromhex(sent["312"])[:4] == bytes(1 << bit if n == byte else 0 for n in range(4))
    assert bytes.fromhex(sent["311"])[7] >> 2 & 1 == (byte < 2)


@pytest.mark.parametrize(
    ("alarm", "pair", "level"),
    [
        ("cell_ovp", 0, 1), ("cell_uvp", 1, 1), ("cell_spread", 4, 3), ("discharge_ocp", 5, 1), ("charge_ocp", 6, 1),
        ("switch_otp", 7, 1), ("discharge_utp", 8, 1), ("charge_utp", 8, 3), ("cell_low", 10, 3),
        ("afe_lost", 14, 1), ("emergency_override", 14, 3),
    ],
)  # fmt: skip
def test_jks_levels_have_each_alarm_in_its_place(alarm, pair, level) -> None:
    expected = (level << 2 * pair).to_bytes(8, "little").hex(" ").upper()
    assert told("jk", document([alarm]))["7F4"] == expected
    assert told("jk-v1", document([alarm]))["7F4"] == expected


def test_jk_sends_no_alarm_frame_without_an_alarm() -> None:
    assert "7F4" not in told("jk", document())


@pytest.mark.parametrize(
    ("sensors", "switch_decic", "data"),
    [([210, 250], 300, "07 47 4B 50 FF FF"), ([210, 250], None, "03 47 4B FF FF FF"),
     ([210, 250, 245], 300, "0F 47 4B 50 4B FF"), ([210, 250, 245, 240], None, "1B 47 4B FF 4B 4A"),
     ([210, 250, 245, 240, 230], 300, "1F 47 4B 50 4B 4A")],
)  # fmt: skip
def test_jks_mask_of_sensors_has_a_bit_for_each_that_is_shown(sensors, switch_decic, data) -> None:
    """The third place is the MOSFETs', so a battery's third sensor is the fourth."""
    sent = told("jk", document(battery_decic=sensors, switch_decic=switch_decic))
    assert sent["18F228F4"] == f"{data} 00 00"


# --- Lost data, permissions -----------------------------------------------------------------------------------

MEASURED = {
    "pack_mv", "current_ma", "soc_permille", "soc_fine_permille", "temperature_decic", "cell_min_mv", "cell_max_mv",
    "temperature_min_decic", "temperature_max_decic", "temperature_1_decic", "cell_1_mv", "switch_decic",
    "remaining_mah", "min_cell_name", "max_sensor_name", "charge_on",
}  # fmt: skip


@CONTROLLING
@pytest.mark.parametrize(
    "lost", [None, "pack_mv", "current_ma", "cell_min_mv", "cell_max_mv", "battery_decic"]
)
def test_lost_data_allows_nothing_and_tells_nothing_measured(name, lost) -> None:
    """S7."""
    snapshot = document(**{lost: None}) if lost else None
    values = decoded(name, snapshot)
    assert values["charge_limit_ma"] == values["discharge_limit_ma"] == 0
    assert 46_400 <= values["charge_limit_mv"] <= 55_200
    assert not values.get("charge_enable")
    assert not values.get("discharge_enable")
    # Growatt's flag, which is off then, and the cells of the frame that carries its permissions, which are none.
    assert MEASURED & values.keys() <= {"charge_on", "cell_min_mv", "cell_max_mv"}
    assert not any(values.get(shown) for shown in MEASURED)
    assert alarm_bits(name, snapshot), f"{name} does not tell lost data: a Bit needs conditions.MEASURING"


@pytest.mark.parametrize("name", ["jk", "jk-v1"])
def test_a_display_is_told_of_lost_data_and_shown_no_old_value(name) -> None:
    """S7."""
    assert alarm_bits(name, None)
    assert not MEASURED & decoded(name, None).keys()


@CONTROLLING
def test_a_missing_permission_takes_its_current_away(name) -> None:
    """S1, S2."""
    for permission in (False, None):
        values = decoded(name, document(charge_allowed=permission, discharge_allowed=permission))
        assert values["charge_limit_ma"] == values["discharge_limit_ma"] == 0
        assert values.get("charge_enable") in {None, False}
        assert values.get("discharge_enable") in {None, False}
        above = PROTOCOLS[name].above_pack_mv
        assert values["charge_limit_mv"] == POINTS["pack_mv"] + above


@CONTROLLING
@pytest.mark.parametrize(("heat_ma", "asked"), [(2200, True), (0, False), (None, False)])
def test_for_the_heater_alone_its_current_is_asked_for_and_no_full_charge(name, heat_ma, asked) -> None:
    """S3: charge stays forbidden in the core; the inverter hears the heater's current, and no request to charge."""
    cold = {"charge_allowed": False, "charge_limit_ma": 50_000, "force_charge": True, "full_charge": True}
    values = decoded(name, document(**cold, heat_ma=heat_ma))
    assert values["charge_limit_ma"] == (2200 if asked else 0)
    assert values.get("charge_enable") in {None, asked}
    for request in ("force_charge_bit_4", "force_charge_bit_5", "full_charge_request", "charge_request"):
        assert not values.get(request)


@CONTROLLING
@pytest.mark.parametrize("which", ["charge_limit_ma", "discharge_limit_ma"])
def test_a_current_too_small_for_the_inverter_is_told_as_none(name, which) -> None:
    """Never the other way round: what is zero stays zero (S7)."""
    least_ma = PROTOCOLS[name].least_ma
    for ma in (0, 99, 100, 900, 999, 1000, 50_000):
        told_ma = ma // 100 * 100 if ma >= least_ma else 0
        assert decoded(name, document(**{which: ma}))[which] == told_ma


def test_deye_and_its_kin_are_told_no_current_below_one_ampere() -> None:
    assert {name for name, row in PROTOCOLS.items() if row.least_ma == 1000} == {
        "deye", "sunsynk", "solark", "solark-10mv"
    }  # fmt: skip
    assert {row.least_ma for row in PROTOCOLS.values()} == {0, 1000}


@pytest.mark.parametrize(
    ("points", "asked"),
    [({"full_charge": True}, True), ({"full_charge": False}, False), ({}, False),
     ({"full_charge": True, "charge_allowed": False}, False)],
)  # fmt: skip
def test_a_full_charge_is_asked_for_with_bit_3_of_0x35c(points, asked) -> None:
    for name in ("pylontech", "deye", "sunsynk", "solark", "sofar", "luxpower", "studer"):
        assert decoded(name, document(**points))["full_charge_request"] is asked
        assert bytes.fromhex(told(name, document(**points))["35C"])[0] >> 3 & 1 == asked


@CONTROLLING
def test_the_charge_voltage_never_rises_above_what_the_core_asks(name) -> None:
    values = decoded(name, document(charge_allowed=False, pack_mv=55_100))
    assert values["charge_limit_mv"] <= 55_200
    values = decoded(name, document(charge_allowed=False, pack_mv=57_000))
    assert values["charge_limit_mv"] == 55_200


@EVERY
@pytest.mark.parametrize("state", STATES)
def test_every_frame_goes_out_once_and_whole(name, state) -> None:
    row = PROTOCOLS[name]
    sent = list(messages(row, view(STATES[state], CONFIGURED, row.above_pack_mv)))
    assert sent
    assert all(len(data) == frame.length <= 8 for frame, data in sent)
    assert len({frame.id for frame, _ in sent}) == len(sent)


# --- Ends of ranges -------------------------------------------------------------------------------------------

SIGNALS = [
    (name, frame, signal)
    for name, row in PROTOCOLS.items()
    for frame in row.frames
    for signal in frame.signals
]


def sent_back(frame: Frame, signal: Signal, value: int):
    """Encode one value with all others at nothing, and read it back."""
    data = encode(frame, {**{other.name: 0 for other in frame.signals}, signal.name: value})
    assert data is not None
    return decode(frame, data)[signal.name]


@pytest.mark.parametrize(
    ("frame", "signal"),
    [pytest.param(f, s, id=f"{name}-{f.id:03X}-{s.name}") for name, f, s in SIGNALS],
)
def test_a_value_beyond_its_field_is_clamped_and_never_wraps(frame, signal) -> None:
    """The ends are kept exactly, what is beyond stays at the end."""
    low, high = signal.range
    step = signal.denominator / signal.numerator
    ends = sorted(round((steps - signal.offset) * step) for steps in (low, high))
    reach = abs(ends[1] - ends[0]) + abs(round(step)) + 1
    slack = abs(step) if signal.numerator > 1 else 0
    assert sent_back(frame, signal, ends[0]) == pytest.approx(ends[0], abs=slack)
    assert sent_back(frame, signal, ends[1]) == pytest.approx(ends[1], abs=slack)
    for beyond in (1, reach, 1000 * reach):
        assert sent_back(frame, signal, ends[0] - beyond) == pytest.approx(ends[0], abs=slack)
        assert sent_back(frame, signal, ends[1] + beyond) == pytest.approx(ends[1], abs=slack)


@CONTROLLING
@pytest.mark.parametrize(
    ("point", "value", "told_as"),
    [
        ("charge_limit_ma", -10_000, 0), ("discharge_limit_ma", -10_000, 0), ("charge_limit_ma", 400_000, 400_000),
        ("discharge_limit_ma", 400_000, 400_000), ("charge_limit_ma", 655_000, 655_000),
        ("discharge_limit_ma", 655_360, 655_300), ("charge_limit_mv", 70_000, 70_000), ("soc_permille", 0, 0),
        ("soc_permille", 1000, 1000), ("soc_permille", 1100, 1000),
    ],
)  # fmt: skip
def test_numbers_that_other_senders_got_wrong(name, point, value, told_as) -> None:
    if name == "sma" and point == "charge_limit_mv":
        told_as = 63_000  # the inverter drops what is outside its range and goes on with the last one
    assert decoded(name, document(**{point: value}))[point] == told_as


@EVERY
def test_frost_is_told_as_frost(name) -> None:
    values = decoded(name, document(battery_decic=[-400, -390]))
    shown = {
        key: value for key, value in values.items() if key.startswith("temperature") and value is not None
    }
    assert shown
    for key, value in shown.items():
        assert value in ((-390, -400, -395) if "jk" not in name else (-390, -400, -390)), key


@EVERY
def test_no_two_fields_of_a_frame_share_a_bit(name) -> None:
    for frame in PROTOCOLS[name].frames:
        used: list[int] = list(chain(*map(places, (*frame.signals, *frame.bits, *frame.texts))))
        assert len(used) == len(set(used)), f"{frame.id:03X}"
        assert max(used, default=0) < 8 * frame.length


def places(field) -> list[int]:
    """Give the numbers of the bits that a field takes."""
    if isinstance(field, Signal):
        whole = range(8 * field.byte, 8 * (field.byte + field.size))
        return list(whole)[field.bit : field.bit + field.width] if field.bits else list(whole)
    if isinstance(field, Text):
        return list(range(8 * field.byte, 8 * (field.byte + field.size)))
    return [8 * field.byte + field.bit + n for n in range(field.width)]


@EVERY
def test_decoding_what_was_encoded_gives_the_same_frame_again(name) -> None:
    row = PROTOCOLS[name]
    for snapshot in STATES.values():
        for frame, data in messages(row, view(snapshot, CONFIGURED, row.above_pack_mv)):
            values = decode(frame, data)
            assert encode(frame, values) == data, f"{frame.id:03X}"


@EVERY
@given(data=st.binary(max_size=12))
def test_bytes_of_any_kind_and_length_are_read_or_refused(name, data) -> None:
    for frame in PROTOCOLS[name].frames:
        try:
            values = decode(frame, data)
        except PeerError:
            assert len(data) < (frame.least or frame.length)
        else:
            assert all(isinstance(value, int | bool | str | None) for value in values.values())


# --- Names, bit rates -----------------------------------------------------------------------------------------


@EVERY
def test_a_bit_rate_that_is_not_the_protocols_is_refused(name) -> None:
    right = PROTOCOLS[name].bitrate
    assert problems(name, right) == problems(name, None) == []
    assert str(right) in problems(name, 750_000 - right)[0]


@pytest.mark.parametrize("name", [n for n, row in PROTOCOLS.items() if 0x35E in {f.id for f in row.frames}])
def test_another_name_replaces_the_protocols_and_nothing_else(name) -> None:
    plain, other = told(name, document()), told(named(PROTOCOLS[name], "ACME 48"), document())
    assert other["35E"].startswith("41 43 4D 45 20 34 38")
    assert {n for n in plain if plain[n] != other[n]} == {"35E"}
    assert named(PROTOCOLS[name], "") is PROTOCOLS[name]


def test_a_name_that_does_not_fit_is_refused() -> None:
    assert name_problems("") == name_problems("12345678") == []
    for bad in ("123456789", "Zürich", "a\nb"):
        assert "8 printable ASCII" in name_problems(bad)[0]


def test_growatt_is_told_the_chemistry() -> None:
    row = PROTOCOLS["growatt"]
    for chemistry, code in (("lifepo4", 0), ("li-ion", 1), ("lto", 2)):
        snapshot = view(document(), Configured(55_200, 46_400, chemistry))
        sent = {frame.id: data for frame, data in messages(row, snapshot)}
        assert sent[0x319][0] == 0xC0 | code


@pytest.mark.parametrize(
    ("current_ma", "flow"), [(-100, 3), (-99, 1), (0, 1), (99, 1), (100, 2), (200_000, 2)]
)
def test_growatt_is_told_which_way_the_current_flows(current_ma, flow) -> None:
    values = decoded("growatt", document(current_ma=current_ma))
    assert values["flow"] == values["flow_together"] == flow


@pytest.mark.parametrize("name", ["victron", "growatt", "jk"])
def test_a_pack_that_asks_for_charge_says_so_where_it_can(name) -> None:
    asking = told(name, document(force_charge=True))
    changed = {
        "victron": ("360", "FF" + " 00" * 7),
        "growatt": ("319", "E0 0D 02 0C F8 01 02 00"),
        "jk": ("2F4", ""),
    }
    number, data = changed[name]
    if data:
        assert asking[number] == data
    else:
        assert asking == told(name, document())


def test_the_shared_pack_is_one_that_could_be() -> None:
    assert POINTS["cell_min_mv"] == min(CELLS)
    assert POINTS["cell_max_mv"] == max(CELLS)
    assert sum(CELLS) == POINTS["pack_mv"]


def test_who_discharges_down_to_the_charge_voltage_is_known() -> None:
    """SMA by its maker's document, Deye and its kin by reports, a GX where it feeds the grid; auto may become any."""
    assert {name for name, row in PROTOCOLS.items() if row.exports} == {
        "deye", "sunsynk", "solark", "solark-10mv", "victron", "byd", "sma"
    }  # fmt: skip
    assert row_of("auto").exports
