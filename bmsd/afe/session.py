"""The front end's life over many cycles: find, configure, measure, and start again when trust is lost.

A pure state machine over a driver's procedures; it never raises for trouble on the bus and one cycle
costs a bounded number of transfers. The chip is only configured with the contactors open, because that
switches its protection off; a chip that lost its settings yields no measurement from then on (S6).
What need not be known before the outputs are driven comes after them, in `check`.
"""

from __future__ import annotations

from bmsd.afe.contract import ChipFacts, FrontEnd, NoNewScanError, SettingsLostError
from bmsd.afe.session_states import STATES, Happened
from bmsd.afe.transfers import BusCounter, Procedure
from bmsd.core.types import AfeReport, AfeState, Measurement
from bmsd.errors import AfeError, VerifyError, WrongChipError

REFUSED_RETRY_MS = 10_000
SHUT_OUT_MS = 5000
"""A contactor that reads closed for longer is welded, or its auxiliary contact is stuck: what can be measured is."""

SIGNATURE_EVERY = 3
"""Polls from one look at the signature to the next; what it finds acts in the cycle after: within a second at 250 ms.

27 bytes on the wire with checksums. At every poll that alone would cost a fifth of a poll; every third, with a
block of the settings every 21, all checks together cost an eighth.
"""


class AfeSession:
    """One front end; run each `cycle` with the same counter the session was given."""

    def __init__(
        self,
        driver: FrontEnd,
        facts: ChipFacts,
        counter: BusCounter,
        check_every: int = 21,
        patience: int = 8,
    ) -> None:
        """Check the settings every `check_every` polls, start over after `patience` bad cycles."""
        self._driver = driver
        self._facts = facts
        self._counter = counter
        self._check_every = check_every
        self._patience = patience
        self._state = AfeState.ABSENT
        self._found = False
        self._detail = ""
        self._bad_cycles = 0
        self._resting = False
        self._polls = self._unsigned = 0
        self._unreadable = False
        self._resets = 0
        self._fresh_ms = 0
        self._retry_ms = 0
        self._shut_ms: int | None = None

    @property
    def state(self) -> AfeState:
        """Tell how far the front end is."""
        return self._state

    def cycle(self, now_ms: int, contactors_open: bool) -> Procedure[AfeReport]:
        """Do one cycle's work: a poll when ready, else one step of bringing the chip up."""
        measurement: Measurement | None = None
        try:
            if self._state is AfeState.READY:
                measurement = yield from self._measure(now_ms)
            elif self._may_start(now_ms, contactors_open):
                yield from self._bring_up(now_ms)
            elif self._is_shut_out(now_ms, contactors_open):
                measurement = yield from self._watch(now_ms)
        except (WrongChipError, VerifyError) as error:
            self._refuse(now_ms, str(error))
        except NoNewScanError as error:
            self._miss_scan(now_ms, str(error))
        except AfeError as error:
            self._trouble(error)
        is_good = measurement and self._state is AfeState.READY
        detail = "" if is_good else self._explain(contactors_open)
        return AfeReport(self._state, measurement, detail, self._counter.errors, self._resets)

    def check(self) -> Procedure[None]:
        """Look at the chip's settings when it is time (S6), once the outputs are driven; `cycle` tells what it found.

        A look that did not succeed is taken again before the next measurement counts.
        """
        if self._state is not AfeState.READY or self._unreadable:
            return
        try:
            yield from self._look()
        except AfeError as error:
            self._unreadable = True
            self._trouble(error)

    def permit(self, on: bool) -> Procedure[bool]:
        """Permit or forbid the chip's own outputs; tell whether the chip took it."""
        return (yield from self._taken(self._driver.permit(on)))

    def fets(self, charge: bool, discharge: bool) -> Procedure[tuple[bool, bool] | None]:
        """Command the chip's own FETs; give what their status then reads, None when that is not known.

        On needs a ready chip. Off is sent whatever is known of it: a chip that lost our trust may have them on (S5).
        """
        is_ready = self._state is AfeState.READY
        if (charge or discharge) and not is_ready:
            return None
        try:
            return (yield from self._driver.fets(charge, discharge))
        except AfeError as error:
            if is_ready:
                self._fail(str(error))
            return None

    def rest(self, on: bool) -> Procedure[bool]:
        """Let the chip measure slowly, or not; tell whether the chip took it."""
        self._resting = on
        return (yield from self._taken(self._driver.rest(on)))

    def balance(self, mask: int) -> Procedure[bool]:
        """Balance the cells in `mask`; tell whether the chip took it."""
        return (yield from self._taken(self._driver.balance(mask)))

    def _taken(self, order: Procedure[None]) -> Procedure[bool]:
        """Carry out what only a ready chip is told; tell whether it took it."""
        if self._state is not AfeState.READY:
            return False
        try:
            yield from order
        except AfeError as error:
            self._fail(str(error))
            return False
        return True

    def _measure(self, now_ms: int) -> Procedure[Measurement]:
        """Poll; while the last look at the settings did not succeed, nothing counts before one does."""
        measurement = yield from self._driver.poll()
        self._polls += 1
        self._unsigned += 1
        if self._unreadable:
            yield from self._look()
            self._unreadable = False
        self._fresh_ms = now_ms
        self._bad_cycles = 0
        return measurement

    def _look(self) -> Procedure[None]:
        """Compare the signature or a block of the settings, whichever is due."""
        if self._polls >= self._check_every:
            yield from self._driver.fingerprint()
            self._polls = self._unsigned = 0
        elif self._unsigned >= SIGNATURE_EVERY:
            yield from self._driver.signature()
            self._unsigned = 0

    def _trouble(self, error: AfeError) -> None:
        """Start over with a chip that lost its settings, bear other trouble for a while."""
        if isinstance(error, SettingsLostError):
            self._lose(str(error))
        else:
            self._fail(str(error))

    def _may_start(self, now_ms: int, contactors_open: bool) -> bool:
        if not contactors_open:
            return False
        self._shut_ms = None
        return self._state is not AfeState.REFUSED or now_ms >= self._retry_ms

    def _is_shut_out(self, now_ms: int, contactors_open: bool) -> bool:
        """Tell whether contactors have kept the chip from being set up for longer than one takes to open."""
        if contactors_open or (self._state is AfeState.REFUSED and now_ms < self._retry_ms):
            self._shut_ms = None
            return False
        if self._shut_ms is None:
            self._shut_ms = now_ms
        return now_ms - self._shut_ms >= SHUT_OUT_MS

    def _watch(self, now_ms: int) -> Procedure[Measurement | None]:
        """Measure a chip that may not be set up; one that still holds all its settings needs not be."""
        if self._state is AfeState.WATCHING:
            measurement = yield from self._driver.glance()
            self._fresh_ms, self._bad_cycles = now_ms, 0
            return measurement
        if (yield from self._driver.observe()):
            self._begin(now_ms, "the chip holds its settings and has not measured yet")
        else:
            self._go(Happened.UNSET, "the chip is found; it does not hold its settings")
            self._fresh_ms, self._bad_cycles = now_ms, 0
        return None

    def _go(self, happened: Happened, detail: str) -> None:
        """Go to where what happened leads."""
        self._state = STATES.follow(self._state, happened)
        self._detail = detail

    def _begin(self, now_ms: int, detail: str) -> None:
        """Begin to measure a chip that was proved to hold its settings."""
        self._go(Happened.HOLDS, detail)
        self._fresh_ms = now_ms
        self._polls = self._unsigned = self._bad_cycles = 0
        self._resting = self._unreadable = False
        self._shut_ms = None

    def _bring_up(self, now_ms: int) -> Procedure[None]:
        """Find the chip in one cycle and configure it in the next, so that none gets too long."""
        if not self._found:
            yield from self._driver.start()
            self._found = True
            self._go(Happened.FOUND, "the chip is found and will be configured")
            return
        self._found = False
        yield from self._driver.configure()
        self._begin(now_ms, "the chip is configured and has not measured yet")

    def _lose(self, text: str) -> None:
        if self._state is AfeState.READY:
            self._resets += 1
        self._found = False
        self._go(Happened.LOST, text)

    def _refuse(self, now_ms: int, text: str) -> None:
        """Refuse a chip for a while; in operation an unreadable check is only a bad cycle."""
        if self._state is AfeState.READY:
            self._fail(text)
            return
        self._found = False
        self._retry_ms = now_ms + REFUSED_RETRY_MS
        self._go(Happened.REFUSED, f"{text}; tried again every {REFUSED_RETRY_MS // 1000} s")

    def _miss_scan(self, now_ms: int, text: str) -> None:
        """Bear a poll that came before the next scan, but not a chip that stopped measuring (S7)."""
        age_ms = now_ms - self._fresh_ms
        if age_ms > (self._facts.resting_stale_ms if self._resting else self._facts.stale_ms):
            self._fail(f"{text}, for {age_ms} ms")
        else:
            self._detail = text

    def _fail(self, text: str) -> None:
        """Bear some bad cycles in a row while measuring; anything else starts over."""
        self._bad_cycles += 1
        if self._state in {AfeState.READY, AfeState.WATCHING}:
            if self._bad_cycles < self._patience:
                self._detail = text
                return
            text = f"{text}; given up after {self._bad_cycles} cycles, starting over"
        self._found = False
        self._go(Happened.GIVEN_UP, text)

    def _explain(self, contactors_open: bool) -> str:
        """Say why there is no measurement."""
        if self._state is AfeState.READY or contactors_open:
            return self._detail
        return f"{_WAITING}; {self._detail}" if self._detail else _WAITING


_WAITING = "waiting for the contactors to open before the chip is configured"
