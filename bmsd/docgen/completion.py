"""Bash completion for every program, from its parser and the tables. It needs nothing but bash.

A completion walks over the words before the cursor, as the parser would, to know in which command it is and how
many arguments it has had; then it offers what can stand there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bmsd.docgen.commandline import CommandWord, ProgramCommand
from bmsd.links import runner
from bmsd.sim import scenario
from bmsd.sim.faults import CELL_SETTABLES, CHIP_FAULTS, FAULTS, SETTABLES
from bmsd.tables import configuration, parameters
from bmsd.tables.alarms import ALARMS, Release

FILES, FOLDERS = "FILE", "DIR"


def _assigned(names: Iterable[str]) -> list[str]:
    return [f"{name}=" for name in names]


WORDS = {
    ("bmsctl params get", "name"): [row.public_name for row in parameters.ROWS],
    ("bmsctl params set", "assignments"): _assigned(row.public_name for row in parameters.ROWS),
    ("bmsctl reset", "alarm"): [row.name for row in ALARMS if row.ends is Release.OPERATOR],
    ("bmsctl setup", "set"): _assigned(
        [f"{key.section}.{key.name}" for key in configuration.KEYS]
        + [row.public_name for row in parameters.ROWS]
    ),
    ("bmsctl sim set", "assignments"): _assigned(SETTABLES),
    ("bmsctl sim cell", "assignments"): _assigned(CELL_SETTABLES),
    ("bmsctl sim fault", "name"): [*FAULTS, *CHIP_FAULTS],
    ("bmsim run", "scenario"): scenario.names(),
    ("bmsd-link", "name"): list(runner.LINKS),
}
"""What the tables offer where a parser takes any text."""

_NO_SPACE = "[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace"
"""A name that is still to get its value is not followed by a space."""

_SCRIPT = """\
# Completion of {program} in bash.
# Made by './run docs' from the program's own options and the tables of bmsd.

_{function}() {{
    local at={program} place=0 cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} word i
    # Bash splits --option=value and name=value at the sign.
    [[ $cur == = ]] && cur=
    [[ $prev == = ]] && prev=${{COMP_WORDS[COMP_CWORD-2]}}
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
        case "$at $word" in
{commands}            {valued}) [[ ${{COMP_WORDS[i+1]}} == = ]] && i=$((i + 1)); i=$((i + 1)) ;;
            *" "-* | *" =") ;;
            *) place=$((place + 1)) ;;
        esac
    done
    COMPREPLY=()
    case "$at $prev" in
{values}    esac
    if [[ $cur == -* ]]; then
        case $at in
{options}        esac
        return
    fi
    [[ ${{COMP_WORDS[COMP_CWORD]}} == = || ${{COMP_WORDS[COMP_CWORD-1]}} == = ]] && return
    case "$at:$place" in
{places}    esac
    {no_space}
    return 0
}}
complete -F _{function} {program}
"""


def completion(program: ProgramCommand) -> str:
    """Write the completion of one program."""
    name = program.words[0]
    return _SCRIPT.format(
        program=name,
        no_space=_NO_SPACE,
        function=name.replace("-", "_"),
        commands=_rows(12, _commands(program)),
        valued=_valued(program),
        values=_rows(8, _values(program)),
        options=_rows(12, _options(program)),
        places=_rows(8, _places(program)),
    )


def _rows(indent: int, rows: Iterable[str]) -> str:
    return "".join(" " * indent + row + "\n" for row in rows)


def _commands(program: ProgramCommand) -> Iterator[str]:
    """Go one command down where its name stands in its place."""
    for command in program.all():
        if command is not program:
            yield f'"{" ".join(command.words)}") at="$at $word" place=0 ;;'


def _valued(program: ProgramCommand) -> str:
    """Match all options that take a value, to step over it."""
    words = (word for command in program.all() for word in command.options if word.value)
    return " | ".join(sorted({f'*" {flag}"' for word in words for flag in word.flags}))


def _values(program: ProgramCommand) -> Iterator[str]:
    """Offer values for an option; whatever its value is, no other word fits there."""
    for command in program.all():
        for word in command.options:
            if word.value:
                at = " ".join(command.words)
                flags = " | ".join(f'"{at} {flag}"' for flag in word.flags)
                spaced = f"; {_NO_SPACE}" if (at, word.dest) in WORDS else ""
                yield f"{flags}) {_offer(at, word)}{spaced}; return ;;"


def _options(program: ProgramCommand) -> Iterator[str]:
    for command in program.all():
        flags = " ".join(flag for word in command.options for flag in word.flags)
        yield f'"{" ".join(command.words)}") {_words(flags)} ;;'


def _places(program: ProgramCommand) -> Iterator[str]:
    """Offer what fits in each place of each command; the last argument of some may come again and again."""
    for command in program.all():
        at = " ".join(command.words)
        for number, word in enumerate(command.arguments):
            place = f'"{at}:"*' if word.many else f'"{at}:{number}"'
            yield f"{place}) {_offer(at, word)} ;;"
        if command.commands:
            yield f'"{at}:0") {_words(" ".join(below.words[-1] for below in command.commands))} ;;'


def _offer(at: str, word: CommandWord) -> str:
    """Offer choices, words of a table, or files, whichever the value is."""
    known = word.choices or WORDS.get((at, word.dest), ())
    files = FILES in word.value or "." in word.value or (at, word.dest) == ("bmsim run", "scenario")
    if known and not files:
        return _words(" ".join(known))
    if word.value.startswith(FOLDERS):
        return "compopt -o filenames; " + _compgen("-d")
    return f"compopt -o filenames; {_compgen('-f', ' '.join(known))}" if files else ":"


def _words(words: str) -> str:
    return _compgen("", words)


def _compgen(flag: str, words: str = "") -> str:
    asked = " ".join(part for part in (flag, f"-W '{words}'" if words else "") if part)
    return f'mapfile -t COMPREPLY < <(compgen {asked} -- "$cur")'
