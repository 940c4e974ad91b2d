"""Protocol "auto": listen before speaking, take what the inverter is recognised to speak, and say why.

Nothing is sent until a protocol is taken. One that was recognised stays until the link starts again, whatever is heard
later; a fallback gives way to a recognised one, because an inverter may wake up long after us.
"""

from __future__ import annotations

from bmsd.config.can import CanConfig
from bmsd.inverters.protocols import LISTENING, PROTOCOLS, Protocol
from bmsd.inverters.recognise import WINDOW_MS, Recognised, Sample, recognise
from bmsd.links.link import NOTICE, WARNING, Link

MOST_SAMPLES = 500
"""Frames kept of one window, so that a flood costs no memory."""
MOST_VERDICTS = 16
"""Different verdicts that are said one by one: a bus of noise does not fill the journal."""


class ProtocolDetector:
    """Listens in windows and judges each."""

    def __init__(self, link: Link, settings: CanConfig, now_ms: int) -> None:
        self._link = link
        self._settings = settings
        self._began_ms = self._window_ms = now_ms
        self._samples: list[Sample] = []
        self._said: set[Recognised] = set()
        self._verdict = Recognised(None, "")
        self._spoken: Protocol | None = None
        self._sure = False

    @property
    def listening(self) -> bool:
        """Tell whether nothing is spoken yet."""
        return self._spoken is None

    def begin_again(self, now_ms: int) -> None:
        """Count from now on: while there was no bus nothing could be heard."""
        self._samples, self._window_ms = [], now_ms
        if self.listening:
            self._began_ms = now_ms

    def hear(self, number: int, extended: bool, data: bytes) -> None:
        """Take one data frame."""
        if len(self._samples) < MOST_SAMPLES:
            self._samples.append(Sample(number, extended, data))

    def choose(self, now_ms: int) -> Protocol | None:
        """Judge at the end of a window; give a protocol when it is to be spoken from now on."""
        if now_ms - self._window_ms < WINDOW_MS:
            return None
        self._verdict, samples = recognise(self._samples), len(self._samples)
        self._samples, self._window_ms = [], now_ms
        name = self._verdict.protocol
        if name and not self._sure:
            return self._take(PROTOCOLS[name], f"heard {self._verdict.reason}", sure=True)
        if name and self._spoken and name != self._spoken.name:
            self._say(
                f"hears {self._verdict.reason}, speaks {self._spoken.title}: restart this link to choose again"
            )
        elif not name and not self._spoken:
            if samples and self._verdict.reason:
                self._say(f"protocol auto: {self._verdict.reason}; nothing is sent")
            return self._fall_back(now_ms)
        return None

    def text(self, now_ms: int) -> str:
        """Say how the listening goes, or what came of it."""
        if self._spoken:
            return "recognised" if self._sure else "nothing was recognised: fallback"
        waited = f"for {(now_ms - self._began_ms) // 1000} s"
        if self._verdict.reason:
            return f"listening {waited}, sends nothing: {self._verdict.reason}; write can.protocol if you know it"
        return (
            f"listening {waited}, sends nothing: nothing is heard. Is the inverter on, is it wired with termination,"
            f" does it run at {LISTENING.bitrate} bit/s? Some wait until they are told something: write can.protocol"
        )

    def _fall_back(self, now_ms: int) -> Protocol | None:
        fallback, after_s = self._settings.fallback, self._settings.fallback_after_s
        if not fallback or now_ms - self._began_ms < after_s * 1000:
            return None
        return self._take(
            PROTOCOLS[fallback], f"recognised nothing for {after_s:g} s: can.fallback", sure=False
        )

    def _take(self, protocol: Protocol, why: str, *, sure: bool) -> Protocol | None:
        self._sure = sure
        changed = protocol != self._spoken
        instead = f" instead of {self._spoken.title}" if self._spoken and changed else ""
        self._spoken = protocol
        self._link.say(NOTICE, f'protocol auto: {why}; speaks {protocol.title} ("{protocol.name}"){instead}')
        return protocol if changed else None

    def _say(self, text: str) -> None:
        if self._verdict not in self._said and len(self._said) < MOST_VERDICTS:
            self._said.add(self._verdict)
            self._link.say(WARNING, text)
