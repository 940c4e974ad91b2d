#!/usr/bin/env python3
"""Measure how fast every protection acts and write docs/reaction-times.md: `./run reaction`.

Nothing here fails because a figure is bad, it is told. A trip that is not the protection's own ends everything.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]
