"""What is read often, kept for a moment: answers in a cache that all replicas share, quotes in the process.

Neither is needed. Where the shared cache is away, everything is read from the database; what it holds may be
older than the database by its time to live and no more, also when it could not be told of a change.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import orjson
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from chassis import logs
from chassis.database import Database
from services.product import store

log = logs.get(__name__)

T = TypeVar("T")

TTL_S = 5
QUOTE_TTL_S = 1.0

# Slower than this and the database would have answered.
_TIMEOUT_S = 0.1
_FAILURES_TO_OPEN = 3
_OPEN_FOR_S = 5.0
_REMEMBERED_QUOTES = 10_000


def connect(url: str, password: SecretStr | None = None) -> Redis:
    """A client of the cache at `url`; it connects when it is used. Close it at the end.

    The `password` is for a URL that carries none.
    """
    return Redis.from_url(
        url,
        password=password.get_secret_value() if password else None,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        # Once more and at once, for a connection that a restarted server no longer knows.
        retry=Retry(NoBackoff(), 1),
        max_connections=50,
    )


class Cache:
    """The shared cache. No caller sees its failures; after a few in a row it is left alone for a while."""

    def __init__(self, redis: Redis, *, ttl_s: int = TTL_S) -> None:
        self._redis = redis
        self._ttl_s = ttl_s
        self._breakers = AsyncCircuitBreakerFactory(
            default_threshold=_FAILURES_TO_OPEN, default_ttl=_OPEN_FOR_S
        )

    async def read_through(self, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """What is kept under `key`; where there is nothing, what `make` returns, which is kept."""
        kept = await self._tried(lambda: self._redis.get(key))
        if isinstance(kept, bytes):
            return kept
        made = await make()
        await self._tried(lambda: self._redis.set(key, made, ex=self._ttl_s))
        return made

    async def forget(self, *keys: str) -> None:
        """Keep nothing under `keys` any more: call it after the change has been committed."""
        await self._tried(lambda: self._redis.delete(*keys))

    async def _tried(self, operation: Callable[[], Awaitable[T]]) -> T | None:
        try:
            async with await self._breakers.get_breaker("cache"):
                return await operation()
        except OpenedState:
            return None
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("the cache does not answer, doing without", error=f"{type(error).__name__}: {error}")
            return None


class Quotes:
    """Name and price of products for sale, each as JSON and at most `ttl_s` seconds old.

    Kept in the process alone: for one look-up by primary key a shared cache would cost more than it saves.
    """

    def __init__(
        self,
        database: Database,
        *,
        ttl_s: float = QUOTE_TTL_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._ttl_s = ttl_s
        self._monotonic = monotonic
        self._kept: dict[uuid.UUID, tuple[float, bytes | None]] = {}

    async def of(self, product_ids: Sequence[uuid.UUID]) -> list[bytes]:
        """The quotes of those among `product_ids` that are for sale."""
        now = self._monotonic()
        known = {each: kept[1] for each in product_ids if (kept := self._kept.get(each)) and now < kept[0]}
        missing = [each for each in product_ids if each not in known]
        if missing:
            known |= await self._read(missing, now)
        return [quote for each in product_ids if (quote := known[each]) is not None]

    def forget(self, product_id: uuid.UUID) -> None:
        """The product has changed; other replicas find out in `ttl_s` seconds."""
        self._kept.pop(product_id, None)

    async def _read(self, product_ids: Sequence[uuid.UUID], now: float) -> dict[uuid.UUID, bytes | None]:
        async with self._database.reading() as connection:
            rows = await store.quotes(connection, product_ids)
        # What is not for sale is remembered as well.
        read: dict[uuid.UUID, bytes | None] = dict.fromkeys(product_ids)
        for row in rows:
            price = {"amount": row.price, "currency": row.currency}
            read[row.id] = orjson.dumps({"product_id": str(row.id), "name": row.name, "unit_price": price})
        if len(self._kept) + len(read) > _REMEMBERED_QUOTES:
            self._kept.clear()
        # Dated by when the reading began.
        self._kept.update((each, (now + self._ttl_s, quote)) for each, quote in read.items())
        return read
