"""What every test starts from, and a table of the fault classes for a run that chose them: `-m fault_class`."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.clocks import StillClock
from tests.support.patience import Patience

WHEN = ("alone", "second")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it puts into the background so, and every program that the tests start would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ("tests.support.everyday", "tests.support.covering", "tests.support.timing")
# Seconds are no measure of a test on a busy machine, nor is how fast it draws its examples.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if settings.default == settings.get_profile("default"):  # else somebody chose another one
    settings.load_profile("patient")

RESULTS = pytest.StashKey[dict[tuple[int, str], Counter[str]]]()
LOOK_S = 2.0


@pytest.hookimpl(optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool | None:
    """Count the limit of a test as tests/support/patience.py does: a hang is a failure, a busy machine is none.

    The alarm comes when the time is over on an idle machine, and then looks again and again: not earlier, since a
    signal cuts short what a test just writes. When nothing is left, pytest-timeout shows all stacks and ends it.
    """
    if settings.method != "signal" or threading.current_thread() is not threading.main_thread():
        return None
    patience = Patience(settings.timeout)

    def look(_number: int, _frame: object) -> None:
        __tracebackhide__ = True
        if not patience.is_over():
            signal.setitimer(signal.ITIMER_REAL, max(patience.left_s, LOOK_S))
            return
        import pytest_timeout

        pytest_timeout.pytest_timeout_set_timer(item, settings)
        signal.raise_signal(signal.SIGALRM)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout)
    return True


@pytest.hookimpl(optionalhook=True)
def pytest_timeout_cancel_timer() -> bool:
    """Stop looking."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StillClock:
    """Let the clock that decides stand still, in this process."""
    return StillClock(monkeypatch)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal out the tests of processes; let the reports of marked tests carry their rows to where they are counted."""
    for item in items:
        if group := _group_of(item):
            item.add_marker(pytest.mark.xdist_group(group))
        for mark in item.iter_markers("fault_class"):
            item.user_properties.append(("fault_class", mark.args))
    # They wait more than they work: begun first, none of them is waited for at the end.
    items.sort(key=lambda item: item.get_closest_marker("system") is None)


def _group_of(item: pytest.Item) -> str | None:
    """Name the tests that follow each other: those in whose way others would be, and those of one shared core."""
    if item.get_closest_marker("deadline"):
        return "deadlines"
    return item.path.stem if "shared" in getattr(item, "fixturenames", ()) else None


@pytest.hookimpl(hookwrapper=True)
def pytest_report_teststatus(report: Any, config: pytest.Config) -> Any:
    """Count each result where all reports arrive."""
    yield
    if report.when == "call" or report.outcome != "passed":
        word = "expected to fail" if hasattr(report, "wasxfail") else report.outcome
        results = config.stash.setdefault(RESULTS, {})
        for name, value in getattr(report, "user_properties", ()):  # a report of collecting has none
            if name == "fault_class":
                number, when = value
                results.setdefault((number, when), Counter())[word] += 1


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print one line for each class."""
    results = config.stash.get(RESULTS, {})
    if not results or "fault_class" not in config.getoption("markexpr"):
        return
    terminalreporter.section("fault classes")
    for number in sorted({number for number, _ in results}):
        shown = (f"{when}: {_text(results.get((number, when), Counter()))}" for when in WHEN)
        terminalreporter.write_line(f"{number:3}  {'   '.join(f'{text:32}' for text in shown)}")


def _text(counted: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(counted.items())) or "nothing"
