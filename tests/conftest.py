"""What every test starts from, and a table of the fault classes for a run that chose them: `-m fault_class`."""

from __future__ import annotations

import signal
from collections import Counter
from typing import Any

import pytest

WHEN = ("alone", "second")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it puts into the background so, and every program that the tests start would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

RESULTS = pytest.StashKey[dict[tuple[int, str], Counter[str]]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the reports of marked tests carry their rows, also through another process."""
    for item in items:
        for mark in item.iter_markers("fault_class"):
            item.user_properties.append(("fault_class", mark.args))


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
