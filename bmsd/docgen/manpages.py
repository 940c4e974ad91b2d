"""Manual pages of the programs, from their own parsers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bmsd.docgen import roff
from bmsd.docgen.commandline import CommandWord, ProgramCommand
from bmsd.docgen.roff import bold, italic, paragraph, section, tagged


class Page(NamedTuple):
    """What a parser does not say about its program."""

    section: int
    title: str
    source: str
    about: tuple[tuple[str, ...], ...]
    """Paragraphs of sentences."""
    files: tuple[str, ...]
    environment: tuple[str, ...] = ()


FILES = {
    "/etc/bmsd/bmsd.toml": "Configuration; see bmsd.toml(5).",
    "/etc/bmsd/conf.d/*.toml": "Drop-ins, in order of name; what comes later wins.",
    "/etc/bmsd/modbus.pin": "Salted hash of the PIN that unlocks writes over Modbus; `bmsctl modbus pin` makes it.",
    "/run/bmsd/": "Runtime directory: snapshot, events, parameters in force, state of each link, request socket.",
    "/run/bmsd/core/outputs.json": "The list of lines, left by the core for `bmsd-safe-off`.",
    "/run/bmsd/bmsd.sock": "Request socket; root and the group `bmsd-admin` may ask.",
    "/var/lib/bmsd/state.json": "What survives a power cut: charge count, latched alarms, forbidden switches,"
    " parameters changed at run time.",
}
ENVIRONMENT = {
    "BMSD_RUNTIME_DIR": "The runtime directory, where --runtime-dir does not give it.",
    "NOTIFY_SOCKET": "Set by systemd: where readiness and the watchdog's beat are told.",
    "JOURNAL_STREAM": "Set by systemd: messages then begin with their priority.",
}
PAGES = {
    "bmsd": Page(
        8, "controller of a lithium battery pack", "bmsd/daemon/main.py",
        (("bmsd reads every cell through a front-end chip, decides four times a second what is safe, and switches"
          " the charge and discharge contactors and a heater.",
          "It is started by systemd as `bmsd.service`, with one `bmsd-link@.service` for each connection to the"
          " outside."),
         ("Whatever ends bmsd ends with all outputs off: a stop, an error, a kill, a hang.",
          "Nothing is switched on before enough complete good measurements came in a row."),
         ("SIGTERM and SIGINT end it in good order.",
          "A changed configuration takes effect at the next start; parameters can be changed while it runs, by"
          " bmsctl(1).")),
        ("/etc/bmsd/bmsd.toml", "/etc/bmsd/conf.d/*.toml", "/run/bmsd/", "/run/bmsd/bmsd.sock",
         "/var/lib/bmsd/state.json"),
        ("NOTIFY_SOCKET", "JOURNAL_STREAM"),
    ),
    "bmsd-link": Page(
        8, "connect bmsd to an inverter, a Modbus master or the journal", "bmsd/links/runner.py",
        (("A link is a process of its own, so that nothing outside can delay the core.",
          "It reads what the core publishes, and tells how it is every two seconds: `bmsctl status` shows that."),
         ("When the core's data is old, the inverter is told zero limits and then nothing, and Modbus answers"
          " with an error: nothing old is sent as new.",)),
        ("/etc/bmsd/bmsd.toml", "/etc/bmsd/conf.d/*.toml", "/run/bmsd/"), ("NOTIFY_SOCKET",),
    ),
    "bmsd-safe-off": Page(
        8, "switch all outputs of bmsd off", "bmsd/shutdown/safe_off.py",
        (("A Raspberry Pi keeps the level of an output after its process is gone.",
          "This program ends that: systemd runs it after every stop of `bmsd.service`, and the core's own guard"
          " runs it when the core dies or hangs."),
         ("It needs no configuration while the core's list of lines is there.",
          "Lines that a killed core still holds are tried again for some seconds.",
          "While bmsd runs, the lines are bmsd's: then this program cannot have them, and says so.")),
        ("/run/bmsd/core/outputs.json", "/etc/bmsd/bmsd.toml"),
    ),
    "bmsctl": Page(
        1, "see and ask what bmsd does", "bmsd/cli/main.py",
        (("Looking takes the group `bmsd`; asking for something takes root or the group `bmsd-admin`.",
          "A switch can forbid more than the rules of bmsd do, never allow more."),
         ("With --json a command prints what is meant for programs; those keys are stable.",)),
        ("/run/bmsd/", "/run/bmsd/bmsd.sock"), ("BMSD_RUNTIME_DIR",),
    ),
    "bmsim": Page(
        1, "run bmsd's controller on a simulated pack, in virtual time", "bmsd/sim/main.py",
        (("The controller and the driver of the chip are those of bmsd(8); chip, cells, contactors, heater and"
          " inverter are simulated.",
          "A run is the same each time, to the bit."),),
        (),
    ),
}  # fmt: skip
OTHERS = (("bmsd.toml", 5), ("bmsd-alarms", 7))
HELP = ("-h", "--help")


def program_page(program: ProgramCommand) -> str:
    """Write the page of one program."""
    name = program.words[0]
    row = PAGES[name]
    others = [(other, page.section) for other, page in PAGES.items() if other != name]
    return roff.page(
        name,
        row.section,
        row.title,
        row.source,
        section("synopsis", _typed(program)),
        section("description", paragraph(program.about), *(paragraph(*texts) for texts in row.about)),
        section("options", *map(_word, (*program.arguments, *program.options))),
        section("commands", *_commands(program)),
        section("exit status", *_exits(program.exits)),
        section("environment", *_known(row.environment, ENVIRONMENT)),
        section("files", *_known(row.files, FILES)),
        roff.see_also([*others, *OTHERS, ("journalctl", 1)]),
    )


def _typed(command: ProgramCommand, inherited: Iterable[CommandWord] = ()) -> str:
    known = {flag for word in inherited for flag in word.flags}
    words = [bold(" ".join(command.words))]
    for word in command.options:
        if word.flags[0] not in known and not set(word.flags) & {*HELP, "--version"}:
            words.append(f"[{_flag(word.flags[-1], word)}]")
    words += map(_place, command.arguments)
    if command.commands:
        words.append(italic("COMMAND") if command.needs_command else f"[{italic('COMMAND')}]")
    return " ".join(words)


def _place(word: CommandWord) -> str:
    text = _value(word) + (" ..." if word.many else "")
    return text if word.needed else f"[{text}]"


def _value(word: CommandWord) -> str:
    """Write a value: words to choose from as they are typed, others as what they stand for."""
    if "|" in word.value:
        return "|".join(map(bold, word.value.split("|")))
    return italic(word.value)


def _flag(flag: str, word: CommandWord) -> str:
    return f"{bold(flag)} {_value(word)}" if word.value else bold(flag)


def _word(word: CommandWord) -> str:
    terms = ", ".join(_flag(flag, word) for flag in word.flags) or _value(word)
    return tagged(terms, _sentence(word.help, word.choices))


def _sentence(text: str, names: tuple[str, ...] = ()) -> str:
    """Make a help text a sentence; a name at its beginning stays as it is typed."""
    begin = text if text.startswith(names or "bmsd") else text[:1].upper() + text[1:]
    return begin.rstrip(".") + "."


def _commands(program: ProgramCommand) -> Iterator[str]:
    """Write every command that can be run, with what only it takes."""
    for command in program.all():
        if command is program:
            continue
        known = {flag for word in program.options for flag in word.flags}
        own = [word for word in command.arguments if word.help]
        own += [word for word in command.options if not known & {*word.flags}]
        yield tagged(_typed(command, program.options), _sentence(command.help))
        yield roff.indented(map(_word, own))


def _exits(codes: dict[int, str]) -> Iterator[str]:
    for code, meaning in codes.items():
        yield tagged(bold(str(code)), _sentence(meaning.strip()))


def _known(names: Iterable[str], table: dict[str, str]) -> Iterator[str]:
    for name in names:
        yield tagged(italic(name), table[name])
