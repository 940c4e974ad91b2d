"""Tell systemd how the daemon is: ready, alive, what it does, stopping. Silent where systemd is not.

ASCII only: sdnotify sends Latin-1 and swallows what does not fit.
"""

from __future__ import annotations

import contextlib
import os


class Service:
    """The notify socket of systemd, if there is one."""

    def __init__(self) -> None:
        self._notifier = None
        if os.environ.get("NOTIFY_SOCKET"):
            import sdnotify

            # debug=True: errors are raised and handled here instead of vanishing.
            with contextlib.suppress(OSError):  # a socket that is not there: systemd will miss us and act
                self._notifier = sdnotify.SystemdNotifier(debug=True)

    def ready(self, text: str) -> None:
        """Say that the start is over."""
        self._send(f"READY=1\nSTATUS={_ascii(text)}")

    def alive(self) -> None:
        """Feed the watchdog; call it only after a complete cycle."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Show one line in `systemctl status`."""
        self._send(f"STATUS={_ascii(text)}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if self._notifier is None:
            return
        try:
            self._notifier.notify(message)
        except OSError:
            # A lost notify socket must not stop the core; the watchdog will act if systemd misses us.
            return


def _ascii(text: str) -> str:
    return text.replace("\n", " ").encode("ascii", "replace").decode()
