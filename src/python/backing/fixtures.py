"""Fixtures that run the backing services: one process of each per test run, a fresh share of it per test.

Nothing is started for a test that does not ask for it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiobotocore.session import get_session

from backing.broker import REGION, Broker, aws_environment
from backing.cache import Cache
from backing.mailbox import Mailbox
from backing.postgres import Postgres
from backing.stripe import Stripe
from contracts.events.envelope import EVENT_TYPE_ATTRIBUTE, Envelope, Event, routing_type
from contracts.topology import topic_of


@dataclass(frozen=True)
class Account:
    """An AWS account of one test's own, with the topology in it: where its parts are, how to get there."""

    endpoint: str
    id: str
    topic_arns: dict[str, str]
    queue_urls: dict[str, str]
    bucket: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment that leads any AWS client into the account."""
        return aws_environment(self.endpoint, self.id)

    @property
    def client_options(self) -> dict[str, Any]:
        """The same for `aiobotocore`'s `create_client`."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": REGION,
            "aws_access_key_id": self.id,
            "aws_secret_access_key": "local",
        }

    async def publish(self, *events: Event, copies: int = 1) -> None:
        """Publish `events` on their topics, each so many times: nobody promises that one comes once."""
        async with get_session().create_client("sns", **self.client_options) as sns:
            for event in events:
                kind = type(event)
                now = dt.datetime.now(dt.UTC)
                envelope = Envelope.wrap(event, id=uuid.uuid4(), source="test", time=now)
                routed = {"DataType": "String", "StringValue": routing_type(kind)}
                for _ in range(copies):
                    await sns.publish(
                        TopicArn=self.topic_arns[topic_of(kind).name],
                        Message=envelope.to_json(),
                        MessageAttributes={EVENT_TYPE_ATTRIBUTE: routed},
                    )


class Databases:
    """Databases that one test after the other has, each time as they were made.

    Making one takes longer than most tests do, and emptying it some milliseconds.
    """

    def __init__(self, server: Postgres) -> None:
        """Make them on `server`."""
        self._server = server
        self._made: dict[str, tuple[str, set[str]]] = {}

    async def clean(self, name: str, make: Callable[[str], Awaitable[None]]) -> str:
        """The URL of the database `name`, in which `make` has made the tables.

        What `make` filled stays, every other table is empty, and the sessions of earlier tests are ended.
        """
        name = f"test_{name}"  # by itself it may be a word of SQL's, as "user" is
        if name not in self._made:
            url = self._server.create_database(name)
            await make(url)
            async with _connected(self._server.url(name)) as connection:
                self._made[name] = url, set(await _filled_tables(connection))
        url, kept = self._made[name]
        async with _connected(self._server.url(name)) as connection:
            await connection.execute(_END_OTHERS)
            left_over = [table for table in await _filled_tables(connection) if table not in kept]
            if left_over:
                await connection.execute(f"TRUNCATE {', '.join(left_over)} RESTART IDENTITY CASCADE")
        return url


_END_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_TABLES = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'"


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _filled_tables(connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    tables = [table for (table,) in await connection.fetch(_TABLES)]
    each = [f"SELECT '{table}' WHERE EXISTS (TABLE {table})" for table in tables]
    return [table for (table,) in await connection.fetch(" UNION ALL ".join(each))] if each else []


@pytest.fixture(scope="session")
def backing_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes of this run keep their data and their logs."""
    return tmp_path_factory.mktemp("backing")


@pytest.fixture(scope="session")
def postgres(backing_directory: Path) -> Iterator[Postgres]:
    """A PostgreSQL server for this run; take `database_url` unless the server itself is what you need."""
    server = Postgres(backing_directory / "postgres", log=backing_directory / "postgres.log", throwaway=True)
    server.initialise()
    server.start()
    server.wait_ready()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def databases(postgres: Postgres) -> Databases:
    """Databases with tables in them, for tests that do not make their own."""
    return Databases(postgres)


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty database that is this test's alone."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def broker_server(backing_directory: Path) -> Iterator[Broker]:
    """The broker's process for this run; take `broker` unless the process itself is what you need."""
    server = Broker(log=backing_directory / "broker.log")
    server.start()
    server.wait_ready()
    yield server
    server.stop()


@pytest.fixture
def aws_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which AWS does not answer: queues and topics stand still."""
    for name, value in aws_environment("http://127.0.0.1:9", "test").items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def broker(broker_server: Broker) -> Account:
    """An AWS account that is this test's alone, with the whole topology in it."""
    from backing.provision import provision

    account = f"{random.randrange(10**11, 10**12)}"
    options = Account(broker_server.endpoint, account, {}, {}, "").client_options
    # In a thread: the test may have an event loop already, and only one runs per thread.
    with ThreadPoolExecutor(1) as thread:
        made = thread.submit(lambda: asyncio.run(provision(bucket=f"images-{account}", **options))).result()
    return Account(broker_server.endpoint, account, made.topic_arns, made.queue_urls, made.bucket)


@pytest.fixture(scope="session")
def cache_server(backing_directory: Path) -> Iterator[Cache]:
    """The cache's process for this run."""
    server = Cache(backing_directory / "cache", log=backing_directory / "cache.log")
    server.start()
    server.wait_ready()
    yield server
    server.stop()


@pytest.fixture
def cache_url(cache_server: Cache) -> str:
    """The URL of an empty cache."""
    import redis

    with redis.Redis.from_url(cache_server.url) as client:
        client.flushall()
    return cache_server.url


@pytest.fixture(scope="session")
def mailbox_server(backing_directory: Path) -> Iterator[Mailbox]:
    """The mailbox's process for this run."""
    server = Mailbox(backing_directory / "mails", log=backing_directory / "mailbox.log")
    server.start()
    server.wait_ready()
    yield server
    server.stop()


@pytest.fixture
def mailbox(mailbox_server: Mailbox) -> Mailbox:
    """An empty mailbox: send to its `smtp_url`, read its `messages()`."""
    mailbox_server.clear()
    return mailbox_server


@pytest.fixture
def stripe_server(backing_directory: Path) -> Iterator[Stripe]:
    """A payment provider that is this test's alone: a test may make it fail, and sets its webhook."""
    server = Stripe(log=backing_directory / "stripe.log")
    server.start()
    server.wait_ready()
    yield server
    server.stop()
