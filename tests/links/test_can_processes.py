"""`bmsd-link can` as a real process on serial adapters: every protocol, read by cantools, and two buses at once."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import can
import pytest
from can.interfaces.slcan import slcanBus

from bmsd.inverters.protocols import PROTOCOLS
from tests.links.lines import Adapter
from tests.support.configured import pack_text, written
from tests.support.running import PlayedCore, ended, eventually, last_words, link

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]
ROOT = Path(__file__).resolve().parents[2]
DBC = ROOT / "docs" / "generated" / "dbc"
CONFIG = pack_text("""
[outputs]
charge = 1
discharge = 2
""")
BUS = '[{}]\nprotocol = "{}"\ninterface = "slcan"\nchannel = "{}"\nsleep_after_open = 0\n'
POINTS = {
    "pack_mv": 53_200, "current_ma": -12_300, "soc_permille": 600, "soh_permille": 990, "cell_mv": [3325] * 16,
    "cell_min_mv": 3320, "cell_max_mv": 3330, "min_cell": 2, "max_cell": 1, "cell_difference_mv": 10,
    "battery_decic": [230, 240], "switch_decic": 300, "capacity_mah": 280_000, "remaining_mah": 168_000,
    "discharged_mah": 2_800_000, "cycles_milli": 10_000, "heater_ma": 0, "runtime_ms": 1000,
    "charge_allowed": True, "discharge_allowed": True, "charge_limit_mv": 55_200, "charge_limit_ma": 50_000,
    "discharge_limit_ma": 80_000, "discharge_limit_mv": 46_400, "charge_actual": True, "discharge_actual": True,
    "heater_actual": False, "balance_commanded": False,
}  # fmt: skip
LIMITS = ("charge_limit_mv", "charge_limit_ma", "discharge_limit_ma", "discharge_limit_mv")


@pytest.fixture
def core(tmp_path) -> Iterator[dict]:
    """Publish what the yielded points say."""
    played = PlayedCore(tmp_path, POINTS)
    yield played.points
    played.die()


@pytest.fixture
def adapters() -> Iterator[list[Adapter]]:
    made = [Adapter(), Adapter()]
    yield made
    for adapter in made:
        adapter.unplug()


def running(folder: Path, name: str, sections: str) -> AbstractContextManager[subprocess.Popen[str]]:
    return link(name, written(folder, CONFIG + sections), folder)


def state(folder: Path, name: str = "can") -> dict:
    return json.loads((folder / f"link-{name}.json").read_text())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_protocol_as_it_goes_to_an_adapter_is_what_the_dbc_file_says(
    tmp_path, core, adapters, protocol
) -> None:
    """The reader is cantools; the adapter's end is a few lines that know nothing of python-can."""
    cantools = pytest.importorskip("cantools", reason="cantools is missing: the line was NOT read by another")
    file, row = cantools.database.load_file(DBC / f"{protocol}.dbc"), PROTOCOLS[protocol]
    always = {frame.id for frame in row.frames if not frame.only_raised}
    never = {frame.id for frame in row.frames if frame.id == 0x378}  # energy: only read from others
    with running(tmp_path, "can", BUS.format("can", protocol, adapters[0].port)):
        eventually(lambda: {int(number, 16) for number, _ in adapters[0].frames} >= always - never)
    values: dict = {}
    for number, data in adapters[0].frames:
        message = file.get_message_by_frame_id(int(number, 16))
        assert message.is_extended_frame == (len(number) == 8)
        values |= message.decode(bytes.fromhex(data), decode_choices=False)
    assert (values["pack_mv"], values["soc_permille"]) == (53_200, 600)
    assert values["current_ma"] == pytest.approx(-12_300)
    if row.has_limits:
        assert [values[name] for name in LIMITS if name in values] == [
            POINTS[name] for name in LIMITS if name in values
        ]
    assert ("S5" if row.bitrate == 250_000 else "S6") in adapters[0].commands, "another bit rate was set"


def test_two_protocols_on_two_buses_at_once_and_a_stuck_one_stops_only_itself(
    tmp_path, core, adapters
) -> None:
    """S9."""
    first, second = adapters
    shares = "share_percent = {}\n"
    sections = BUS.format("can", "pylontech", first.port) + shares.format(60)
    sections += BUS.format("can.grid", "sma", second.port) + shares.format(40)
    with running(tmp_path, "can", sections) as one, running(tmp_path, "can@grid", sections) as two:
        eventually(lambda: first.frames and second.frames)
        first.heard(0x305, bytes(8))
        second.heard(0x306, bytes.fromhex("64000A0100001702"))
        eventually(lambda: "inverter heard" in state(tmp_path)["detail"])
        eventually(lambda: "inverter heard" in state(tmp_path, "can@grid")["detail"])
        assert state(tmp_path)["protocol"] == "pylontech"
        assert state(tmp_path, "can@grid")["protocol"] == "sma"
        assert {"35C", "359"} <= {number for number, _ in first.frames}
        assert {"35A", "35F"} <= {number for number, _ in second.frames}
        told = [
            next(data for number, data in a.frames if number == "351" and data[4:8] != "0000")
            for a in adapters
        ]
        assert [int.from_bytes(bytes.fromhex(data[4:8]), "little") for data in told] == [300, 200], (
            "30 A and 20 A of 50"
        )
        two.send_signal(signal.SIGSTOP)
        before, stuck = len(first.frames), len(second.frames)
        eventually(lambda: len(first.frames) >= before + 12)
        assert len(second.frames) <= stuck + len(PROTOCOLS["sma"].frames)
        two.send_signal(signal.SIGCONT)
        two.terminate()
        assert ended(two, 10) == 0
        before = len(first.frames)
        eventually(lambda: len(first.frames) >= before + 6)
        assert one.poll() is None


