"""`./run`, the first thing anyone meets: what it says, what it does, and that it never waits.

Nothing here installs anything: the commands that would are recorded instead.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections import namedtuple
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "run"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Load the script as a module that works in an empty clone."""
    loader = SourceFileLoader("bmsd_run", str(SCRIPT))
    spec = importlib.util.spec_from_loader("bmsd_run", loader)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PREVIOUS", tmp_path / ".venv.previous")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(module, "STATE", tmp_path / ".venv/bmsd-setup.json")
    return module


@pytest.fixture
def attempts(run, monkeypatch):
    """Record commands in place of running them; `fail` names words that make one fail."""
    recorded = namedtuple("Recorded", "commands fail")([], set())

    def attempt(command, *, first_of_two=False):
        recorded.commands.append(command)
        if command[1:3] == ["-m", "venv"]:
            run.PYTHON.parent.mkdir(parents=True)
            run.PYTHON.symlink_to(sys.executable)
        return not recorded.fail & set(command)

    monkeypatch.setattr(run, "attempt", attempt)
    monkeypatch.setattr(run, "has_ensurepip", lambda: True)
    return recorded


def without_root(run, monkeypatch):
    monkeypatch.setattr(run.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(run.shutil, "which", lambda tool: "" if tool == "sudo" else f"/bin/{tool}")


def test_help_names_every_command():
    nobody = subprocess.DEVNULL
    done = subprocess.run([SCRIPT, "--help"], stdin=nobody, capture_output=True, text=True)
    assert done.returncode == 0
    for command in ("demo", "test", "lint", "cover", "bench", "reaction", "mutate", "docs", "clean"):
        assert re.search(rf"^ +{command} ", done.stdout, re.MULTILINE)


def test_a_wrong_command_is_wrong_usage():
    assert subprocess.run([SCRIPT, "fly"], capture_output=True).returncode == 2


def test_an_old_python_can_read_it():
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 7))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {a.name for node in top if isinstance(node, ast.Import) for a in node.names}
    names |= {node.module for node in top if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
    assert "tomllib" not in names  # only from 3.11 on


def test_an_old_python_is_told_what_to_do(run, monkeypatch):
    monkeypatch.setattr(run.sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(run.shutil, "which", lambda tool: tool == "python3.12")
    with pytest.raises(SystemExit, match=r"3\.11 or newer.*`python3\.12 run`"):
        run.main()


def test_a_first_run_sets_up_and_a_second_has_nothing_to_do(run, attempts, capsys):
    run.set_up(("dev",))
    assert len(attempts.commands) == 4  # environment, base, bmsd itself, extra
    assert "ruff" in capsys.readouterr().out
    attempts.commands.clear()
    run.set_up(("dev",))
    assert attempts.commands == []
    assert capsys.readouterr().out == "run: everything is there\n"


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_what_decides_the_environment_makes_it_anew(run, attempts, name):
    run.set_up(("dev",))
    attempts.commands.clear()
    file = run.ROOT / name
    file.write_text(file.read_text().replace("smbus2", "smbus3"))
    run.set_up(())
    assert len(attempts.commands) == 4  # what was there before is there again
    assert run.read_state()["have"] == ["dev"]


def test_a_lint_setting_changes_no_environment(run, attempts):
    run.set_up(())
    attempts.commands.clear()
    with (run.ROOT / "pyproject.toml").open("a") as file:
        file.write("[tool.other]\nline-length = 7\n")
    run.set_up(())
    assert attempts.commands == []


def test_a_half_made_environment_is_made_anew(run, attempts, capsys):
    run.set_up(())
    run.STATE.unlink()  # written last: its absence is what an interruption leaves
    (run.VENV / "leftover").touch()
    run.set_up(())
    assert "not finished" in capsys.readouterr().out
    assert not (run.VENV / "leftover").exists()


def test_without_a_network_a_changed_clone_goes_on_with_what_it_has(run, attempts, capsys):
    run.set_up(("dev",))
    (run.ROOT / "constraints.txt").write_text("")
    attempts.fail.add("install")
    run.set_up(("dev",))
    assert "Going on with the .venv of before" in capsys.readouterr().out
    assert run.read_state()["have"] == ["dev"]


def test_without_a_network_a_first_run_stops_and_says_so(run, attempts):
    attempts.fail.add("install")
    with pytest.raises(SystemExit, match="with a network, run it again"):
        run.set_up(())


def test_optional_failures_are_told_once_and_not_tried_again(run, attempts, capsys):
    run.set_up(())
    attempts.fail.add("matplotlib >= 3.6")
    run.set_up(("plot",))
    assert "GOING ON WITHOUT plot" in capsys.readouterr().out
    attempts.commands.clear()
    run.set_up(("plot",))
    assert attempts.commands == []
    assert "still without plot" in capsys.readouterr().out


def test_a_required_failure_stops(run, attempts):
    run.set_up(())
    attempts.fail.add("install")
    with pytest.raises(SystemExit, match="cannot check style"):
        run.set_up(("dev",))


def test_an_environment_of_another_user_is_named_as_such(run, attempts, monkeypatch):
    run.set_up(())
    attempts.commands.clear()
    monkeypatch.setattr(run.os, "access", lambda _, mode: mode != run.os.W_OK)
    run.set_up(())  # it may be used ...
    with pytest.raises(SystemExit, match="another user"):
        run.set_up(("dev",))  # ... but not added to
    assert attempts.commands == []


def test_apt_says_what_and_why_and_updates_only_when_needed(run, attempts, monkeypatch, capsys):
    monkeypatch.setattr(run.os, "geteuid", lambda: 0)
    monkeypatch.setattr(run.shutil, "which", lambda tool: f"/bin/{tool}")
    assert run.apt_install([run.APT_MBPOLL])
    assert "mbpoll (a Modbus master that is not ours" in capsys.readouterr().out
    [only] = attempts.commands
    assert only[:3] == ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    assert "update" not in only
    attempts.fail.add("install")
    assert not run.apt_install([run.APT_MBPOLL])
    assert ["update" in command for command in attempts.commands[1:]] == [False, True, False]


def test_without_root_the_exact_line_is_printed(run, attempts, monkeypatch, capsys):
    without_root(run, monkeypatch)
    assert not run.apt_install(list(run.APT_JOURNAL))
    line = "apt-get install --no-install-recommends gcc pkg-config libsystemd-dev python3-dev"
    assert line in capsys.readouterr().out
    assert attempts.commands == []


def test_a_user_without_root_is_stopped_only_by_what_is_required(run, attempts, monkeypatch):
    without_root(run, monkeypatch)
    monkeypatch.setitem(
        run.NEEDS, "mbpoll", run.NEEDS["mbpoll"]._replace(apt=(run.Apt("a", "b", lambda: False),))
    )
    run.set_up(("mbpoll",))
    assert run.read_state()["without"] == {"mbpoll": ["a"]}
    run.VENV.rename(run.ROOT / "gone")
    monkeypatch.setattr(run, "has_ensurepip", lambda: False)
    with pytest.raises(SystemExit, match="python3-venv"):
        run.set_up(())


def test_sudo_never_asks_where_nobody_is(run, monkeypatch):
    monkeypatch.setattr(run.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(run.shutil, "which", lambda tool: f"/bin/{tool}")
    refused = subprocess.CompletedProcess([], 1)
    monkeypatch.setattr(run.subprocess, "run", lambda *_, **__: refused)
    monkeypatch.setattr(run.sys.stdin, "isatty", lambda: False, raising=False)
    assert run.as_root() is None
    monkeypatch.setattr(run.sys.stdin, "isatty", lambda: True, raising=False)
    assert run.as_root() == ["sudo"]


def test_a_failing_command_shows_its_last_lines(run, capfd):
    assert run.attempt([sys.executable, "-c", "pass"])
    assert capfd.readouterr().out == ""
    assert not run.attempt([sys.executable, "-c", "print('why'); raise SystemExit(3)"])
    assert "    | why" in capfd.readouterr().out


def test_every_extra_is_used_and_every_name_is_pinned(run):
    extras = PROJECT["project"]["optional-dependencies"]
    assert set(extras) == {need.extra for need in run.NEEDS.values() if need.extra}
    wanted = [*run.requirements(), *(item for extra in extras for item in run.requirements(extra))]
    pinned = set(re.findall(r"^([\w.-]+)==", CONSTRAINTS, re.MULTILINE))
    assert {item.split()[0] for item in wanted} <= pinned


def test_the_constraints_hold_names_and_versions_only():
    row = re.compile(r"[\w.-]+==[\w.]+( ; python_version (<|>=) \"3\.\d+\")?(  # .+)?|#.*")
    assert [line for line in CONSTRAINTS.splitlines() if not row.fullmatch(line)] == []


@pytest.mark.parametrize("target", PROJECT["project"]["scripts"].values())
def test_every_program_has_its_entry(target):
    module, function = target.split(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_one_command_builds_the_package(run, monkeypatch, capsys):
    ran = []

    def built(command):
        ran.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(run, "as_root", list)
    monkeypatch.setattr(run, "APT_DEB", ())
    monkeypatch.setattr(run.subprocess, "run", built)
    assert run.deb(["--suite", "bookworm"]) == 0
    assert ran == [[str(run.ROOT / "tests/package/build"), "--suite", "bookworm", str(run.DEB)]]
    assert (ROOT / "tests" / "package" / "build").exists()
    assert "sudo apt install" in capsys.readouterr().out


def test_a_build_without_root_says_how(run, monkeypatch):
    monkeypatch.setattr(run, "as_root", lambda: None)
    monkeypatch.setattr(run, "APT_DEB", ())
    with pytest.raises(SystemExit, match=r"sudo \./run deb"):
        run.deb([])
