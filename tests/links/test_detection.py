"""Protocol "auto": nothing is sent before something is recognised, and what was taken is said with its reason."""

from __future__ import annotations

import pytest

from bmsd.inverters.protocols import PROTOCOLS
from bmsd.inverters.recognise import WINDOW_MS
from bmsd.links.can import DEAF_MS
from bmsd.links.detection import MOST_SAMPLES, MOST_VERDICTS
from tests.links.can_bench import Bench

GX = {0x305: bytes(8), 0x307: bytes.fromhex("1234567856494300")}
GROWATT = {0x301: bytes.fromhex("1122334455667788")}
PLAIN = {0x305: bytes(8)}
DEYE = {0x305: bytes([10, 20, 12, 21, 11, 26, 0, 0])}


def auto(tmp_path, monkeypatch, **settings) -> Bench:
    made = Bench(tmp_path, monkeypatch, protocol="auto", **settings)
    made.publish()
    return made


def listen(bench: Bench, frames: dict[int, bytes], seconds: int = 4) -> list[int]:
    """Let an inverter say its frames once a second; give what was sent in the meantime."""
    sent = []
    for _ in range(seconds):
        for number, data in frames.items():
            bench.hear(number, data)
        bench.publish()
        sent += bench.cycle()
        bench.now_ms += 1000
    bench.publish()
    return sent + bench.cycle()


def test_nothing_is_sent_before_something_is_heard(tmp_path, monkeypatch) -> None:
    bench = auto(tmp_path, monkeypatch)
    assert listen(bench, {}, 60) == []
    state = bench.state()
    assert (state["state"], state["protocol"]) == ("waiting", "auto")
    assert "nothing is heard" in state["detail"]
    assert "500000 bit/s" in state["detail"]
    bench.inverter.goodbye(bench.bus)  # type: ignore[arg-type]
    assert bench.bus.sent == []


@pytest.mark.parametrize(
    ("frames", "protocol"), [(GX, "victron"), (GROWATT, "growatt"), (PLAIN, "pylontech"), (DEYE, "deye")]
)
def test_an_inverter_is_recognised_told_and_the_reason_said_once(
    tmp_path, monkeypatch, capfd, frames, protocol
) -> None:
    bench = auto(tmp_path, monkeypatch)
    sent = listen(bench, frames, 10)
    first = PROTOCOLS[protocol].frames[0].id
    assert sent[0] == first
    state = bench.state()
    assert state["protocol"] == protocol
    assert "recognised" in state["detail"]
    assert "inverter heard" in state["detail"]
    errors = capfd.readouterr().err
    assert errors.count("protocol auto: heard") == 1
    assert f'"{protocol}"' in errors


def test_nothing_is_decided_before_the_end_of_a_window(tmp_path, monkeypatch) -> None:
    bench = auto(tmp_path, monkeypatch)
    for after_ms in (0, 1000, 1000, WINDOW_MS - 2001):
        for number, data in GX.items():
            bench.hear(number, data)
        assert bench.cycle(after_ms) == []
    assert bench.state()["protocol"] == "auto"
    bench.cycle(1)
    assert bench.state()["protocol"] == "victron"


def test_two_inverters_are_ambiguous_and_nothing_is_sent(tmp_path, monkeypatch, capfd) -> None:
    bench = auto(tmp_path, monkeypatch)
    assert listen(bench, GX | GROWATT, 20) == []
    assert "ambiguous" in bench.state()["detail"]
    assert capfd.readouterr().err.count("ambiguous") == 1


@pytest.mark.parametrize("measured", ["140201010203", "1402050C0C0B"])
def test_a_gx_that_tells_more_in_0x305_is_still_a_gx(tmp_path, monkeypatch, measured) -> None:
    """Recent firmware puts measurements there, which can look like another's clock."""
    bench = auto(tmp_path, monkeypatch)
    listen(bench, GX | {0x305: bytes.fromhex(measured) + bytes(2)}, 10)
    assert bench.state()["protocol"] == "victron"


def test_a_battery_that_is_heard_while_listening_is_called_one(tmp_path, monkeypatch) -> None:
    bench = auto(tmp_path, monkeypatch)
    assert listen(bench, {0x351: bytes(8), 0x355: bytes(4)}) == []
    assert "no known inverter, but another battery (0x351)" in bench.state()["detail"]


def test_a_protocol_that_is_not_spoken_is_named(tmp_path, monkeypatch) -> None:
    bench = auto(tmp_path, monkeypatch)
    assert listen(bench, {0x605: bytes(8)}) == []
    assert "set it to Pylontech" in bench.state()["detail"]
    bench = auto(tmp_path, monkeypatch)
    assert listen(bench, {0x4200: bytes(8)}) == []  # 11 bits cannot hold it: a 29-bit poll
    assert "Pylontech high-voltage" in bench.state()["detail"]


