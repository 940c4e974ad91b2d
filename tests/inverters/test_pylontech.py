"""Pylontech frames: worked bytes, both ends of every range and each alarm."""

from __future__ import annotations

import pytest

from bmsd.errors import PeerError
from bmsd.inverters import pylontech
from bmsd.inverters.frames import Frame, Signal, decode, encode, raised
from bmsd.inverters.protocols import PROTOCOLS, messages, problems, unexpressed
from bmsd.inverters.view import DATA_LOST, LIFTED, Configured, view
from bmsd.tables.alarms import ALARMS, BY_NAME, Condition

PYLONTECH = PROTOCOLS["pylontech"]
BY_ID = {f"{frame.id:03X}": frame for frame in pylontech.FRAMES}
CONFIGURED = Configured(charge_mv=55_200, discharge_mv=46_400)
POINTS = {
    "pack_mv": 53_200, "current_ma": -12_300, "battery_decic": [210, 260], "soc_permille": 605,
    "soh_permille": 990, "cell_min_mv": 3320, "cell_max_mv": 3330, "charge_allowed": True,
    "discharge_allowed": True, "charge_limit_mv": 55_200, "charge_limit_ma": 50_000,
    "discharge_limit_ma": 80_000, "discharge_limit_mv": 46_400,
}  # fmt: skip


def document(alarms=(), **points) -> dict:
    return {"points": {**POINTS, **points}, "alarms": [{"name": name} for name in alarms]}


def told(snapshot) -> dict[str, str]:
    """Give what goes out for a snapshot: identifier to bytes in hex."""
    return {
        f"{frame.id:03X}": data.hex(" ").upper()
        for frame, data in messages(PYLONTECH, view(snapshot, CONFIGURED))
    }


def bits(data: bytes) -> set[tuple[int, int]]:
    """Give the byte and bit of everything that is raised in 0x359."""
    return {(byte, bit) for byte in range(4) for bit in range(8) if data[byte] >> bit & 1}


# --- Worked frames --------------------------------------------------------------------------------------------


def test_a_healthy_pack_gives_the_worked_frames_in_order() -> None:
    assert list(told(document()).items()) == [
        ("351", "28 02 F4 01 20 03 D0 01"),
        ("355", "3C 00 63 00"),
        ("356", "C8 14 85 FF EB 00"),
        ("359", "00 00 00 00 01 50 4E"),
        ("35C", "C0 00"),
        ("35E", "50 59 4C 4F 4E 20 20 20"),
    ]


def test_a_pack_too_cold_to_charge_warns_and_still_discharges() -> None:
    cold = told(document(["charge_utp"], charge_allowed=False, charge_limit_ma=0))
    assert cold["351"] == "14 02 00 00 20 03 D0 01"
    assert cold["359"] == "00 00 10 00 01 50 4E"
    assert cold["35C"] == "40 00"


NOTHING = {"351": "28 02 00 00 00 00 D0 01", "359": "00 08 00 08 01 50 4E", "35C": "00 00"}
NOTHING["35E"] = "50 59 4C 4F 4E 20 20 20"


def test_without_a_snapshot_nothing_is_allowed_and_nothing_measured_is_sent() -> None:
    """S7: limits zero, system error, and no frame that would need a measurement."""
    assert told(None) == NOTHING


@pytest.mark.parametrize(
    "lost",
    ["pack_mv", "current_ma", "cell_min_mv", "cell_max_mv", "battery_decic"],
)
def test_any_unknown_measurement_is_as_bad_as_no_snapshot(lost) -> None:
    """S7, S2."""
    assert told(document(**{lost: None})) == NOTHING


def test_one_unknown_sensor_makes_the_temperature_unknown() -> None:
    """S2: the mean of what is left would look like a measurement."""
    assert told(document(battery_decic=[210, None])) == NOTHING
    assert told(document(battery_decic=[])) == NOTHING


def test_lost_measurements_keep_the_alarms_that_are_known() -> None:
    lost = told(document(["cell_ovp", "afe_lost"], pack_mv=None))
    assert lost["359"] == "02 08 00 08 01 50 4E"


def test_without_a_state_of_charge_its_frame_is_not_sent() -> None:
    """S2: no state of charge is invented."""
    sent = told(document(soc_permille=None))
    assert "355" not in sent
    assert sent["356"] == "C8 14 85 FF EB 00"


def test_a_health_not_learned_yet_is_shown_as_100() -> None:
    assert told(document(soh_permille=None))["355"] == "3C 00 64 00"


