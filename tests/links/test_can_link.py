"""The CAN link against buses that misbehave, in one process and without waiting."""

from __future__ import annotations

import errno
from pathlib import Path

import can
import pytest
import serial

from bmsd.inverters.protocols import PROTOCOLS
from bmsd.ipc.shared_files import FRESH_MS
from bmsd.links import can as can_link
from bmsd.links.adapters import BusLostError
from bmsd.links.link import REPORT_MS
from tests.links.can_bench import POINTS, Bench

DBC = Path(__file__).resolve().parents[2] / "docs" / "generated" / "dbc"
ALL = [0x351, 0x355, 0x356, 0x359, 0x35C, 0x35E]
NOTHING_MEASURED = [0x351, 0x359, 0x35C, 0x35E]
ALIVE = can.Message(arbitration_id=0x305, data=bytes(8), is_extended_id=False)


def write_timeout() -> Exception:
    """Give what python-can raises when a serial adapter takes nothing: the reason is only in the cause."""
    error = can.CanOperationError("Could not write to serial device")
    error.__cause__ = serial.SerialTimeoutException("Write timeout")
    return error


@pytest.fixture
def bench(tmp_path, monkeypatch):
    made = Bench(tmp_path, monkeypatch)
    made.publish()
    return made


def test_every_identifier_is_an_11_bit_one(bench) -> None:
    assert bench.cycle() == ALL
    assert not any(message.is_extended_id for message in bench.bus.sent)


def test_frames_go_out_once_a_period_and_not_between(bench) -> None:
    sent = []
    for _ in range(31):
        bench.publish()
        sent.append(bench.cycle())
        bench.now_ms += 100
    assert [n for n, frames in enumerate(sent) if frames] == [0, 10, 20, 30]


def test_a_link_that_was_held_up_does_not_catch_up(bench) -> None:
    bench.cycle()
    bench.now_ms += 10_000
    bench.publish()
    assert bench.cycle() == ALL
    assert bench.cycle(100) == []


def test_limits_go_to_zero_in_the_cycle_that_sees_old_data(bench) -> None:
    """S7: at once, not at the next period."""
    bench.cycle()
    assert bench.cycle(FRESH_MS) == ALL
    assert bench.cycle(1) == NOTHING_MEASURED
    assert bench.sent(0x351)[2:6] == bytes(4)
    assert bench.sent(0x35C) == bytes(2)
    assert bench.sent(0x359)[1] == 0x08


def test_silence_comes_after_the_stated_time_and_ends_with_good_data(bench) -> None:
    """S7: counted from the last good snapshot."""
    bench.cycle()
    assert bench.cycle(29_999) == NOTHING_MEASURED
    assert bench.cycle(1) == []
    assert bench.cycle(100_000) == []
    bench.publish(pack_mv=None)
    assert bench.cycle() == []
    assert bench.state()["detail"].startswith("silent")
    bench.publish()
    assert bench.cycle() == ALL


def test_a_link_that_never_saw_data_falls_silent_from_its_start(tmp_path, monkeypatch) -> None:
    """S7."""
    bench = Bench(tmp_path, monkeypatch, silence_s=5)
    assert bench.cycle() == NOTHING_MEASURED
    assert bench.cycle(4999) == NOTHING_MEASURED
    assert bench.cycle(1) == []
    assert bench.state()["state"] == "waiting"


def test_a_short_silence_time_does_not_silence_present_data(tmp_path, monkeypatch) -> None:
    bench = Bench(tmp_path, monkeypatch, silence_s=1)
    bench.publish()
    assert bench.cycle(FRESH_MS) == ALL
    assert bench.cycle(1) == []


def test_a_silent_link_says_no_goodbye(bench) -> None:
    """S7: silence is meant to run the inverter into its own time-out."""
    bench.cycle(40_000)
    bench.bus.sent.clear()
    bench.inverter.goodbye(bench.bus)
    assert bench.bus.sent == []


