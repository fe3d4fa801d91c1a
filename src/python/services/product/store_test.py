from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from chassis import migrations
from chassis.clock import new_id
from chassis.database import Database
from chassis.housekeeping import Housekeeping
from contracts.money import Money
from services.product import stock, store
from services.product.app import RETENTION
from services.product.conftest import add_product
from services.product.domain import (
    COMMIT,
    RESERVE,
    Image,
    Line,
    Product,
    Reservation,
    State,
    Stock,
    never_to_be,
)

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def product(sku: str | None = "T-1") -> Product:
    price = Money(amount=500, currency="EUR")
    return Product(uuid.uuid4(), sku, "Tea", "Green.", "Tea", price, NOW, NOW)


async def test_the_migrations_make_the_tables_of_the_code(migrated_url: str) -> None:
    """Nothing is missing and nothing is too much."""
    assert await migrations.differences(migrated_url, store.METADATA) == []


async def test_a_product_is_read_as_it_was_written(database: Database) -> None:
    """With its stock, and with the images that are there."""
    new = product()
    image = Image(new_id(), new.id, "image/png", 10, NOW)
    awaited = Image(new_id(), new.id, "image/webp", 20, NOW)
    async with database.transaction() as tx:
        await store.insert(tx, new)
        await store.insert_image(tx, image)
        await store.insert_image(tx, awaited)
        await store.complete_image(tx, image.id)
        await stock.receive(tx, new.id, 7, receipt_id=uuid.uuid4(), by=uuid.uuid4(), at=NOW)
        assert await store.count_images(tx, new.id) == 2
        assert await store.find_image(tx, new.id, awaited.id) == awaited
        changed = replace(await store.locked(tx, new.id), name="Black tea", retired_at=NOW)
        await store.save(tx, changed)
    async with database.reading() as connection:
        found = await store.find(connection, new.id)
    expected = replace(
        new, name="Black tea", retired_at=NOW, on_hand=7, images=(replace(image, pending_since=None),)
    )
    assert found == expected


async def test_what_is_not_there_is_not_found(database: Database) -> None:
    """Rather than None, which a caller might forget."""
    nobody = uuid.uuid4()
    async with database.reading() as connection:
        with pytest.raises(store.ProductUnknown):
            await store.find(connection, nobody)
        with pytest.raises(store.ProductUnknown):
            await stock.find(connection, nobody)
        with pytest.raises(store.ImageUnknown):
            await store.find_image(connection, nobody, nobody)
        with pytest.raises(store.ProductUnknown):
            await stock.receive(connection, nobody, 1, receipt_id=nobody, by=nobody, at=NOW)


async def test_a_sku_is_of_one_product(database: Database) -> None:
    """Many may have none."""
    async with database.transaction() as tx:
        await store.insert(tx, product())
        await store.insert(tx, product(sku=None))
        await store.insert(tx, product(sku=None))
    with pytest.raises(store.SkuTaken, match="T-1"):
        async with database.transaction() as tx:
            await store.insert(tx, product())


async def test_stock_moves_as_told(database: Database) -> None:
    """Several products in one statement; what is received and reserved is recorded."""
    tea, cup = [await add_product(database, on_hand=5) for _ in range(2)]
    lines = (Line(tea, 2), Line(cup, 5))
    reserved = Reservation(uuid.uuid4(), State.RESERVED, lines)
    async with database.transaction() as tx:
        assert await stock.available(tx, [tea, cup, uuid.uuid4()]) == {tea: 5, cup: 5}
        assert await stock.insert_reservation(tx, reserved, NOW)
        await stock.move(tx, lines, RESERVE)
        await stock.move(tx, lines[1:], COMMIT)
        await stock.receive(tx, tea, 10, receipt_id=uuid.uuid4(), by=uuid.uuid4(), at=NOW)
    async with database.transaction() as tx:
        assert await stock.reservation(tx, reserved.order_id) == reserved
        assert await stock.reservation(tx, uuid.uuid4()) is None
        assert await stock.find(tx, tea) == Stock(tea, on_hand=13, reserved=2, sold=0, received=15)
        assert await stock.find(tx, cup) == Stock(cup, on_hand=0, reserved=0, sold=5, received=5)
        receipt = (await tx.execute(sa.select(store.RECEIPTS))).one()
    assert (receipt.product_id, receipt.quantity, receipt.received_at) == (tea, 10, NOW)


async def test_of_a_retired_product_none_is_available(database: Database) -> None:
    """Whatever lies on the shelf."""
    retired = await add_product(database, on_hand=5, retired=True)
    async with database.transaction() as tx:
        assert await stock.available(tx, [retired]) == {retired: 0}


async def test_an_order_has_one_reservation(database: Database) -> None:
    """The second is told so, and changes nothing."""
    first = never_to_be(uuid.uuid4())
    async with database.transaction() as tx:
        assert await stock.insert_reservation(tx, first, NOW)
        assert not await stock.insert_reservation(tx, replace(first, state=State.RESERVED), NOW)
        assert await stock.reservation(tx, first.order_id) == first


@pytest.mark.parametrize(
    "wrong",
    [
        {"on_hand": -1, "received": -1},
        {"on_hand": -1, "reserved": 2},
        {"sold": -1, "on_hand": 2},
        {"on_hand": 2},
        {"received": 0},
    ],
    ids=str,
)
async def test_the_database_refuses_impossible_stock(database: Database, wrong: dict[str, int]) -> None:
    """A second line of defence behind the domain."""
    await add_product(database, on_hand=1)
    with pytest.raises(IntegrityError):
        async with database.transaction() as tx:
            await tx.execute(sa.update(store.STOCK).values(wrong))


async def test_what_has_ended_is_kept_as_long_as_news_may_come(database: Database) -> None:
    """Then it goes, and so do images that never came; what is held, bought or shown stays."""
    tea = await add_product(database)
    now = dt.datetime.now(dt.UTC)
    held = Reservation(uuid.uuid4(), State.RESERVED, (Line(tea, 1),))
    fresh, old = never_to_be(uuid.uuid4()), never_to_be(uuid.uuid4())
    awaited = Image(uuid.uuid4(), tea, "image/png", 1, now - dt.timedelta(days=2))
    shown = Image(uuid.uuid4(), tea, "image/png", 1, None)
    async with database.transaction() as tx:
        for each, ended in ((held, now), (fresh, now), (old, now - dt.timedelta(days=16))):
            await stock.insert_reservation(tx, each, ended)
        await store.insert_image(tx, awaited)
        await store.insert_image(tx, shown)
    assert await Housekeeping(database, RETENTION).run_once() == 2
    async with database.reading() as connection:
        left = set((await connection.execute(sa.select(store.RESERVATIONS.c.order_id))).scalars())
        assert left == {held.order_id, fresh.order_id}
        assert await store.find_image(connection, tea, shown.id) == shown
