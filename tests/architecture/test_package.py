"""The Debian package names what is there: version, programs, units, manual pages, user, dependencies.

Cheap checks of debian/ against the rest of the tree; the package itself is built and tried by tests/package.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import bmsd

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "debian"
UNITS = sorted(path.name for path in (ROOT / "systemd").glob("*.service"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PROGRAMS = sorted(PROJECT["scripts"])
LIBRARIES = {"python-can": "python3-can", "pyserial": "python3-serial"}
"""Libraries that Debian calls otherwise than python3-NAME."""


def debian(name: str) -> str:
    """Read a file of debian/ without its comments."""
    text = (DEBIAN / name).read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def field(name: str) -> list[str]:
    """List the packages of a field of debian/control, without versions and build profiles."""
    found = re.search(rf"^{name}:(.*(?:\n[ \t].*)*)", debian("control"), re.MULTILINE)
    assert found, f"debian/control has no {name}"
    words = (re.sub(r"[(<].*?[)>]", "", word).strip() for word in found[1].split(","))
    return [word for word in words if word]


def listed(name: str) -> list[Path]:
    """Give the files of the tree that the first words of a debhelper list mean."""
    patterns = [line.split()[0] for line in debian(name).splitlines() if line.strip()]
    found = {pattern: sorted(ROOT.glob(pattern)) for pattern in patterns}
    assert all(found.values()), f"debian/{name} names what is not there: {found}"
    return [path for paths in found.values() for path in paths]


def table() -> dict[str, str]:
    """Give the table of dependencies in the installation guide: package to its strength."""
    text = (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (needed|recommended|suggested) \|", text, re.MULTILINE)
    return dict(rows)


def test_the_version_is_that_of_the_program() -> None:
    first = debian("changelog").splitlines()[0]
    assert first.startswith(f"bmsd ({bmsd.__version__}) "), first


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_is_installed(unit) -> None:
    name = "bmsd.service" if unit == "bmsd.service" else f"bmsd.{unit}"
    assert (DEBIAN / name).resolve() == ROOT / "systemd" / unit
    assert unit.removesuffix(".service") in debian("rules")


def test_every_unit_in_debian_is_one_of_ours() -> None:
    assert sorted(path.resolve().name for path in DEBIAN.glob("*.service")) == UNITS


def test_units_start_programs_that_the_package_has() -> None:
    commands = re.compile(r"^Exec\w+=-?(\S+)", re.MULTILINE)
    texts = [(ROOT / "systemd" / unit).read_text(encoding="utf-8") for unit in UNITS]
    started = {command for text in texts for command in commands.findall(text)}
    assert started <= {f"/usr/bin/{name}" for name in (*PROGRAMS, "python3")}
    assert "/usr/bin/bmsd" in started


def test_only_the_core_is_enabled() -> None:
    enabled = [unit for unit in UNITS if "[Install]" in (ROOT / "systemd" / unit).read_text(encoding="utf-8")]
    assert enabled == ["bmsd.service"]


def test_nothing_in_the_rules_restarts_or_starts_a_unit() -> None:
    calls = [line for line in debian("rules").splitlines() if line.strip().startswith("dh_installsystemd")]
    assert len(calls) == 2
    for call in calls:
        assert "--no-stop-on-upgrade" in call, f"an upgrade would stop: {call}"
        assert "--no-start" in call, f"an upgrade would start: {call}"


def test_removal_stops_the_core_before_anything_else() -> None:
    before = (DEBIAN / "bmsd.prerm").read_text(encoding="utf-8").partition("#DEBHELPER#")[0]
    assert 'if [ "$1" = remove ]' in before
    assert "upgrade" not in before
    (stop,) = re.findall(r"^ +deb-systemd-invoke stop bmsd\.service.*", before, re.MULTILINE)
    assert "||" not in stop, "a stop that fails must keep the files"


def test_every_manual_page_and_completion_is_installed() -> None:
    assert listed("bmsd.manpages") == sorted((ROOT / "docs/generated/man").iterdir())
    assert sorted(listed("bmsd.bash-completion")) == sorted((ROOT / "docs/generated/completion").iterdir())
    pages = {path.stem for path in listed("bmsd.manpages")}
    assert set(PROGRAMS) <= pages, "a program without a manual page"


@pytest.mark.parametrize("name", ["bmsd.install", "bmsd.docs", "bmsd.examples"])
def test_what_a_list_names_is_there(name) -> None:
    assert listed(name)


def test_the_configuration_is_an_example_only() -> None:
    shipped = [path.relative_to(DEBIAN / "tree").as_posix() for path in (DEBIAN / "tree").rglob("*")]
    assert "etc/bmsd/conf.d/README" in shipped
    assert not [path for path in shipped if path.endswith(".toml")], "the core would start with it"
    assert listed("bmsd.examples") == [ROOT / "etc" / "bmsd.toml"]


def test_user_and_groups_are_those_of_the_units() -> None:
    rows = {tuple(line.split()[:3]) for line in debian("bmsd.sysusers").splitlines() if line.strip()}
    users = {
        name
        for unit in UNITS
        for name in re.findall(
            r"^User=(\w+)", (ROOT / "systemd" / unit).read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert users == {"bmsd", "root"}
    assert ("u", "bmsd", "-") in rows
    for group in ("gpio", "i2c", "dialout"):
        assert ("m", "bmsd", group) in rows
    assert {("g", "gpio", "-"), ("g", "i2c", "-"), ("g", "bmsd-admin", "-")} <= rows


def test_libraries_of_the_project_are_there_when_the_package_is_built() -> None:
    names = [re.split(r"[ >=]", line)[0] for line in PROJECT["dependencies"]]
    wanted = {LIBRARIES.get(name, f"python3-{name}") for name in names}
    assert wanted <= set(field("Build-Depends"))


def test_the_guide_gives_a_reason_for_every_dependency() -> None:
    names = [re.split(r"[ >=]", line)[0] for line in PROJECT["dependencies"]]
    needed = {LIBRARIES.get(name, f"python3-{name}") for name in names}
    needed |= {name for name in field("Depends") if not name.startswith("$")} | {"python3", "systemd"}
    expected = dict.fromkeys(needed, "needed")
    expected |= dict.fromkeys(field("Recommends"), "recommended")
    expected |= dict.fromkeys(field("Suggests"), "suggested")
    assert table() == expected
