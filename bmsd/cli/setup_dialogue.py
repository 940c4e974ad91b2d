"""Ask one question after the other in a terminal, and check every answer at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from bmsd.cli.console import Console
from bmsd.cli.params import UsageError
from bmsd.cli.setup_questions import (
    BY_KEY,
    NONE,
    Answers,
    Question,
    asked,
    free_of,
    may_be_none,
    offered,
    problems,
    row_of,
)
from bmsd.tables import parameters
from bmsd.tables.configuration import KEYS, MUST, Key, Required
from bmsd.tables.header import PULLED_UP

BACK = "back"
KNOWN = {f"{row.section}.{row.name}" for row in KEYS}
_YES = {
    "yes": True,
    "y": True,
    "true": True,
    "on": True,
    "no": False,
    "n": False,
    "false": False,
    "off": False,
}
_TITLES = {
    "pack": "The pack", "afe": "The front-end chip", "switches": "The contactors",
    "outputs": "GPIO lines", "heater": "The heater",
    "can": "Inverter CAN", "modbus": "Modbus", "parameters": "Limits",
}  # fmt: skip

Read = Callable[[], str]
"""Give one line as typed, with its end; an empty text when there will be no more."""


class EndOfAnswersError(Exception):
    """The input ended before the last question."""


def parsed(row: Key, text: str) -> Any:
    """Turn what was typed into a value of the row's type; raise ValueError with what to write instead."""
    text = text.strip()
    if text == NONE and may_be_none(f"{row.section}.{row.name}"):
        return None
    if row.type is bool:
        if text.lower() not in _YES:
            raise ValueError(f"{text!r} is neither yes nor no")
        return _YES[text.lower()]
    if row.type in {int, float}:
        return _number(row, text)
    if row.type is list:
        return [word.strip() for word in text.split(",")]
    if not text.isprintable():
        raise ValueError(f"{text!r} has characters that cannot be printed")
    return text if f"{row.section}.{row.name}" in KNOWN else _scalar(text)


def _scalar(text: str) -> Any:
    """Read a value for a library: a number or true and false as such, all else as text."""
    with contextlib.suppress(ValueError):
        return int(text, 0)
    with contextlib.suppress(ValueError):
        return float(text)
    return {"true": True, "false": False}.get(text, text)


def _number(row: Key, text: str) -> float | int:
    if "," in text:
        raise ValueError(f"{text!r}: write a point, as in 0.25, and nothing between thousands")
    try:
        return int(text, 0) if row.type is int or text.isdigit() else float(text)
    except ValueError:
        whole = "a whole number" if row.type is int else "a number"
        raise ValueError(f"{text!r} is not {whole}; write it without a unit") from None


def assignments(words: Iterable[str]) -> dict[str, Any]:
    """Read --set words; raise UsageError for what is no assignment, no key, or no value of it."""
    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = (part.strip() for part in word.partition("="))
        if not equals or not text:
            raise UsageError(f"{word!r} is not KEY=VALUE, as in pack.cells=16")
        row = row_of(key)
        if row is None:
            raise UsageError(f"there is no key {key}{_near(key)}")
        if key in found:
            raise UsageError(f"{key} is given twice")
        try:
            found[key] = parsed(row, text)
        except ValueError as error:
            raise UsageError(f"{key}: {error}") from None
    return found


def _near(key: str) -> str:
    known = KNOWN | {f"parameters.{row.public_name}" for row in parameters.ROWS}
    near = get_close_matches(key, sorted(known), 1, 0.5)
    return f"; did you mean {near[0]}?" if near else "; write section.name, as in pack.cells"


def by_default(answers: Answers) -> tuple[dict[str, Any], list[str]]:
    """Answer what is left by its default; give what has none, too."""
    complete, missing = dict(answers), []
    while question := next(iter(asked(complete)), None):
        row = offered(question, complete)
        complete[question.key] = None if question.gate else row.default
        if row.required is Required.YES and not question.gate:
            missing.append(question.key)
    return complete, missing


def described(key: str) -> str:
    """Say what a key is and what may stand there."""
    row = row_of(key)
    return f"{key}: {row.help} {row.allowed[:1].upper()}{row.allowed[1:]}." if row else key


