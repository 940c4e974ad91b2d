"""Test the installed package on real kernel interfaces: Debian in user-mode Linux, built here.

    .venv/bin/python tests/machine/run.py [--suite trixie] [--deb FILE] [--smoke | --only WORD ...] [--report FILE]

Builds the kernel, the image and the package (each once; see build-kernel, build-image, tests/package/build), boots once
to install the package and then three machines beside each other on copies of that disk, commissioned, and runs the
cases of guest/ there: all of them, or with --smoke those that their tables mark. Exit 0 all good, 1 a case failed, 77
this machine cannot run it (the reason is said).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

import extent  # noqa: E402
import machine  # noqa: E402
import report  # noqa: E402

CANNOT = 77
TOOLS = ("gcc", "make", "flex", "bison", "bc", "xz", "mmdebstrap", "mke2fs", "mbpoll", "dpkg-deb")
BOOT_S, CASES_S = 300, 2700
TRIES = 2
PARTS = ("1", "2", "3")
"""The machines that share the cases of the second boot; cases_second_boot.py has who gets which."""


def obstacles() -> list[str]:
    """Say why this machine cannot run the test; nothing when it can."""
    found = []
    if platform.machine() != "x86_64":
        found.append(f"user-mode Linux runs on x86-64 only, this is {platform.machine()}")
    if os.geteuid() != 0:
        found.append("an image can only be built as root")
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        found.append(f"not installed: {', '.join(missing)}")
    return found


def built(tool: Path, *arguments: str) -> Path:
    """Run one of the build scripts; give the path it prints last."""
    done = subprocess.run(
        [str(tool), *arguments], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        sys.exit(f"machine: {tool.name} failed")
    return Path(done.stdout.strip().splitlines()[-1])


def newer(package: Path, into: Path) -> None:
    """Make the same package with a higher version, to upgrade to."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["dpkg-deb", "-R", str(package), str(tree)], check=True)
        control = tree / "DEBIAN" / "control"
        lines = control.read_text().splitlines()
        lines = [f"{line}+newer1" if line.startswith("Version: ") else line for line in lines]
        control.write_text("\n".join(lines) + "\n")
        subprocess.run(["dpkg-deb", "-b", str(tree), str(into)], check=True, stdout=subprocess.DEVNULL)


