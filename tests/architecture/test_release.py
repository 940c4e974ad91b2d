"""`./run release` finds each thing that is missing, and one name and address stands for the maintainers everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.package.release import of_address, of_changelog, of_tree, of_versions

ROOT = Path(__file__).resolve().parents[2]
GOOD = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2027-01-31\n\n### Added\n\n- A thing.\n"
DEBIAN = "bmsd (1.2.0) unstable; urgency=medium\n"


def test_a_version_that_stands_everywhere_may_be_tagged() -> None:
    assert of_changelog(GOOD, "1.2.0") == []
    assert of_versions("1.2.0", DEBIAN, ["bmsd_1.2.0_all.deb"]) == []
    assert of_tree("", ["v1.1.0"], "1.2.0", []) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace("1.2.0", "1.1.0"), "no section '## [1.2.0]"),
        (GOOD.replace(" - 2027-01-31", ""), "no section '## [1.2.0]"),
        (GOOD.replace("### Added\n\n- A thing.\n", ""), "says nothing under 1.2.0"),
        (GOOD.replace("[Unreleased]\n", "[Unreleased]\n\n- Another.\n"), "changes under Unreleased"),
    ],
)
def test_a_changelog_that_does_not_fit_is_told(text: str, told: str) -> None:
    (problem,) = of_changelog(text, "1.2.0")
    assert told in problem


@pytest.mark.parametrize(
    ("debian", "packages", "told"),
    [
        (DEBIAN.replace("1.2.0", "1.1.0"), ["bmsd_1.2.0_all.deb"], "debian/changelog begins with 1.1.0"),
        ("", ["bmsd_1.2.0_all.deb"], "debian/changelog begins with nothing"),
        (DEBIAN, ["bmsd_1.1.0_all.deb"], "no dist/bmsd_1.2.0_all.deb"),
    ],
)
def test_another_version_is_told(debian: str, packages: list[str], told: str) -> None:
    (problem,) = of_versions("1.2.0", debian, packages)
    assert told in problem


def test_a_working_copy_that_differs_is_told() -> None:
    found = of_tree(" M README.md\n?? new.py\n", ["v1.2.0"], "1.2.0", ["docs/SAFETY.md"])
    assert [problem.partition(":")[0] for problem in found] == [
        "not committed", "not committed", "the tag v1.2.0 exists", "not current"
    ]  # fmt: skip


@pytest.mark.parametrize("host", ["bmsd.example.org", "example.com", "bmsd.example", "bmsd.invalid"])
def test_a_placeholder_where_people_write_to_is_told(host: str) -> None:
    who = [{"name": "bmsd maintainers", "email": f"maintainers@{host}"}]
    mail, urls = of_address({"maintainers": who})
    assert f"maintainers@{host}" in mail
    assert "[project.urls]" in urls
    mail, url = of_address({"maintainers": who, "urls": {"Homepage": f"https://{host}/bmsd"}})
    assert f"maintainers@{host}" in mail
    assert url.startswith(f"Homepage in pyproject.toml is https://{host}/bmsd")


@pytest.mark.parametrize("host", ["example-power.de", "bmsd.counterexample.org", "latest.bmsd.org"])
def test_an_address_that_somebody_can_own_is_none(host: str) -> None:
    who = [{"name": "bmsd maintainers", "email": f"maintainers@{host}"}]
    assert of_address({"maintainers": who, "urls": {"Homepage": f"https://{host}"}}) == []


def test_one_line_names_the_maintainers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (who,) = project["maintainers"]
    line = f"{who['name']} <{who['email']}>"
    control, changelog = (
        (ROOT / "debian" / name).read_text(encoding="utf-8") for name in ("control", "changelog")
    )
    assert f"Maintainer: {line}\n" in control
    assert set(re.findall(r"^ -- (.*>)", changelog, re.MULTILINE)) == {line}
    assert who["email"] in (ROOT / "docs" / "SECURITY.md").read_text(encoding="utf-8")