def test_the_goodbye_allows_nothing(bench) -> None:
    bench.cycle()
    bench.bus.sent.clear()
    bench.inverter.goodbye(bench.bus)
    assert [m.arbitration_id for m in bench.bus.sent] == NOTHING_MEASURED
    assert bench.sent(0x351)[2:6] == bytes(4)


def charge_mv(bench: Bench) -> int:
    return int.from_bytes(bench.sent(0x351)[:2], "little") * 100


@pytest.mark.parametrize("lost", ["cell_min_mv", "pack_mv", "current_ma"])
@pytest.mark.parametrize("asked_mv", [52_800, 54_100])
def test_a_broken_wire_does_not_raise_the_charge_voltage(bench, lost, asked_mv) -> None:
    """S7: never above what was asked last, whatever the core asks then; nor in the goodbye."""
    bench.publish(charge_limit_mv=asked_mv)
    bench.cycle()
    assert charge_mv(bench) == asked_mv
    bench.publish(**{lost: None})
    bench.cycle()
    assert charge_mv(bench) <= asked_mv
    bench.bus.sent.clear()
    bench.inverter.goodbye(bench.bus)
    assert charge_mv(bench) <= asked_mv


@pytest.mark.parametrize("lost", [True, False], ids=["a wire broken", "no core"])
def test_a_link_that_starts_anew_tells_no_more_than_the_one_before(bench, monkeypatch, lost) -> None:
    """S7: what was told survives the link, for a restart beside lost data."""
    bench.publish(charge_limit_mv=52_800, discharge_limit_mv=47_000)
    bench.cycle()
    bench.state()
    again = Bench(bench.folder, monkeypatch)
    again.now_ms = bench.now_ms + (0 if lost else 5000)
    if lost:
        again.publish(cell_min_mv=None)
    again.cycle()
    assert charge_mv(again) == 52_800
    assert again.sent(0x351)[6:] == (470).to_bytes(2, "little")


@pytest.mark.parametrize("lost", [True, False], ids=["a wire broken", "no core"])
def test_where_nothing_was_asked_yet_the_charge_voltage_is_the_packs_lowest(
    tmp_path, monkeypatch, lost
) -> None:
    """S7: a first start beside a broken wire offers no charge."""
    bench = Bench(tmp_path, monkeypatch)
    if lost:
        bench.publish(cell_max_mv=None)
    bench.cycle()
    assert charge_mv(bench) == 46_400
    bench.publish()
    bench.cycle()
    assert charge_mv(bench) == 55_200


@pytest.mark.parametrize("damage", ["{}", "[1]", '{"told_charge_mv": "x"}', "\xff"])
def test_a_damaged_report_of_the_link_before_is_none(tmp_path, monkeypatch, damage) -> None:
    (tmp_path / "link-can.json").write_text(damage)
    bench = Bench(tmp_path, monkeypatch)
    bench.cycle()
    assert charge_mv(bench) == 46_400


@pytest.mark.fault_class(11, "alone")
@pytest.mark.parametrize(
    "error",
    [
        can.CanOperationError("Failed to transmit", errno.ENOBUFS),
        can.CanOperationError("Transmit buffer full"),
        write_timeout(),
    ],
)
def test_a_full_queue_drops_the_set_and_repeats_nothing(bench, error) -> None:
    """S7: a frame kept for later would be old when it is sent."""
    bench.bus.failure = error
    assert bench.cycle() == []
    bench.bus.failure = None
    assert bench.cycle(100) == []
    assert bench.state()["frames_dropped"] == 6
    bench.publish()
    bench.now_ms += 900
    bench.publish()
    assert bench.cycle() == ALL


