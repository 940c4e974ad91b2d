"""bmsctl can: what a real CAN link published, shown to an installer, and written down frame by frame."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import can
import pytest

from bmsd.cli.can import frame
from bmsd.cli.can_view import _worded
from bmsd.cli.console import Console
from bmsd.cli.main import main
from bmsd.inverters.protocols import PROTOCOLS
from bmsd.ipc import shared_files
from bmsd.ipc.frame_ring import RECORDS
from bmsd.ipc.shared_files import Publisher, monotonic_ms
from bmsd.links.link import REPORT_MS
from bmsd.links.receiver import ALIVE_MS
from bmsd.links.traffic import MOST_IDS, Traffic
from tests.links.can_bench import POINTS, Bench, FakeBus
from tests.support.running import eventually, last_words
from tests.support.snapshots import publish_snapshot

ROOT = Path(__file__).resolve().parents[2]
DBC = ROOT / "docs" / "generated" / "dbc"
ALIVE = 0x305


@pytest.fixture
def bench(tmp_path, monkeypatch):
    made = Bench(tmp_path, monkeypatch)
    made.publish(charge_limit_ma=50_000, discharge_limit_ma=80_000)
    return made


def shown(bench: Bench, capsys, *words: str) -> tuple[int, str]:
    """Run one cycle of the link and then bmsctl on what it published."""
    bench.inverter._traffic._next_ms = 0
    bench.state()
    code = main(["--runtime-dir", str(bench.folder), "can", *words])
    said = capsys.readouterr()
    return code, " ".join((said.out + said.err).split())


def test_a_healthy_bus_shows_each_frame_decoded_and_what_is_allowed(bench, capsys) -> None:
    bench.now_ms -= 1000
    bench.publish(charge_limit_ma=50_000, discharge_limit_ma=80_000)
    bench.hear(ALIVE)
    bench.cycle()
    bench.now_ms += 1000
    bench.publish(charge_limit_ma=50_000, discharge_limit_ma=80_000)
    bench.hear(ALIVE)
    code, text = shown(bench, capsys, "--once")
    assert code == 0
    assert "Inverter heard. It may charge with up to 50.0 A. It may discharge with up to 80.0 A." in text
    assert "sent 0x351 28 02 F4 01 20 03 D0 01 every 1.0 s" in text
    assert "CVL 55.2 V, CCL 50 A, DCL 80 A, DVL 46.4 V" in text
    assert "sent 0x35C C0 00" in text
    assert "charge_enable, discharge_enable" in text
    assert "heard 0x305 00 00 00 00 00 00 00 00 every 1.0 s" in text
    assert "keep-alive" in text
    assert "2 times" in text


def test_the_document_for_programs_has_the_same(bench, capsys) -> None:
    bench.hear(ALIVE)
    bench.state()
    assert main(["--runtime-dir", str(bench.folder), "can", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["link"], told["channel"], told["protocol"]) == (
        1,
        "can",
        "fake",
        "pylontech",
    )
    limits = next(frame for frame in told["frames"] if frame["id"] == "0x351")
    assert limits["sent"] is True
    assert limits["values"]["charge_limit_v"] == 55.2
    assert limits["values"]["charge_limit_a"] == 50
    assert limits["count"] == 1
    assert limits["period_s"] is None
    assert told["not_heard"] == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_can_be_shown(tmp_path, monkeypatch, capsys, protocol) -> None:
    bench = Bench(tmp_path, monkeypatch, protocol=protocol)
    bench.publish(min_cell=1, max_cell=2, cell_mv=[3300] * 16, runtime_ms=1000, heater_ma=0)
    for row in PROTOCOLS[protocol].heard:
        bench.hear(row.frame.id, row.fixed or bytes(row.frame.length))
    code, text = shown(bench, capsys, "--once")
    assert code == 0
    assert "nonsense:" not in text
    assert "50" in text or "53.2 V" in text


# --- The sentence ---------------------------------------------------------------------------------------------


def test_an_inverter_that_was_never_heard_is_the_first_thing_said(bench, capsys) -> None:
    _, text = shown(bench, capsys, "--once")
    assert "the inverter was never heard (0x305)" in text
    assert "120 ohm" in text
    assert "heard 0x305 never" in text


def test_an_inverter_that_says_nothing_may_still_obey_so_its_limits_are_told(bench, capsys) -> None:
    bench.publish(charge_allowed=False, charge_limit_ma=0)
    _, text = shown(bench, capsys, "--once")
    assert "the inverter was never heard (0x305)" in text
    assert "Its charge limit is 0 A." in text
    assert "It may discharge with up to 1.0 A." in text


def test_another_inverter_than_expected_is_a_hint_at_the_protocol(bench, capsys) -> None:
    bench.hear(0x301, bytes.fromhex("1122334455667788"))
    _, text = shown(bench, capsys, "--once")
    assert "1 other frames were heard: does it speak another protocol?" in text
    assert "heard 0x301 11 22 33 44 55 66 77 88" in text


def test_an_inverter_that_fell_silent_is_told_with_its_time(bench, capsys) -> None:
    bench.hear(ALIVE)
    bench.cycle()
    bench.now_ms += ALIVE_MS + 7000
    bench.publish()
    bench.inverter.cycle(bench.bus)
    publish_snapshot(bench.folder, {"points": POINTS, "alarms": []}, monotonic_ms())
    bench.link._reported = None
    bench.inverter._publish("running", "x", bench.now_ms)
    document = json.loads((bench.folder / "link-can.json").read_text())
    document["at_ms"] = monotonic_ms()
    (bench.folder / "link-can.json").write_text(json.dumps(document))
    assert main(["--runtime-dir", str(bench.folder), "can", "--once"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "the inverter is silent for 12 s" in text


def test_frames_that_nobody_acknowledges_are_told_before_anything_else(bench, capsys) -> None:
    bench.bus.failure = can.CanOperationError("Transmit buffer full")
    _, text = shown(bench, capsys, "--once")
    assert "nobody acknowledges them" in text
    assert "wiring" in text


def test_errors_of_the_bus_are_told(bench, capsys) -> None:
    bench.hear(0x20, is_error_frame=True)
    _, text = shown(bench, capsys, "--once")
    assert "The bus has errors: nobody acknowledges our frames" in text


@pytest.mark.parametrize("trouble", ["dropped", "errors"])
def test_nobody_is_not_said_to_acknowledge_while_somebody_is_heard(bench, capsys, trouble) -> None:
    """The inverter was heard 0.2 s before, and it is asked whether it is on."""
    bench.hear(ALIVE)
    if trouble == "dropped":
        bench.bus.failure = can.CanOperationError("Transmit buffer full")
    else:
        bench.hear(0x20, is_error_frame=True)
    _, text = shown(bench, capsys, "--once")
    assert "is the inverter on?" not in text
    assert "though frames of others arrive" in text
    assert ("Frames could not be sent" if trouble == "dropped" else "The bus has errors") in text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("28 02 F4 01 54 FC D0 01", "impossible: DCL -94 A"),
        ("28 02 54 FC 20 03 D0 01", "impossible: CCL -94 A"),
        ("28 02 F4 01 20 03 D0 01", "CVL 55.2 V, CCL 50 A, DCL 80 A, DVL 46.4 V"),
    ],
)
def test_impossible_values_of_another_sender_are_marked(bench, capsys, data, said) -> None:
    """A discharge limit of -94 A was shown as if it were one."""
    bench.hear(0x351, bytes.fromhex(data))
    _, text = shown(bench, capsys, "--once")
    heard = text[text.index("heard 0x351") :]
    assert "another sender, as if it were ours" in heard
    assert said in heard


@pytest.mark.parametrize(
    ("number", "data", "said"),
    [
        (0x355, "C8 00 64 00", "impossible: soc 200 %"),
        (0x356, "D4 14 00 00 FF 7F", "impossible: temperature 3276.7 °C"),
        (0x356, "D4 14 00 00 00 80", "impossible: temperature -3276.8 °C"),
    ],
)
def test_what_no_battery_can_mean_is_marked(bench, capsys, number, data, said) -> None:
    bench.hear(number, bytes.fromhex(data))
    _, text = shown(bench, capsys, "--once")
    assert said in text[text.index(f"heard 0x{number:03X}") :]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_two_numbers_of_a_frame_bear_one_name(protocol) -> None:
    for row in PROTOCOLS[protocol].frames:
        names = [_worded(signal.name, 1000).split()[0] for signal in row.signals]
        assert len(set(names)) == len(names), names


def test_a_limit_of_zero_is_told_with_its_reason(bench, capsys) -> None:
    bench.hear(ALIVE)
    body = {"points": {**POINTS, "charge_allowed": False, "charge_limit_ma": 0},
            "alarms": [{"name": "cell_ovp", "where": 7, "value": 3712, "limit": 3600, "since_ms": bench.now_ms}],
            "why": {"charge": [{"because": "alarm", "name": "cell_ovp"}], "discharge": []}}  # fmt: skip
    publish_snapshot(bench.folder, body, bench.now_ms)
    _, text = shown(bench, capsys, "--once")
    assert "Inverter heard. Its charge limit is 0 A." in text
    assert "cell_ovp" in text
    assert "It may discharge with up to 1.0 A." in text


def test_a_core_that_is_gone_is_told(tmp_path, monkeypatch, capsys) -> None:
    bench = Bench(tmp_path, monkeypatch)
    _, text = shown(bench, capsys, "--once")
    assert "The inverter is told that nothing is allowed: limits are zero:" in text


def test_listening_is_told_and_a_request_too(tmp_path, monkeypatch, capsys) -> None:
    _, text = shown(Bench(tmp_path, monkeypatch, protocol="auto"), capsys, "--once")
    assert "Nothing is sent yet: listening" in text
    bench = Bench(tmp_path, monkeypatch, protocol="luxpower")
    bench.publish()
    bench.hear(ALIVE)
    bench.hear(0x300, b"\x01" + bytes(7))
    _, text = shown(bench, capsys, "--once")
    assert "It asks that the battery be shut down (rapid shutdown)" in text


def test_nonsense_and_strangers_are_marked(tmp_path, monkeypatch, capsys) -> None:
    bench = Bench(tmp_path, monkeypatch, protocol="sma")
    bench.publish()
    bench.hear(ALIVE, bytes.fromhex("FFFF000000000000"))
    bench.hear(0x123, b"\x01")
    bench.hear(0x351, bytes(8))
    bench.hear(0x306, b"", is_remote_frame=True)
    _, text = shown(bench, capsys, "--once")
    assert "nonsense: frame 0x305 says inverter_mv = 6553500" in text
    assert "heard 0x123 01" in text
    assert "another sender, as if it were ours" in text
    assert "heard 0x306 remote" in text


@pytest.mark.parametrize(
    ("protocol", "number", "data", "words"),
    [
        ("pylontech", 0x307, "1234567856494300", 'a Victron GX: 0x307 says "VIC"; for that write protocol = "victron"'),
        ("byd", 0x307, "1234567856494300", 'write protocol = "victron"'),
        ("pylontech", 0x301, "1122334455667788", 'write protocol = "growatt"'),
        ("growatt", 0x305, "0000000000000000", 'write protocol = "pylontech"'),
        ("victron", 0x305, "0000000000000000", 'write protocol = "pylontech"'),
        ("pylontech", 0x305, "0A140C150B1A0000", 'write protocol = "deye"'),
        ("pylontech", 0x605, "0000000000000000", "Heard a Sofar in its own protocol (0x605): set it to Pylontech."),
    ],
)  # fmt: skip
def test_a_protocol_that_is_not_the_inverters_is_doubted_with_the_one_to_write(
    tmp_path, monkeypatch, capsys, protocol, number, data, words
) -> None:
    """Also where the life signs are the same, and after another inverter was heard."""
    for heard_before in ((), (PROTOCOLS[protocol].alive_ids[0],)):
        bench = Bench(tmp_path, monkeypatch, protocol=protocol)
        bench.now_ms -= 20_000
        for before in heard_before:
            bench.hear(before, bytes.fromhex("1122334455667788") if before == 0x301 else bytes(8))
            bench.cycle()
        for after_ms in (18_000, 1000):
            bench.hear(number, bytes.fromhex(data))
            bench.cycle(after_ms)
        bench.now_ms += 1000
        bench.publish()
        _, text = shown(bench, capsys, "--once")
        assert words in text
        assert "is it on?" not in text


@pytest.mark.parametrize(
    "protocol", ["pylontech", "pylontech13", "solark", "goodwe", "sofar", "studer", "byd", "deye"]
)
def test_a_protocol_of_the_family_is_not_doubted_for_zeros(tmp_path, monkeypatch, capsys, protocol) -> None:
    bench = Bench(tmp_path, monkeypatch, protocol=protocol)
    for _ in range(3):
        bench.hear(ALIVE)
    bench.publish(charge_limit_ma=5000)
    _, text = shown(bench, capsys, "--once")
    assert "Inverter heard. It may charge with up to 5.0 A." in text


def test_what_was_heard_once_or_long_ago_raises_no_doubt(bench, capsys) -> None:
    bench.now_ms -= 10_000
    for _ in range(3):
        bench.hear(0x307, bytes.fromhex("1234567856494300"))
    bench.hear(ALIVE)
    bench.cycle()
    bench.now_ms += 10_000
    bench.publish()
    bench.hear(ALIVE)
    bench.hear(0x301, bytes.fromhex("1122334455667788"))
    assert "looks like" not in shown(bench, capsys, "--once")[1]


def test_a_second_battery_is_told_before_the_inverter(bench, capsys) -> None:
    """Two batteries on one bus are a common slip; the inverter then follows whichever spoke last."""
    bench.hear(ALIVE)
    bench.hear(0x355, bytes(4))
    bench.hear(0x351, bytes(8))
    _, text = shown(bench, capsys, "--once")
    assert "Another sender uses our 0x351, 0x355: a second battery on this bus?" in text
    assert "Take one of them off" in text
    assert text.index("Another sender") < text.index("Inverter heard.")
    assert bench.state()["other_senders"] == ["0x351", "0x355"]
    assert "another sender uses our 0x351, 0x355" in bench.state()["detail"]


def test_a_bus_that_is_not_there_is_told_once_with_what_to_do(bench, capsys) -> None:
    cause = "[Errno 2] could not open port /dev/ttyACM0: No such file or directory"
    bench.inverter._publish("error", f"no CAN bus: {cause}", bench.now_ms)
    assert main(["--runtime-dir", str(bench.folder), "can", "--once"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"There is no CAN bus: {cause}. Is the adapter plugged in, and is can.channel its name?" in text
    assert "bmsctl doctor" in text


@pytest.mark.parametrize(
    ("protocol", "limit_ma", "words"),
    [
        ("deye", 999, "Its charge limit is 0 A: the pack allows 999 mA, and less than 1 A is told as none."),
        ("deye", 1000, "It may charge with up to 1.0 A."),
        (
            "pylontech",
            99,
            "Its charge limit is 0 A: the pack allows 99 mA, and less than 0.1 A is told as none.",
        ),
        ("pylontech", 199, "It may charge with up to 0.1 A."),
        ("pylontech", 50_099, "It may charge with up to 50.0 A."),
    ],
)
def test_what_it_may_is_what_the_inverter_is_told(
    tmp_path, monkeypatch, capsys, protocol, limit_ma, words
) -> None:
    bench = Bench(tmp_path, monkeypatch, protocol=protocol)
    bench.publish(charge_limit_ma=limit_ma)
    bench.hear(ALIVE, bytes([1, 2, 3, 4, 5, 6, 0, 0]) if protocol == "deye" else bytes(8))
    _, text = shown(bench, capsys, "--once")
    assert words in text
    told = round(int.from_bytes(bench.sent(0x351)[2:4], "little") / 10, 1)
    assert (f"up to {told} A" if told else "charge limit is 0 A") in text


def test_the_other_buses_are_named_with_the_way_to_see_them(bench, capsys) -> None:
    bench.link.config.buses["can@grid"] = None
    assert "Other buses: bmsctl can --bus grid heard" in shown(bench, capsys, "--once")[1]
    bench.link.config.buses.pop("can@grid")
    assert "Other buses" not in shown(bench, capsys, "--once")[1]


def test_frames_of_a_protocol_that_gave_way_are_not_shown_as_late(tmp_path, monkeypatch, capsys) -> None:
    bench = Bench(tmp_path, monkeypatch, protocol="auto", fallback="pylontech", fallback_after_s=10)
    bench.now_ms -= 60_000
    bench.inverter._chooser.begin_again(bench.now_ms)
    for heard in (False, True):
        for _ in range(20):
            bench.publish()
            if heard:
                bench.hear(0x307, bytes.fromhex("1234567856494300"))
            bench.cycle(1000)
    bench.now_ms += 20_000
    bench.publish()
    _, text = shown(bench, capsys, "--once")
    assert "Victron" in text
    assert "sent 0x35A" in text
    assert "sent 0x35C" not in text
    assert "heard 0x307" in text


def test_a_link_that_is_not_there_is_told_whole_on_the_live_screen_too(tmp_path) -> None:
    """A line cut at its end would lose what to do next."""
    told = " ".join(frame(tmp_path, "can@grid", Console()))
    assert "'systemctl status bmsd-link@can@grid' tells more" in told


# --- What is not there ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("--once",), ("--json",), ("--dump",), ("--dump", "--once")])
def test_without_a_link_it_is_unavailable(tmp_path, capsys, words) -> None:
    assert main(["--runtime-dir", str(tmp_path), "can", *words]) == 69
    assert "has written nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("age_ms", "state", "words"), [(6000, "running", "is silent for 6 s"), (0, "off", "has ended (off)")]
)
def test_a_link_that_does_not_live_is_unavailable(tmp_path, capsys, clock, age_ms, state, words) -> None:
    body = {"state": state, "detail": "as told"}
    Publisher(tmp_path).publish("link-can.json", body, monotonic_ms() - age_ms)
    assert main(["--runtime-dir", str(tmp_path), "can", "--once"]) == 69
    assert words in capsys.readouterr().err


def test_a_further_bus_is_named_and_a_pipe_needs_once(tmp_path, capsys) -> None:
    assert main(["--runtime-dir", str(tmp_path), "can", "--bus", "grid", "--once"]) == 69
    assert "can@grid" in capsys.readouterr().err
    assert main(["--runtime-dir", str(tmp_path), "can"]) == 2


# --- The log --------------------------------------------------------------------------------------------------


def logged(folder: Path, capsys, *words: str) -> str:
    assert main(["--runtime-dir", str(folder), "can", "--dump", *words]) == 0
    return capsys.readouterr().out


def test_the_log_is_read_back_by_python_can_and_by_cantools(tmp_path, monkeypatch, capsys) -> None:
    cantools = pytest.importorskip("cantools", reason="cantools is missing: the log was NOT read by another")
    bench = Bench(tmp_path, monkeypatch, protocol="jk")
    bench.publish(min_cell=1, max_cell=2, cell_mv=[3300] * 16, runtime_ms=1000, heater_ma=0)
    bench.hear(0x305, b"\x01\x02")
    bench.hear(0x305, b"", is_remote_frame=True)
    bench.state()
    file = tmp_path / "bus.log"
    logged(tmp_path, capsys, str(file), "--once")
    with can.io.CanutilsLogReader(str(file)) as reader:
        found = list(reader)
    assert sum(not message.is_rx for message in found) == bench.inverter.counters.sent
    assert [bytes(m.data) for m in found if m.is_rx and not m.is_remote_frame] == [b"\x01\x02"]
    assert [m.arbitration_id for m in found if m.is_remote_frame] == [0x305]
    assert {m.channel for m in found} == {"fake"}
    assert all(abs(m.timestamp - time.time()) < 60 for m in found)
    database, values = cantools.database.load_file(DBC / "jk.dbc"), {}
    for message in found:
        if not message.is_rx:
            row = database.get_message_by_frame_id(message.arbitration_id)
            assert row.is_extended_frame == message.is_extended_id
            values |= row.decode(message.data, decode_choices=False)
    assert (values["pack_mv"], values["cell_max_mv"]) == (53_200, 3300)


def test_what_was_lost_before_it_was_read_is_said(bench, capsys) -> None:
    bench.state()
    message = can.Message(arbitration_id=1, is_extended_id=False)
    for _ in range(RECORDS + 500):
        bench.inverter._traffic.note(message, bench.now_ms, sent=False)
    assert main(["--runtime-dir", str(bench.folder), "can", "--dump", "--once"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == RECORDS
    assert f"{RECORDS} frames written, none lost" in said.err, "what was before the dump is not lost"


def test_no_frame_is_lost_at_200_frames_a_second(tmp_path, monkeypatch) -> None:
    """The dump is a real process; the writer does 1000 a second for 3 s, far more than a bus of inverters."""
    bench = Bench(tmp_path, monkeypatch)
    bench.publish()
    bench.state()
    out = tmp_path / "bus.log"
    command = [
        sys.executable,
        "-m",
        "bmsd.cli.main",
        "--runtime-dir",
        str(tmp_path),
        "can",
        "--dump",
        str(out),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    monkeypatch.setattr(shared_files, "time", time)  # the other process reads the machine's clock
    traffic, stop = bench.inverter._traffic, threading.Event()

    def keep_alive() -> None:
        while not stop.wait(0.5):
            bench.now_ms = monotonic_ms()
            bench.state()

    thread = threading.Thread(target=keep_alive)
    thread.start()
    try:
        eventually(lambda: out.stat().st_size, 20)
        for number in range(3000):
            data = number.to_bytes(4, "big")
            message = can.Message(arbitration_id=0x7AA, data=data, is_extended_id=False)
            traffic.note(message, monotonic_ms(), sent=False)
            if number % 10 == 0:
                time.sleep(0.01)
        last = f"7AA#{2999:08X} R"
        eventually(lambda: last in out.read_text(), 20)
    finally:
        stop.set()
        thread.join()
        process.send_signal(2)
        _, errors = last_words(process, 10)
    counted = [line.split()[2] for line in out.read_text().splitlines() if " 7AA#" in line]
    assert counted == [f"7AA#{number:08X}" for number in range(3000)]
    assert "none lost" in errors
    assert process.returncode == 0


def test_a_dump_ends_with_the_link(bench, monkeypatch, capsys) -> None:
    monkeypatch.setattr(time, "sleep", bench.clock.sleep)
    bench.state()
    document = json.loads((bench.folder / "link-can.json").read_text())
    document["at_ms"] = monotonic_ms() - 4500
    (bench.folder / "link-can.json").write_text(json.dumps(document))
    assert main(["--runtime-dir", str(bench.folder), "can", "--dump"]) == 69
    assert "is silent" in capsys.readouterr().err


# --- The files ------------------------------------------------------------------------------------------------


def test_a_flood_of_identifiers_is_bounded_and_counted(tmp_path) -> None:
    traffic = Traffic(tmp_path, "can")
    for number in range(300):
        traffic.note(can.Message(arbitration_id=number, is_extended_id=False), 1000, sent=False)
    traffic.note(can.Message(arbitration_id=0x351, is_extended_id=False), 1000, sent=True)
    traffic.publish(1000, protocol="pylontech")
    told = json.loads((tmp_path / "frames-can.json").read_text())
    assert len(told["frames"]) == MOST_IDS + 1
    assert told["others"] == 300 - MOST_IDS
    assert (tmp_path / "frames-can.json").stat().st_size < 20_000


def test_a_period_is_smoothed_and_the_file_written_as_often_as_the_link_reports(tmp_path) -> None:
    traffic = Traffic(tmp_path, "can")
    for at_ms in (0, 1000, 2000, 3200, 4200):
        traffic.note(can.Message(arbitration_id=1, is_extended_id=False), at_ms, sent=False)
    traffic.publish(4200)
    traffic.note(can.Message(arbitration_id=2, is_extended_id=False), 4200, sent=False)
    traffic.publish(4199 + REPORT_MS)
    told = json.loads((tmp_path / "frames-can.json").read_text())
    assert [frame["id"] for frame in told["frames"]] == [1]
    assert told["frames"][0]["period_ms"] == pytest.approx(1000, abs=60)
    traffic.publish(4200 + REPORT_MS)
    assert len(json.loads((tmp_path / "frames-can.json").read_text())["frames"]) == 2


def test_a_frame_of_more_than_eight_bytes_is_shown_and_not_logged(tmp_path, capsys) -> None:
    traffic = Traffic(tmp_path, "can")
    long = can.Message(arbitration_id=1, is_extended_id=False, is_fd=True, data=bytes(64))
    traffic.note(long, 0, sent=False)
    assert traffic._ring._number == 0
    assert FakeBus().sent == []
