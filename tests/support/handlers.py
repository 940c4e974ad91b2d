"""Requests put to a handler without a socket: what it answers, and what goes on to the core."""

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
    handler: RequestHandler,
    request: dict[str, Any],
    who: str = "uid 0",
    now_ms: int = 0,
    *,
    contactors_open: bool = False,
) -> Any:
    """Put a request to the handler; give its answer, or the Request that goes to the core unanswered."""
    connection = Connection()
    asked = PendingRequest(request, who, connection)  # type: ignore[arg-type]
    for_core: Request | None = handler.handle(asked, now_ms, contactors_open=contactors_open)
    if for_core is None:
        return json.loads(connection.sent)
    assert not connection.sent
    return for_core


def refused(handler: RequestHandler, request: dict[str, Any]) -> str:
    """Put a request that is refused and changes nothing; give the words."""
    before = handler.parameters, dict(handler.changed)
    answer = handled(handler, request)
    assert answer["ok"] is False
    assert (handler.parameters, handler.changed) == before
    assert handler.take_events() == []
    return str(answer["error"])
