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
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from bmsd import bus
from bmsd.cli import reading, views
from bmsd.cli.console import Console, clipped
from bmsd.cli.params import UsageError
from bmsd.errors import StaleError
from bmsd.texts import duration_text

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


def frame(directory: Path, console: Console) -> list[str]:
    """Compose one frame from the shared files."""
    try:
        now = reading.now(directory, fresh=False)
    except StaleError as error:
        return [_alert(f"NOT RUNNING  {error}", console), "", "Waiting for the daemon. q ends."]
    try:
        bus.fresh_snapshot(directory)
    except StaleError as error:
        old = [console.paint(line, "dim") for line in _body(now, Console(console.stream, colour=False), [])]
        return [_alert(f"STALE  {error}", console), "The last that it said, no longer true:", *old]
    with contextlib.suppress(StaleError):
        return [_head(now, console), *_body(now, console, reading.events(directory))]
    return [_head(now, console), *_body(now, console, [])]


def _alert(text: str, console: Console) -> str:
    return console.paint(f" {text} "[: console.width].ljust(console.width), "alert")


def _head(now: reading.Now, console: Console) -> str:
    left = f"bmsd  {views.what_it_does(now)}"
    up_ms = now.snapshot["points"].get("uptime_ms")
    up = "" if up_ms is None else f"up {duration_text(up_ms)}  "
    right = f"{up}{time.strftime('%H:%M:%S')}  {now.document['age_s']:.1f} s old"
    return console.paint(f"{left}{right:>{max(console.width - len(left), 1)}}", "bold")


def _body(now: reading.Now, console: Console, events: list[dict[str, Any]]) -> list[str]:
    """Stack the blocks: figures, cells, alarms, last events, and how to leave at the bottom."""
    lines = [views.one_line(row, console) for row in views.rows(now, console)]
    lines += ["", *views.cell_lines(now, console), ""]
    alarms = views.alarm_lines(now, console)
    lines += [console.paint(clipped(a.text, console.width), a.look) for a in alarms[:MOST_ALARMS]]
    if len(alarms) > MOST_ALARMS:
        lines[-1] = console.paint(f"and {len(alarms) - MOST_ALARMS + 1} more: 'bmsctl alarms'", "red")
    if not alarms:
        lines.append(console.paint("no alarms", "green"))
    room = shutil.get_terminal_size().lines - 1 - len(lines)
    if room > 0:
        lines += [clipped(views.event_line(event)[11:], console.width) for event in events[-room:]]
    return lines


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
