"""What the demo does by itself: at what time it moves the bench, and what it says about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmsd.errors import PeerError
from bmsd.ipc.request_socket import ask


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the story: when (seconds from its start), what is said, what is asked of the bench."""

    at_s: float
    text: str
    requests: tuple[Mapping[str, Any], ...] = ()


def _set(**values: float) -> dict[str, Any]:
    return {"do": "sim", "set": values}


def _cell(number: int, **values: float) -> dict[str, Any]:
    return {"do": "sim", "cell": number, "values": values}


COLD = (
    Step(1, "A charger is there and gives 40 A.", (_set(charger_a=40),)),
    Step(6, "A cold night: -12 °C outside, pack at -8 °C. Charge is cut, then heat goes on.",
         (_set(ambient_c=-12, pack_c=-8),)),
    Step(11, "Hours of heating in no time: pack at 3 °C. Not enough, the limit is 5 °C.", (_set(pack_c=3),)),
    Step(14, "Pack at 6 °C: heat goes off, then charging returns.", (_set(ambient_c=15, pack_c=6),)),
)  # fmt: skip
CELL = (
    Step(18, "Cell 7 seems 400 mV too high: charging is cut.", (_cell(7, offset_mv=400),)),
    Step(24, "Cell 7 is well again: charging returns.", (_cell(7, offset_mv=0),)),
)
STORIES = {
    "all": (*COLD, *CELL, Step(28, "That was the story. The bench is yours: 'bmsctl sim list'.")),
    "cold": COLD,
    "cell": tuple(Step(step.at_s - 14, step.text, step.requests) for step in CELL),
    "quiet": (),
}


class Teller:
    """Play a story as time goes by. A slower pace leaves time to read."""

    def __init__(self, runtime_dir: Path, story: tuple[Step, ...], pace: float) -> None:
        self.said = ""
        self._runtime_dir = runtime_dir
        self._left = list(story)
        self._pace = pace

    def tell(self, elapsed_s: float) -> str | None:
        """Take the step that is due, if any, and give what is said about it."""
        if not self._left or elapsed_s < self._left[0].at_s * self._pace:
            return None
        step = self._left.pop(0)
        self.said = step.text
        try:
            for request in step.requests:
                ask(self._runtime_dir, request)
        except PeerError as error:
            self.said = f"{step.text} It did not work: {error}"
        return self.said
