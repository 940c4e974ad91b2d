"""The core's guard: a small process that waits on a pipe and calls safe-off when the core is gone or hangs (S5).

It stays small by importing next to nothing and becoming safe-off only when it is needed.
"""

import os
import select
import signal
import sys

BEAT, GOODBYE = b"b", b"q"
"""What the core writes: after each cycle, and after it has switched everything off itself."""
HANG_S = 4
"""A core that has not finished a cycle for this long is taken for hung; sooner than systemd's watchdog does."""


def wait(descriptor: int, core: int) -> str:
    """Wait for the core's end; say in words why safe-off is needed, or nothing after a goodbye."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    last = b""
    while poll.poll(HANG_S * 1000):
        heard = os.read(descriptor, 4096)
        if not heard:
            return "" if last == GOODBYE else "the core is gone"
        last = heard[-1:]
    try:
        os.kill(core, signal.SIGKILL)
    except ProcessLookupError:
        return "the core is gone"
    return f"the core hung for {HANG_S} s and was killed"


def main() -> int:
    """Guard the core: arguments are the pipe, the core's process, and what safe-off needs to know."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    why = wait(int(sys.argv[1]), int(sys.argv[2]))
    if why:
        program = [sys.executable, "-m", "bmsd.shutdown.safe_off", "--because", why, *sys.argv[3:]]
        os.execv(sys.executable, program)
    return 0


if __name__ == "__main__":
    sys.exit(main())