@pytest.mark.parametrize(("permille", "percent"), [(0, 0), (9, 0), (10, 1), (999, 99), (1000, 100)])
def test_the_state_of_charge_is_never_rounded_up(permille, percent) -> None:
    assert told(document(soc_permille=permille))["355"] == f"{percent:02X} 00 63 00"


def test_limits_are_rounded_to_the_safe_side() -> None:
    view_ = view(document(charge_limit_mv=55_299, charge_limit_ma=99, discharge_limit_mv=46_401), CONFIGURED)
    limits = decode(pylontech.LIMITS, encode(pylontech.LIMITS, view_.values) or b"")
    assert limits["charge_limit_mv"] == 55_200
    assert limits["charge_limit_ma"] == 0
    assert limits["discharge_limit_mv"] == 46_500


def test_a_pack_that_asks_for_charge_sets_both_bits_and_only_while_it_may_be_charged() -> None:
    """Bit 5 and bit 4: makers disagree which of them counts."""
    assert told(document(force_charge=True))["35C"] == "F0 00"
    assert told(document(force_charge=True, discharge_allowed=False, discharge_limit_ma=0))["35C"] == "B0 00"
    assert told(document(force_charge=True, charge_allowed=False))["35C"] == "40 00"
    for unknown in (False, None):
        assert told(document(force_charge=unknown))["35C"] == "C0 00"


@pytest.mark.parametrize("permission", [False, None])
def test_a_missing_permission_takes_its_current_away_whatever_the_limit_says(permission) -> None:
    """S1, S2."""
    sent = told(document(charge_allowed=permission, discharge_allowed=permission))
    assert sent["351"][6:17] == "00 00 00 00"
    assert sent["35C"] == "00 00"


def test_an_unknown_limit_is_no_current() -> None:
    """S2."""
    assert told(document(charge_limit_ma=None))["351"] == "28 02 00 00 20 03 D0 01"


def test_the_charge_voltage_never_follows_a_rising_pack() -> None:
    high = view(document(pack_mv=57_000, charge_allowed=False), CONFIGURED)
    assert high.values["charge_limit_mv"] == 55_200


# --- Ends of ranges -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "name", "value", "sent"),
    [
        ("351", "charge_limit_ma", -10_000, 0),
        ("351", "discharge_limit_ma", -10_000, 0),
        ("351", "charge_limit_ma", 4_000_000, 3_276_700),
        ("351", "charge_limit_ma", 3_276_700, 3_276_700),
        ("351", "charge_limit_mv", 700_000, 700_000),
        ("351", "charge_limit_mv", 6_553_500, 6_553_500),
        ("351", "charge_limit_mv", 6_553_600, 6_553_500),
        ("351", "charge_limit_mv", -100, 0),
        ("356", "pack_mv", 327_670, 327_670),
        ("356", "pack_mv", 700_000, 327_670),
        ("356", "pack_mv", -400_000, -327_680),
        ("356", "current_ma", 4_000_000, 3_276_700),
        ("356", "current_ma", -4_000_000, -3_276_800),
        ("356", "temperature_decic", -400, -400),
        ("356", "temperature_decic", 40_000, 32_767),
    ],
)
def test_a_value_beyond_its_field_is_clamped_and_never_wraps(frame, name, value, sent) -> None:
    values = {**view(document(), CONFIGURED).values, name: value}
    data = encode(BY_ID[frame], values)
    assert data is not None
    assert decode(BY_ID[frame], data)[name] == sent


def test_halves_round_up_on_both_sides_of_zero() -> None:
    frame = Frame(1, 2, (Signal("x", 0, 2, 1, 10, signed=True),))
    wire = [decode(frame, encode(frame, {"x": x}) or b"")["x"] for x in (14, 15, -14, -15, -16)]
    assert wire == [10, 20, -10, -10, -20]


def test_a_short_frame_is_refused_and_not_read_as_zero() -> None:
    with pytest.raises(PeerError, match="0x351 has 7 bytes"):
        decode(pylontech.LIMITS, bytes(7))


# --- Alarms ---------------------------------------------------------------------------------------------------

