"""For tests: a session with Locust's manners and the answers of a test, and time that passes by itself."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from loadtests.generator.loopback import well
from loadtests.generator.record import Record
from loadtests.generator.shop import Visitor

Answer = Callable[[str], tuple[int, bytes]]


class Time:
    """Passes when somebody sleeps, or an answer takes it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        """What time it is."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.now += seconds


class Session:
    """What visitors ask through. Status 0 is no answer; `takes_s` is how long each takes."""

    def __init__(self, time: Time, answer: Answer = well, takes_s: float = 0.0) -> None:
        self._time, self._answer, self._takes_s = time, answer, takes_s
        self.asked: list[tuple[str, str, Any, dict[str, str]]] = []
        self.reported: list[dict[str, Any]] = []

    @contextmanager
    def request(
        self, method: str, path: str, *, name: str, json: Any, headers: dict[str, str], catch_response: bool
    ) -> Iterator[Any]:
        """As `FastHttpSession.request` with `catch_response`."""
        assert catch_response
        self.asked.append((f"{method} {name}", path, json, headers))
        self._time.sleep(self._takes_s)
        status, content = self._answer(f"{method} {path}")
        meta = {"name": name, "response_time": self._takes_s * 1000}
        error = None if status else "connection refused"
        yield SimpleNamespace(status_code=status, content=content, error=error, request_meta=meta)
        self.reported.append(meta)


def visitor(
    session: Session, time: Time, record: Record, *, due_s: float = 0.0, think_s: float = 0.0
) -> Visitor:
    """A visitor who is due so long after the start of the run, which is now."""
    return Visitor(
        session,  # type: ignore[arg-type]
        record,
        random.Random(1),
        began=time.now,
        due=time.now + due_s,
        think_s=think_s,
        headers={"X-Api-Key": "key"},
        clock=time.clock,
        sleep=time.sleep,
    )


def says(status: int, body: object = None) -> Answer:
    """The same answer to everything."""
    return lambda _: (status, json.dumps(body).encode())
