"""Throws away what is kept for a time only: seen event ids and saved answers."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Mapping
from contextlib import suppress

import sqlalchemy as sa

from chassis import idempotency, inbox, logs
from chassis.database import Database

log = logs.get(__name__)

# SQS keeps a message for 14 days at most, so that no older event can come again.
INBOX_KEPT_FOR = dt.timedelta(days=15)
_EVERY_S = 3600.0


class Housekeeping:
    """Deletes rows whose time, in the column given for each table, lies further back than it is kept."""

    def __init__(
        self, database: Database, kept: Mapping[sa.Column[dt.datetime], dt.timedelta], *, batch: int = 5000
    ) -> None:
        self._database = database
        self._kept = kept
        self._batch = batch  # a statement over all rows of a busy day would run out of time, for ever

    async def run(self, stop: asyncio.Event) -> None:
        """Clean up each hour, at a time of its own, until `stop` is set."""
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _EVERY_S * random.uniform(0.5, 1.5))
                return
            try:
                await self.run_once()
            except Exception as error:
                log.warning("housekeeping failed, trying again in an hour", error=str(error))

    async def run_once(self) -> int:
        """Clean up now; returns how many rows went."""
        return sum([await self._clean(column, age) for column, age in self._kept.items()])

    async def _clean(self, column: sa.Column[dt.datetime], age: dt.timedelta) -> int:
        table = column.table
        assert isinstance(table, sa.Table)
        row: sa.ColumnClause[object] = sa.literal_column("ctid")
        old = sa.select(row).select_from(table).where(column < sa.func.now() - age).limit(self._batch)
        gone = 0
        while True:
            async with self._database.transaction() as tx:
                count = (await tx.execute(table.delete().where(row.in_(old)))).rowcount
            gone += count
            if count < self._batch:
                return gone


def standard_retention(*tables: sa.Table) -> dict[sa.Column[dt.datetime], dt.timedelta]:
    """How long the chassis' own tables keep their rows: inbox and saved answers."""
    kept = {
        inbox.TABLE: ("received_at", INBOX_KEPT_FOR),
        idempotency.TABLE: ("created_at", dt.timedelta(hours=idempotency.KEPT_FOR_H)),
    }
    return {table.c[kept[table.name][0]]: kept[table.name][1] for table in tables}
