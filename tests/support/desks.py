"""Requests put to a desk without a socket: what it answers, and what goes on to the core."""

from __future__ import annotations

import json
from typing import Any

from bmsd.core.types import Request
from bmsd.daemon.request_handler import RequestHandler
from bmsd.ipc.request_socket import PendingRequest


class Connection:
    """A connection that only keeps what is sent."""

    sent = b""

    def send(self, data: bytes, _flags: int) -> int:
        self.sent += data
        return len(data)

    def close(self) -> None:
        """Do nothing."""


def handled(
    desk: RequestHandler,
    request: dict[str, Any],
    who: str = "uid 0",
    now_ms: int = 0,
    *,
    contactors_open: bool = False,
) -> Any:
    """Let the desk handle a request; give its answer, or the Request that goes to the core unanswered."""
    connection = Connection()
    asked = PendingRequest(request, who, connection)  # type: ignore[arg-type]
    for_core: Request | None = desk.handle(asked, now_ms, contactors_open=contactors_open)
    if for_core is None:
        return json.loads(connection.sent)
    assert not connection.sent
    return for_core


def refused(desk: RequestHandler, request: dict[str, Any]) -> str:
    """Let the desk refuse a request, and change nothing; give its words."""
    before = desk.parameters, dict(desk.changed)
    answer = handled(desk, request)
    assert answer["ok"] is False
    assert (desk.parameters, desk.changed) == before
    assert desk.take_events() == []
    return str(answer["error"])