C = Condition
SYSTEM_ERROR, INTERNAL = (1, 3), (3, 3)
PLACES = {
    C.CELL_HIGH: {(0, 1)}, C.PACK_HIGH: {(0, 1)}, C.CELL_EMPTY: {(0, 2)}, C.PACK_EMPTY: {(0, 2)},
    C.CELL_FLOOR: {(0, 2)}, C.CHARGE_HOT: {(0, 3)}, C.DISCHARGE_HOT: {(0, 3)}, C.SWITCH_HOT: {(0, 3)},
    C.DISCHARGE_COLD: {(0, 4)}, C.DISCHARGE_CURRENT: {(0, 7)}, C.SHORT: {(0, 7)}, C.CHARGE_CURRENT: {(1, 0)},
    C.HIGH_WARNING: {(2, 1)}, C.LOW_WARNING: {(2, 2)}, C.CHARGE_COLD: {(2, 4)},
    C.DISCHARGE_CURRENT_WARNING: {(2, 7)}, C.CHARGE_CURRENT_WARNING: {(3, 0)},
    C.INTERNAL_WARNING: {INTERNAL}, C.OVERRIDE: {INTERNAL},
    C.MEASURING: {SYSTEM_ERROR, INTERNAL}, C.CURRENT_SENSE: {SYSTEM_ERROR, INTERNAL},
    C.CHIP: {SYSTEM_ERROR}, C.CHARGE_SWITCH: {SYSTEM_ERROR}, C.DISCHARGE_SWITCH: {SYSTEM_ERROR},
    C.BOTH_SWITCHES: {SYSTEM_ERROR}, C.STOPPED: {SYSTEM_ERROR},
    C.SWITCH_WARNING: set(), C.HEATER: set(), C.CELL_SPREAD: set(), C.TEMPERATURE_SPREAD: set(),
}  # fmt: skip
"""The bits of 0x359 for each condition, as byte and bit; the golden frames hold every alarm."""


@pytest.mark.parametrize("name", [alarm.name for alarm in ALARMS])
def test_each_alarm_sets_the_bits_of_its_condition_and_no_other(name) -> None:
    data = bytes.fromhex(told(document([name]))["359"])
    assert bits(data) == PLACES[BY_NAME[name].condition]
    assert data[4:] == b"\x01PN"


def test_the_alarms_that_pylontech_has_no_bit_for_are_known() -> None:
    assert set(unexpressed(PYLONTECH)) == {alarm.name for alarm in ALARMS if not PLACES[alarm.condition]}


def test_every_bit_names_alarms_that_exist() -> None:
    names = {name for frame in pylontech.FRAMES for bit in frame.bits for name in bit.alarms}
    lifted = {f"{alarm.name}{LIFTED}" for alarm in ALARMS if alarm.overridable}
    assert names - {DATA_LOST} - lifted <= {alarm.name for alarm in ALARMS}


@pytest.mark.parametrize("name", [alarm.name for alarm in ALARMS if alarm.overridable])
def test_an_alarm_that_the_override_lifts_warns_and_does_not_stop_the_inverter(name) -> None:
    """S10: announced on CAN; the same place two bytes further is the warning."""
    lifted = {
        **document(),
        "alarms": [{"name": name, "lifted": ["discharge"]}, {"name": "emergency_override"}],
    }
    ((byte, bit),) = PLACES[BY_NAME[name].condition]
    assert bits(bytes.fromhex(told(lifted)["359"])) == {(byte + 2, bit), INTERNAL}


def test_no_two_fields_of_a_frame_share_a_bit() -> None:
    for frame in pylontech.FRAMES:
        used: list[int] = [8 * bit.byte + bit.bit for bit in frame.bits]
        for signal in frame.signals:
            used += range(8 * signal.byte, 8 * (signal.byte + signal.size))
        for text in frame.texts:
            used += range(8 * text.byte, 8 * (text.byte + len(text.text)))
        assert len(used) == len(set(used))
        assert max(used) < 8 * frame.length


# --- The registry ---------------------------------------------------------------------------------------------


def test_an_unknown_protocol_is_answered_with_the_known_ones() -> None:
    assert problems("pylon", 500_000) == [
        f"can.protocol 'pylon' is not known; known are {', '.join(sorted(PROTOCOLS))}, and auto"
    ]
    assert {"pylontech", "victron", "sma", "growatt", "jk"} <= PROTOCOLS.keys()


def test_a_bit_rate_that_is_not_the_protocols_is_a_problem() -> None:
    assert "500000" in problems("pylontech", 250_000)[0]
    assert problems("pylontech", 500_000) == problems("pylontech", None) == []


def test_flags_follow_from_alarms_for_every_bit_that_names_any() -> None:
    flags = raised(pylontech.FRAMES, frozenset({"charge_ocp2"}))
    assert [name for name, on in flags.items() if on] == ["protection_charge_current"]
    assert "charge_enable" not in flags
