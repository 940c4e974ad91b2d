"""What `bmsctl setup` asks, in which order. What a question says and allows is in the tables; a row here adds
only what an installer cannot see there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bmsd.afe.chips import CHIPS, usable
from bmsd.config.files import Files, Given, Place
from bmsd.config.lines import free_line
from bmsd.config.load import check
from bmsd.inverters.protocols import NAMES
from bmsd.tables import configuration, parameters
from bmsd.tables.configuration import MUST, Key

Answers = Mapping[str, Any]
"""Key, as section.name, to its value; None is an answer, too: not there."""

NONE = "none"
_TOLD = "The inverter is told to stay below it."
_THERMISTOR = (
    f"On TS1 and TS2; each must be an {next(iter(CHIPS.values())).thermistor}. Another one shifts every temperature,"
    " also that below which charging is forbidden: test each in ice water before the first charge."
)
_DRIVER = "Its driver must be off at a low level and have a pull-down."
_CONTACT = "A closed contact must read high."
_NOT_SEEN = (
    "a contactor that is welded shut, or does not close, is only found by current or voltage, later or never"
)


@dataclass(frozen=True, slots=True)
class Question:
    """One question: the key it answers, what is offered, and when it is asked at all."""

    key: str
    more: str = ""
    """Said below the help of the key's row."""
    offer: Any = None
    """What Enter takes where the key has no default of its own; only a person may take it."""
    free: int | None = None
    """A GPIO line to name: pulled down at power-up on a Raspberry Pi, free on the usual CAN and RS485 boards."""
    gate: bool = False
    """None is allowed here, and leaves the whole section out."""
    lost: str = ""
    """What is lost without it: then Enter does not leave it out, and who does is told and asked again."""
    said: bool = False
    """It must be said, whatever its default in a file: a wrong one is dangerous."""
    when: Callable[[Answers], bool] = lambda answers: True


def has(key: str) -> Callable[[Answers], bool]:
    """Ask only where something else is there."""
    return lambda answers: answers.get(key) is not None


def wired(topology: str) -> Callable[[Answers], bool]:
    """Ask only in one topology."""
    return lambda answers: answers.get("switches.topology", "split") == topology


QUESTIONS: tuple[Question, ...] = (
    Question("afe.chip", "The part number on the chip itself, without its package letters."),
    Question("pack.chemistry", "A wrong one overcharges cells: look at their data sheet."),
    Question("pack.cells", "Cells in parallel count as one."),
    Question("pack.capacity_ah", "In Ah: that of one cell, times the cells in parallel."),
    Question("pack.preset", "'default' is the safer one; 'jk-compatible' takes the limits of a JK board."),
    Question("afe.bus", "A Raspberry Pi's pins 3 and 5 are bus 1."),
    Question("afe.address", "The chips come with 0x08."),
    Question("afe.shunt_mohm", "A wrong one makes every current wrong: 0.25 gives 50 mV at 200 A."),
    Question("afe.battery_sensors", _THERMISTOR),
    Question("afe.switch_sensor", "On TS3, of the same kind."),
    Question(
        "switches.topology",
        "'split': every charger behind one contactor, every load behind the other. 'common': a hybrid inverter, or"
        " anything that charges and draws over the same cable. 'afe': the FETs of the front-end board, in series, and"
        " no contactor.",
        said=True,
    ),
    Question("outputs.backend"),
    Question(
        "outputs.charge",
        f"Every source of current is behind it. {_DRIVER}",
        offer=17,
        free=17,
        when=wired("split"),
    ),
    Question(
        "outputs.discharge", f"Every load is behind it. {_DRIVER}", offer=27, free=27, when=wired("split")
    ),
    Question(
        "outputs.main",
        f"Charger and load are behind it. {_DRIVER}",
        offer=17,
        free=17,
        when=wired("common"),
    ),
    Question(
        "outputs.precharge",
        free=22,
        lost="a contactor closes onto the empty capacitors of an inverter, and may weld shut",
    ),
    Question("outputs.heater", f"{_DRIVER} The heater needs a thermostat in series.", free=23),
    Question("outputs.buzzer", free=16),
    Question(
        "outputs.heartbeat",
        free=26,
        lost="the contactors stay closed when the machine hangs: nothing but the front-end chip guards the pack then",
    ),
    Question("outputs.charge_feedback", _CONTACT, free=12, lost=_NOT_SEEN, when=wired("split")),
    Question("outputs.discharge_feedback", _CONTACT, free=13, lost=_NOT_SEEN, when=wired("split")),
    Question("outputs.main_feedback", _CONTACT, free=12, lost=_NOT_SEEN, when=wired("common")),
    Question("heater.resistance_ohm", "In ohm, measured cold.", when=has("outputs.heater")),
    Question(
        "heater.supply",
        "With a common contactor or the chip's own FETs only 'pack' will do.",
        when=has("outputs.heater"),
    ),
    Question("can.protocol", gate=True),
    Question("can.channel", "The interface as 'ip link' names it.", when=has("can.protocol")),
    Question("modbus.port", "As /dev/ttyAMA0 (the header of a Raspberry Pi) or /dev/ttyUSB0.", gate=True),
    Question("modbus.baudrate", when=has("modbus.port")),
    Question("modbus.unit", when=has("modbus.port")),
    Question("parameters.charge_ocp_a", _TOLD),
    Question("parameters.discharge_ocp_a", _TOLD),
)
BY_KEY = {question.key: question for question in QUESTIONS}
_CHOICES = {"afe.chip": usable(), "can.protocol": NAMES}
"""Choices that are rows of another table."""
_CONTACTORS = frozenset(f"outputs.{name}" for names in configuration.CONTACTORS.values() for name in names)


