"""bmsctl setup: write a first configuration by asking.

Nothing is started and nothing is switched here; without a yes nothing is written.
"""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bmsd.cli import setup_file
from bmsd.cli.console import Console
from bmsd.cli.params import UsageError
from bmsd.cli.setup_dialogue import Dialogue, EndOfAnswersError, assignments, by_default, described
from bmsd.cli.setup_questions import NONE, problems

FAILED, INTERRUPTED = 1, 130
_FIRST = (
    "This asks what bmsd has to know about your pack and writes {path}. Enter takes the answer in [brackets],"
    " 'back' goes one question back, Ctrl-C ends it. Nothing is written before you have seen the file, and"
    " nothing is started or switched."
)


def setup(directory: Path, options: Namespace, console: Console) -> int:
    """Ask, check, show and write."""
    path = Path(options.config).resolve()
    given = assignments(options.set)
    if not options.yes and not sys.stdin.isatty():
        raise UsageError(
            "setup asks questions and standard input is no terminal: run it in one, or give the answers"
            " with --set KEY=VALUE and take the rest by default with --yes"
        )
    if not options.dry_run and (reason := setup_file.blocked(path)):
        return _failed([reason])
    if options.yes and not options.replace and not options.dry_run and path.exists():
        return _failed([f"{path} is there already: add --replace to replace it; the old one is kept"])
    if wrong := problems(given):
        raise UsageError("\n".join(wrong))
    if options.yes:
        return _without_asking(path, given, options, console)
    # What is said goes beside the file where only the file is wanted.
    talk = Console(sys.stderr) if options.dry_run else console
    try:
        return _asking(path, given, options, Dialogue(talk, sys.stdin.readline), talk, console)
    except EndOfAnswersError:
        print(file=sys.stderr)
        return _failed(["the input ended before the last question"])
    except KeyboardInterrupt:
        print(file=sys.stderr)
        _failed(["interrupted"])
        return INTERRUPTED


def _without_asking(path: Path, given: Mapping[str, Any], options: Namespace, console: Console) -> int:
    answers, missing = by_default(given)
    if missing:
        lines = [f"  --set {described(key)}" for key in missing]
        raise UsageError("these have no default, write them:\n" + "\n".join(lines))
    text = setup_file.text_of(answers, path)
    if wrong := setup_file.check(text, path):
        return _failed(wrong)
    if options.dry_run:
        console.stream.write(text)
        return 0
    return _written(path, text, console)


def _asking(
    path: Path,
    given: Mapping[str, Any],
    options: Namespace,
    dialogue: Dialogue,
    talk: Console,
    console: Console,
) -> int:
    talk.paragraph(_FIRST.format(path=path))
    if path.exists() and not options.dry_run:
        talk.paragraph(f"{path} is there already. If you replace it, the old one is kept beside it.")
    answers = dialogue.ask_all(given)
    text = setup_file.text_of(answers, path)
    if wrong := setup_file.check(text, path):
        code = _failed(wrong)
        print(f"The same answers again, to change and repeat:\n{_again(answers)}", file=sys.stderr)
        return code
    if options.dry_run:
        console.stream.write(text)
        return 0
    talk.say()
    talk.stream.write(text)
    if not dialogue.yes(
        f"Write this to {path}{' and keep the old one' if path.exists() else ''}? (yes or no)"
    ):
        return _failed([])
    return _written(path, text, console)


def _again(answers: Mapping[str, Any]) -> str:
    """Give the command that repeats these answers."""
    words = [f"{key}={NONE if value is None else value}" for key, value in answers.items()]
    return "bmsctl setup " + " ".join(f"--set {shlex.quote(word)}" for word in words)


def _written(path: Path, text: str, console: Console) -> int:
    try:
        kept = setup_file.write(path, text)
    except OSError as error:
        return _failed([f"{path} cannot be written: {error}"])
    console.say(f"{path} is written.")
    if kept:
        console.say(f"The old one is kept as {kept.name}.")
        console.paragraph(
            "A running bmsd keeps what it started with. 'systemctl restart bmsd' takes the new file; it opens"
            " the contactors for some seconds, so do it at a quiet moment."
        )
    console.say("\nNext:")
    console.say("  bmsctl doctor                   is the machine fit for it?")
    console.say("  sudo systemctl start bmsd       starts it, with contactors that may close")
    console.paragraph(
        "From now on an installed bmsd also starts with the machine. To hold it back over a reboot until the wiring"
        " is tested: sudo systemctl disable bmsd."
    )
    return 0


def _failed(reasons: list[str]) -> int:
    for reason in reasons:
        print(f"bmsctl: {reason}", file=sys.stderr)
    print("bmsctl: nothing was written", file=sys.stderr)
    return FAILED
