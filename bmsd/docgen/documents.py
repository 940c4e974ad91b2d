"""All generated documents: whole pages, and blocks between markers in documents written by hand."""

from __future__ import annotations

import re
from pathlib import Path

from bmsd.docgen import (
    catalog,
    clients,
    commandline,
    completion,
    dbc,
    evidence,
    faults,
    glossary,
    hazards,
    inside,
    inverter_can,
    latches,
    manpages,
    manual,
    outside,
    source,
    state_machines,
    sunspec_page,
)
from bmsd.inverters.protocols import PROTOCOLS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "docs/generated"
SAFETY = "docs/SAFETY.md"
_HAZARDS = re.compile(r"(<!-- hazards -->\n\n)(.*?)(\n\n<!-- end -->)", re.DOTALL)
_LATCHES = re.compile(r"(<!-- latches -->\n\n)(.*?)(\n\n<!-- end -->)", re.DOTALL)


def documents(root: Path = ROOT) -> dict[str, str]:
    """Give every generated document by its path from the root of the repository."""
    return {
        f"{FOLDER}/parameters.md": inside.parameters_page(),
        f"{FOLDER}/points.md": inside.points_page(),
        f"{FOLDER}/alarms.md": inside.alarms_page(),
        f"{FOLDER}/configuration.md": inside.configuration_page(),
        f"{FOLDER}/modbus.md": outside.modbus_page(),
        f"{FOLDER}/sunspec.md": sunspec_page.sunspec_page(),
        f"{FOLDER}/can.md": inverter_can.can_page(),
        f"{FOLDER}/bench.md": outside.bench_page(),
        f"{FOLDER}/glossary.md": glossary.glossary_page(),
        f"{FOLDER}/structure.md": source.structure_page(root),
        f"{FOLDER}/state-machines.md": state_machines.state_machines_page(),
        f"{FOLDER}/journal.md": outside.journal_page(),
        f"{FOLDER}/bmsd.catalog": catalog.catalog(),
        evidence.PAGE: evidence.tests_page(root),
        faults.PAGE: faults.faults_page(root),
        **{f"{FOLDER}/dbc/{row.name}.dbc": dbc.dbc(row) for row in PROTOCOLS.values()},
        **{f"{FOLDER}/clients/{name}": text for name, text in clients.files().items()},
        **_manual(),
        SAFETY: safety(root),
    }


def _manual() -> dict[str, str]:
    """Give the manual pages, and the completion of every program."""
    made = {
        f"{FOLDER}/man/bmsd.toml.5": manual.configuration_page(),
        f"{FOLDER}/man/bmsd-alarms.7": manual.alarms_page(),
    }
    for name, program in commandline.programs().items():
        made[f"{FOLDER}/man/{name}.{manpages.PAGES[name].section}"] = manpages.program_page(program)
        made[f"{FOLDER}/completion/{name}.bash"] = completion.completion(program)
    return made


def safety(root: Path) -> str:
    """Fill the hazards and the latches into the safety document."""
    text = (root / SAFETY).read_text(encoding="utf-8")
    text = _HAZARDS.sub(lambda found: f"{found[1]}{hazards.section()}{found[3]}", text)
    return _LATCHES.sub(lambda found: f"{found[1]}{latches.section()}{found[3]}", text)


def differs(root: Path = ROOT) -> list[str]:
    """Name the documents that differ from what would be written, and those nothing would write."""
    wanted = documents(root)
    present = {path.relative_to(root).as_posix() for path in (root / FOLDER).rglob("*") if path.is_file()}
    other = [name for name, text in wanted.items() if _read(root / name) != text]
    return sorted({*other, *(present - wanted.keys())})


def stale(root: Path = ROOT) -> list[str]:
    """Name the documents that say what is not so."""
    page = evidence.PAGE
    return [name for name in differs(root) if name != page or not evidence.is_true(root, _read(root / page))]


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def write(root: Path = ROOT) -> list[str]:
    """Write what differs; name what changed."""
    wanted, changed = documents(root), differs(root)
    for name in changed:
        if name in wanted:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(wanted[name], encoding="utf-8")
        else:
            (root / name).unlink()
    return changed
