"""What the CAN link hears: nonsense and oddities once, requests that are told and not obeyed, errors of the bus."""

from __future__ import annotations

import pytest

from bmsd.inverters.protocols import PROTOCOLS
from bmsd.links import adapters, receiver
from bmsd.links.link import Backoff
from bmsd.links.receiver import ALIVE_MS, MOST_SAID, TWIN_MS
from tests.links.can_bench import Bench

ALL = [0x351, 0x355, 0x356, 0x359, 0x35C, 0x35E]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    made = Bench(tmp_path, monkeypatch)
    made.publish()
    return made


def of(tmp_path, monkeypatch, protocol: str) -> Bench:
    made = Bench(tmp_path, monkeypatch, protocol=protocol)
    made.publish()
    return made


def test_what_a_sunny_island_measures_is_shown_with_our_sign(tmp_path, monkeypatch) -> None:
    bench = of(tmp_path, monkeypatch, "sma")
    bench.hear(0x305, bytes.fromhex("140285FFE600DE03"))
    bench.hear(0x306, bytes.fromhex("64000A0100001702"))
    says = bench.state()["inverter_says"]
    assert says["inverter_mv"] == 53_200
    assert says["inverter_ma"] == 12_300, "its current is negative while charging, ours positive"
    assert (says["inverter_decic"], says["inverter_soc_permille"]) == (230, 990)
    assert (says["inverter_charge_mode"], says["inverter_state"], says["inverter_charge_mv"]) == (
        10,
        1,
        53_500,
    )


def test_a_deyes_clock_and_a_gxs_name_are_shown(tmp_path, monkeypatch) -> None:
    bench = of(tmp_path, monkeypatch, "deye")
    bench.hear(0x305, bytes([59, 58, 23, 31, 12, 26, 0, 0]))
    assert bench.state()["inverter_says"]["clock_hour"] == 23
    bench = of(tmp_path, monkeypatch, "victron")
    bench.hear(0x307, bytes.fromhex("1234567856494300"))
    assert bench.state()["inverter_says"] == {"inverter_maker": "VIC"}


@pytest.mark.parametrize(
    ("protocol", "number", "data"),
    [("pylontech", 0x305, bytes(3)), ("growatt", 0x301, bytes(8)), ("sma", 0x305, bytes.fromhex("FFFF000000000000")),
     ("sma", 0x306, bytes.fromhex("64000A0900001702")), ("deye", 0x305, bytes([60, 0, 0, 0, 0, 0, 0, 0])),
     ("sma", 0x305, bytes.fromhex("14020000E600E903"))],
)  # fmt: skip
def test_nonsense_is_said_once_and_its_content_ignored(
    tmp_path, monkeypatch, capfd, protocol, number, data
) -> None:
    bench = of(tmp_path, monkeypatch, protocol)
    for _ in range(5):
        bench.hear(number, data)
        bench.cycle(100)
    state = bench.state()
    assert state["nonsense_received"] == 5
    assert state["inverter_says"] == {}
    assert capfd.readouterr().err.count("nonsense") == 1


def test_an_inverter_of_nonsense_is_told_all_the_same(bench) -> None:
    bench.hear(0x305, b"\xff" * 3)
    assert bench.cycle() == ALL


def test_a_request_to_shut_the_battery_down_is_told_and_not_obeyed(tmp_path, monkeypatch, capfd) -> None:
    """S14: what is heard changes nothing that is sent."""
    bench = of(tmp_path, monkeypatch, "luxpower")
    bench.cycle()
    before = bench.sent(0x351), bench.sent(0x35C)
    bench.hear(0x300, b"\x01" + bytes(7))
    state = bench.state()
    assert state["inverter_asks"] == ["that the battery be shut down (rapid shutdown)"]
    bench.publish()
    bench.cycle(1000)
    assert (bench.sent(0x351), bench.sent(0x35C)) == before
    bench.hear(0x300, bytes(8))
    assert bench.state()["inverter_asks"] == []
    errors = capfd.readouterr().err
    assert errors.count("asks that the battery be shut down") == 2
    assert errors.count("no longer asks") == 1


def test_a_request_that_flickers_does_not_fill_the_journal(tmp_path, monkeypatch, capfd) -> None:
    bench = of(tmp_path, monkeypatch, "luxpower")
    for n in range(500):
        bench.hear(0x300, bytes([n & 1]) + bytes(7))
        bench.cycle(10)
    assert len(capfd.readouterr().err.splitlines()) <= MOST_SAID + 2


def test_a_second_battery_on_the_bus_is_said_once(bench, capfd) -> None:
    for _ in range(4):
        bench.hear(0x351, bytes(8))
        bench.cycle(1000)
    errors = capfd.readouterr().err
    assert errors.count("another sender uses 0x351") == 1


