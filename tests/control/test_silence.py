"""A core that was silent for so long that the chip may have acted: everything off is its first word, then a start."""

from __future__ import annotations

import pytest

from bmsd.afe.silence import WatchedPort
from bmsd.control.controller import LATE_MS, Board, Controller
from bmsd.core.state import begin
from bmsd.daemon import loop
from bmsd.sim.bench import Bench
from bmsd.sim.plant import PlantSettings
from tests.support.configured import loaded, pack_text

ALL_OFF_WORD = b"\x3e\x95"
SWITCHES = {
    "split": "charge = 17\ndischarge = 27\n",
    "common": "main = 17\n",
}
CONTACTS = {
    "split": "charge_feedback = 5\ndischarge_feedback = 6\n",
    "common": "main_feedback = 12\n",
}


class Wire:
    """A port and lines that write down what happens, in one order."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.seen: list[tuple[str, bytes]] = []
        self.stall_at = -1
        self.stall_ms = 0
        self.dead = False
        self.said = 0

    @property
    def wired(self):
        return self.bench.lines.wired

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        self.seen.append(("bus", out))
        if self.dead:
            raise OSError(110, "stuck")
        self.said += 1
        return self.bench.chip.transfer(address, out, read)

    def drive(self, name: str, on: bool) -> None:
        if self.bench.lines.read(name) != on:
            self.seen.append((name, b"on" if on else b"off"))
        self.bench.lines.drive(name, on)

    def read(self, name: str) -> bool:
        return self.bench.lines.read(name)

    def contact(self, name: str):
        return self.bench.lines.contact(name)

    def close(self) -> None:
        self.bench.lines.close()


class Rig:
    """A pack with its permits wired, without auxiliary contacts unless asked for, and with a clock of its own."""

    def __init__(self, folder, topology: str, *, contacts: bool = False, **parameters: float) -> None:
        text = f"[outputs]\n{SWITCHES[topology]}precharge = 22\n"
        text += CONTACTS[topology] if contacts else ""
        text += f'[switches]\ntopology = "{topology}"\n'
        config = loaded(folder, pack_text(text, **parameters))
        self.topology = topology
        self.bench = Bench(config, PlantSettings(common=topology == "common"), happenings=())
        self.wire = Wire(self.bench)
        self.clock_ms = 0
        board = Board(self.wire, self.wire, lambda ms: None, clock_ms=lambda: self.clock_ms)
        self.control = Controller(config, config.parameters, board, begin(0))
        self.now_ms = 0
        self.events: list = []

    def cycle(self, after_ms: int = 250, late_ms: int = 0):
        """Run a cycle that is due after a time, and begins later than that."""
        self.now_ms += after_ms
        self.clock_ms = self.now_ms + late_ms
        self.bench.advance(self.clock_ms)
        out = self.control.cycle(self.now_ms)
        self.now_ms = self.clock_ms
        self.bench.tell_inverter(out.limits)
        self.events += out.events
        return out

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 4)):
            self.cycle()

    @property
    def load_on(self) -> bool:
        return self.bench.lines.read("main" if self.topology == "common" else "discharge")

    @property
    def joined(self) -> bool:
        return self.bench.plant.circuit.load_joined

    @property
    def silences(self) -> int:
        return sum(event.state == "silent" for event in self.events)


def running(folder, topology: str, **more) -> Rig:
    rig = Rig(folder, topology, **more)
    rig.run(25)
    assert rig.joined
    rig.bench.plant.set("load_w", 2000)
    rig.run(5)
    assert rig.bench.plant.circuit.hard_closings == 0
    rig.wire.seen.clear()
    return rig


@pytest.mark.parametrize("contacts", [False, True])
@pytest.mark.parametrize("topology", ["split", "common"])
@pytest.mark.parametrize("is_late", [False, True])
def test_after_a_silence_everything_off_comes_first_then_a_start(
    tmp_path, topology, contacts, is_late
) -> None:
    """S13: also in the first late cycle, which is decided for a time that is long gone."""
    rig = running(tmp_path, topology, contacts=contacts)
    if is_late:
        out = rig.cycle(250, late_ms=5500)
    else:
        out = rig.cycle(5500)
    first_bus = next(n for n, (what, _) in enumerate(rig.wire.seen) if what == "bus")
    assert rig.wire.seen[first_bus][1].startswith(ALL_OFF_WORD)
    assert {what for what, word in rig.wire.seen[:first_bus] if word == b"off"} >= (
        {"main"} if topology == "common" else {"charge", "discharge"}
    )
    assert not any(word == b"on" for what, word in rig.wire.seen if what != "bus")
    assert out.word == "starting"
    assert rig.silences == 1
    assert not rig.load_on
    rig.bench.plant.set("load_w", 0)
    rig.run(5)
    assert not rig.joined  # at rest, and not after the 250 ms in which the permits come back
    rig.run(60)
    assert rig.joined
    assert rig.bench.plant.circuit.hard_closings == 0
    assert rig.bench.plant.circuit.inrush_a < 700
    assert not any(event.kind == "alarm" and event.state == "raised" for event in rig.events)
    assert [event.state for event in rig.events if event.kind == "state"] == ["started", "silent", "started"]


@pytest.mark.parametrize("topology", ["split", "common"])
@pytest.mark.parametrize(("silent_ms", "opens"), [(LATE_MS - 1, False), (LATE_MS, True)])
def test_a_shorter_silence_opens_nothing(tmp_path, topology, silent_ms, opens) -> None:
    """S13: the chip waits for 5 s; at 4 s it is time to forbid, a millisecond sooner it is not."""
    rig = running(tmp_path, topology)
    rig.cycle(silent_ms)
    assert rig.load_on is not opens
    assert rig.silences == opens


@pytest.mark.parametrize("topology", ["split", "common"])
@pytest.mark.parametrize("word", range(1, 7))
def test_a_core_that_stood_still_within_a_cycle_forbids_before_its_next_word(
    tmp_path, topology, word
) -> None:
    """S13: wherever it stood still, nothing is said before everything is off, and nothing closes by what was old."""
    rig = running(tmp_path, topology)
    transfer, said = rig.bench.chip.transfer, []

    def stalls(address: int, out: bytes, read: int) -> bytes:
        answer = transfer(address, out, read)
        said.append(out)
        if len(said) == word:
            rig.clock_ms += 5500
            rig.bench.advance(rig.clock_ms)
            rig.wire.seen.clear()
        return answer

    rig.bench.chip.transfer = stalls
    while len(said) < word:
        rig.cycle()
    rig.now_ms = rig.clock_ms
    rig.bench.chip.transfer = transfer
    rig.cycle()
    bus = [out for what, out in rig.wire.seen if what == "bus"]
    assert bus[0].startswith(ALL_OFF_WORD)
    assert not any(what != "bus" and out == b"on" for what, out in rig.wire.seen)
    assert not rig.load_on
    rig.run(5)
    assert not rig.joined
    assert rig.silences == 1


@pytest.mark.parametrize("topology", ["split", "common"])
def test_a_bus_that_was_dead_for_as_long_is_such_a_silence(tmp_path, topology) -> None:
    """S13: values may be kept for 5 s, and the chip acts after 5 s without a word that it understood."""
    rig = running(tmp_path, topology, value_max_age_s=5, unknown_grace_s=30)
    rig.wire.dead = True
    for _ in range(21):
        rig.cycle()
    assert not rig.load_on
    assert rig.silences == 1
    rig.wire.dead = False
    rig.wire.seen.clear()
    rig.cycle()
    assert next(out for what, out in rig.wire.seen if what == "bus").startswith(ALL_OFF_WORD)
    rig.bench.plant.set("load_w", 0)
    rig.run(60)
    assert rig.joined
    assert rig.silences == 1
    assert rig.bench.plant.circuit.hard_closings == 0


def test_what_was_decided_before_a_silence_closes_nothing_after_it(tmp_path) -> None:
    """S13: the pre-charge was proved before the core stood still; the contactor does not close by that."""
    rig = Rig(tmp_path, "split")
    poll = rig.control._session.cycle

    def stands_still(now_ms: int, is_open: bool):
        report = yield from poll(now_ms, is_open)
        if rig.control.state.commands.precharge and rig.control.state.precharge.relay.changed_ms is not None:
            rig.held += 1
        if rig.held == 14:  # 3.5 s: proved in this cycle
            rig.clock_ms += 5500
            rig.bench.advance(rig.clock_ms)
        return report

    rig.held = 0
    rig.control._session.cycle = stands_still
    while rig.held < 14:
        rig.cycle()
        rig.now_ms = rig.clock_ms
    assert not rig.load_on
    assert not rig.bench.lines.read("precharge")
    rig.cycle()
    assert not rig.load_on
    assert rig.silences == 1


def test_a_first_word_that_is_not_heard_keeps_every_other_one_back() -> None:
    """S13: one try in each cycle, and none of another kind."""
    now, heard, asked = [0], [], []

    class Bus:
        def transfer(self, address: int, out: bytes, read: int) -> bytes:
            heard.append(out)
            return b""

    def first(is_new: bool) -> bool:
        asked.append(is_new)
        return len(asked) > 2

    port = WatchedPort(Bus(), lambda: now[0], 4000, first)
    port.look()
    port.transfer(8, b"a", 0)
    now[0] = 4000
    for _ in range(2):
        port.begin_cycle()
        for _ in range(2):
            with pytest.raises(OSError, match="not heard"):
                port.transfer(8, b"b", 0)
    assert (heard, asked) == ([b"a"], [True, False])
    port.begin_cycle()
    port.transfer(8, b"c", 0)
    assert (heard, asked) == ([b"a", b"c"], [True, False, False])
    now[0] = 7999
    port.transfer(8, b"d", 0)
    assert len(asked) == 3


def test_a_cycle_that_woke_a_period_late_is_decided_for_what_the_time_is(monkeypatch) -> None:
    """S11, S13: rests end by the time that is, not by when a cycle was due."""
    now, decided = [1000], []

    class Control:
        period_ms = 250

    class Core(loop.Daemon):
        def __init__(self) -> None:
            self._stop = False
            self._overruns = 0
            self._controller = Control()
            self.late = iter((0, 1, 249, 250, 5500))

        def _cycle(self, now_ms: int) -> None:
            decided.append(now_ms)

        def _start_pause_ms(self):
            return None

        def _receive(self, due_ms: int) -> None:
            late_ms = next(self.late, None)
            self._stop = late_ms is None
            now[0] = due_ms + (late_ms or 0)

    monkeypatch.setattr(loop, "monotonic_ms", lambda: now[0])
    core = Core()
    core._loop()
    assert decided == [1000, 1250, 1500, 1750, 2250, 8000]
    assert core._overruns == 2
