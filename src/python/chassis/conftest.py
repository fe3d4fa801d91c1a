"""The chassis in a test: a database with the tables of a service that has none of its own but `effect`."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import sqlalchemy as sa
import structlog
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncConnection

from backing.broker import Broker, aws_environment
from backing.fixtures import Databases
from backing.postgres import Postgres
from chassis import aws, migrations, telemetry
from chassis import database as database_module
from chassis.database import Database
from chassis.idempotency import idempotency_table
from chassis.inbox import inbox_table
from chassis.jobs import BatchHandler, Failures, Job, job_table
from chassis.outbox import outbox_table

Handler = Callable[[AsyncConnection, Job], Awaitable[None]]

METADATA = database_module.metadata()
OUTBOX = outbox_table(METADATA)
JOBS = job_table("job", METADATA)
INBOX = inbox_table(METADATA)
IDEMPOTENCY = idempotency_table(METADATA)
EFFECTS = sa.Table(
    "effect",
    METADATA,
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("many", sa.Integer),
)


async def create_tables(url: str) -> None:
    """Make the tables, as a service's migration does."""

    def create(connection: sa.Connection) -> None:
        with Operations.context(MigrationContext.configure(connection)):
            migrations.create_standard_tables("outbox", "job")
        EFFECTS.create(connection)

    database = Database(url, pool_size=2)
    async with database.transaction() as tx:
        await tx.run_sync(create)
    await database.close()


async def effects(database: Database) -> list[str]:
    """What has taken effect, in that order."""
    async with database.reading() as connection:
        return list(await connection.scalars(sa.select(EFFECTS.c.what).order_by(sa.text("ctid"))))


async def count(database: Database, table: sa.Table) -> int:
    """How many rows `table` has."""
    async with database.reading() as connection:
        return int(await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


async def note(tx: AsyncConnection, what: str) -> None:
    """Have an effect."""
    await tx.execute(EFFECTS.insert().values(what=what))


def one_by_one(handler: Handler) -> BatchHandler:
    """A batch handler out of one for a single job; for runners with a batch of one."""

    async def handle(tx: AsyncConnection, batch: Sequence[Job]) -> Failures:
        (job,) = batch
        await handler(tx, job)
        return {}

    return handle


def without_account(url: str) -> str:
    """The database's URL, without who enters it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{parts.port}"))


class BrokenOff(Exception):
    """Something went wrong in the midst of a transaction."""


async def break_off(database: Database, do: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    """Begin a transaction, `do` something in it, and fail."""
    async with database.transaction() as tx:
        await do(tx)
        raise BrokenOff


@pytest.fixture(scope="session", autouse=True)
def _logs_and_traces() -> None:
    telemetry.configure("test", "1", "test", None)
    # The default draws a picture of each traceback, which takes a second.
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()]
    )


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    """A database with the tables, which are empty."""
    opened = Database(await databases.clean("chassis", create_tables), pool_size=10)
    yield opened
    await opened.close()


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A server that is this test's alone: it may kill it. What was committed outlives that."""
    server = Postgres(tmp_path / "postgres", log=tmp_path / "postgres.log")
    server.initialise()
    server.start()
    server.wait_ready()
    yield server
    server.process.kill()


@pytest.fixture
async def own_database(own_postgres: Postgres) -> AsyncIterator[Database]:
    """A database with the tables, on `own_postgres`."""
    url = own_postgres.create_database("chassis")
    await create_tables(url)
    opened = Database(url, pool_size=10)
    yield opened
    await opened.close()


@dataclass
class StoredAccount:
    """A secret in an AWS account that is the test's alone, and the environment that leads there."""

    arn: str
    environment: Mapping[str, str]
    client: Any

    async def store(self, url: str) -> None:
        """Have the secret hold what `url` says of who enters."""
        parts = urlsplit(url)
        held = {"username": parts.username, "password": parts.password, "engine": "postgres"}
        await self.client.put_secret_value(SecretId=self.arn, SecretString=json.dumps(held))


@pytest.fixture
async def stored_account(
    broker_server: Broker, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[StoredAccount]:
    """A secret as RDS makes it, which holds nothing yet."""
    environment = aws_environment(broker_server.endpoint, f"{random.randrange(10**11, 10**12)}")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with aws.client("secretsmanager") as client:
        made = await client.create_secret(Name="rds!db-1", SecretString="{}")
        yield StoredAccount(made["ARN"], environment, client)
