"""`--times`: write into docs/testing.md what was run, what it shows and what it took."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import effort, page

CPU_S = "cpu_s"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer `--times`."""
    parser.addoption("--times", action="store_true", help=f"write into {page.NAME} what this run took")


def pytest_configure(config: pytest.Config) -> None:
    """Measure where tests run; add up where all reports arrive."""
    if config.option.times:
        config.pluginmanager.register(Clock())
        if not hasattr(config, "workerinput"):
            config.pluginmanager.register(Book())


def _cpu_s() -> float:
    """Give the processor time of this process and of the programs that it has waited for."""
    return sum(os.times()[:4])


class Clock:
    """Lets each report carry the processor time of its phase."""

    def __init__(self) -> None:
        self.last_s = _cpu_s()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        """Add the time since the report before."""
        outcome: Any = yield
        before_s, self.last_s = self.last_s, _cpu_s()
        outcome.get_result().user_properties.append((CPU_S, self.last_s - before_s))


class Book:
    """Adds up by folder, and writes the page after a good run."""

    def __init__(self) -> None:
        self.tests, self.cpu_s, self.began = Counter[str](), Counter[str](), time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one phase of one test."""
        folder = page.folder(report.nodeid)
        self.tests[folder] += report.when == "setup"
        self.cpu_s[folder] += sum(value for name, value in report.user_properties if name == CPU_S)

    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        """Write the table of this kind of run."""
        if exitstatus == pytest.ExitCode.OK:
            took_s = time.monotonic() - self.began
            page.put(
                "everything" if effort.EVERYTHING else "everyday", page.suite(self.tests, self.cpu_s, took_s)
            )
            terminalreporter.write_line(f"written: {page.NAME}")
