"""Try one change: a fresh child process with the changed module, and only the tests that can notice it.

The parent has pytest and Hypothesis loaded and nothing of bmsd, so a child reads the whole package anew; what is
worked out while a module is read is changed as well.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import coverage
import hypothesis
import pytest

from tests.mutation.mutants import CORE, Mutant, mutated

ROOT = CORE.parents[1]
SUITES = ("tests/core", "tests/tables")
PLAIN = (
    "-q",
    "--tb=no",
    "--timeout=0",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-p",
    "no:unraisableexception",
)
MOST_MEMORY = 4 << 30
NOTHING_RAN = (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED)
LONGEST_TEST_S = 20
"""Processor time after which a loop that the change made endless ends; counted as noticed. A busy machine is not."""


class Changed(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Put the changed code in place of one module's file."""

    def __init__(self, mutant: Mutant) -> None:
        self.module = f"bmsd.core.{mutant.module}"
        super().__init__(self.module, str(CORE / f"{mutant.module}.py"))
        self.code = compile(mutated(mutant.module, mutant.number), self.path, "exec")

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Answer for the one module."""
        return importlib.machinery.ModuleSpec(name, self, origin=self.path) if name == self.module else None

    def get_code(self, fullname: str) -> CodeType:
        """Give the changed code."""
        return self.code


class Chosen:
    """A pytest plugin: run these tests in this order, and remember the first that fails."""

    def __init__(self, wanted: Sequence[str]) -> None:
        self.order = {name: n for n, name in enumerate(wanted)}
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Drop what cannot notice the change."""
        items[:] = sorted((i for i in items if i.nodeid in self.order), key=lambda i: self.order[i.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember who noticed."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


class Traced:
    """A pytest plugin: note which test runs which lines of the core, and how long it takes."""

    def __init__(self, meter: coverage.Coverage) -> None:
        self.meter, self.took = meter, dict[str, float]()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Name the test that the next lines belong to."""
        self.meter.switch_context(item.nodeid)
        began = time.process_time()
        try:
            return (yield)
        finally:
            self.took[item.nodeid] = time.process_time() - began


def _too_long(*_: object) -> None:
    raise TimeoutError("a loop without an end")


class Bounded:
    """A pytest plugin: end a test that takes too much of the processor."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Any:
        """Count from here."""
        signal.signal(signal.SIGPROF, _too_long)
        signal.setitimer(signal.ITIMER_PROF, LONGEST_TEST_S)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)


class Loaded:
    """A pytest plugin: with all tests collected, do something else than run them."""

    def __init__(self, work: Callable[[dict[str, pytest.Item]], None]) -> None:
        self.work = work

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Hand over the tests by their names."""
        self.work({item.nodeid: item for item in session.items})
        return True


def child(work: Callable[[], int]) -> int:
    """Start a process that does one thing quietly and leaves its number as exit code."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 3
    try:
        code = work()
    finally:
        os._exit(code)


def prepare() -> None:
    """Be quiet, be bounded, and let Hypothesis repeat itself."""
    os.chdir(ROOT)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    hypothesis.settings.register_profile("mutation", derandomize=True, database=None, deadline=None)
    hypothesis.settings.load_profile("mutation")


def fresh(mutant: Mutant, tests: Sequence[str], noticed_by: Path) -> int:
    """Read all of bmsd anew with the change in it and run the tests until one fails; 0: none did."""
    prepare()
    sys.meta_path.insert(0, Changed(mutant))
    chosen = Chosen(tests)
    files = sorted({name.split("::")[0] for name in tests})
    code = pytest.main([*PLAIN, "-x", *files], plugins=[chosen, Bounded()])
    if code in NOTHING_RAN:
        return 0
    noticed_by.write_text(chosen.failed or f"pytest's exit code {int(code)}", encoding="utf-8")
    return int(code)


def in_place(mutant: Mutant, tests: Sequence[str], noticed_by: Path, items: dict[str, pytest.Item]) -> int:
    """Change a function in the loaded package and run the tests until one fails; 0: none did."""
    exchange(mutant)
    for name in tests:
        chosen = Chosen(())
        manager = items[name].config.pluginmanager
        manager.register(chosen)
        items[name].ihook.pytest_runtest_protocol(item=items[name], nextitem=None)
        manager.unregister(chosen)
        if chosen.failed:
            noticed_by.write_text(chosen.failed, encoding="utf-8")
            return 1
    return 0


def exchange(mutant: Mutant) -> None:
    """Give a function the code that it has with the change."""
    code = compile(mutated(mutant.module, mutant.number), f"{mutant.module}.py", "exec")
    here: Any = sys.modules[f"bmsd.core.{mutant.module}"]
    for name in mutant.function.split("."):
        code = next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == name)
        here = vars(here)[name]
        here = here.fget if isinstance(here, property) else here
        if isinstance(here, FunctionType):
            break
    here.__code__ = code


def load(suites: Sequence[str], work: Callable[[dict[str, pytest.Item]], None]) -> int:
    """Collect all tests, then do the work with them."""
    return int(pytest.main([*PLAIN, *suites], plugins=[Bounded(), Loaded(work)]))


def trace(suites: Sequence[str], into: Path) -> int:
    """Run all tests once; write which of them run which lines, and their times."""
    prepare()
    meter = coverage.Coverage(data_file=None, branch=True, source=[str(CORE)], config_file=False)
    meter.start()
    traced = Traced(meter)
    code = pytest.main([*PLAIN, *suites], plugins=[traced])
    meter.stop()
    data = meter.get_data()
    lines = {
        Path(file).stem: {
            line: [n for n in names if n] for line, names in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }
    into.write_text(json.dumps({"took": traced.took, "lines": lines}), encoding="utf-8")
    return int(code)


def wait(pid: int) -> int:
    """Wait for one child; give its exit code."""
    with contextlib.suppress(ChildProcessError):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return 3
