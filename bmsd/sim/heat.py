"""Temperatures of the bench: one lumped block of cells, and the board that carries the switches.

Both follow exact exponentials, so the length of a step does not change where they arrive.
"""

from __future__ import annotations

import math

CELL_J_PER_K_AH = 5700.0 / 280.0
"""A 280 Ah LFP cell of 5.5 kg at 1050 J/kgK; other cells are scaled by capacity."""

REFERENCE_UA_W_PER_K = 1.2
REFERENCE_AH = 16 * 280.0
"""A block of 16 x 280 Ah in 30 mm of XPS loses 1.0 to 1.5 W/K [est]; 0.7 W/K measured on a small box."""

SWITCH_LAG_S = 120.0
SWITCH_K_PER_A2 = 0.002
"""Board of switches: 20 K over ambient at 100 A, settled in a few minutes [est]."""

DIODE_K_PER_A = 1.6
"""0.8 V over a body diode, and 2 K/W from the FETs to the air [est]."""

LOOSE_JOINT_K = 80.0
"""How much hotter the board gets with the fault switch_hot."""


def scaled_ua_w_per_k(cells: int, capacity_ah: float) -> float:
    """Estimate the loss of an insulated block. W/K; losses go with the surface, volume to 2/3."""
    return REFERENCE_UA_W_PER_K * math.pow(cells * capacity_ah / REFERENCE_AH, 2 / 3)


class Heat:
    """Temperature of the pack and of the switch board, in °C."""

    def __init__(self, joule_per_k: float, ua_w_per_k: float, ambient_c: float, start_c: float) -> None:
        self.joule_per_k = joule_per_k
        self._ua_w_per_k = ua_w_per_k
        self.ambient_c = ambient_c
        self.pack_c = start_c
        self.board_c = ambient_c
        self.loose_joint = False
        self._keeps: dict[float, tuple[float, float]] = {}

    @property
    def ua_w_per_k(self) -> float:
        """Give the heat loss to the surroundings; 0 is perfect insulation."""
        return self._ua_w_per_k

    @ua_w_per_k.setter
    def ua_w_per_k(self, ua_w_per_k: float) -> None:
        self._ua_w_per_k = ua_w_per_k
        self._keeps.clear()

    def advance(self, pack_w: float, switch_a: float, dt_s: float, diode_a: float = 0.0) -> None:
        """Let heat flow for a while: pack_w warms the cells, switch_a the board, diode_a a FET's body diode on it."""
        keep_pack, keep_board = self._keeps.get(dt_s) or self._remember(dt_s)
        if self._ua_w_per_k > 0.0:
            settled_c = self.ambient_c + pack_w / self._ua_w_per_k
            self.pack_c = settled_c + (self.pack_c - settled_c) * keep_pack
        else:
            self.pack_c += pack_w * dt_s / self.joule_per_k
        board_c = self.ambient_c + SWITCH_K_PER_A2 * switch_a * switch_a + DIODE_K_PER_A * diode_a
        if self.loose_joint:
            board_c += LOOSE_JOINT_K
        self.board_c = board_c + (self.board_c - board_c) * keep_board

    def _remember(self, dt_s: float) -> tuple[float, float]:
        """Compute and keep what is left of a temperature difference after a step of this length."""
        keeps = (
            math.exp(-dt_s * self.ua_w_per_k / self.joule_per_k),
            math.exp(-dt_s / SWITCH_LAG_S),
        )
        self._keeps[dt_s] = keeps
        return keeps
