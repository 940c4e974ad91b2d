"""On the bench: a weld, or an auxiliary contact that is stuck closed, beside a start or a reset of the chip."""

from __future__ import annotations

import pytest

from bmsd.core.alarms import active
from bmsd.core.types import ALL_OFF, AfeState, Request
from bmsd.sim.bench import Bench
from bmsd.sim.plant import PlantSettings
from bmsd.sim.runner import Virtual
from tests.support.changed import replace
from tests.support.configured import loaded, pack_text

OUTPUTS = {
    "split": "charge = 17\ndischarge = 27\nprecharge = 22\ncharge_feedback = 5\ndischarge_feedback = 6\n",
    "common": "main = 17\nprecharge = 22\nmain_feedback = 12\n",
}
STUCK = [("split", "charge"), ("split", "discharge"), ("common", "main")]


class Stuck:
    """A pack on the bench; `programmed` counts how often its chip's protection was off."""

    def __init__(self, folder, topology: str) -> None:
        text = f'[outputs]\n{OUTPUTS[topology]}[switches]\ntopology = "{topology}"\n'
        self.config = loaded(folder, pack_text(text))
        self.bench = Bench(self.config, PlantSettings(common=topology == "common"), happenings=())
        self.programmed = 0
        transfer = self.bench.chip.transfer

        def seen(address: int, out: bytes, read: int) -> bytes:
            self.programmed += out[:2] == b"\x3e\x90"
            return transfer(address, out, read)

        self.bench.chip.transfer = seen
        self.start()

    def start(self) -> None:
        """Start a core, as after the end of another one."""
        before_ms = self.virtual.now_ms if hasattr(self, "virtual") else 0
        self.virtual = Virtual(self.config, self.bench)
        self.virtual.now_ms = before_ms

    def run(self, seconds: float, *requests: Request) -> None:
        for _ in range(round(seconds * 4)):
            out = self.virtual.cycle(self.virtual.now_ms + 250, requests)
            self.bench.tell_inverter(out.limits)
            requests = ()

    @property
    def out(self):
        return self.virtual.control.out

    @property
    def alarms(self) -> set[str]:
        return {alarm.name for alarm, _ in active(self.virtual.control.state.alarms)}

    def is_seen_and_shut(self) -> None:
        """Check that the pack is seen, the inverter is told zero, and nothing is closed or programmed."""
        assert None not in self.out.values.cell_mv
        assert self.out.values.pack_mv.value is not None
        assert replace(self.out.commands, buzzer=False) == ALL_OFF
        assert self.out.limits.charge_ma == self.out.limits.discharge_ma == 0
        assert self.programmed == 0


@pytest.mark.parametrize(("topology", "name"), STUCK)
@pytest.mark.parametrize("fault", ["weld", "feedback_stuck"])
def test_a_start_beside_it_sees_the_pack(tmp_path, topology, name, fault) -> None:
    """S6, S15: the chip still holds its settings, so everything is known and nothing needs to be written."""
    pack = Stuck(tmp_path, topology)
    pack.run(40)
    pack.bench.fault(f"{name}_{fault}", True)
    pack.programmed = 0
    pack.start()
    pack.run(30)
    pack.is_seen_and_shut()
    assert pack.virtual.control.inputs.afe.state is AfeState.READY
    assert f"{name}_contactor_welded" in pack.alarms
    assert "afe_lost" not in pack.alarms
    assert pack.out.values.current_ma is not None


@pytest.mark.parametrize(("topology", "name"), STUCK)
def test_a_reset_of_the_chip_beside_it_leaves_the_cells_known_and_heals_with_the_contact(
    tmp_path, topology, name
) -> None:
    """S15: in service again once the contact moves and somebody has looked at the weld."""
    pack = Stuck(tmp_path, topology)
    pack.run(40)
    pack.bench.fault(f"{name}_feedback_stuck", True)
    pack.programmed = 0
    pack.bench.fault("afe_reset", True)
    pack.run(60)
    pack.is_seen_and_shut()
    assert pack.virtual.control.inputs.afe.state is AfeState.WATCHING
    assert {"afe_not_set", f"{name}_contactor_welded"} <= pack.alarms
    assert not pack.bench.chip.dsg_permit
    pack.bench.fault(f"{name}_feedback_stuck", False)
    pack.run(30)
    assert pack.programmed > 0
    pack.run(1, Request("reset", f"{name}_contactor_welded"))
    pack.run(40)
    assert pack.bench.plant.circuit.load_joined
    assert not pack.alarms


@pytest.mark.parametrize("topology", ["split", "common"])
def test_a_pre_charge_relay_that_welded_is_told_of(tmp_path, topology) -> None:
    """S2: the load side at 53 V with everything off; too little flows for a current to prove it."""
    pack = Stuck(tmp_path, topology)
    pack.run(40)
    pack.bench.fault("precharge_weld", True)
    off = [Request("switch", name, False, "test") for name in ("charge", "discharge")]
    pack.run(1, *off)
    pack.run(590)
    assert not pack.alarms
    pack.run(30)
    assert pack.alarms == {"load_side_live"}
    pack.bench.fault("precharge_weld", False)
    pack.run(60)
    assert not pack.alarms
