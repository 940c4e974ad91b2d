"""What dpkg runs starts the core after an installation, stops it before a removal, and else leaves it alone (S5).

The scripts of debian/ run here with a /run of their own and tools that only write down how they were called.
`tests/package/check` runs them with real ones.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

DEBIAN = Path(__file__).resolve().parents[2] / "debian"
TOOLS = ("systemctl", "deb-systemd-invoke", "udevadm", "bmsd")
TOOL = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0") $*" in
    *is-active*) [ "$STATE" = active ] ;;
    *"show -P ActiveState"*) echo "$STATE" ;;
    *--check-config*) exit "$CONFIGURATION" ;;
esac
"""
START, STOP = "deb-systemd-invoke start bmsd.service", "deb-systemd-invoke stop bmsd.service"


class Machine:
    """A /run, a state of the core, and the calls of the tools."""

    def __init__(self, folder: Path) -> None:
        self.run, self.tools, self.calls_file = folder / "run", folder / "tools", folder / "calls"
        (self.run / "systemd" / "system").mkdir(parents=True)
        self.tools.mkdir()
        for name in TOOLS:
            (self.tools / name).write_text(TOOL)
            (self.tools / name).chmod(0o755)
        self.state, self.configuration = "inactive", 0

    def script(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        text = (DEBIAN / f"bmsd.{name}").read_text().replace("/run/", f"{self.run}/")
        assert "purge" not in words, "this would touch the machine that tests"
        environment = {
            "PATH": f"{self.tools}:{os.environ['PATH']}",
            "CALLS": str(self.calls_file),
            "STATE": self.state,
            "CONFIGURATION": str(self.configuration),
        }
        return subprocess.run(["sh", "-s", "--", *words], input=text, env=environment, capture_output=True,
                              text=True, check=False)  # fmt: skip

    def good(self, name: str, *words: str) -> str:
        done = self.script(name, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []

    def moved(self) -> list[str]:
        """Give the calls that start or stop something."""
        return [call for call in self.calls() if {"start", "stop", "restart"} & set(call.split())]

    def leftovers(self) -> list[str]:
        return [path.name for path in self.run.iterdir() if path.name != "systemd"]


@pytest.fixture
def machine(tmp_path) -> Machine:
    return Machine(tmp_path)


def test_an_installation_starts_the_core_once(machine) -> None:
    machine.good("preinst", "install")
    machine.good("postinst", "configure", "")
    assert machine.moved() == [START]
    assert machine.leftovers() == []


@pytest.mark.parametrize("state", ["active", "inactive", "failed"])
def test_an_upgrade_starts_and_stops_nothing(machine, state) -> None:
    machine.state = state
    machine.good("prerm", "upgrade", "0.2.0")
    machine.good("preinst", "upgrade", "0.1.0", "0.2.0")
    told = machine.good("postinst", "configure", "0.1.0")
    assert machine.moved() == []
    assert machine.leftovers() == []
    assert ("bmsd runs on" in told) is (state == "active")
    assert "refuses" not in told


def test_an_upgrade_tells_that_the_new_version_refuses_the_configuration(machine) -> None:
    machine.state, machine.configuration = "active", 78
    machine.good("preinst", "upgrade", "0.1.0", "0.2.0")
    assert "the new version refuses it" in machine.good("postinst", "configure", "0.1.0")
    assert machine.moved() == []


@pytest.mark.parametrize(
    "words",
    [
        ("configure", "0.1.0"),
        ("abort-upgrade", "0.2.0"),
        ("abort-remove",),
        ("abort-deconfigure", "in-favour", "other", "1"),
        ("triggered", "something"),
    ],
)
def test_nothing_but_an_installation_starts_a_stopped_core(machine, words) -> None:
    """A package configured again, or an upgrade or removal that broke off: somebody may have a hand on the pack."""
    machine.good("postinst", *words)
    assert machine.moved() == []


def test_an_installation_that_broke_off_does_not_start_the_core_in_a_later_upgrade(machine) -> None:
    machine.good("preinst", "install")
    machine.good("preinst", "upgrade", "0.1.0", "0.2.0")
    machine.good("postinst", "configure", "0.1.0")
    assert machine.moved() == []


def test_an_installation_that_was_taken_back_leaves_no_word(machine) -> None:
    machine.good("preinst", "install")
    machine.good("postrm", "abort-install")
    assert machine.leftovers() == []


@pytest.mark.parametrize("state", ["inactive", "failed"])
def test_a_removal_stops_the_core(machine, state) -> None:
    """S5: also one that waits for its next start."""
    machine.state = state
    machine.good("prerm", "remove")
    assert [call[: len(STOP)] for call in machine.moved()] == [STOP]


@pytest.mark.parametrize("state", ["active", "activating", "deactivating", "reloading", ""])
def test_a_core_that_did_not_stop_is_not_removed(machine, state) -> None:
    """S5: a core without its files must not go on holding contactors."""
    machine.state = state
    done = machine.script("prerm", "remove")
    assert done.returncode == 1
    assert "systemctl stop bmsd" in done.stderr
