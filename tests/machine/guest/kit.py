"""What the cases on the test machine share: asking the host, following the lines, systemd, and the report.

A case is a function with a name, the rules it shows and what is expected. It returns what it saw, in words, with
measured times; a failed check is an AssertionError that says what was seen instead.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import subprocess
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
SHARE = Path("/share")
OUT = SHARE / "out"
LINES = OUT / "lines.log"
KEEP = Path("/sys/module/gpio_sim/parameters/persist")
"""Y: a line keeps its level when its process is gone, as a Raspberry Pi's own kernel has it; N: it falls back to its
pull-down, as upstream and with dtparam=strict_gpiod."""
CONFIG = Path("/etc/bmsd/bmsd.toml")
RUNTIME = Path("/run/bmsd")
OUTPUTS = ("charge", "discharge", "precharge", "heater", "main")
"""Those that may harm; the buzzer sounds when there is something to tell. Of a topology without contactors for
charge and discharge these two are the chip's own FETs."""
SMOKE = "--smoke"
PATIENCE_S = 60.0
"""Nothing here takes this long unless something is wrong; a slow machine is not a failure."""
_numbers = itertools.count(1)


@dataclass(slots=True)
class Row:
    """One line of the report."""

    name: str
    rules: str
    expected: str
    seen: str = ""
    good: bool = False
    seconds: float = 0.0
    trace: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Case:
    """One case: what to run and what it is expected to show."""

    run: Callable[[], str]
    name: str
    rules: str
    expected: str
    vital: bool = False
    """Nothing after it makes sense when it fails."""
    smoke: bool = False
    """One of the few that show the whole: they run on both releases every time."""


def case(
    name: str, rules: str, expected: str, *, vital: bool = False, smoke: bool = False
) -> Callable[[Callable[[], str]], Case]:
    """Turn a function into a case."""

    def make(run: Callable[[], str]) -> Case:
        return Case(run, name, rules, expected, vital, smoke)

    return make


def chosen(cases: Iterable[Case], words: list[str]) -> list[Case]:
    """Pick cases by words in their names, or with `--smoke` those that are marked; say which it leaves out."""
    cases = list(cases)
    if SMOKE not in words:
        return [one for one in cases if not words or any(word in one.name for word in words)]
    for one in cases:
        if not one.smoke:
            print(f"left out       {one.name}", flush=True)
    return [one for one in cases if one.smoke]


def run_all(cases: Iterable[Case], report: str) -> int:
    """Run the cases in order; write the report after each; give 1 when any failed."""
    rows = []
    for one in cases:
        row = Row(one.name, one.rules, one.expected)
        begun = now()
        try:
            row.seen = one.run()
            row.good = True
        except Exception as error:
            row.seen = str(error) or type(error).__name__
            traceback.print_exc()
        row.seconds = round(now() - begun, 1)
        row.trace = [f"{at - begun:.3f} {line} {level}" for at, line, level in changes(begun)]
        rows.append(row)
        print(f"{'good' if row.good else 'BAD '} {row.seconds:6.1f} s  {row.name}: {row.seen}", flush=True)
        (OUT / report).write_text(json.dumps([asdict(row) for row in rows], indent=1))
        if one.vital and not row.good:
            break
    return int(not all(row.good for row in rows))


def now() -> float:
    """Give the clock that the recorder uses."""
    return time.monotonic()


def ask(door: str, **request: Any) -> dict[str, Any]:
    """Ask the host; raise AssertionError when it refuses."""
    name = f"{next(_numbers):05d}-{os.getpid()}"
    draft = SHARE / "ask" / f"{name}.new"
    draft.write_text(json.dumps({"door": door, **request}))
    draft.rename(draft.with_suffix(".json"))
    answer = SHARE / "answer" / f"{name}.json"
    wait(answer.exists, f"the host answers {door}")
    found: dict[str, Any] = json.loads(answer.read_text())
    assert found.pop("ok"), f"host, {door} {request}: {found.get('error')}"
    return found


def sim(**request: Any) -> dict[str, Any]:
    """Move or break the simulated pack, as `bmsctl sim` would."""
    return ask("sim", **request)


def wait(check: Callable[[], T], what: str, seconds: float = PATIENCE_S) -> T:
    """Wait until a check is true; say what did not happen."""
    until = now() + seconds
    while True:
        found = check()
        if found:
            return found
        assert now() < until, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


def recorded(since: float) -> list[tuple[float, str, int]]:
    """Read what the recorder wrote since a moment, without the line that it may be in the middle of."""
    whole = LINES.read_text().rpartition("\n")[0]
    rows = (line.split() for line in whole.splitlines())
    return [(float(at), name, int(level)) for at, name, level in rows if float(at) >= since]


