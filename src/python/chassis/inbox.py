"""Idempotent consumption: an event's id is recorded in the transaction of its effect.

https://microservices.io/patterns/communication-style/idempotent-consumer.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

TABLE = "inbox"
_EVENT_IDS = sa.bindparam("event_ids", type_=ARRAY(sa.Uuid))


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
    # An array of them, so that the statement is the same whatever their number, and compiled once.
    new = sa.select(sa.func.unnest(_EVENT_IDS))
    statement = insert(table).from_select(["event_id"], new).on_conflict_do_nothing()
    fresh = await tx.execute(
        statement.returning(table.c.event_id), {_EVENT_IDS.key: list(dict.fromkeys(event_ids))}
    )
    return set(fresh.scalars())
