"""When the machine test is complete on both releases and when the smoke cases do on one, and which those are."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MACHINE = ROOT / "tests" / "machine"
REPORT = "docs/machine.md"
SHOWN = {
    "apt install", "bmsctl setup", "boot to READY", "systemctl stop",
    "kill -9 of the core (levels fall, strict_gpiod)", "kill -9 of the core (levels stay, as on a Raspberry Pi)",
    "kill -9 of core and guard (levels fall, strict_gpiod)",
    "kill -9 of core and guard (levels stay, as on a Raspberry Pi)",
    "front end gone and back", "CAN", "Modbus on a serial line", "journal",
    "package removal", "installed again", "package purge",
}  # fmt: skip
LIST = """
import json, cases_install, cases_second_boot
from kit import chosen
parts = {"install": cases_install.CASES}
parts |= {part: [one for group in groups for one in group.CASES] for part, groups in cases_second_boot.PARTS.items()}
names = {part: [one.name for one in cases] for part, cases in parts.items()}
print(json.dumps([names, [one.name for cases in parts.values() for one in chosen(cases, ["--smoke"])]]))
"""


def load(name):
    spec = importlib.util.spec_from_file_location(f"machine_{name}", MACHINE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


extent, report = load("extent"), load("report")


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(root), *who, *words], check=True, capture_output=True)


def change(root: Path, name: str, text: str = "changed\n") -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", name)


@pytest.fixture
def project(tmp_path):
    """Make a small project whose report has both releases complete for what is in it."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q")
    change(root, "bmsd/shutdown/guard.py", "pass\n")
    change(root, REPORT, report.page({"trixie": [], "bookworm": []}, extent.inputs(root)))
    return root


def listed():
    done = subprocess.run(
        [sys.executable, "-c", LIST], cwd=MACHINE / "guest", check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1]), done.stdout.splitlines()[:-1]


def test_the_report_tells_what_both_were_complete_for(project, tmp_path) -> None:
    assert REPORT in extent.known(project, tmp_path)


def test_a_change_elsewhere_leaves_one_release_with_its_smoke_cases(project, tmp_path) -> None:
    change(project, "bmsd/core/soc.py")
    assert extent.known(project, tmp_path)


@pytest.mark.parametrize("name", ["debian/rules", "systemd/bmsd.service", "bmsd/hardware/gpio.py",
                                  "bmsd/shutdown/guard.py", "bmsd/daemon/main.py", "bmsd/control/controller.py",
                                  "tests/machine/run.py", "tests/package/check"])  # fmt: skip
def test_a_change_of_what_decides_makes_both_complete(project, tmp_path, name) -> None:
    change(project, name)
    assert extent.known(project, tmp_path) == ""


def test_a_run_of_both_is_kept_in_mind_for_what_it_saw_alone(project, tmp_path) -> None:
    change(project, "systemd/bmsd.service")
    extent.marker(tmp_path, extent.inputs(project)).touch()
    assert "an earlier run" in extent.known(project, tmp_path)
    change(project, "systemd/bmsd.service", "again\n")
    assert extent.known(project, tmp_path) == ""


def test_a_run_with_files_that_are_not_committed_shows_nothing(project) -> None:
    assert extent.committed(project) == extent.inputs(project)
    (project / "bmsd" / "shutdown" / "guard.py").write_text("raise\n")
    assert extent.committed(project) == ""


@pytest.mark.parametrize(("kept", "expected"), [(("a" * 12, "a" * 12), ["a" * 12]), (("a" * 12, ""), []),
                                                (("a" * 12, "b" * 12), []), (("", ""), [])])  # fmt: skip
def test_the_report_names_only_what_both_releases_agree_on(tmp_path, kept, expected) -> None:
    folders = [tmp_path / "trixie", tmp_path / "bookworm"]
    for folder, key in zip(folders, kept, strict=True):
        folder.mkdir()
        (folder / report.ROWS).write_text("[]")
        (folder / report.COMPLETE).write_text(key)
    assert extent.SEEN.findall(report.gathered(folders)) == expected


def test_every_kind_of_change_names_what_is_there() -> None:
    for kind, names in extent.DECIDES.items():
        assert [name for name in names if (ROOT / name).exists()], kind


def test_every_case_is_on_one_machine_and_the_marked_ones_are_the_smoke_cases() -> None:
    (parts, smoke), said = listed()
    names = [name for part in parts.values() for name in part]
    assert len(names) == len(set(names))
    assert set(smoke) == SHOWN
    assert {line.removeprefix("left out").strip() for line in said} == set(names) - SHOWN


def test_no_group_of_cases_is_forgotten() -> None:
    table = (MACHINE / "guest" / "cases_second_boot.py").read_text().partition("PARTS")[2]
    groups = {path.stem for path in (MACHINE / "guest").glob("cases_*.py")}
    assert [name for name in groups - {"cases_install", "cases_second_boot"} if name not in table] == []
