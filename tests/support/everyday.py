"""The everyday run leaves out what is marked `slow`, and names it; `--all` runs everything.

A run that names files, tests, markers or keywords is not the everyday run: it gets all of what it asked for.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings

from tests.support import effort
from tests.support.page import folder

RESTARTS, EVERYTHING, WHAT = "BMSD_RESTARTS", "everything", "left out"
LEFT_OUT = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer `--all`."""
    parser.addoption("--all", action="store_true", help="everything, also what is slow (hours of pack life)")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Decide how much is run; a worker is told."""
    if hasattr(config, "workerinput"):
        effort.EVERYTHING = config.workerinput[EVERYTHING]
    else:
        config.pluginmanager.register(Workers())
        named = config.args_source is pytest.Config.ArgsSource.ARGS
        option = config.option
        effort.EVERYTHING = bool(option.all or named or option.markexpr or option.keyword)
    if effort.EVERYTHING:
        os.environ.setdefault(RESTARTS, "100")
    else:
        settings.register_profile("everyday", max_examples=effort.examples(settings.default.max_examples))
        settings.load_profile("everyday")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is slow."""
    left = [item for item in items if item.get_closest_marker("slow")]
    if effort.EVERYTHING or not left:
        return
    config.stash[LEFT_OUT] = Counter(folder(item.nodeid) for item in left)
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a worker say what it left out; each of them collects the same tests."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[WHAT] = dict(session.config.stash.get(LEFT_OUT, {}))


class Workers:
    """Tells the workers how much is run, and takes over what they left out, where there are any."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker its orders: it reads the same words, but not where they come from."""
        node.workerinput[EVERYTHING] = effort.EVERYTHING

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Remember what one worker left out; the others left out the same."""
        node.config.stash[LEFT_OUT] = Counter(getattr(node, "workeroutput", {}).get(WHAT, {}))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what was left out, with the commands that run it."""
    left = config.stash.get(LEFT_OUT, Counter())
    if not left:
        return
    terminalreporter.section("left out of the everyday run, because it is slow")
    for name, count in sorted(left.items()):
        terminalreporter.write_line(f"{count:5} of {name:22} ./run test {name} -m slow")
    terminalreporter.write_line(f"{left.total():5} in all{'':19} ./run test --all")