@pytest.mark.fault_class(11, "alone")
def test_a_queue_that_stays_full_is_said_once_and_once_when_frames_go_out_again(bench, capfd) -> None:
    """An inverter that is off all night acknowledges nothing."""
    bench.bus.failure = can.CanOperationError("Failed to transmit", errno.ENOBUFS)
    bench.cycle(1000)
    assert capfd.readouterr().err == "", "one dropped set is a busy moment"
    for _ in range(20):
        bench.publish()
        bench.cycle(1000)
    assert "the queue is full" in bench.state()["detail"]
    bench.bus.failure = None
    for _ in range(10):
        bench.publish()
        bench.cycle(1000)
    assert "the queue is full" not in bench.state()["detail"]
    errors = capfd.readouterr().err
    assert errors.count("room for frames to fake lost: the queue is full") == 1
    assert errors.count("room for frames to fake is back") == 1


@pytest.mark.fault_class(11, "alone")
@pytest.mark.parametrize(
    "error",
    [can.CanOperationError("Network is down", errno.ENETDOWN), OSError(errno.ENODEV, "No such device")],
)
def test_a_bus_that_is_gone_is_lost(bench, error) -> None:
    bench.bus.failure = error
    with pytest.raises(BusLostError):
        bench.cycle()


def test_the_inverters_keep_alive_is_seen_and_its_absence_told_once(bench, capfd) -> None:
    assert "not heard yet" in bench.state()["detail"]
    bench.bus.inbox = [ALIVE]
    assert bench.state()["inverter_age_ms"] is not None
    for _ in range(3):
        bench.now_ms += 3000
        bench.publish()
        bench.cycle()
    assert bench.state()["detail"].endswith("inverter silent")
    bench.bus.inbox = [ALIVE]
    bench.cycle()
    bench.cycle()
    errors = capfd.readouterr().err
    assert errors.count("inverter lost") == 1
    assert errors.count("inverter is back") == 1


@pytest.mark.fault_class(10, "alone")
def test_an_inverter_that_is_silent_is_still_told(bench) -> None:
    bench.bus.inbox = [ALIVE]
    bench.cycle()
    bench.now_ms += 60_000
    bench.publish()
    assert bench.cycle() == ALL


@pytest.mark.fault_class(10, "alone")
def test_an_inverter_of_another_protocol_is_not_heard(bench) -> None:
    """S7: its frames, and error frames that carry our number, are no keep-alive."""
    for number, extended in ((0x4200, True), (0x355, False), (0x305, True), (0x18FF, True)):
        bench.bus.inbox.append(can.Message(arbitration_id=number, data=bytes(8), is_extended_id=extended))
    broken = can.Message(arbitration_id=0x305, data=bytes(8), is_extended_id=False, is_error_frame=True)
    bench.bus.inbox.append(broken)
    assert bench.cycle() == ALL
    assert bench.state()["inverter_age_ms"] is None
    assert "not heard yet" in bench.state()["detail"]


@pytest.mark.fault_class(11, "alone")
def test_a_flooded_bus_does_not_keep_the_link_from_its_work(bench) -> None:
    """S9."""
    bench.bus.inbox = [can.Message(arbitration_id=1, is_extended_id=False)] * 10_000
    assert bench.cycle() == ALL
    assert len(bench.bus.inbox) == 10_000 - can_link.MOST_RECEIVED


@pytest.mark.fault_class(11, "alone")
def test_noise_is_counted_and_much_of_it_opens_the_bus_anew(bench) -> None:
    bench.bus.inbox = [ValueError("zz"), IndexError()]
    assert bench.cycle() == ALL
    assert bench.state()["bad_received"] == 2
    bench.bus.inbox = [ValueError("zz")] * 10
    with pytest.raises(BusLostError):
        bench.cycle()


def test_lost_data_is_said_once_and_once_when_back(bench, capfd) -> None:
    for pack_mv in (53_200, None, None, 53_200, 53_200):
        bench.publish(pack_mv=pack_mv)
        bench.cycle(100)
    errors = capfd.readouterr().err
    assert errors.count("core data lost") == 1
    assert errors.count("core data is back") == 1


