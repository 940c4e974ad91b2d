"""A pack with an inverter that obeys, 10 s late and in coarse steps, in virtual time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from bmsd.config.load import Config
from bmsd.core.limits import Limits
from bmsd.core.state import Outputs
from bmsd.sim.bench import Bench
from bmsd.sim.runner import Virtual
from tests.scenarios.house import Home, config_of, plant_of

LATE_MS = 10_000
"""From a limit that is told to an inverter that follows it; SMA's document gives as much."""
COARSE = {"inverter_step_a": 1, "inverter_step_v": 0.1, "inverter_lag_s": 1}
PERIOD_MS = 1000


def common(config: Config) -> Config:
    """Put one contactor in the place of two."""
    kept = {name: line for name, line in config.outputs.lines.items() if name not in {"charge", "discharge"}}
    outputs = replace(config.outputs, lines={"main": 17, **kept}, feedback={})
    return replace(config, topology="common", outputs=outputs)


@dataclass
class Obedient:
    """What was decided and told, cycle by cycle."""

    home: Home
    topology: str = "split"
    chosen: dict[str, int] = field(default_factory=dict)
    exports: bool = False
    late_ms: int = LATE_MS

    def __post_init__(self) -> None:
        config = config_of(self.home)
        parameters = replace(config.parameters, period_ms=PERIOD_MS, **self.chosen)
        config = replace(config, parameters=parameters)
        self.config = common(config) if self.topology == "common" else config
        plant = replace(plant_of(self.home), common=self.topology == "common")
        self.bench = Bench(self.config, plant, happenings=())
        self.virtual = Virtual(self.config, self.bench)
        self.raised: list[str] = []
        self.now_ms = 0
        self._on_the_way: deque[tuple[int, Limits]] = deque()
        self.set(noise_mv=1, current_offset_ma=0, charger_a=0, **COARSE)
        if self.exports:
            self.bench.request({"fault": "inverter_exports", "on": True})

    def set(self, **values: float) -> None:
        """Set quantities of the bench."""
        self.bench.request({"set": values})

    def cycle(self) -> Outputs:
        """Decide once, and let what was told ten seconds ago arrive."""
        out = self.virtual.cycle(self.now_ms)
        self._on_the_way.append((self.now_ms, out.limits))
        while self._on_the_way and self.now_ms - self._on_the_way[0][0] >= self.late_ms:
            self.bench.tell_inverter(self._on_the_way.popleft()[1])
        self.raised += [e.name for e in out.events if e.kind == "alarm" and e.state == "raised"]
        self.now_ms += PERIOD_MS
        return out

    @property
    def joined(self) -> bool:
        """Tell whether the load is joined to the pack, as it really is."""
        return self.bench.plant.circuit.load_joined

    @property
    def pack_w(self) -> float:
        """Give what really flows into the pack."""
        return self.bench.plant.current_a * self.bench.plant.cells.pack_v