class Dialogue:
    """The questions to a person; `back` goes to the one before."""

    def __init__(self, console: Console, read: Read) -> None:
        self._console = console
        self._read = read

    def ask_all(self, given: Answers) -> dict[str, Any]:
        """Ask everything that is not given; raise EndOfAnswersError when no more comes."""
        answers, order = dict(given), list[str]()
        title = ""
        while question := next(iter(asked(answers)), None):
            if (section := question.key.partition(".")[0]) != title:
                title = section
                self._console.say(f"\n{self._console.paint(_TITLES[section], 'cyan')}")
            value = self._ask(question, answers)
            if value is not BACK:
                order.append(question.key)
                answers[question.key] = value
            elif order:
                answers = _before(answers, order.pop())
        return answers

    def yes(self, text: str) -> bool:
        """Ask something where only a written yes is one."""
        self._console.say()
        return self._line(f"{text} [no]: ").lower() in {"yes", "y"}

    def _ask(self, question: Question, answers: Answers) -> Any:
        row = offered(question, answers)
        free = free_of(question, answers)
        self._explain(question, row, free)
        offer, warned = _offer(question, row, answers, free), False
        while True:
            text = self._line(f"{question.key}{'' if offer is None else f' [{offer}]'}: ")
            if text == BACK:
                return BACK
            if question.lost and text in {"", NONE} and not (warned and text == NONE):
                self._console.paragraph(self._console.paint(_what_is_lost(question, free), "yellow"), "  ")
                warned = warned or text == NONE
                continue
            if not text and offer is None:
                self._console.paragraph(f"There is no default: write {row.allowed}.", "  ")
                continue
            try:
                value = parsed(row, text or offer or "")
                wrong = problems({**answers, question.key: value})
            except ValueError as error:
                wrong = [str(error)]
            for problem in wrong:
                self._console.paragraph(self._console.paint(problem, "yellow"), "  ")
            if not wrong:
                self._mind(row, value)
                return value
            self._console.paragraph("Write another answer, or 'back' to change an earlier one.", "  ")

    def _explain(self, question: Question, row: Key, free: int | None) -> None:
        allowed = "yes or no" if row.type is bool else row.allowed
        if may_be_none(question.key):
            allowed = f"{allowed}, or {NONE}"
        if free is not None:
            allowed = f"{allowed}; GPIO {free} is a good one on a Raspberry Pi"
        self._console.say()
        self._console.paragraph(f"{row.help} {question.more}".strip())
        self._console.paragraph(f"Allowed: {allowed}.", "  ")

    def _mind(self, row: Key, value: Any) -> None:
        if row.section != "outputs" or row.type is not int or value not in PULLED_UP:
            return
        contact = row.name.endswith("_feedback")
        harm = "a broken wire then reads closed" if contact else "which switches it on"
        text = f"Mind: a Raspberry Pi pulls GPIO {value} up at power-up, {harm}. Choose 9 to 27."
        self._console.paragraph(self._console.paint(text, "yellow" if contact else "red"), "  ")

    def _line(self, prompt: str) -> str:
        self._console.stream.write(self._console.encodable(prompt))
        self._console.stream.flush()
        line = self._read()
        if not line:
            raise EndOfAnswersError
        return line.strip()


def _what_is_lost(question: Question, free: int | None) -> str:
    """Say what a pack lacks without this, and how to go on."""
    go_on = f"Write its line, such as {free}, or {NONE} once more to do without."
    return f"Without {question.key} {question.lost}. {go_on}"


def _offer(question: Question, row: Key, answers: Answers, free: int | None) -> str | None:
    """Say what Enter takes; None where something must be written. Enter never takes what is refused."""
    if question.lost or question.said:
        return None
    if may_be_none(question.key):
        return NONE
    value = question.offer if row.required is MUST else row.default
    if question.offer is not None and free is not None:
        value = free
    if value is None or problems({**answers, question.key: value}):
        return row.choices[0] if len(row.choices) == 1 else None
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:#04x}" if question.key == "afe.address" else str(value)


def _before(answers: Answers, key: str) -> dict[str, Any]:
    """Take back an answer, and those that hang on it."""
    kept = {name: value for name, value in answers.items() if name != key}
    return {name: value for name, value in kept.items() if name not in BY_KEY or BY_KEY[name].when(kept)}