def test_lost_is_not_said_of_what_never_was_there(bench, capfd) -> None:
    for pack_mv in (None, None, 53_200, 53_200):
        bench.publish(pack_mv=pack_mv)
        bench.cycle(100)
    errors = capfd.readouterr().err
    assert "lost" not in errors
    assert errors.count("core data not there: ") == 1
    assert errors.count("core data is there") == 1
    assert "<" not in errors, "a priority is for systemd only"


def test_an_inverter_behind_python_cans_own_virtual_bus_hears_the_same(bench) -> None:
    with (
        can.Bus("bmsd-test", interface="virtual") as ours,
        can.Bus("bmsd-test", interface="virtual") as inverter,
    ):
        bench.inverter.cycle(ours)
        inverter.send(ALIVE)
        heard = [inverter.recv(1) for _ in ALL]
        bench.inverter.cycle(ours)
    assert [message.arbitration_id for message in heard] == ALL
    assert bytes(heard[3].data) == b"\0\0\0\0\x01PN"
    assert bench.state()["frames_received"] == 1


@pytest.mark.parametrize(("percent", "limit"), [(100, 100_000), (99, 99_000), (60, 60_000), (1, 1000)])
def test_one_of_several_inverters_is_told_its_share(tmp_path, monkeypatch, percent, limit) -> None:
    """S14: a share narrows, and changes nothing else."""
    bench = Bench(tmp_path, monkeypatch, share_percent=percent)
    bench.publish(charge_limit_ma=100_000, discharge_limit_ma=100_000)
    bench.cycle()
    sent = bench.sent(0x351)
    assert [int.from_bytes(sent[at : at + 2], "little") for at in (2, 4)] == [limit // 100] * 2
    assert (sent[:2], sent[6:]) == (bytes.fromhex("2802"), bytes.fromhex("D001"))
    bench.publish(charge_limit_ma=100_000, discharge_limit_ma=None, charge_allowed=False)
    bench.cycle(1000)
    assert bench.sent(0x351)[2:6] == bytes(4)


# --- Other protocols ------------------------------------------------------------------------------------------

CELLS = {"min_cell": 1, "max_cell": 2, "cell_mv": [3300] * 16, "runtime_ms": 1000, "heater_ma": 0}


def times(bench, step_ms: int, steps: int) -> dict[int, list[int]]:
    """Give the times at which each identifier was sent, from the first cycle on."""
    start_ms, found = bench.now_ms, {}
    for _ in range(steps):
        bench.publish(**CELLS)
        for identifier in bench.cycle():
            found.setdefault(identifier, []).append(bench.now_ms - start_ms)
        bench.now_ms += step_ms
    return found


def test_each_frame_has_its_own_period_and_kind(tmp_path, monkeypatch) -> None:
    bench = Bench(tmp_path, monkeypatch, protocol="jk")
    sent = times(bench, 50, 21)
    assert sent[0x2F4] == list(range(0, 1001, 100))
    assert sent[0x5F4] == [0, 500, 1000]
    assert sent[0x18E028F4] == [0, 1000]
    bench.cycle(1000)
    kinds = {message.arbitration_id: message.is_extended_id for message in bench.bus.sent}
    assert not kinds[0x2F4]
    assert kinds[0x18E028F4]


def test_a_set_is_sent_as_often_as_its_protocol_says(tmp_path, monkeypatch) -> None:
    assert times(Bench(tmp_path, monkeypatch, protocol="goodwe"), 50, 9)[0x351] == [0, 100, 200, 300, 400]
    assert times(Bench(tmp_path, monkeypatch, protocol="sma"), 100, 11)[0x351] == [0, 500, 1000]


def test_a_cycle_that_comes_late_does_not_shift_those_after_it(tmp_path, monkeypatch) -> None:
    sent = times(Bench(tmp_path, monkeypatch, protocol="goodwe"), 30, 14)[0x351]
    assert sent == [0, 120, 210, 300]


def test_the_pause_is_no_longer_than_until_the_next_frame(tmp_path, monkeypatch) -> None:
    bench = Bench(tmp_path, monkeypatch, protocol="goodwe")
    bench.publish()
    bench.cycle()
    assert bench.inverter._pause_ms(bench.now_ms + 65) == 35
    assert bench.inverter._pause_ms(bench.now_ms + 99) == can_link.SHORTEST_PAUSE_MS


def test_the_pause_is_no_longer_than_until_the_next_report(tmp_path, monkeypatch) -> None:
    """With nothing to send, and with a next frame that is further away."""
    bench = Bench(tmp_path, monkeypatch)
    assert bench.inverter._pause_ms(bench.now_ms) == REPORT_MS
    bench.publish(pack_mv=None)
    bench.cycle()
    bench.cycle(40_000)
    assert bench.inverter._pause_ms(bench.now_ms) == REPORT_MS, "it is silent by now, and nothing is due"


def test_the_pause_ends_when_the_snapshot_gets_old(tmp_path, monkeypatch) -> None:
    """S7: whether or not anybody gives notice, a core that fell silent is known a millisecond after its time."""
    bench = Bench(tmp_path, monkeypatch)
    bench.publish()
    bench.cycle()
    bench.cycle(1000)
    assert bench.inverter._pause_ms(bench.now_ms) == FRESH_MS + 1 - 1000
    assert bench.cycle(FRESH_MS + 1 - 1000)
    assert bench.sent(0x351)[2:6] == bytes(4)


def test_the_pause_ends_when_what_was_held_back_may_be_told(tmp_path, monkeypatch) -> None:
    """S7: a change that comes too soon after a set waits no longer than the protocol asks."""
    bench = Bench(tmp_path, monkeypatch, protocol="sma")
    bench.publish()
    assert bench.cycle()
    bench.publish(pack_mv=None)
    assert bench.cycle(50) == []
    assert bench.inverter._pause_ms(bench.now_ms) == 150
    assert bench.cycle(150)


def test_sma_hears_of_lost_data_as_soon_as_it_may_be_told_again(tmp_path, monkeypatch) -> None:
    """S7: at once, but two sets are never closer than the 200 ms it asks for."""
    bench = Bench(tmp_path, monkeypatch, protocol="sma")
    bench.publish()
    assert 0x356 in bench.cycle()
    bench.publish(pack_mv=None)
    assert bench.cycle(100) == []
    assert 0x356 not in bench.cycle(100)
    assert bench.sent(0x351)[2:6] == bytes(4)


@pytest.mark.parametrize(
    ("protocol", "identifier", "heard"),
    [("victron", 0x307, True), ("victron", 0x305, True), ("sma", 0x306, True), ("growatt", 0x301, True),
     ("growatt", 0x305, False), ("pylontech", 0x307, False)],
)  # fmt: skip
def test_an_inverter_is_known_by_any_identifier_of_its_protocol(
    tmp_path, monkeypatch, protocol, identifier, heard
) -> None:
    bench = Bench(tmp_path, monkeypatch, protocol=protocol)
    bench.publish()
    bench.bus.inbox = [can.Message(arbitration_id=identifier, data=bytes(8), is_extended_id=False)]
    bench.cycle()
    assert bench.state()["detail"].endswith("inverter heard" if heard else "inverter not heard yet")


def test_a_display_is_not_waited_for(tmp_path, monkeypatch) -> None:
    bench = Bench(tmp_path, monkeypatch, protocol="jk")
    bench.publish()
    bench.cycle()
    assert bench.state()["detail"].endswith("nothing is expected back")


def test_deye_is_told_a_charge_voltage_above_the_packs_own(tmp_path, monkeypatch) -> None:
    """It discharges down to that voltage."""
    bench = Bench(tmp_path, monkeypatch, protocol="deye")
    bench.publish(charge_allowed=False)
    bench.cycle()
    assert bench.sent(0x351)[:2] == (534).to_bytes(2, "little")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_arrives_at_the_other_end_of_the_bus_is_what_the_dbc_file_says(
    tmp_path, monkeypatch, protocol
) -> None:
    """Through python-can's virtual bus, read by cantools."""
    cantools = pytest.importorskip("cantools", reason="cantools is missing: the bus was NOT read by another")
    file = cantools.database.load_file(DBC / f"{protocol}.dbc")
    bench = Bench(tmp_path, monkeypatch, protocol=protocol)
    bench.publish(**CELLS)
    with (
        can.Bus(f"bmsd-{protocol}", interface="virtual") as ours,
        can.Bus(f"bmsd-{protocol}", interface="virtual") as theirs,
    ):
        bench.inverter.cycle(ours)
        heard = list(iter(lambda: theirs.recv(0), None))
    assert len(heard) == bench.inverter.counters.sent > 2
    values: dict = {}
    for message in heard:
        row = file.get_message_by_frame_id(message.arbitration_id)
        assert row.is_extended_frame == message.is_extended_id
        values |= row.decode(message.data, decode_choices=False)
    assert (values["pack_mv"], values["soc_permille"]) == (53_200, 500)
    assert values["current_ma"] == pytest.approx(0)
    if PROTOCOLS[protocol].has_limits:
        limits = ("charge_limit_mv", "charge_limit_ma", "discharge_limit_ma", "discharge_limit_mv")
        assert [values[name] for name in limits if name in values] == [
            POINTS[name] for name in limits if name in values
        ]
        assert values["charge_limit_ma"] == 1000


class Waits:
    """Notes what the link waits for, in the place of its watcher."""

    def __init__(self, bench: Bench, monkeypatch, descriptor: int | None) -> None:
        self.bench, self.asked, self.comes = bench, [], False
        monkeypatch.setattr(bench.inverter, "_notices", self)
        monkeypatch.setattr(can_link, "descriptor_of", lambda bus: descriptor)

    def wait(self, link, pause_ms: int, tick_ms: int, *descriptors: int) -> list[int]:
        assert tick_ms == can_link.TICK_MS
        self.asked.append((pause_ms, descriptors))
        return list(descriptors) if self.comes else []

    def close(self) -> None:
        """Stand in for the real one's end."""

    def after(self, ms: int) -> tuple[int, tuple[int, ...]]:
        """Give what the link would wait for so long after its last cycle."""
        self.bench.inverter._wait(self.bench.bus, self.bench.now_ms + ms)  # type: ignore[arg-type]
        return self.asked.pop()


def test_a_frame_on_a_quiet_bus_wakes_the_link(tmp_path, monkeypatch) -> None:
    bench = Bench(tmp_path, monkeypatch)
    waits = Waits(bench, monkeypatch, 7)
    bench.publish()
    bench.cycle()
    assert waits.after(0) == (1000, (7,))


def test_a_busy_bus_wakes_the_link_ten_times_a_second_at_most(tmp_path, monkeypatch) -> None:
    """Each frame is taken, in steps: neither a flood nor a descriptor that stays readable may cost the processor."""
    bench = Bench(tmp_path, monkeypatch)
    waits = Waits(bench, monkeypatch, 7)
    bench.publish()
    bench.cycle()
    waits.comes = True
    assert waits.after(0) == (1000, (7,))
    assert waits.after(0) == (can_link.TICK_MS, ())
    assert waits.after(60) == (can_link.TICK_MS - 60, ())
    assert waits.after(can_link.TICK_MS) == (900, (7,))


def test_a_bus_that_does_not_tell_when_a_frame_came_is_looked_at_in_steps(tmp_path, monkeypatch) -> None:
    bench = Bench(tmp_path, monkeypatch)
    waits = Waits(bench, monkeypatch, None)
    bench.publish()
    bench.cycle()
    assert waits.after(0) == (can_link.TICK_MS, ())
    assert waits.after(950) == (50, ())
