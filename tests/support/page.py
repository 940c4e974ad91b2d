"""The tables of docs/testing.md: rows by hand, figures by `./run test [--all] --times` and from the log of CI.

python tests/support/page.py LOG    takes the steps of CI from the last line of its log
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

NAME = "docs/testing.md"
PAGE = Path(__file__).resolve().parents[2] / NAME
SHOWS = {
    "tests/afe": "the chip driver against register vectors and the simulated chip",
    "tests/architecture": "layers, documents, package files, style; every safety rule has tests",
    "tests/benchmarks": "the arithmetic behind reaction times and benchmarks",
    "tests/campaign": "random lives of packs, judged by the plant's truth, and the judge itself",
    "tests/cli": "`bmsctl`: what it shows, asks and refuses; setup dialogue, doctor, demo",
    "tests/config": "configuration files: every mistake, thousands of random files, advice that is then accepted",
    "tests/control": "the whole cycle against the simulated chip; the chip's own protection",
    "tests/core": "every decision, at its limit and one step beyond, unknown in every input",
    "tests/daemon": "requests, state file, event log, the guard that is looked after",
    "tests/fault_classes": "each class of faults, alone and as the second of two, on the bench",
    "tests/foreign": "programs that are not ours read and write a real Modbus link",
    "tests/hardware": "I2C, GPIO and service manager against stand-ins",
    "tests/inverters": "frames of each protocol: golden, recorded, worked by hand, DBC",
    "tests/ipc": "shared files, request socket, frame ring, sentences: missing, old, half-written, hostile",
    "tests/links": "CAN, Modbus, JK and journal links: codecs, ports, floods",
    "tests/mutation": "the mutation tool itself; explained changes still exist",
    "tests/properties": "random lives and explored models: no rule is broken in any state",
    "tests/scenarios": "hours of pack life on the bench: shipped scenarios, closed loops, black start",
    "tests/shutdown": "safe-off on real lines",
    "tests/sim": "the bench itself against physics and recordings of real cells",
    "tests/support": "the helpers of the tests that decide what is run",
    "tests/system": "real processes: kills, hangs, floods, restarts, full disk",
    "tests/tables": "the tables themselves: presets, orders, words, locked numbers",
}
_IMAGE = ("`tests/machine/build-image --suite NAME`", "what a test machine runs on; kept")
_MACHINE = ("`tests/machine/run.py --suite NAME`", "the installed package on real kernel interfaces")
STEPS = {
    "apt": ("", "what the test machines are built with"),
    "lint": ("`./run lint`", "style and types"),
    "foreign": ("`tests/foreign/install FOLDER`", "programs that are not ours, for the tests"),
    "tests": ("`./run test --all --cover`", "everything above, and every line and branch of core and tables"),
    "kernel": ("`tests/machine/build-kernel`", "user-mode Linux; kept"),
    "package": ("`tests/package/build DIR`", "the Debian package, built as a plain user"),
    "image-trixie": _IMAGE,
    "image-bookworm": _IMAGE,
    "check": ("`tests/package/check DEB`", "lintian; install, upgrade, remove and purge on both releases"),
    "machine-trixie": _MACHINE,
    "machine-bookworm": _MACHINE,
}


def folder(nodeid: str) -> str:
    """Give the row that a test belongs to."""
    parts = nodeid.partition("::")[0].split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def suite(tests: Mapping[str, int], cpu_s: Mapping[str, float], took_s: float) -> str:
    """Give the table of one run of the tests."""
    rows = [
        f"| `{name}` | {SHOWS.get(name, '')} | {tests[name]:,} | {cpu_s[name]:.0f} |"
        for name in sorted(tests, key=lambda name: -cpu_s[name])
    ]
    whole = f"| **in all** | {took_s:.0f} s on {_processors()} | {sum(tests.values()):,} | {sum(cpu_s.values()):.0f} |"
    head = "| Folder | What it shows | Tests | CPU seconds |\n| --- | --- | ---: | ---: |"
    return "\n".join([head, *rows, whole])


def _processors() -> str:
    return f"{os.cpu_count()} processors, load of {os.getloadavg()[2]:.1f} in the last quarter of an hour"


def steps(log: str) -> str:
    """Give the table of CI from its last line: `== 1234 s: all passed (tests 600 s, lint 30 s)`."""
    found = re.findall(r"^== (\d+) s: all passed \((.*)\)$", log, re.MULTILINE)
    if not found:
        raise SystemExit("page: no line `== N s: all passed (...)`: only a run that passed can be taken")
    total, told = found[-1]
    rows = []
    for name, seconds in re.findall(r"([a-z-]+) (\d+) s", told):
        command, shows = STEPS[name]
        rows.append(f"| {name} | {command} | {shows} | {seconds} |")
    head = "| Step | By hand | What it shows | Seconds, beside the others |\n| --- | --- | --- | ---: |"
    return "\n".join([head, *rows, f"| **in all** | `.ci/run` | | **{total}** |"])


def put(mark: str, table: str) -> None:
    """Write one table between its marks."""
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(f"<!-- {mark} -->") + len(f"<!-- {mark} -->")
    end = text.index("<!-- end -->", start)
    PAGE.write_text(f"{text[:start]}\n{table}\n{text[end:]}", encoding="utf-8")


if __name__ == "__main__":
    put("ci", steps(Path(sys.argv[1]).read_text(encoding="utf-8")))
