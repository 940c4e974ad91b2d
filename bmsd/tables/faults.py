"""What is wrong in a set of parameters: the rule that is broken, who can mend it, and what to do."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple


class Fault(NamedTuple):
    """One broken rule."""

    rule: str
    names: tuple[str, ...]
    """The parameters of which one must change, by inside name; the first one is told where none was written."""
    what: str
    remedy: str = ""
    """What to do, where no value is known that would be accepted."""
    further: str = ""
    """Another way out, whatever the value."""

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        """Name the rule and its parameters: the same fault with other values has the same key."""
        return self.rule, self.names

    @property
    def text(self) -> str:
        """Say what is wrong and what to do."""
        return f"{self.what}{self.remedy}{self.further}"

    def told_at(self, written: Container[str]) -> str:
        """Name the parameter that somebody wrote; where nobody wrote any, the first."""
        return next((name for name in self.names if name in written), self.names[0])


def by_name(faults: Iterable[Fault], written: Container[str] = ()) -> dict[str, str]:
    """Join the texts of faults, by the parameter at which each is told."""
    found: dict[str, list[str]] = {}
    for fault in faults:
        found.setdefault(fault.told_at(written), []).append(fault.text)
    return {name: "; ".join(texts) for name, texts in found.items()}
