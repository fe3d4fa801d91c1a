"""A service as its consumers find it: what the verification of its pacts is given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI

from chassis import outbox
from chassis.database import Database
from chassis.jobs import Job
from chassis.migrations import upgrade_async
from chassis.testing import served

State = Callable[..., Awaitable[None]]
"""Brings a provider to a state; takes what the consumer says of it by keyword."""


@dataclass(frozen=True)
class Provider:
    """A service as its consumers find it, with `states` by the names that they give them.

    What it tells stands in `outbox`; a provider that others only listen to needs no `app`.
    """

    database: Database
    outbox: sa.Table
    states: Mapping[str, State]
    app: FastAPI | None = None

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str | None]:
        """Serve its routes; yields their URL, or None where nobody calls them."""
        if self.app is None:
            yield None
            return
        async with served(self.app) as url:
            yield url

    async def forget(self) -> None:
        """Take everything out of the outbox."""
        async with self.database.transaction() as tx:
            await tx.execute(self.outbox.delete())

    async def told(self, kind: str) -> dict[str, Any] | None:
        """The newest event of the type `kind` in the outbox, as it goes to SNS; None where there is none."""
        newest = sa.select(self.outbox).where(self.outbox.c.kind == kind).order_by(self.outbox.c.id.desc())
        async with self.database.reading() as connection:
            row = (await connection.execute(newest.limit(1))).one_or_none()
        if row is None:
            return None
        return outbox.entry(Job(row.id, row.kind, row.body, row.traceparent, row.attempts))


@asynccontextmanager
async def migrated(migrations: Path, database_url: str) -> AsyncIterator[Database]:
    """The empty database at `database_url` with a service's tables in it."""
    await upgrade_async(migrations, database_url)
    database = Database(database_url, pool_size=5)
    try:
        yield database
    finally:
        await database.close()
