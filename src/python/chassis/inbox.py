"""Idempotent consumption: an event's id is recorded in the transaction of its effect.

https://microservices.io/patterns/communication-style/idempotent-consumer.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

TABLE = "inbox"


def inbox_table(metadata: sa.MetaData) -> sa.Table:
    """The inbox of a service, among its own tables."""
    return sa.Table(
        TABLE,
        metadata,
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Index(f"ix_{TABLE}_received_at", "received_at"),
    )


async def take(tx: AsyncConnection, table: sa.Table, event_ids: Sequence[Any]) -> set[Any]:
    """Record `event_ids` and return those that were not recorded before.

    Waits for another transaction that is recording one of them at this moment.
    """
    statement = insert(table).on_conflict_do_nothing().returning(table.c.event_id)
    fresh = await tx.execute(statement.values([{"event_id": event_id} for event_id in event_ids]))
    return set(fresh.scalars())
