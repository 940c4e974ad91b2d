"""`--cover`: see in the same run that the tests of core and tables run every line and branch of both.

Only while those tests run, and of them those that are not slow, and no longer than a pack has lived for some minutes:
hours show no further branch, and would take twice as long.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ["bmsd.core", "bmsd.tables"]
TESTS = (
    "tests/core/",
    "tests/tables/",
    "tests/links/test_jk_board.py",
    "tests/links/test_meter.py",
    "tests/links/test_modbus_writes.py",
    "tests/links/test_register_map.py",
    "tests/links/test_sunspec_map.py",
)
LEAST_PERCENT = 100
ENOUGH = 800
"""So many decisions of one pack are measured."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer `--cover`."""
    parser.addoption("--cover", action="store_true", help="demand every line and branch of core and tables")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Cover in the processes that run tests; sum up in the one that was started."""
    if not config.option.cover:
        return
    if "bmsd.core.step" in sys.modules:
        raise pytest.UsageError("--cover has to come before the core is loaded")
    distributed = bool(getattr(config.option, "numprocesses", None))
    if not hasattr(config, "workerinput"):
        _folder().mkdir(parents=True, exist_ok=True)
        for old in _folder().iterdir():
            old.unlink()
        config.pluginmanager.register(Sum())
    if not distributed or hasattr(config, "workerinput"):
        config.pluginmanager.register(Meter())


def _folder() -> Path:
    return ROOT / ".pytest_cache" / "cover"


def _coverage() -> Any:
    import coverage

    file = _folder() / f"data.{os.getpid()}"
    return coverage.Coverage(data_file=file, branch=True, source=SOURCE, config_file=False)


class Meter:
    """Measures while tests are collected, which loads the modules, and while the chosen tests run."""

    running: ClassVar[Meter | None] = None
    """The one that measures now."""

    def __init__(self) -> None:
        self.coverage = _coverage()
        self._start()

    def _start(self) -> None:
        Meter.running = self
        self.coverage.start()

    def stop(self) -> None:
        """Measure no further for now."""
        Meter.running = None
        self.coverage.stop()

    def pytest_collection_finish(self) -> None:
        """Stop: everything is loaded."""
        self.stop()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Measure a chosen test with its fixtures."""
        chosen = item.nodeid.startswith(TESTS) and item.get_closest_marker("slow") is None
        if chosen:
            self._start()
        yield
        if Meter.running:
            self.stop()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Keep what was measured."""
        self.coverage.save()


def decided(times: int) -> None:
    """Take note of how often one pack has decided; when that is enough, its test is measured no further."""
    if times == ENOUGH and Meter.running:
        Meter.running.stop()


class Sum:
    """Puts together what all processes measured; what is missing fails the run."""

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Fail a run that was good but does not reach everything; after the workers have ended."""
        yield
        self.coverage = _coverage()
        self.coverage.combine([str(file) for file in _folder().iterdir()])
        with open(os.devnull, "w") as nowhere:
            percent = self.coverage.report(file=nowhere)
        if percent < LEAST_PERCENT and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show what was reached, and each line that was not."""
        terminalreporter.section(f"coverage of {' and '.join(SOURCE)}: at least {LEAST_PERCENT} % wanted")
        self.coverage.report(file=terminalreporter._tw._file, show_missing=True, skip_covered=True)
