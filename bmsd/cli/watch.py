"""bmsctl watch: the state as a live screen, redrawn twice a second.

A frame is one write, so nothing flickers. The screen that was there before returns on every way out. What the
daemon no longer says is shown as old, never as present (S7).
"""

from __future__ import annotations

import contextlib
import select
import shutil
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from bmsd.cli import reading, views
from bmsd.cli.console import Console, clipped, cut
from bmsd.cli.params import UsageError
from bmsd.errors import StaleError
from bmsd.ipc.sentences import duration_text
from bmsd.ipc.snapshot import fresh_snapshot

REDRAW_S = 0.5
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[2J", "\x1b[?25h\x1b[?1049l"
MOST_ALARMS = 3


def watch(directory: Path, options: Namespace, console: Console) -> int:
    """Show the live screen until q or Ctrl-C."""
    if not console.is_terminal:
        raise UsageError("watch needs a terminal; for a pipe use 'bmsctl status' or 'bmsctl events --follow'")
    live(lambda: frame(directory, console), console)
    return 0


def live(draw: Callable[[], list[str]], console: Console, until: Callable[[], bool] = lambda: False) -> None:
    """Redraw until q, Ctrl-C, a request to end, or `until` says so."""
    with _screen(console), _keys() as pressed, contextlib.suppress(KeyboardInterrupt):
        while not until():
            show(draw(), console)
            if pressed(REDRAW_S) in {"q", "Q"}:
                return


def show(lines: list[str], console: Console) -> None:
    """Put a frame on the screen in one write; what does not fit is cut."""
    size = shutil.get_terminal_size()
    fitting = [clipped(console.encodable(line), size.columns) + "\x1b[K" for line in lines[: size.lines]]
    console.stream.write("\x1b[H" + "\n".join(fitting) + "\x1b[J")
    console.stream.flush()


def frame(directory: Path, console: Console, notes: Sequence[str] = ()) -> list[str]:
    """Compose one frame from the shared files, with notes in its last lines."""
    try:
        now = reading.now(directory, fresh=False)
    except StaleError as error:
        return [_alert(f"NOT RUNNING  {error}", console), "", "Waiting for the daemon. q ends.", *notes]
    try:
        fresh_snapshot(directory)
    except StaleError as error:
        old = _body(now, Console(console.stream, colour=False))
        dim = [console.paint(line, "dim") for line in ("The last that it said, no longer true:", *old)]
        return [_alert(f"STALE  {error}", console), *dim, *notes]
    lines = [_head(now, console), *_body(now, console)]
    room = shutil.get_terminal_size().lines - len(lines) - len(notes)
    return [*lines, *_last_events(directory, console, room), *notes]


def _alert(text: str, console: Console) -> str:
    return console.paint(f" {text} "[: console.width].ljust(console.width), "alert")


def _head(now: reading.Now, console: Console) -> str:
    left = f"bmsd  {views.what_it_does(now)}"
    up_ms = now.snapshot["points"].get("uptime_ms")
    up = "" if up_ms is None else f"up {duration_text(up_ms)}  "
    right = f"{up}{time.strftime('%H:%M:%S')}  {now.document['age_s']:.1f} s old"
    return console.paint(f"{left}{right:>{max(console.width - len(left), 1)}}", "bold")


def _body(now: reading.Now, console: Console) -> list[str]:
    """Stack the figures, the cells and the alarms."""
    lines = [views.one_line(row, console) for row in views.rows(now, console)]
    lines += ["", *views.cell_lines(now, console), ""]
    alarms = views.alarm_lines(now, console)
    shown = alarms if len(alarms) <= MOST_ALARMS else alarms[: MOST_ALARMS - 1]
    lines += [console.paint(cut(alarm.short, console.width), alarm.look) for alarm in shown]
    if len(alarms) > len(shown):
        lines.append(console.paint(f"! and {len(alarms) - len(shown)} more: 'bmsctl alarms'", "red"))
    return lines if alarms else [*lines, console.paint("no alarms", "green")]


def _last_events(directory: Path, console: Console, room: int) -> list[str]:
    """Give as many of the last events as there is room for; the date is today's and stays away."""
    try:
        events = reading.events(directory)[-room:] if room > 0 else []
    except StaleError:
        return []
    return [
        cut(console.encodable(views.event_line(event))[len("2026-01-01 ") :], console.width)
        for event in events
    ]


@contextlib.contextmanager
def _screen(console: Console) -> Iterator[None]:
    """Take the alternate screen, and give the old one back on every way out, termination included."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    console.stream.write(ENTER)
    try:
        yield
    finally:
        console.stream.write(LEAVE)
        console.stream.flush()
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Read single keys without waiting for Enter; without a keyboard just wait."""
    if not sys.stdin or not sys.stdin.isatty():
        yield _wait
        return
    import termios
    import tty

    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)

    def pressed(seconds: float) -> str:
        ready, _, _ = select.select([keyboard], [], [], seconds)
        return sys.stdin.read(1) if ready else ""

    try:
        tty.setcbreak(keyboard)
        yield pressed
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _wait(seconds: float) -> str:
    time.sleep(seconds)
    return ""
