"""What a row says of itself in words and numbers: what it blocks, how grave it is, what may be written."""

from __future__ import annotations

import pytest

from bmsd.tables import configuration, parameters
from bmsd.tables.alarms import BOTH, EVERYTHING, Block, Severity
from bmsd.tables.configuration import Key
from bmsd.tables.devices import sdm


@pytest.mark.parametrize(
    ("block", "names"),
    [
        (Block.NONE, []),
        (Block.BALANCE, ["balance"]),
        (Block.HEATER | Block.CHARGE, ["charge", "heater"]),
        (BOTH, ["charge", "discharge"]),
        (EVERYTHING, ["charge", "discharge", "heater", "balance"]),
    ],
)
def test_what_is_blocked_is_listed_by_name(block, names) -> None:
    assert block.names == names


@pytest.mark.parametrize(
    ("severity", "priority"), [(Severity.WARNING, 4), (Severity.PROTECTION, 2), (Severity.FAULT, 3)]
)
def test_the_journal_puts_a_tripped_protection_before_a_fault_before_a_warning(severity, priority) -> None:
    assert severity.priority == priority


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (Key("a", "b", str, "", choices=("split", "common")), 'one of "split", "common"'),
        (Key("a", "b", int, "", low=0, high=1000.5), "0 to 1000.5"),
        (Key("a", "b", bool, ""), "true or false"),
        (Key("a", "b", str, ""), "a text"),
        (Key("a", "b", list, ""), "a list of texts"),
        (Key("a", "b", float, ""), "a number"),
    ],
)
def test_what_may_be_written_is_said_in_words(key, words) -> None:
    assert key.allowed == words


def test_the_keys_of_a_section_are_found_by_name() -> None:
    found = configuration.keys_of("pack")
    assert found["cells"].type is int
    assert all(name == key.name and key.section == "pack" for name, key in found.items())
    assert configuration.keys_of("nothing") == {}


def test_a_named_section_has_the_keys_of_the_first_and_a_link_of_its_own() -> None:
    assert configuration.keys_of("modbus.garage") == configuration.keys_of("modbus") != {}
    assert configuration.keys_of("pack.second") == {}
    assert configuration.section_of("modbus@garage") == "modbus.garage"
    assert configuration.link_of("modbus.garage") == "modbus@garage"
    assert configuration.section_of("modbus") == configuration.link_of("modbus") == "modbus"


@pytest.mark.parametrize(("preset", "mah", "mv"), [
    ("default", 50_000, 10), ("default", 50_001, 5), ("jk-compatible", 280_000, 10),
])  # fmt: skip
def test_a_large_pack_is_balanced_closer_by_default(preset, mah, mv) -> None:
    found = parameters.defaults("lifepo4", preset, 4, {}, mah)
    assert found["balance_trigger_mv"] == mv


def test_a_value_of_a_meter_that_no_request_brings_is_refused() -> None:
    with pytest.raises(ValueError, match="no request brings 60"):
        sdm._value("lost", "V", 60)
