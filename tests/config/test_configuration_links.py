"""Several ports and several units: named sections, what is refused in them, and the links that serve them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bmsd.cli import reading
from bmsd.config.load import Rs485Config, load
from bmsd.ipc import status
from bmsd.ipc.shared_files import Publisher, monotonic_ms
from bmsd.links import runner
from tests.support.configured import GOOD, problems
from tests.support.snapshots import publish_snapshot

GARAGE = """
[modbus.garage]
port = "/dev/ttyUSB7"
baudrate = 115200
parity = "E"
unit = 9
"""


@pytest.fixture
def written(tmp_path):
    def write(*parts: str, drop_in: str = "") -> Path:
        path = tmp_path / "bmsd.toml"
        path.write_text("\n".join(parts))
        if drop_in:
            (tmp_path / "conf.d").mkdir(exist_ok=True)
            (tmp_path / "conf.d" / "50-more.toml").write_text(drop_in)
        return path

    return write


def without_modbus() -> str:
    return GOOD[: GOOD.index("[modbus]")] + GOOD[GOOD.index("[parameters]") :]


def test_a_named_section_is_a_whole_port_of_its_own(written) -> None:
    config = load(written(GOOD, GARAGE))
    first, garage = config.modbus_ports.values()
    assert list(config.modbus_ports) == ["modbus", "modbus@garage"]
    assert (first.port, first.baudrate, dict(first.units)) == ("/dev/ttyAMA0", 9600, {1: ("bmsd",)})
    assert (garage.port, garage.baudrate, garage.parity) == ("/dev/ttyUSB7", 115200, "E")
    assert garage.stopbits == 1
    assert dict(garage.units) == {9: ("bmsd",)}
    assert config.of_link("modbus@garage") is garage
    assert config.of_link("modbus") is config.modbus is first
    assert config.of_link("modbus@cellar") is None
    assert config.of_link("journal") is None


def test_a_named_section_needs_no_first_one(written) -> None:
    config = load(written(without_modbus(), GARAGE))
    assert config.modbus is None
    assert list(config.modbus_ports) == ["modbus@garage"]


def test_a_drop_in_changes_a_named_section_key_by_key(written) -> None:
    config = load(written(GOOD, GARAGE, drop_in="[modbus.garage]\nunit = 11\n"))
    garage = config.modbus_ports["modbus@garage"]
    assert dict(garage.units) == {11: ("bmsd",)}
    assert garage.port == "/dev/ttyUSB7"


def test_further_units_have_their_own_maps(written) -> None:
    more = 'unit = 1\nmore_units = { 5 = ["bmsd"], 247 = ["bmsd"] }'
    config = load(written(GOOD.replace("unit = 1\n", f"{more}\n", 1)))
    assert config.modbus is not None
    assert dict(config.modbus.units) == {1: ("bmsd",), 5: ("bmsd",), 247: ("bmsd",)}


def test_the_direction_is_the_kernels_only_where_it_is_said(written) -> None:
    assert load(written(GOOD, GARAGE)).modbus_ports["modbus@garage"].rs485 is None
    more = 'direction = "kernel"\nrts_when_sending = "low"\nafter_ms = 2\n'
    assert load(written(GOOD, GARAGE, more)).modbus_ports["modbus@garage"].rs485 == Rs485Config(False, 0, 2)


WRONG = (
    ("unit = 9", "unit = 248", ("modbus.garage.unit", "248", "1 to 247")),
    ("unit = 9", "unti = 9", ("[modbus.garage]", "unti", "did you mean unit")),
    ('port = "/dev/ttyUSB7"', "", ("modbus.garage.port is missing",)),
    ('port = "/dev/ttyUSB7"', 'port = "/dev/ttyAMA0"', ("modbus.garage.port", "which [modbus] has already")),
    ("[modbus.garage]", "[modbus.Garage]", ("[modbus.Garage]", "small letters")),
    ("[modbus.garage]", '[modbus."../../etc"]', ("no good name",)),
    ("[modbus.garage]", "[modbus.a-name-that-is-too-long]", ("no good name",)),
    ("unit = 9", "maps = []", ("modbus.garage.maps", "no map")),
    ("unit = 9", 'maps = ["bmsd", "sunspek"]', ("modbus.garage.maps", "sunspek")),
    ("unit = 9", 'maps = ["bmsd", "sunspec", "bmsd"]', ("modbus.garage.maps: unit", "'bmsd' twice")),
    ("unit = 9", 'more_units = { 5 = ["jk", "jk"] }', ("modbus.garage.more_units: unit 5", "'jk' twice")),
    ("unit = 9", 'maps = ["sunspec"]\nwrites = true', ("modbus.garage.writes", 'the map "bmsd"')),
    ("unit = 9", 'mode = "jk-4e57"\nwrites = true', ("modbus.garage.writes", "no Modbus")),
    ("unit = 9", "writes = 1", ("modbus.garage.writes", "true or false")),
    ("unit = 9", 'unit = 9\nmore_units = { 9 = ["bmsd"] }', ("unit 9 is modbus.garage.unit already",)),
    ("unit = 9", 'more_units = { 0 = ["bmsd"] }', ("unit 0 is no unit id", "1 to 247")),
    ("unit = 9", 'more_units = { 248 = ["bmsd"] }', ("unit 248 is no unit id",)),
    ("unit = 9", 'more_units = { 05 = ["bmsd"] }', ("unit 05 is no unit id",)),
    ("unit = 9", "more_units = { 5 = [] }", ("unit 5 needs a list of its maps",)),
    ("unit = 9", 'more_units = { 5 = "bmsd" }', ("unit 5 needs a list of its maps",)),
    ("unit = 9", "more_units = { 5 = [1] }", ("unit 5 needs a list of its maps",)),
    ("unit = 9", 'mode = "jk-4e57"\nmaps = ["bmsd"]', ("modbus.garage.maps", "no Modbus", "remove it")),
    ("unit = 9", "before_ms = 1", ("modbus.garage.before_ms", 'without direction = "kernel"', "remove it")),
    ("unit = 9", 'rts_when_sending = "low"', ("modbus.garage.rts_when_sending", "remove it")),
    ("unit = 9", 'direction = "kernel"\nafter_ms = 101', ("modbus.garage.after_ms", "101", "0 to 100")),
    ("unit = 9", 'direction = "auto"', ("modbus.garage.direction", "'auto'", '"kernel"')),
    ("unit = 9", 'mode = "ascii"', ("modbus.garage.mode", "'ascii'", '"rtu"')),
    ("unit = 9", 'more_units = ["5"]', ("modbus.garage.more_units", "a table")),
)


@pytest.mark.parametrize(("old", "new", "words"), WRONG, ids=[row[1].replace("\n", " ") for row in WRONG])
def test_what_is_wrong_in_a_named_section_is_told_with_its_name_and_line(written, old, new, words) -> None:
    path = written(GOOD, GARAGE.replace(old, new))
    (found,) = problems(path)
    assert all(word in found for word in words), found
    assert "line" in found or "missing" in found


@pytest.mark.parametrize("section", ["[pack.second]\ncells = 3", "[heater.roof]\nresistance_ohm = 10"])
def test_other_sections_have_no_named_ones(written, section) -> None:
    assert problems(written(GOOD, section))


@pytest.mark.parametrize("name", ["modbus@", "journal@x", "modbos", "@x", ""])
def test_a_link_that_cannot_be_is_wrong_usage(name, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        runner.main([name])
    assert ended.value.code == 2
    assert "there is no link" in capsys.readouterr().err


def test_a_link_without_its_section_says_so_and_ends_well(written, tmp_path, capsys) -> None:
    assert runner.main(["modbus@attic", "--config", str(written(GOOD)), "--runtime-dir", str(tmp_path)]) == 0
    assert "[modbus.attic] is not configured" in capsys.readouterr().out
    assert (tmp_path / "link-modbus@attic.json").exists()


def test_the_journal_link_runs_whatever_the_configuration_says(monkeypatch, written, tmp_path) -> None:
    """What happened is told also while somebody is still writing the configuration."""
    served: list[str] = []
    monkeypatch.setattr(
        runner, "import_module", lambda _: SimpleNamespace(run=lambda link: served.append(link.name))
    )
    refused = written(GOOD.replace("cells = ", "cell = ", 1))
    words = ["--config", str(refused), "--runtime-dir", str(tmp_path)]
    assert runner.main(["journal", *words]) == 0
    assert runner.main(["modbus", *words]) == 78
    assert served == ["journal"]


def test_further_links_are_shown_after_the_first_ones(tmp_path, clock) -> None:
    publisher, now_ms = Publisher(tmp_path), monotonic_ms()
    publish_snapshot(tmp_path, {"cells": 16, "points": {}, "alarms": []}, now_ms)
    publisher.publish("link-modbus@garage.json", {"state": "running", "detail": "unit 9"}, now_ms)
    told = reading.now(tmp_path).document["links"]
    assert list(told) == [*status.LINKS, "modbus@garage"]
    assert told["modbus@garage"]["state"] == "running"


LAN = '[modbus.lan]\ntcp = "127.0.0.1:1502"\n'


def test_a_tcp_section_has_an_address_and_no_serial_port(written) -> None:
    config = load(written(GOOD, LAN, '[modbus.six]\ntcp = "[::1]:502"\n'))
    assert config.modbus_ports["modbus@lan"].tcp == ("127.0.0.1", 1502)
    assert config.modbus_ports["modbus@six"].tcp == ("::1", 502)
    assert config.modbus is not None
    assert config.modbus.tcp is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('tcp = "localhost:1502"', ("modbus.lan.tcp", "127.0.0.1:1502")),
        ('tcp = "127.0.0.1"', ("modbus.lan.tcp",)),
        ('tcp = "127.0.0.1:0"', ("modbus.lan.tcp",)),
        ('tcp = "127.0.0.1:65536"', ("modbus.lan.tcp",)),
        ('tcp = ":1502"', ("modbus.lan.tcp",)),
        ('tcp = "::1:1502"', ("modbus.lan.tcp",)),
        ('tcp = "[127.0.0.1:1502"', ("modbus.lan.tcp",)),
        ("tcp = 1502", ("modbus.lan.tcp", "a text")),
        ('tcp = "127.0.0.1:1502"\nport = "/dev/ttyUSB3"', ("modbus.lan.port", "beside modbus.lan.tcp")),
        ('tcp = "127.0.0.1:1502"\nbaudrate = 9600', ("modbus.lan.baudrate", "beside modbus.lan.tcp")),
        ("unit = 3", ("modbus.lan.port is missing", "or modbus.lan.tcp")),
    ],
)
def test_what_is_wrong_with_an_address_is_told(written, text, words) -> None:
    found = problems(written(GOOD, f"[modbus.lan]\n{text}\n"))
    assert all(word in found[0] for word in words), found


def test_an_address_belongs_to_one_section(written) -> None:
    (found,) = problems(written(GOOD, LAN, LAN.replace("lan", "two")))
    assert "which [modbus.lan] has already" in found


METER = '[meter]\nport = "/dev/ttyUSB8"\ndevices = { 1 = "sdm120", 2 = "jk-pb" }\n'


def test_a_line_of_meters_is_a_link_of_its_own(written) -> None:
    config = load(written(GOOD, METER, '[meter.roof]\ntcp = "192.0.2.7:502"\ndevices = { 3 = "bmsd" }\n'))
    assert config.meter is config.of_link("meter")
    assert config.meter is not None
    assert (config.meter.port, config.meter.period_ms) == ("/dev/ttyUSB8", 5000)
    assert dict(config.meter.devices) == {1: "sdm120", 2: "jk-pb"}
    roof = config.of_link("meter@roof")
    assert roof.tcp == ("192.0.2.7", 502)
    assert list(config.modbus_ports) == ["modbus"]


def test_a_jk_board_at_address_0_can_be_read(written) -> None:
    """The first board of a parallel set answers under it."""
    config = load(written(GOOD, METER.replace("2 =", "0 =")))
    assert config.meter is not None
    assert dict(config.meter.devices) == {1: "sdm120", 0: "jk-pb"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("sdm120", "sdm999", ("'sdm999' is not known", "jk-pb")),
        ("{ 1", "{ 0", ("unit 0 is no unit id",)),
        ("{ 1", "{ 300", ("unit 300 is no unit id",)),
        ("2 = ", "00 = ", ("unit 00 is no unit id",)),
        (
            METER,
            '[meter]\ntcp = "192.0.2.7:502"\ndevices = { 0 = "jk-pb" }',
            ("unit 0 is no unit id", "serial line"),
        ),
        ('{ 1 = "sdm120", 2 = "jk-pb" }', "{}", ("names no device",)),
        ('{ 1 = "sdm120", 2 = "jk-pb" }', "{ 1 = 2 }", ("2 is not known",)),
        ("devices", "period_s = 1\n#", ("meter.devices is missing",)),
        ("/dev/ttyUSB8", "/dev/ttyAMA0", ("meter.port", "only one can be the master")),
        ('port = "/dev/ttyUSB8"', "", ("meter.port is missing",)),
        ('port = "/dev/ttyUSB8"', 'period_s = 0.1\nport = "/dev/ttyUSB8"', ("meter.period_s", "1 to 3600")),
    ],
)
def test_what_is_wrong_with_a_line_of_meters_is_told(written, old, new, words) -> None:
    found = problems(written(GOOD, METER.replace(old, new, 1)))
    assert all(word in found[0] for word in words), found
