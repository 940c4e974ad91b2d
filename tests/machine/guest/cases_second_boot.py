"""Second boot: the commissioned machine, with everything that can happen to it."""

from __future__ import annotations

import sys

import cases_around
import cases_can
import cases_core
import cases_front_end
import cases_links
import cases_package
import cases_topologies
from kit import run_all

if __name__ == "__main__":
    groups = (
        cases_core,
        cases_front_end,
        cases_around,
        cases_links,
        cases_can,
        cases_topologies,
        cases_package,
    )
    chosen = [one for group in groups for one in group.CASES]
    words = sys.argv[1:]
    if words:
        chosen = [one for one in chosen if any(word in one.name for word in words)]
    sys.exit(run_all(chosen, "running.json"))
