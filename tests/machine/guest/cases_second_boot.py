"""Second boot: the commissioned machine, with everything that can happen to it."""

from __future__ import annotations

import sys

import cases_around
import cases_core
import cases_front_end
import cases_package
from kit import run_all

if __name__ == "__main__":
    chosen = [*cases_core.CASES, *cases_front_end.CASES, *cases_around.CASES, *cases_package.CASES]
    words = sys.argv[1:]
    if words:
        chosen = [one for one in chosen if any(word in one.name for word in words)]
    sys.exit(run_all(chosen, "running.json"))
