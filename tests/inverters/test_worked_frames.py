"""Frames worked out by hand from the vendors' documents, for one pack in two states, and every golden file."""

from __future__ import annotations

import pytest

from bmsd.inverters.protocols import PROTOCOLS
from tests.inverters.golden import ALARM_FILE, FOLDER, alarms, states
from tests.inverters.packs import COLD, document, told

STATE = {"battery_decic": [210, 250, 245]}
HEALTHY = {
    "pylontech": {
        "351": "28 02 F4 01 20 03 D0 01", "355": "3C 00 63 00", "356": "C8 14 85 FF EB 00",
        "359": "00 00 00 00 01 50 4E", "35C": "C0 00", "35E": "50 59 4C 4F 4E 20 20 20",
    },
    "pylontech13": {
        "351": "28 02 F4 01 20 03 D0 01", "355": "3C 00 63 00 00 00", "35A": "00 00 00 00 00 00 00 00",
        "35E": "50 59 4C 4F 4E 20 20 20",
    },
    "solark": {
        "355": "3C 00 63 00 00 00 00 00", "356": "14 02 85 FF EB 00 00 00", "359": "00 00 00 00 01 50 4E 00",
        "35C": "C0 00 00 00 00 00 00 00", "379": "18 01 00 00 00 00 00 00",
    },
    "solark-10mv": {"356": "C8 14 85 FF EB 00 00 00"},
    "victron": {
        "351": "28 02 F4 01 20 03 D0 01", "355": "3C 00 63 00 A2 17 00 00", "356": "C8 14 85 FF EB 00 00 00",
        "35A": "AA AA AA 02 AA AA AA 02", "372": "01 00 00 00 00 00 00 00", "373": "F8 0C 02 0D 26 01 2A 01",
        "374": "32 00 00 00 00 00 00 00", "375": "31 00 00 00 00 00 00 00", "379": "18 01 00 00 00 00 00 00",
    },
    "sma": {
        "351": "28 02 F4 01 20 03 D0 01", "355": "3C 00 63 00 A2 17 00 00", "35A": "AA AA AA 02 AA AA AA 02",
    },
    "goodwe": {"35A": "AA AA AA 02 AA AA AA 02", "35E": "47 4F 4F 44 57 45 20 20"},
    "growatt": {
        "311": "02 28 01 F4 03 20 0C 63", "313": "14 C8 FF 85 00 FA 3C 63", "314": "42 2C 6D 60 00 0A 00 0A",
        "319": "C0 0D 02 0C F8 01 02 00",
    },
    "luxpower": {
        "355": "3C 00 63 00 02 0D F8 0C", "356": "C8 14 85 FF FA 00 D2 00", "359": "00 00 00 00 01 18 01",
        "35C": "C0 00 0A 00",
    },
    "byd": {
        "35A": "AA AA AA AA AA AA AA AA", "35E": "42 59 44 00 00 00 00 00", "382": "50 52 45 4D 49 55 4D 00",
    },
    "jk": {"2F4": "14 02 25 0F 3C 00 00 00", "4F4": "02 0D 01 F8 0C 02 00 00", "18F128F4": "9E 06 F0 0A 60 6D 0A 00"},
    "jk-v1": {"2F4": "14 02 1B 10 3C 00 00 00"},
}  # fmt: skip
"""53.20 V, -12.3 A, 21 to 25 °C, 60.5 %, 280 Ah; 55.2 V, 50 A, 80 A, 46.4 V allowed."""
TOO_COLD = {
    "pylontech": {"351": "14 02 00 00 20 03 D0 01", "359": "00 00 10 00 01 50 4E", "35C": "40 00"},
    "pylontech13": {"351": "14 02 00 00 20 03 D0 01", "35A": "00 00 00 00 00 10 00 00"},
    # Deye, Sol-Ark and SMA discharge down to the charge voltage: it stays 0.2 V above the pack's.
    "deye": {"351": "16 02 00 00 20 03 D0 01", "359": "00 00 10 00 01 50 4E", "35C": "40 00"},
    "sunsynk": {"351": "16 02 00 00 20 03 D0 01"},
    "solark": {"351": "16 02 00 00 20 03 D0 01"},
    "sma": {"351": "16 02 00 00 20 03 D0 01", "35A": "AA AA AA 02 AA 9A AA 02"},
    "victron": {
        "351": "14 02 00 00 20 03 D0 01", "35A": "AA AA AA 02 AA 9A AA 02", "372": "01 00 01 00 00 00 00 00",
    },
    "growatt": {
        "311": "02 14 00 00 03 20 0C 23", "312": "00 00 00 10 01 42 4D 10", "319": "40 0D 02 0C F8 01 02 00",
    },
    "jk": {"7F4": "00 00 03 00 00 00 00 00", "18F528F4": "0A 00 00 00 00 00 00 00"},
}  # fmt: skip


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_pack_gives_the_worked_frames(name) -> None:
    sent = told(name, document(**STATE))
    assert {number: sent[number] for number in HEALTHY[name]} == HEALTHY[name]


@pytest.mark.parametrize("name", TOO_COLD)
def test_a_pack_too_cold_to_charge_warns_and_still_discharges(name) -> None:
    sent = told(name, document(["charge_utp"], **STATE, **COLD))
    assert {number: sent[number] for number in TOO_COLD[name]} == TOO_COLD[name]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_state_gives_the_golden_frames(name) -> None:
    """S7, S10: healthy, too cold, data lost, override."""
    assert states(name) == (FOLDER / f"{name}.txt").read_text()


def test_every_alarm_alone_gives_the_golden_frames_of_every_protocol() -> None:
    """S7, S10: also while an override lifts it."""
    assert alarms() == (FOLDER / f"{ALARM_FILE}.txt").read_text()


def test_there_is_no_golden_file_without_its_protocol() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == {*PROTOCOLS, ALARM_FILE}