def test_another_sender_is_told_of_once_however_many_identifiers_it_uses_and_when_it_is_gone(
    tmp_path, monkeypatch, capfd
) -> None:
    """And what else is odd is still said: a second battery does not use up the room for it."""
    bench = of(tmp_path, monkeypatch, "victron")
    numbers = [frame.id for frame in PROTOCOLS["victron"].frames]
    for _ in range(3):
        for number in numbers:
            bench.hear(number, bytes(8))
        bench.publish()
        bench.cycle(1000)
    bench.hear(0x305, bytes(3))
    assert len(bench.state()["other_senders"]) == len(numbers)
    errors = capfd.readouterr().err
    assert errors.count("another sender") == 1
    assert "nonsense" in errors
    bench.now_ms += TWIN_MS
    bench.publish()
    assert bench.state()["other_senders"]
    bench.now_ms += 1001
    bench.publish()
    assert bench.state()["other_senders"] == []
    assert capfd.readouterr().err.count("the other sender of our identifiers is silent") == 1


@pytest.mark.parametrize("kind", [{"is_extended_id": True}, {"is_remote_frame": True}, {"is_fd": True}])
def test_frames_of_another_kind_are_no_life_sign(bench, kind) -> None:
    bench.hear(0x305, b"" if "is_remote_frame" in kind else bytes(8), **kind)
    state = bench.state()
    assert state["inverter_age_ms"] is None
    assert state["nonsense_received"] == 0


def test_the_inverter_is_lost_after_its_time_and_not_before(bench) -> None:
    bench.hear(0x305)
    bench.cycle()
    bench.now_ms += ALIVE_MS
    bench.publish()
    assert bench.state()["detail"].endswith("inverter heard")
    bench.now_ms += 1
    assert bench.state()["detail"].endswith("inverter silent")


# --- Errors of the bus ----------------------------------------------------------------------------------------


@pytest.mark.fault_class(11, "alone")
def test_an_error_that_the_bus_reports_is_told_while_it_is_present(bench) -> None:
    bench.hear(0x20, is_error_frame=True)
    state = bench.state()
    assert "nobody acknowledges our frames" in state["detail"]
    assert (state["error_frames"], state["inverter_age_ms"]) == (1, None)
    bench.now_ms += receiver.ERRORS_MS + 1
    bench.publish()
    assert "acknowledges" not in bench.state()["detail"]


@pytest.mark.fault_class(11, "alone")
def test_bus_off_is_said_once_each_way_however_often_it_comes(bench, capfd) -> None:
    """The kernel starts a controller again after 100 ms; a short circuit throws it off again at once."""
    for _ in range(50):
        bench.hear(0x40, is_error_frame=True)
        bench.cycle(50)
        bench.hear(0x100, is_error_frame=True)
        bench.cycle(50)
        bench.publish()
    errors = capfd.readouterr().err
    assert errors.count("off the bus") == 1
    assert "is back" not in errors
    bench.cycle(receiver.ERRORS_MS + 1)
    bench.cycle(100)
    assert capfd.readouterr().err.count("CAN controller fake is back") == 1


@pytest.mark.fault_class(11, "alone")
def test_a_controller_that_nobody_starts_again_is_not_called_back(bench, capfd) -> None:
    """The kernel starts it only where restart-ms is set; frames then go into nothing without an error."""
    bench.hear(0x40, is_error_frame=True)
    bench.cycle()
    for _ in range(20):
        bench.publish()
        bench.cycle(1000)
    bench.publish()
    assert bench.state()["bus_errors"] == ["the controller stays off the bus: nobody starts it again"]
    assert "is back" not in capfd.readouterr().err
    bench.hear(0x305)
    bench.cycle()
    assert bench.state()["bus_errors"] == []
    assert capfd.readouterr().err.count("CAN controller fake is back") == 1


@pytest.mark.fault_class(11, "alone")
@pytest.mark.parametrize(("interface", "carrier", "is_off"), [
    ("socketcan", "0\n", True), ("socketcan", "1\n", False), ("socketcan", None, False), ("slcan", "0\n", False),
])  # fmt: skip
def test_a_controller_that_was_off_the_bus_before_we_came_is_told(
    bench, capfd, monkeypatch, tmp_path, interface, carrier, is_off
) -> None:
    """It says so only in the moment when it happens, and then takes frames without an error."""
    monkeypatch.setattr(adapters, "INTERFACES", tmp_path)
    (tmp_path / "fake").mkdir()
    if carrier:
        (tmp_path / "fake" / "carrier").write_text(carrier)
    bench.inverter._settings.bus["interface"] = interface
    bench.link.stopping = True
    bench.inverter.serve(bench.bus, Backoff())
    assert capfd.readouterr().err.count("off the bus") == is_off
    told = ["the controller stays off the bus: nobody starts it again"] if is_off else []
    assert bench.state()["bus_errors"] == told
    bench.hear(0x305)
    assert bench.state()["bus_errors"] == []