def row_of(key: str) -> Key | None:
    """Give the row behind section.name; a parameter's is put in the same form. None: there is no such key."""
    section, _, name = key.partition(".")
    if section == "parameters":
        row = parameters.BY_PUBLIC_NAME.get(name)
        if row is None:
            return None
        low, high = row.unit.to_public(row.low), row.unit.to_public(row.high)
        return Key(
            section, name, float, f"{row.help} In {row.unit.symbol}.", required=MUST, low=low, high=high
        )
    found = configuration.keys_of(section).get(name)
    if found is None and section in configuration.OPEN_SECTIONS and name:
        return Key(section, name, str, "Goes to the library as it is.")
    if found and key in _CONTACTORS:
        return replace(found, required=MUST)  # asked only where the topology has it
    return replace(found, choices=_CHOICES[key]) if found and key in _CHOICES else found


def may_be_none(key: str) -> bool:
    """Tell whether something may be said not to be there."""
    row, question = row_of(key), BY_KEY.get(key)
    optional_line = row is not None and row.type is int and row.default is None and row.required is not MUST
    return optional_line or (question is not None and question.gate)


def offered(question: Question, answers: Answers) -> Key:
    """Give the row of a question with the choices and the range that the answers so far leave."""
    row = row_of(question.key)
    if row is None:
        raise KeyError(question.key)
    chip = CHIPS.get(str(answers.get("afe.chip")))
    if question.key == "pack.cells" and chip is not None:
        return replace(row, low=chip.min_cells, high=chip.max_cells)
    left = tuple(choice for choice in row.choices if not problems({**answers, question.key: choice}))
    return replace(row, choices=left or row.choices)


def free_of(question: Question, answers: Answers) -> int | None:
    """Name a GPIO line that nothing else uses: the question's own, or the next one; None where it asks for none."""
    if question.free is None:
        return None
    good = not problems({**answers, question.key: question.free})
    return question.free if good else free_line(_as_files(answers))


def asked(answers: Answers) -> Iterable[Question]:
    """Give the questions that these answers leave to ask, one after the other."""
    for question in QUESTIONS:
        if question.key not in answers and question.when(answers):
            yield question


def problems(answers: Answers) -> list[str]:
    """Say what is wrong with the answers so far, by the checks of the configuration itself.

    What is only missing yet is no problem: a check names the place of a value, and a missing one has none.
    """
    found: list[str] = []
    check(Path("nowhere"), _as_files(answers), found, whole=False)
    found += [
        f"{_MARK}{key} is given, but {gate.key} says that there is none"
        for gate in QUESTIONS
        if gate.gate and gate.key in answers and answers[gate.key] is None
        for key in answers
        if key.startswith(f"{gate.key.partition('.')[0]}.") and key != gate.key
    ]
    return [text.removeprefix(_MARK) for text in found if text.startswith(_MARK)]


_MARK = "answer: "


def _as_files(answers: Answers) -> Files:
    """Put the answers in the form of files read."""
    files = Files()
    for key, value in answers.items():
        section, _, name = key.partition(".")
        if value is not None:
            files.setdefault(section, {})[name] = Given(value, Place(_MARK.removesuffix(": "), 0))
    if answers.get("outputs.heater") is not None:
        files.setdefault("heater", {})  # its questions follow
    return files
