"""The shop as a visitor uses it in an open loop: each request is due at a time, and its own counts from then.

A generator that sends the next request when the last was answered asks a shop less while that stalls, and the
stall hides. Here visitors come when they are due, whatever became of those before them; and what keeps a
request from leaving in time, be it a full connection pool or a busy generator, is part of how long it took.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

import gevent

from loadtests.generator.record import FAILED, OK, REFUSED

if TYPE_CHECKING:
    # Importing Locust changes how all of Python waits; commands know scenarios without that.
    from locust.contrib.fasthttp import FastHttpSession


class Refused(Exception):
    """A request was not answered as it was meant to be; the visit ends."""


class Sink(Protocol):
    """Takes down what happens; times are seconds after the start of the run."""

    def sent(self, due_s: float, lag_ms: float) -> None:
        """A request left late."""

    def end(self, due_s: float, name: str, ms: float, outcome: str, reason: str = "") -> None:
        """Something came to its end."""


class Visitor:
    """Somebody who uses the shop: one request after the other, each as soon as the last one was looked at."""

    def __init__(
        self,
        session: FastHttpSession,
        sink: Sink,
        draw: random.Random,
        *,
        began: float,
        due: float,
        think_s: float,
        headers: Mapping[str, str],
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = gevent.sleep,
    ) -> None:
        """`began` is when the run did, `due` when the first request is, both by `clock`."""
        self._session, self._sink, self.draw = session, sink, draw
        self._began, self._due, self._think_s = began, due, think_s
        self._headers = headers
        self._clock, self._sleep = clock, sleep

    @property
    def due_s(self) -> float:
        """When the next request is due, in seconds after the start of the run."""
        return self._due - self._began

    def think(self) -> None:
        """Look at what came before asking for more, for longer or shorter."""
        self.wait(self.draw.expovariate(1.0) * self._think_s)

    def wait(self, seconds: float) -> None:
        """Ask for nothing for so long."""
        self._due += seconds

    def get(self, route: str, *, token: str = "", query: Mapping[str, Any] | None = None, **ids: str) -> Any:
        """What the shop has there. Raises Refused."""
        return self.ask("GET", route, token=token, query=query, ids=ids)

    def post(self, route: str, body: object = None, *, token: str = "", **ids: str) -> Any:
        """Write once. Raises Refused."""
        return self.ask("POST", route, body, token=token, ids=ids)

    def ask(
        self,
        method: str,
        route: str,
        body: object = None,
        *,
        token: str = "",
        query: Mapping[str, Any] | None = None,
        ids: Mapping[str, str] | None = None,
        signature: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a request when it is due. Its name is the route, without ids and query. Raises Refused."""
        headers = {**self._headers, **(signature or {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if method == "POST":
            # By no seed: a run that is repeated must not be taken for the repetition of a request.
            headers["Idempotency-Key"] = uuid.uuid4().hex
        path = route.format(**(ids or {})) + (f"?{urlencode(query)}" if query else "")
        due = self._due
        self._sleep(max(0.0, due - self._clock()))
        self._sink.sent(due - self._began, (self._clock() - due) * 1000)
        try:
            with self._session.request(
                method, path, name=route, json=body, headers=headers, catch_response=True
            ) as answer:
                status = int(answer.status_code or 0)
                content = answer.content or b""
                error = str(answer.error) if status == 0 else ""
                self._due = self._clock()
                answer.request_meta["response_time"] = (self._due - due) * 1000
        except gevent.GreenletExit:
            self._end(due, f"{method} {route}", 0, "no answer when the run ended")
            raise
        self._end(due, f"{method} {route}", status, error)
        if not 200 <= status < 300:
            raise Refused(f"{method} {route}: {status or error}")
        return json.loads(content) if content else None

    def ended(self, name: str, due_s: float, ms: float, outcome: str, reason: str = "") -> None:
        """Take down what is no request."""
        self._sink.end(due_s, name, ms, outcome, reason)

    def _end(self, due: float, name: str, status: int, error: str) -> None:
        outcome = OK if 200 <= status < 300 else REFUSED if 300 <= status < 500 else FAILED
        reason = "" if outcome == OK else f"{name}: {status or error}"
        self._sink.end(due - self._began, name, (self._clock() - due) * 1000, outcome, reason)
