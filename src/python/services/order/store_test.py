from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from chassis import migrations
from chassis.database import Database
from services.order import domain, store
from services.order.conftest import order
from services.order.domain import Moment


async def test_the_migrations_make_the_tables_of_the_code(migrated_url: str) -> None:
    """Nothing is missing and nothing is too much."""
    assert await migrations.differences(migrated_url, store.METADATA) == []


async def test_an_order_is_read_as_it_was_written(database: Database) -> None:
    """Every field, the timeline included."""
    new = order()
    changed = domain.stock_rejected(
        domain.place(new, Moment(new.placed_at)).order, Moment(new.placed_at), "x"
    ).order
    async with database.transaction() as tx:
        await store.insert(tx, new)
        assert await store.locked(tx, new.id) == new
        await store.save(tx, changed)
    async with database.reading() as connection:
        assert await store.find(connection, new.id) == changed


async def test_an_unknown_order_is_not_found(database: Database) -> None:
    """Rather than None, which a caller might forget."""
    async with database.reading() as connection:
        with pytest.raises(store.OrderUnknown):
            await store.find(connection, uuid.uuid4())


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "LOST"},
        {"status": "CANCELLED"},
        {"cancel_reason": "requested"},
        {"refunded": 1001},
        {"refunded": -1},
    ],
    ids=str,
)
async def test_the_database_refuses_an_impossible_order(database: Database, wrong: dict[str, object]) -> None:
    """A second line of defence behind the domain."""
    new = order()
    async with database.transaction() as tx:
        await store.insert(tx, new)
    with pytest.raises(IntegrityError):
        async with database.transaction() as tx:
            await tx.execute(sa.update(store.ORDERS).values(wrong))
