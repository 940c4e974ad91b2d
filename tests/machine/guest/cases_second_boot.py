"""Second boot: the commissioned machine, with everything that can happen to it."""

from __future__ import annotations

import sys

import cases_around
import cases_can
import cases_core
import cases_front_end
import cases_gpiozero
import cases_links
import cases_package
import cases_topologies
from kit import chosen, run_all

PARTS = {
    "1": (cases_core, cases_front_end, cases_links),
    "2": (cases_around, cases_gpiozero),
    "3": (cases_can, cases_topologies, cases_package),
}
"""The machines have about as much to do as each other; removing the package comes last."""

if __name__ == "__main__":
    part, *words = sys.argv[1:]
    cases = [one for group in PARTS[part] for one in group.CASES]
    sys.exit(run_all(chosen(cases, words), "running.json"))
