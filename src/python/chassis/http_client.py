"""Calls to other services: deadline, retry at this one layer, circuit breaker, bulkhead."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import stamina
from opentelemetry.instrumentation.aiohttp_client import create_trace_config
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from chassis import logs
from chassis.problems import Unavailable

log = logs.get(__name__)

_RETRYABLE = frozenset({502, 503, 504})
_ATTEMPTS = 3


@dataclass(frozen=True)
class Answer:
    """What a service answered: below 500, so that the caller decides what a refusal means to it."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON."""
        return orjson.loads(self.body)


class _Transient(Exception):
    """The call may succeed when it is made again."""


class RetryBudget:
    """Bounds retries to a share of calls, so that they cannot multiply the load on a service that struggles.

    Each call earns `ratio` of a retry, up to `burst` retries in hand.
    https://sre.google/sre-book/handling-overload/ (per-client retry budget)
    """

    def __init__(self, ratio: float = 0.2, burst: float = 10) -> None:
        self._ratio = ratio
        self._burst = burst
        self._tokens = burst

    def earn(self) -> None:
        """Note a call."""
        self._tokens = min(self._burst, self._tokens + self._ratio)

    def spend(self) -> bool:
        """Whether a retry may be made; it is then taken off the budget."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def session() -> aiohttp.ClientSession:
    """A connection pool for a process, which passes the trace on; close it at the end."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
        cookie_jar=aiohttp.DummyCookieJar(),  # what one caller was given is not the next one's
        trace_configs=[create_trace_config()],
        auto_decompress=True,
    )


class HttpClient:
    """Calls one service. Every failure to get an answer is `Unavailable`, naming the service."""

    def __init__(
        self,
        service: str,
        base_url: str,
        session: aiohttp.ClientSession,
        *,
        deadline_s: float = 2.0,
        concurrency: int = 64,
        failures_to_open: int = 5,
        open_for_s: float = 5.0,
        retry_wait_s: float = 0.02,
    ) -> None:
        self._service = service
        self._base_url = base_url.rstrip("/")
        self._session = session
        self._deadline_s = deadline_s
        self._bulkhead = asyncio.Semaphore(concurrency)
        self._breakers = AsyncCircuitBreakerFactory(
            default_threshold=failures_to_open, default_ttl=open_for_s
        )
        self._budget = RetryBudget()
        self._retry_wait_s = retry_wait_s

    async def get(
        self, path: str, *, params: Mapping[str, str] | None = None, token: str | None = None
    ) -> Answer:
        """GET `path`; `token` is sent as a bearer token. Raises Unavailable when no answer came in time."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with asyncio.timeout(self._deadline_s), self._bulkhead:
                return await self._with_retries("GET", path, params=params, headers=headers)
        except TimeoutError:
            raise self._unavailable(f"did not answer within {self._deadline_s:g} s") from None
        except _Transient as error:
            raise self._unavailable(str(error)) from error
        except OpenedState as opened:
            # One object for every call that is refused, which would keep the frames of each.
            opened.__traceback__ = None
            raise self._unavailable("has failed repeatedly and is left alone for a moment") from None

    async def _with_retries(self, method: str, path: str, **options: Any) -> Answer:
        self._budget.earn()
        attempts = stamina.retry_context(
            on=self._may_retry,
            attempts=_ATTEMPTS,
            timeout=self._deadline_s,
            wait_initial=self._retry_wait_s,
            wait_max=0.5,
            wait_jitter=self._retry_wait_s,
        )
        async for attempt in attempts:
            with attempt:
                return await self._through_breaker(method, path, **options)
        raise AssertionError("stamina either returns or raises")

    def _may_retry(self, error: Exception) -> bool:
        return isinstance(error, _Transient) and self._budget.spend()

    async def _through_breaker(self, method: str, path: str, **options: Any) -> Answer:
        async with await self._breakers.get_breaker(self._service):
            return await self._send(method, path, **options)

    async def _send(self, method: str, path: str, **options: Any) -> Answer:
        try:
            url = self._base_url + path
            async with self._session.request(method, url, allow_redirects=False, **options) as response:
                body = await response.read()
        except aiohttp.ClientError as error:
            raise _Transient(f"cannot be reached ({type(error).__name__})") from error
        if response.status in _RETRYABLE:
            raise _Transient(f"answered {response.status}")
        if response.status >= 500:
            raise self._unavailable(f"answered {response.status}")
        return Answer(response.status, body)

    def _unavailable(self, what: str) -> Unavailable:
        log.warning("a call failed", to=self._service, reason=what)
        return Unavailable(f"The {self._service} service {what}; try again shortly.")
