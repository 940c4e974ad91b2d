"""The programs' command lines as data, read from their own parsers: for manual pages and completion."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bmsd.cli import main as bmsctl
from bmsd.daemon import main
from bmsd.links import runner
from bmsd.shutdown import safe_off
from bmsd.sim import main as bmsim

_EXIT = re.compile(r"\b(\d+) ([^,.]+)")


class CommandWord(NamedTuple):
    """One option (with flags) or one argument (without)."""

    dest: str
    flags: tuple[str, ...]
    value: str
    """What stands for its value; empty for a switch."""
    help: str
    choices: tuple[str, ...]
    needed: bool
    many: bool


class ProgramCommand(NamedTuple):
    """One program or one command of it, with the commands below."""

    words: tuple[str, ...]
    help: str
    about: str
    ending: str
    options: tuple[CommandWord, ...]
    arguments: tuple[CommandWord, ...]
    commands: tuple[ProgramCommand, ...]
    needs_command: bool

    @property
    def exits(self) -> dict[int, str]:
        """Give the exit codes that the program's own help tells."""
        return {int(code): meaning for code, meaning in _EXIT.findall(f"{self.about} {self.ending}")}

    def all(self) -> Iterator[ProgramCommand]:
        """Yield it and everything below it."""
        yield self
        for command in self.commands:
            yield from command.all()


def programs() -> dict[str, ProgramCommand]:
    """Read every program of the project."""
    parsers = (main._parser(), runner._parser(), safe_off.parser(), bmsctl.parser(), bmsim.build_parser())
    return {parser.prog: read(parser, (parser.prog,)) for parser in parsers}


def read(parser: argparse.ArgumentParser, words: tuple[str, ...], help_text: str = "") -> ProgramCommand:
    """Read one parser, and those of its commands."""
    options: list[CommandWord] = []
    arguments: list[CommandWord] = []
    commands = []
    needs_command = False
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            needs_command = action.required
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, below in action.choices.items():
                commands.append(read(below, (*words, name), helps.get(name, "")))
        elif action.help != argparse.SUPPRESS:
            (options if action.option_strings else arguments).append(_word(action, parser.prog))
    about, ending = parser.description or "", parser.epilog or ""
    return ProgramCommand(
        words, help_text, about, ending, tuple(options), tuple(arguments), tuple(commands), needs_command
    )


def _word(action: argparse.Action, program: str) -> CommandWord:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    choices = tuple(map(str, action.choices or ()))
    takes = action.nargs != 0
    value = (metavar or "|".join(choices) or _upper(action)) if takes else ""
    if not action.option_strings and not metavar:
        value = "|".join(choices) or action.dest.upper()
    told = (action.help or "") % {**vars(action), "prog": program}
    needed = action.required and action.nargs not in {"?", "*"}
    return CommandWord(
        action.dest, tuple(action.option_strings), value, told, choices, needed, action.nargs in {"+", "*"}
    )


def _upper(action: argparse.Action) -> str:
    """Name a value that the parser gives no name: a path by what it is, others by their option."""
    if action.type is Path:
        return "DIR" if action.dest.endswith("dir") else "FILE"
    return action.dest.upper()
