"""The inverter's section: protocol, bit rate and name that contradict each other or do not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmsd.config.load import Config, load
from bmsd.errors import ConfigError
from bmsd.inverters.protocols import PROTOCOLS

GOOD = (Path(__file__).resolve().parents[2] / "etc" / "bmsd.toml").read_text(encoding="utf-8")


def loaded(folder: Path, *lines: str) -> Config:
    """Load the example with other lines in [can]."""
    path = folder / "bmsd.toml"
    before, after = GOOD.split("[can]")[0], GOOD.split("[can]")[1].split("\n[", maxsplit=1)[1]
    path.write_text("\n".join((before, "[can]", *lines, f"[{after}")), encoding="utf-8")
    return load(path)


def problems(folder: Path, *lines: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        loaded(folder, *lines)
    return refused.value.problems


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_bit_rate_that_is_not_written_is_the_protocols(tmp_path, name) -> None:
    can = loaded(tmp_path, f'protocol = "{name}"').can
    assert can is not None
    assert can.bus["bitrate"] == PROTOCOLS[name].bitrate
    assert can.battery_name == ""


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_bit_rate_that_contradicts_is_refused_with_its_line(tmp_path, name) -> None:
    right = PROTOCOLS[name].bitrate
    found = problems(tmp_path, f'protocol = "{name}"', f"bitrate = {750_000 - right}")
    assert len(found) == 1
    assert str(right) in found[0]
    assert "line" in found[0]


def test_an_unknown_protocol_lists_the_known_ones_with_or_without_a_bit_rate(tmp_path) -> None:
    for more in ((), ("bitrate = 500000",)):
        found = problems(tmp_path, 'protocol = "pylon"', *more)
        assert len(found) == 1
        assert all(name in found[0] for name in PROTOCOLS)


def test_a_name_is_taken_for_the_battery_and_not_for_the_bus(tmp_path) -> None:
    can = loaded(tmp_path, 'battery_name = "SHEnergy"').can
    assert can is not None
    assert can.battery_name == "SHEnergy"
    assert "battery_name" not in can.bus
    found = problems(tmp_path, 'battery_name = "SHEnergy2"')
    assert len(found) == 1
    assert "8 printable" in found[0]


# --- auto and its fallback ------------------------------------------------------------------------------------


def test_auto_runs_at_the_rate_of_those_that_can_be_heard(tmp_path) -> None:
    can = loaded(tmp_path, 'protocol = "auto"', 'fallback = "pylontech"', "fallback_after_s = 20").can
    assert can is not None
    assert (can.protocol, can.fallback, can.fallback_after_s, can.bus["bitrate"]) == (
        "auto", "pylontech", 20.0, 500_000,
    )  # fmt: skip
    assert can.bus.keys() == {"interface", "channel", "bitrate"}, "a key of ours goes to the library"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (('protocol = "auto"', "bitrate = 250000"), "500000"),
        (('protocol = "auto"', 'fallback = "pylon"'), "fitting are byd"),
        (('protocol = "auto"', 'fallback = "auto"'), "fitting are byd"),
        (('protocol = "auto"', 'fallback = "jk"'), "does not fit"),
        (('protocol = "sma"', 'fallback = "pylontech"'), 'only used with protocol = "auto"'),
        (("fallback_after_s = 1",), "10 to 3600"),
        (('interface = "udp_multicast"',), "not allowed"),
        (('interface = "socketcand"', 'host = "192.0.2.1"'), "needs port"),
    ],
)
def test_what_contradicts_is_refused_with_its_line(tmp_path, lines, words) -> None:
    found = problems(tmp_path, *lines)
    assert len(found) == 1
    assert words in found[0]
    assert "line" in found[0]


# --- Further buses --------------------------------------------------------------------------------------------

FIRST = ('protocol = "pylontech"', 'channel = "can0"', "share_percent = 60")
GRID = ("[can.grid]", "share_percent = 40", 'protocol = "sma"', 'channel = "can1"')
SHARE = "share_percent = 1"


def test_a_further_bus_has_the_keys_defaults_and_checks_of_the_first(tmp_path) -> None:
    buses = loaded(tmp_path, *FIRST, *GRID, "silence_after_s = 5", "listen_only = false").buses
    assert list(buses) == ["can", "can@grid"]
    assert (buses["can"].protocol, buses["can@grid"].protocol) == ("pylontech", "sma")
    assert buses["can"].silence_after_s == 30
    assert buses["can@grid"].silence_after_s == 5
    assert buses["can@grid"].bus == {
        "channel": "can1", "listen_only": False, "interface": "socketcan", "bitrate": 500_000,
    }  # fmt: skip


@pytest.mark.parametrize("name", [*PROTOCOLS, "auto"])
def test_the_core_knows_whether_its_inverter_discharges_down_to_the_charge_voltage(tmp_path, name) -> None:
    exports = name in {"deye", "sunsynk", "solark", "solark-10mv", "victron", "byd", "sma", "auto"}
    assert loaded(tmp_path, f'protocol = "{name}"').settings().exports is exports


def test_one_of_several_buses_with_such_an_inverter_is_enough(tmp_path) -> None:
    further = "[can.grid]", 'protocol = "sma"', 'channel = "can1"', "share_percent = 40"
    made = loaded(tmp_path, 'protocol = "pylontech"', "share_percent = 60", *further)
    assert made.settings().exports


def test_a_display_needs_no_share(tmp_path) -> None:
    lines = ('protocol = "pylontech"', "[can.display]", 'protocol = "jk"', 'channel = "can1"')
    assert loaded(tmp_path, *lines).buses["can@display"].share_percent == 100


def test_one_bus_has_no_further_ones(tmp_path) -> None:
    assert list(loaded(tmp_path, *FIRST).buses) == ["can"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ("[can.grid]", SHARE, 'protocol = "pylon"', 'channel = "can1"'),
            "can.grid.protocol 'pylon' is not known",
        ),
        (
            ("[can.grid]", SHARE, 'protocol = "sma"', 'channel = "can1"', "bitrate = 250000"),
            "can.grid.bitrate is 250000",
        ),
        (("[can.grid]", SHARE, 'protocol = "sma"'), "that of [can]"),
        (("[can.grid]", SHARE, 'protocol = "sma"', 'channel = "can0"'), "that of [can]"),
        (("[can.grid]", SHARE, 'protocol = "sma"', "channel = 5"), "can.grid.channel is 5"),
        (("[can.Grid]", SHARE, 'protocol = "sma"', 'channel = "can1"'), "small letters"),
        (("[can.a_b]", SHARE, 'protocol = "sma"', 'channel = "can1"'), "small letters"),
        (
            ("[can.grid]", SHARE, 'battery_name = "much too long"', 'channel = "can1"'),
            "can.grid.battery_name",
        ),
        ((*GRID, "[can.more]", 'channel = "can1"', 'protocol = "jk"'), "that of [can.grid]"),
        ((*GRID[:1], *GRID[2:]), "160 %"),
        (("[can.grid]", "share_percent = 41", *GRID[2:]), "101 %"),
        ((*GRID, "[can.more]", SHARE, 'channel = "can2"', 'protocol = "auto"'), "101 %"),
        (("[can.grid]", "share_percent = 0", *GRID[2:]), "1 to 100"),
        (("protocol = { a = 1 }",), "can.protocol"),
    ],
)
def test_a_further_bus_that_does_not_fit_is_refused_with_its_line(tmp_path, lines, words) -> None:
    first = FIRST[1:] if lines[0].startswith("protocol") else FIRST
    found = problems(tmp_path, *first, *lines)
    assert len(found) == 1, found
    assert words in found[0]
    assert "line" in found[0]


def test_one_serial_port_is_one_port_whatever_its_baud_rate(tmp_path) -> None:
    lines = ('interface = "slcan"', 'channel = "/dev/ttyUSB0"', "[can.grid]", 'interface = "slcan"',
             'channel = "/dev/ttyUSB0@115200"', 'protocol = "jk"')  # fmt: skip
    assert "that of [can]" in problems(tmp_path, *lines)[0]


def test_a_further_bus_without_a_first_one_is_refused(tmp_path) -> None:
    found = problems(tmp_path, *GRID)
    assert len(found) == 1
    assert "there is no first one" in found[0]


def test_a_drop_in_adds_a_bus_and_changes_one_key_by_key(tmp_path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10-grid.toml").write_text(
        '[can.grid]\nprotocol = "sma"\nchannel = "can1"\nshare_percent = 1\n'
    )
    (tmp_path / "conf.d" / "20-grid.toml").write_text('[can.grid]\nchannel = "can2"\n')
    buses = loaded(tmp_path, *FIRST).buses
    assert (buses["can@grid"].protocol, buses["can@grid"].bus["channel"]) == ("sma", "can2")
    (tmp_path / "conf.d" / "30-grid.toml").write_text('[can.grid]\nprotocol = "smaa"\n')
    found = problems(tmp_path, *FIRST)
    assert len(found) == 1
    assert "30-grid.toml, line 2" in found[0]


# --- Slips of the pen -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "meant"),
    [('protcol = "victron"', "protocol"), ('Protocol = "victron"', "protocol"), ("bit_rate = 500000", "bitrate"),
     ("share_percents = 50", "share_percent"), ('chanel = "can1"', "channel")],
)  # fmt: skip
def test_a_misspelt_key_is_not_dropped_by_the_library_without_a_word(tmp_path, line, meant) -> None:
    """The inverter would be spoken to in the default protocol."""
    for before in ((), (SHARE, "[can.grid]", SHARE, 'protocol = "jk"')):
        found = [text for text in problems(tmp_path, *before, line) if "that of [can]" not in text]
        assert len(found) == 1
        assert f"did you mean {meant}?" in found[0]


@pytest.mark.parametrize(
    "key",
    ["ttyBaudrate", "tty_baudrate", "baudrate", "btr", "sleep_after_open", "rtscts", "listen_only", "timeout", "fd",
     "can_filters", "local_loopback", "receive_own_messages", "host", "port", "state", "data_bitrate", "driver_mode",
     "bit_timing", "device", "index", "bitrate_fd", "device_id", "auto_reset", "loopback"],
)  # fmt: skip
def test_a_key_of_the_library_is_not_taken_for_a_slip(tmp_path, key) -> None:
    assert loaded(tmp_path, f"{key} = 1").buses["can"].bus[key] == 1


@pytest.mark.parametrize("interface", ["slcan", "serial", "robotell", "seeedstudio"])
def test_a_serial_adapter_needs_its_port(tmp_path, interface) -> None:
    found = problems(tmp_path, f'interface = "{interface}"')
    assert len(found) == 1
    assert "needs channel" in found[0]
    assert loaded(tmp_path, f'interface = "{interface}"', 'channel = "/dev/ttyACM0"').can


@pytest.mark.parametrize(
    ("cells", "fits"),
    [(4, False), (8, False), (12, True), (16, True), ("16\nchemistry = 'li-ion'", False)],
)
@pytest.mark.parametrize(
    "lines", [('protocol = "sma"',), ('protocol = "auto"', 'fallback = "sma"'), ('protocol = "growatt"',)]
)
def test_a_pack_that_the_protocol_cannot_charge_is_refused(tmp_path, monkeypatch, cells, fits, lines) -> None:
    """Kept inside its range, the charge voltage of a 12 V pack would be told as 41 V."""
    monkeypatch.setattr(f"{__name__}.GOOD", GOOD.replace("cells = 16", f"cells = {cells}"))
    if "li-ion" in str(cells):
        monkeypatch.setattr(f"{__name__}.GOOD", GOOD.replace('chemistry = "lifepo4"\n', ""))
    if fits:
        assert loaded(tmp_path, *lines).cells == cells
    else:
        found = [one for one in problems(tmp_path, *lines) if "carries charge voltages of 41 to 63 V" in one]
        assert len(found) == 1
        assert "line" in found[0]


@pytest.mark.parametrize("line", ["modbus", "modbus.garage", "meter"])
def test_an_adapter_on_the_port_of_another_link_is_refused(tmp_path, monkeypatch, line) -> None:
    port = "/dev/ttyUSB7"
    plain, _, rest = GOOD.partition("[modbus]")
    example = f'{plain}[{line}]\nport = "{port}"\n[' + rest.partition("\n[")[2]
    monkeypatch.setattr(f"{__name__}.GOOD", example)
    can = ('interface = "slcan"', f'channel = "{port}@115200"')
    found = [text for text in problems(tmp_path, *can) if "can.channel" in text]
    assert len(found) == 1
    assert f"'{port}', which is the port of [{line}]" in found[0]
    assert "line" in found[0]
