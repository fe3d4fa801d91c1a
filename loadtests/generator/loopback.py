"""A shop that does nothing: answers at once what visitors need to go on, so that a generator meets its limit.

Run as `python -m loadtests.generator.loopback`: listens on loopback and prints its port. With `--stall N,S`
it answers nothing for S seconds from its Nth request on; what came meanwhile is answered then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
import uuid
from collections.abc import Callable, Sequence

_PRODUCT = {
    "id": str(uuid.UUID(int=1)),
    "sku": "tea-1",
    "name": "White tea, tin",
    "category": "Tea",
    "price": {"amount": 1290, "currency": "EUR"},
    "in_stock": True,
}
_PAGE = {"items": [_PRODUCT | {"id": str(uuid.UUID(int=n))} for n in range(1, 21)], "next_cursor": None}
_ORDER = {
    "id": str(uuid.UUID(int=3)),
    "status": "CONFIRMED",
    "timeline": [
        {"what": "ORDER_CREATED", "at": "2026-01-01T00:00:00+00:00"},
        {"what": "ORDER_CONFIRMED", "at": "2026-01-01T00:00:00.100000+00:00"},
    ],
}
_ANSWERS: Sequence[tuple[str, int, object]] = (
    (r"POST /api/users/login", 200, {"access_token": "token"}),
    (r"GET /api/products/categories", 200, {"items": []}),
    (r"GET /api/products(\?.*)?", 200, _PAGE),
    (r"GET /api/products/[^/]+", 200, _PRODUCT),
    (r"POST /api/orders", 201, _ORDER | {"status": "PENDING"}),
    (r"(GET|POST) /api/orders/.+", 200, _ORDER),
    (r"GET /api/(orders|payments|notifications)\?.*", 200, {"items": [_ORDER]}),
    (r".*", 200, {"id": str(uuid.UUID(int=2))}),
)
_COMPILED = [(re.compile(asked), status, json.dumps(body).encode()) for asked, status, body in _ANSWERS]
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)

Answer = Callable[[str], tuple[int, bytes]]


def well(asked: str) -> tuple[int, bytes]:
    """What a shop that works would say to `GET /path`."""
    return next((status, body) for pattern, status, body in _COMPILED if pattern.fullmatch(asked))


class Stall:
    """Nothing is answered for `seconds`, from the request of number `after` on."""

    def __init__(self, after: float, seconds: float) -> None:
        self._left, self._seconds = after, seconds
        self._until = 0.0

    def left_s(self) -> float:
        """How long a request that comes now is left waiting."""
        now = time.monotonic()
        self._left -= 1
        if self._left == 0:
            self._until = now + self._seconds
        return max(0.0, self._until - now)


class Connection(asyncio.Protocol):
    """One connection that is kept: requests come one after the other."""

    def __init__(self, answer: Answer, stall: Stall) -> None:
        self._answer, self._stall = answer, stall
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once all of a request is there."""
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or len(rest) < (int(length[1]) if length else 0):
            return
        self._buffer = b""
        status, body = self._answer(head.split(b" HTTP/", 1)[0].decode("latin-1"))
        answer = b"HTTP/1.1 %d -\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        said = answer % (status, len(body), body)
        left_s = self._stall.left_s()
        if left_s:
            asyncio.get_running_loop().call_later(left_s, self._say, said)
        else:
            self._say(said)

    def _say(self, said: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(said)


async def serve(stall: Stall, answer: Answer) -> None:
    """Listen, say where, and answer until the end of the process."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(answer, stall), "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stall", type=lambda text: Stall(*map(float, text.split(","))), default=Stall(0, 0))
    parser.add_argument("--refuse", metavar="REQUEST", help="what is answered with 503: 'POST /api/users'")
    arguments = parser.parse_args(argv)

    def answer(asked: str) -> tuple[int, bytes]:
        return (503, b"{}") if asked == arguments.refuse else well(asked)

    asyncio.run(serve(arguments.stall, answer))


if __name__ == "__main__":
    main()
