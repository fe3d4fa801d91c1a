from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import orjson
import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from backing.cache import Cache as CacheServer
from chassis.database import Database
from services.product import store
from services.product.cache import Cache, Quotes, connect
from services.product.conftest import NOWHERE, add_product


class Source:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self) -> bytes:
        self.asked += 1
        return f"{self.asked}".encode()


@pytest.fixture
async def redis(cache_url: str) -> AsyncIterator[Redis]:
    """A client of an empty cache."""
    client = connect(cache_url)
    yield client
    await client.aclose()


async def test_the_password_may_come_apart_from_the_url(cache_url: str) -> None:
    """As it does where each is kept in a place of its own; one in the URL comes first."""
    parts = urlsplit(cache_url)
    password = SecretStr(str(parts.password))
    bare = urlunsplit(parts._replace(netloc=f"{parts.hostname}:{parts.port}"))
    for url, given in ((bare, password), (cache_url, None), (cache_url, SecretStr("wrong"))):
        client = connect(url, given)
        await client.ping()
        await client.aclose()
    client = connect(bare, SecretStr("wrong"))
    with pytest.raises(AuthenticationError):
        await client.ping()
    await client.aclose()


async def test_what_was_read_is_kept_until_it_is_forgotten(redis: Redis) -> None:
    """The source is asked again only then."""
    cache, source = Cache(redis), Source()
    assert [await cache.read_through("k", source) for _ in range(3)] == [b"1"] * 3
    await cache.forget("k", "other")
    assert await cache.read_through("k", source) == b"2"


async def test_nothing_is_kept_for_longer_than_said(redis: Redis) -> None:
    """Whoever could not be told of a change finds out by then."""
    await Cache(redis, ttl_s=5).read_through("k", Source())
    assert 0 < await redis.pttl("k") <= 5000


async def test_a_failure_of_the_source_is_passed_on(redis: Redis) -> None:
    """It says nothing about the cache, which goes on working."""

    async def failing() -> bytes:
        raise LookupError

    cache, source = Cache(redis), Source()
    for _ in range(10):
        with pytest.raises(LookupError):
            await cache.read_through("k", failing)
    assert [await cache.read_through("k", source) for _ in range(2)] == [b"1"] * 2


async def test_without_a_cache_the_source_is_asked() -> None:
    """Nobody sees that it is away."""
    client = connect(f"redis://{NOWHERE}/0")
    cache, source = Cache(client), Source()
    assert [await cache.read_through("k", source) for _ in range(9)] == [b"%d" % i for i in range(1, 10)]
    await cache.forget("k")
    await client.aclose()


async def test_a_cache_that_hangs_holds_nobody_up_for_long(cache_server: CacheServer, cache_url: str) -> None:
    """After a few attempts it is not asked any more."""
    client, source = connect(cache_url), Source()
    cache = Cache(client)
    await cache.read_through("k", source)
    await cache.forget("k")
    async with Redis.from_url(cache_url) as other:
        await other.client_pause(60_000)
    try:
        for _ in range(50):
            await cache.read_through("k", source)  # 50 times the timeout would be longer than a test may take
        assert source.asked == 51
    finally:
        cache_server.stop()
        cache_server.start()
        cache_server.wait_ready()
        await client.aclose()


async def test_quotes_are_of_what_is_for_sale(database: Database) -> None:
    """The retired and the unknown are left out."""
    tea, retired = await add_product(database), await add_product(database, retired=True)
    found = await Quotes(database).of([tea, retired, uuid.uuid4()])
    price = {"amount": 500, "currency": "EUR"}
    assert [orjson.loads(each) for each in found] == [
        {"product_id": str(tea), "name": "Tea", "unit_price": price}
    ]


async def test_quotes_are_a_second_old_at_most(database: Database) -> None:
    """Sooner for the process that made the change."""
    now = 100.0
    quotes = Quotes(database, ttl_s=1.0, monotonic=lambda: now)
    tea, cup = await add_product(database), await add_product(database)

    async def prices() -> list[int]:
        return [orjson.loads(each)["unit_price"]["amount"] for each in await quotes.of([tea, cup])]

    async def change(price: int) -> None:
        async with database.transaction() as tx:
            await tx.execute(sa.update(store.PRODUCTS).values(price=price))

    assert await prices() == [500, 500]
    await change(600)
    now += 0.9
    assert await prices() == [500, 500]
    quotes.forget(tea)
    assert await prices() == [600, 500]
    now += 0.1
    assert await prices() == [600, 600]


async def test_the_memory_for_quotes_is_bounded(database: Database) -> None:
    """Asking for ids that nobody has fills no memory, and loses nobody's answer."""
    quotes, tea = Quotes(database, ttl_s=60), await add_product(database)
    for _ in range(300):
        assert len(await quotes.of([tea, *(uuid.uuid4() for _ in range(50))])) == 1
    assert len(quotes._kept) <= 10_000