def fill(share: Path, package: Path) -> None:
    """Put everything into the shared directory that the guest needs, and the pack that its answers describe."""
    for path in (HERE / "guest").iterdir():
        if path.is_file():
            shutil.copy(path, share)
    shutil.copy(package, share / "bmsd.deb")
    newer(package, share / "bmsd-newer.deb")
    answers = (HERE / "guest" / "answers").read_text().split()
    setup = [sys.executable, "-m", "bmsd.cli.main", "setup", "--yes", "--dry-run", *answers]
    pack = subprocess.run(setup, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    (share / "pack.toml").write_text(f'{pack}\n[bench]\nscenario = "{HERE / "scenario.toml"}"\n')


def live(options: dict[str, Any]) -> None:
    sys.exit(machine.boot(**options))


def boot(share: Path, script: str, words: list[str], **options: Any) -> int:
    """Boot once with one of the guest's test programs."""
    run = share / "run.sh"
    run.write_text(f"#!/bin/sh\nexec python3 -u /share/{script} {shlex.join(words)}\n")
    run.chmod(0o755)
    # A process for each boot: what stands around the machine ends with it.
    options = {"share": share, **options}
    world = multiprocessing.get_context("fork").Process(target=live, args=(options,))
    world.start()
    world.join()
    status = world.exitcode if world.exitcode is not None else machine.NEVER_RAN
    log = share / "out" / "run.log"
    sys.stdout.write(log.read_text(errors="replace") if log.exists() else "")
    print(f"machine: {script} ended with {status}", flush=True)
    return status


def boot_surely(folder: Path, script: str, words: list[str], seconds: float, **where: Any) -> int:
    """Boot; once more from the same disk when the emulated machine itself broke, which says nothing of bmsd."""
    disk, before = where["disk"], folder / "disk-before"
    copy(disk, before)
    for _ in range(TRIES):
        status = boot(folder / "share", script, words, timeout_s=seconds, **where)
        shutil.copytree(folder / "share" / "out", folder / f"out-{Path(script).stem}", dirs_exist_ok=True)
        if status not in {machine.TIMED_OUT, machine.NEVER_RAN}:
            break
        print(
            f"machine: THE MACHINE ITSELF FAILED ({status}): see {folder}/out-{Path(script).stem}", flush=True
        )
        copy(before, disk)
    return status


def copy(one: Path, other: Path) -> None:
    """Copy a disk, holes and all; one that is not there yet is not there in the copy."""
    other.unlink(missing_ok=True)
    if one.exists():
        subprocess.run(["cp", "--sparse=always", str(one), str(other)], check=True)


def second_boots(folder: Path, chosen: list[str], **where: Any) -> int:
    """Boot the parts beside each other, each from a copy of the installed disk; give the worst status."""

    def one(own: Path, part: str) -> None:
        config = own / "share" / "pack.toml"
        here = {**where, "disk": own / "disk", "config": config}
        sys.exit(boot_surely(own, "cases_second_boot.py", [part, *chosen], CASES_S, **here))

    running = []
    for part in PARTS:
        own = folder / part
        shutil.copytree(folder / "share", own / "share")
        copy(where["disk"], own / "disk")
        running.append(multiprocessing.get_context("fork").Process(target=one, args=(own, part)))
        running[-1].start()
    for process in running:
        process.join()
    return max(abs(process.exitcode or 0) for process in running)


def rows_of(share: Path, name: str) -> list[dict[str, Any]]:
    results = share / "out" / name
    return list(json.loads(results.read_text())) if results.exists() else []


def run_suite(
    suite: str, package: Path, smoke: list[str], words: list[str], keep: Path
) -> tuple[int, list[dict[str, Any]]]:
    """Run everything on one Debian; give the status and the rows of the report."""
    kernel, image = built(HERE / "build-kernel"), built(HERE / "build-image", "--suite", suite)
    folder = keep / suite
    shutil.rmtree(folder, ignore_errors=True)
    share = folder / "share"
    share.mkdir(parents=True)
    fill(share, package)
    where = {"kernel": kernel, "image": image, "disk": folder / "disk", "config": share / "pack.toml"}
    worst = boot_surely(folder, "cases_install.py", smoke, BOOT_S, **where)
    rows = rows_of(share, "install.json")
    if worst != machine.NEVER_RAN:
        worst = max(worst, second_boots(folder, smoke or words, **where))
        rows += [row for part in PARTS for row in rows_of(folder / part / "share", "running.json")]
    (folder / report.ROWS).write_text(json.dumps(rows, indent=1))
    complete = not (worst or smoke or words)
    (folder / report.COMPLETE).write_text(extent.committed(ROOT) if complete else "")
    return int(bool(worst)), rows


def main() -> int:
    """Run everything and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suite", action="append", choices=("trixie", "bookworm"))
    parser.add_argument("--deb", type=Path, help="the package to test; built when not given")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--smoke", action="store_const", const=["--smoke"], default=[], help="the marked cases"
    )
    which.add_argument("--only", action="append", default=[], metavar="WORD", help="cases of the second boot")
    parser.add_argument("--report", type=Path, help="write the table of cases here")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "bmsd-machine")
    options = parser.parse_args()
    problems = obstacles()
    if problems:
        print(f"machine: cannot run here: {'; '.join(problems)}", file=sys.stderr)
        return CANNOT
    options.keep.mkdir(parents=True, exist_ok=True)
    package = options.deb or built(ROOT / "tests" / "package" / "build", str(options.keep))
    found: dict[str, list[dict[str, Any]]] = {}
    worst = 0
    for suite in options.suite or ["trixie"]:
        status, found[suite] = run_suite(suite, package, options.smoke, options.only, options.keep)
        worst = max(worst, status)
    if options.report:
        options.report.write_text(
            report.gathered([options.keep / suite for suite in found]), encoding="utf-8"
        )
    for suite, rows in found.items():
        bad = [row["name"] for row in rows if not row["good"]]
        print(f"machine: {suite}: {len(rows)} cases, {len(bad)} bad {bad or ''}")
        if options.smoke:
            print(f"machine: {suite}: smoke cases only. All of them: tests/machine/run.py --suite {suite}")
    return worst


if __name__ == "__main__":
    sys.exit(main())