@pytest.mark.fault_class(11, "alone")
def test_ten_thousand_random_frames_through_a_real_link_cost_no_frame_of_ours(
    tmp_path, core, adapters
) -> None:
    """S9: goodwe sends most often; of every kind that a serial adapter can hand over, in every length."""
    adapter, chance = adapters[0], random.Random(11)

    def line() -> bytes:
        kind = chance.choice("ttttTTrRdDbB" if hasattr(slcanBus, "_DATA_BITRATES") else "ttttTTrR")
        number = f"{chance.randrange(1 << 29):08X}" if kind.isupper() else f"{chance.randrange(0x800):03X}"
        length = chance.randrange(16 if kind in "dDbB" else 9)
        size = can.util.CAN_FD_DLC[length] if kind in "tTdDbB" else 0
        return f"{kind}{number}{length:X}{chance.randbytes(size).hex().upper()}\r".encode()

    with running(tmp_path, "can", BUS.format("can", "goodwe", adapter.port)) as process:
        eventually(lambda: adapter.frames)
        for _ in range(100):
            adapter.say(b"".join(line() for _ in range(100)))
        eventually(lambda: state(tmp_path)["frames_received"] >= 10_000, 40)
        told = state(tmp_path)
        process.terminate()
        assert ended(process) == 0
        eventually(lambda: len(adapter.frames) >= state(tmp_path)["frames_sent"])
    assert told["bus_failures"] == told["bad_received"] == told["frames_dropped"] == 0
    assert told["state"] == "running"
    # At the end the charge voltage is the pack's own, 53.2 V, which says stop.
    allowed, nothing_at_the_end = "2802F4012003D001", "140200000000E001"
    assert {data for number, data in adapter.frames if number == "351"} == {allowed, nothing_at_the_end}


def test_status_shows_every_bus_and_one_that_does_not_run(tmp_path, core, adapters) -> None:
    sections = BUS.format("can", "pylontech", adapters[0].port) + BUS.format(
        "can.grid", "jk", adapters[1].port
    )
    with running(tmp_path, "can", sections):
        eventually(lambda: state(tmp_path)["state"] == "running")
        command = [sys.executable, "-m", "bmsd.cli.main", "--runtime-dir", str(tmp_path), "status", "--json"]
        said = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    links = json.loads(said.stdout)["links"]
    assert links["can"]["state"] == "running"
    assert links["can@grid"]["state"] == "absent"


def test_a_second_link_on_the_same_bus_ends_and_leaves_the_first_alone(tmp_path, core, adapters) -> None:
    """As when somebody starts it by hand to see what it says: both would talk, each to the other's replies."""
    sections = BUS.format("can", "pylontech", adapters[0].port)
    with running(tmp_path, "can", sections):
        eventually(lambda: state(tmp_path)["state"] == "running")
        with running(tmp_path, "can", sections) as second:
            _, errors = last_words(second, 20)
        assert second.returncode == 1
        assert "another one serves" in errors
        assert state(tmp_path)["state"] == "running"
        before = len(adapters[0].frames)
        eventually(lambda: len(adapters[0].frames) > before)
        assert adapters[0].commands.count("S6") == 1, "the adapter was opened twice"
    with running(tmp_path, "can", sections):
        eventually(lambda: adapters[0].commands.count("S6") == 2)


def test_a_lock_that_cannot_be_had_keeps_no_link_from_its_work(tmp_path, core, adapters) -> None:
    (tmp_path / "link-can.lock").mkdir()
    with running(tmp_path, "can", BUS.format("can", "pylontech", adapters[0].port)):
        eventually(lambda: adapters[0].frames)


def test_a_bus_that_is_not_configured_says_so_and_ends_well(tmp_path, adapters) -> None:
    with running(tmp_path, "can@other", BUS.format("can", "pylontech", adapters[0].port)) as process:
        assert ended(process, 20) == 0
    assert state(tmp_path, "can@other")["state"] == "off"
    assert "[can.other]" in state(tmp_path, "can@other")["detail"]


@pytest.mark.parametrize("name", ["cans", "modbus-2", "can@", "Can"])
def test_a_link_that_cannot_be_is_wrong_usage(tmp_path, name) -> None:
    with running(tmp_path, name, "") as process:
        assert ended(process, 20) == 2


def test_an_interface_that_is_not_known_is_refused_with_the_known_ones(tmp_path) -> None:
    with running(tmp_path, "can", '[can]\ninterface = "socketkan"\n') as process:
        _, errors = last_words(process, 20)
    assert process.returncode == 78
    assert "socketcan" in errors


def test_auto_waits_for_an_inverter_and_then_speaks_its_protocol(tmp_path, core, adapters) -> None:
    adapter, end = adapters[0], threading.Event()

    def inverter() -> None:
        while not end.wait(0.5):
            adapter.heard(0x305, bytes(8))
            adapter.heard(0x307, bytes.fromhex("1234567856494300"))

    with running(tmp_path, "can", BUS.format("can", "auto", adapter.port)) as process:
        eventually(lambda: "listening" in state(tmp_path)["detail"])
        time.sleep(1)
        assert adapter.frames == []
        thread = threading.Thread(target=inverter)
        thread.start()
        try:
            eventually(lambda: any(number == "373" for number, _ in adapter.frames))
            eventually(lambda: "Victron" in state(tmp_path)["detail"])
        finally:
            end.set()
            thread.join()
        process.terminate()
        _, errors = last_words(process, 10)
    assert errors.count("protocol auto: heard a Victron GX") == 1