def test_what_was_recognised_stays_whatever_is_heard_later(tmp_path, monkeypatch, capfd) -> None:
    bench = auto(tmp_path, monkeypatch)
    listen(bench, GX)
    sent = listen(bench, GROWATT, 20)
    assert bench.state()["protocol"] == "victron"
    assert 0x351 in sent
    assert 0x311 not in sent
    errors = capfd.readouterr().err
    assert errors.count("restart this link to choose again") == 1


def test_silence_takes_the_fallback_after_its_time_only_if_one_is_named(tmp_path, monkeypatch, capfd) -> None:
    bench = auto(tmp_path, monkeypatch, fallback="pylontech", fallback_after_s=30.0)
    assert listen(bench, {}, 28) == []
    assert 0x351 in listen(bench, {}, 6)
    assert bench.state()["protocol"] == "pylontech"
    assert "fallback" in bench.state()["detail"]
    assert capfd.readouterr().err.count("can.fallback") == 1


def test_the_time_without_a_bus_does_not_count_as_listening(tmp_path, monkeypatch) -> None:
    """An adapter that comes late: first it is listened to, then the fallback is taken."""
    bench = auto(tmp_path, monkeypatch, fallback="pylontech", fallback_after_s=30.0)
    listen(bench, {}, 2)
    bench.hear(0x305)
    bench.cycle()
    bench.now_ms += 100_000
    bench.inverter.bus_lost("gone", 0)
    assert listen(bench, {}, 28) == []
    assert 0x351 in listen(bench, {}, 6)


def test_a_lost_bus_does_not_unlearn_what_was_recognised(tmp_path, monkeypatch) -> None:
    bench = auto(tmp_path, monkeypatch)
    listen(bench, GX)
    bench.inverter.bus_lost("gone", 0)
    bench.publish()
    assert 0x373 in bench.cycle(1000)


def test_a_fallback_gives_way_to_an_inverter_that_wakes_up_late_and_says_so(
    tmp_path, monkeypatch, capfd
) -> None:
    """A house that is dark: the inverter starts long after us."""
    bench = auto(tmp_path, monkeypatch, fallback="pylontech", fallback_after_s=30.0)
    listen(bench, {}, 40)
    capfd.readouterr()
    sent = listen(bench, GX, 8)
    assert 0x373 in sent or 0x35A in sent
    assert bench.state()["protocol"] == "victron"
    errors = capfd.readouterr().err
    assert "instead of Pylontech low voltage 1.2" in errors
    assert errors.count("protocol auto") == 1


def test_a_fallback_that_turns_out_right_stays(tmp_path, monkeypatch) -> None:
    bench = auto(tmp_path, monkeypatch, fallback="pylontech", fallback_after_s=30.0)
    listen(bench, {}, 40)
    listen(bench, PLAIN, 8)
    assert bench.state()["protocol"] == "pylontech"
    assert "(recognised)" in bench.state()["detail"]


def test_a_flood_while_listening_costs_neither_memory_nor_the_journal(tmp_path, monkeypatch, capfd) -> None:
    bench = auto(tmp_path, monkeypatch)
    for second in range(60):
        for number in range(300):
            bench.hear((7 * number + second) % 0x800, bytes([second]))
        for _ in range(10):
            bench.cycle(100)
    for _ in range(2 * MOST_SAMPLES):
        bench.inverter._chooser.hear(0x305, False, bytes(8))
    assert len(bench.inverter._chooser._samples) == MOST_SAMPLES
    assert len(capfd.readouterr().err.splitlines()) <= MOST_VERDICTS + 2


def test_an_adapter_that_stays_deaf_while_we_listen_is_opened_anew(tmp_path, monkeypatch) -> None:
    """One that lost its server shows it only when something is sent; listening sends nothing."""
    bench = auto(tmp_path, monkeypatch)
    began = bench.now_ms
    assert not bench.inverter._is_deaf(began + DEAF_MS - 1, began)
    assert bench.inverter._is_deaf(began + DEAF_MS, began)
    bench.hear(0x123)
    bench.cycle(1000)
    assert not bench.inverter._is_deaf(began + DEAF_MS, began)
    other = Bench(tmp_path, monkeypatch)
    assert not other.inverter._is_deaf(other.now_ms + 10 * DEAF_MS, other.now_ms)


def test_the_batterys_name_is_told_in_the_protocol_that_was_taken(tmp_path, monkeypatch) -> None:
    bench = auto(tmp_path, monkeypatch, battery_name="SHEnergy")
    listen(bench, GX)
    bench.publish()
    bench.cycle(1000)
    assert bench.sent(0x35E) == b"SHEnergy"