def changes(since: float = 0.0) -> list[tuple[float, str, int]]:
    """Give every change of an output line since a moment; the heartbeat is left out."""
    return [row for row in recorded(since) if row[1] != "heartbeat"]


def levels() -> dict[str, int]:
    """Give the present level of every output line."""
    return dict.fromkeys(OUTPUTS, 0) | {name: level for _, name, level in changes() if name in OUTPUTS}


def all_off() -> bool:
    """Tell whether every output line is low."""
    return not any(levels().values())


def both_on() -> bool:
    """Tell whether both contactors are commanded closed and pre-charge is done."""
    now_on = levels()
    return bool(now_on["charge"] and now_on["discharge"] and not now_on["precharge"])


def off_after(moment: float, seconds: float = PATIENCE_S) -> float:
    """Wait until all lines are off; give how long after the moment the last one went, in ms."""
    wait(all_off, "all output lines are low", seconds)
    went = [at for at, name, level in changes(moment) if name in OUTPUTS and not level]
    return (max(went, default=moment) - moment) * 1000


def never_on(since: float) -> None:
    """Demand that no output line went high since a moment."""
    went = [
        f"{name} at +{at - since:.3f} s" for at, name, level in changes(since) if level and name in OUTPUTS
    ]
    assert not went, f"lines went high: {', '.join(went)}"


def untouched(since: float) -> None:
    """Demand that no output line changed since a moment."""
    went = [f"{name} {level} at +{at - since:.3f} s" for at, name, level in changes(since) if name in OUTPUTS]
    assert not went, f"lines changed: {', '.join(went)}"


def beats(since: float) -> int:
    """Count the changes of the heartbeat line since a moment."""
    return sum(name == "heartbeat" for _, name, _ in recorded(since))


def sh(*words: str, expect: int | None = 0, seconds: float = 120) -> str:
    """Run a command; give what it said; demand its exit code unless None."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)
    said = (done.stdout + done.stderr).strip()
    assert expect is None or done.returncode == expect, f"{' '.join(words)}: exit {done.returncode}: {said}"
    return said


def show(what: str, unit: str = "bmsd.service") -> str:
    """Read one property of a unit."""
    return sh("systemctl", "show", "-P", what, unit)


def pid(unit: str = "bmsd.service") -> int:
    """Give the main process of a unit."""
    return int(show("MainPID", unit))


def status() -> dict[str, Any]:
    """Read `bmsctl status --json`."""
    found: dict[str, Any] = json.loads(sh("bmsctl", "status", "--json"))
    return found


def start() -> None:
    """Start the core if it does not run, and wait until the contactors are closed."""
    sh("systemctl", "reset-failed", "bmsd.service", expect=None)
    sh("systemctl", "start", "bmsd.service")
    wait(both_on, "both contactors close after the start")


def journal(*matches: str, since: float = 0.0) -> list[dict[str, Any]]:
    """Read entries of this boot's journal since a moment."""
    sh("journalctl", "--sync", expect=None)
    text = sh("journalctl", "-b", "-o", "json", "--no-pager", *matches)
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [entry for entry in found if int(entry["__MONOTONIC_TIMESTAMP"]) >= since * 1e6]


def doctor() -> dict[str, dict[str, str]]:
    """Give what `bmsctl doctor` found, by the names of its checks."""
    found = json.loads(sh("bmsctl", "doctor", "--json", expect=None))
    return {check["name"]: check for check in found["checks"]}


def do(step: str) -> list[str]:
    """Carry out the commands that a step of doctor names, as an operator would; give them."""
    found = re.findall(r"sudo (systemctl [a-z-]+(?: [\w@.-]*\w)+)", step)
    assert found, f"no command in: {step}"
    for command in found:
        sh(*command.split())
    return found


@contextlib.contextmanager
def configured(text: str) -> Iterator[None]:
    """Add to the configuration for a time, with bmsd stopped on both ends of it."""
    file = Path("/etc/bmsd/conf.d/yy-case.toml")
    sh("systemctl", "stop", "bmsd.service")
    file.write_text(text)
    try:
        sh("bmsd", "--check-config")
        yield
    finally:
        sh("systemctl", "stop", "bmsd.service")
        file.unlink()
        sh("rm", "-rf", "/etc/systemd/system/bmsd.service.wants")
        sh("systemctl", "daemon-reload")


def link_state(name: str) -> dict[str, Any]:
    """Give what bmsctl status says of a link."""
    found: dict[str, Any] = status()["links"].get(name) or {"state": "none", "detail": ""}
    return found


def linked(name: str) -> None:
    """Wait until a link runs, which after a boot may be later than the contactors close."""
    wait(lambda: link_state(name)["state"] == "running", f"the link {name} runs")


def said(since: float, *matches: str) -> str:
    """Give the messages of entries since a moment as one text."""
    return "\n".join(str(entry.get("MESSAGE", "")) for entry in journal(*matches, since=since))
