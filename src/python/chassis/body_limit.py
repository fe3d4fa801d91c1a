"""Refuses bodies that are too large before they fill the memory.

FastAPI's own `max_body_size` does so too, but answers in plain text, and every refusal here is a problem
document.
"""

from __future__ import annotations

from fastapi import HTTPException, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import problems
from chassis.problems import TooLarge

DEFAULT_LIMIT = 1024 * 1024  # bytes; the gateway's limit too


class BodyLimit:
    """ASGI middleware: a body over `limit` bytes is answered with 413, its length declared or not."""

    def __init__(self, app: ASGIApp, limit: int = DEFAULT_LIMIT) -> None:
        self._app = app
        self._limit = limit
        self._refusal = f"The body is too large: at most {limit} bytes are taken."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._declared(scope) <= self._limit:
            await self._app(scope, self._counted(receive), send)
            return
        await problems.response(Request(scope), TooLarge(self._refusal))(scope, receive, send)

    def _declared(self, scope: Scope) -> int:
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit():
                return int(value)
        return 0

    def _counted(self, receive: Receive) -> Receive:
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                # The one kind that FastAPI lets through from reading a body.
                raise HTTPException(413, self._refusal)
            return message

        return counted
