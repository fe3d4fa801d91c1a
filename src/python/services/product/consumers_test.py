from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import random
import uuid
from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from chassis.database import Database
from chassis.outbox import Outbox
from contracts.events.envelope import Envelope, Event
from contracts.events.inventory import StockRejected
from contracts.events.order import OrderCancelled, OrderCreated
from contracts.topology import INVENTORY_QUEUE, events_for
from services.product import stock, store
from services.product.conftest import CUSTOMER, add_product, cancelled, confirmed, created
from services.product.consumers import Consumers
from services.product.domain import State, Stock

HANDLERS = Consumers(Outbox("product", store.OUTBOX)).handlers


async def hear(database: Database, *events: Event) -> None:
    for event in events:
        async with database.transaction() as tx:
            await HANDLERS[type(event)](tx, event)


async def hear_together(database: Database, *events: Event) -> None:
    async with database.transaction() as tx:
        for event in events:
            await HANDLERS[type(event)](tx, event)


async def there(database: Database, product_id: uuid.UUID) -> tuple[int, int, int]:
    async with database.reading() as connection:
        found = await stock.find(connection, product_id)
    assert found.on_hand + found.reserved + found.sold == found.received
    return found.on_hand, found.reserved, found.sold


async def state(database: Database, order_id: uuid.UUID) -> State | None:
    async with database.transaction() as tx:
        found = await stock.reservation(tx, order_id)
    return None if found is None else found.state


async def published(database: Database) -> list[Envelope]:
    async with database.reading() as connection:
        rows = await connection.execute(sa.select(store.OUTBOX.c.body).order_by(store.OUTBOX.c.id))
        return [Envelope.model_validate_json(body) for body in rows.scalars()]


async def told(database: Database) -> list[str]:
    return [envelope.type.split(".")[1] for envelope in await published(database)]


def test_every_event_of_the_queue_has_a_handler() -> None:
    """What the topology delivers is what the service handles."""
    assert set(HANDLERS) == events_for(INVENTORY_QUEUE)


async def test_an_order_reserves_and_buys_its_lines(database: Database) -> None:
    """From the shelf to the reserved, from the reserved to the sold."""
    tea, cup, order = (
        await add_product(database, on_hand=5),
        await add_product(database, on_hand=1),
        uuid.uuid4(),
    )
    await hear(database, created(order, (tea, 2), (cup, 1)))
    assert [await there(database, each) for each in (tea, cup)] == [(3, 2, 0), (0, 1, 0)]
    await hear(database, confirmed(order))
    assert [await there(database, each) for each in (tea, cup)] == [(3, 0, 2), (0, 0, 1)]
    assert await told(database) == ["STOCK_RESERVED"]


async def test_an_order_reserves_all_or_nothing(database: Database) -> None:
    """What is short, unknown or retired is told, with how many there are."""
    tea, cup = await add_product(database, on_hand=5), await add_product(database, on_hand=1)
    retired, unknown = await add_product(database, on_hand=9, retired=True), uuid.uuid4()
    order = uuid.uuid4()
    await hear(database, created(order, (tea, 2), (cup, 2), (retired, 1), (unknown, 10**30)))
    (envelope,) = await published(database)
    rejection = StockRejected.model_validate(envelope.data)
    short = {s.product_id: (s.requested, s.available) for s in rejection.shortages}
    assert short == {cup: (2, 1), retired: (1, 0), unknown: (10**30, 0)}
    assert await there(database, tea) == (5, 0, 0)
    assert await state(database, order) is State.REJECTED


async def test_lines_of_one_product_count_together(database: Database) -> None:
    """Three and three of five are one too many."""
    tea = await add_product(database, on_hand=5)
    await hear(database, created(uuid.uuid4(), (tea, 3), (tea, 3)))
    assert await there(database, tea) == (5, 0, 0)
    await hear(database, created(uuid.uuid4(), (tea, 3), (tea, 2)))
    assert await there(database, tea) == (0, 5, 0)


@pytest.mark.parametrize("confirm", [False, True])
async def test_a_cancelled_order_gives_everything_back(database: Database, confirm: bool) -> None:
    """What it held, or what it had bought already."""
    tea, order = await add_product(database, on_hand=5), uuid.uuid4()
    await hear(database, created(order, (tea, 2)), *([confirmed(order)] if confirm else []), cancelled(order))
    assert await there(database, tea) == (5, 0, 0)
    assert await told(database) == ["STOCK_RESERVED"]


NEWS = ["created", "confirmed", "cancelled"]


async def test_after_a_cancellation_nothing_is_held(database: Database) -> None:
    """In whatever order the news arrive, and however often."""
    tea = await add_product(database, on_hand=5)
    arrivals = [each for each in itertools.product(NEWS, repeat=4) if {"created", "cancelled"} <= set(each)]
    for arrival in arrivals:
        order = uuid.uuid4()
        news = {
            "created": created(order, (tea, 2)),
            "confirmed": confirmed(order),
            "cancelled": cancelled(order),
        }
        before = len(await told(database))
        await hear(database, *(news[each] for each in arrival))
        in_order = arrival.index("created") < arrival.index("cancelled")
        assert await there(database, tea) == (5, 0, 0), arrival
        assert await state(database, order) is State.CANCELLED, arrival
        assert (await told(database))[before:] == (["STOCK_RESERVED"] if in_order else []), arrival


async def test_repeated_news_have_one_effect(database: Database) -> None:
    """Also under other event ids, which the inbox does not know."""
    tea, order = await add_product(database, on_hand=5), uuid.uuid4()
    new = created(order, (tea, 2))
    await hear(database, new, new, confirmed(order), confirmed(order), new)
    assert await there(database, tea) == (3, 0, 2)
    assert await told(database) == ["STOCK_RESERVED"]


async def test_a_rejection_stays_one(database: Database) -> None:
    """Though stock came in meanwhile: the order is being cancelled for it."""
    tea, order = await add_product(database, on_hand=1), uuid.uuid4()
    await hear(database, created(order, (tea, 2)))
    async with database.transaction() as tx:
        await stock.receive(tx, tea, 9, receipt_id=uuid.uuid4(), by=CUSTOMER, at=dt.datetime.now(dt.UTC))
    await hear(database, created(order, (tea, 2)), cancelled(order))
    assert await there(database, tea) == (10, 0, 0)
    assert await told(database) == ["STOCK_REJECTED"]
    assert await state(database, order) is State.REJECTED


async def test_a_confirmation_of_an_order_never_heard_of_does_nothing(database: Database) -> None:
    """It cannot be, so it is logged, and nothing waits for it to mend itself."""
    order = uuid.uuid4()
    await hear(database, confirmed(order))
    assert await state(database, order) is None


async def test_a_cancellation_waits_for_the_reservation_under_way(database: Database) -> None:
    """It sees what was committed while it waited, and releases it."""
    tea, order = await add_product(database, on_hand=5), uuid.uuid4()
    async with database.transaction() as tx:
        await HANDLERS[OrderCreated](tx, created(order, (tea, 2)))
        cancelling = asyncio.create_task(hear(database, cancelled(order)))
        await waiting_for_the_turn(database)
    await cancelling
    assert await there(database, tea) == (5, 0, 0)
    assert await state(database, order) is State.CANCELLED


async def test_a_reservation_waits_for_the_cancellation_under_way(database: Database) -> None:
    """And then holds nothing."""
    tea, order = await add_product(database, on_hand=5), uuid.uuid4()
    async with database.transaction() as tx:
        await HANDLERS[OrderCancelled](tx, cancelled(order))
        reserving = asyncio.create_task(hear(database, created(order, (tea, 2))))
        await waiting_for_the_turn(database)
    await reserving
    assert await there(database, tea) == (5, 0, 0)
    assert await told(database) == []


async def test_batches_at_once_neither_oversell_nor_kill_each_other(database: Database) -> None:
    """Each has the products of its orders in an order of its own; stock comes in meanwhile."""
    products = [await add_product(database, on_hand=20) for _ in range(4)]
    orders = [uuid.uuid4() for _ in range(80)]
    chance = random.Random(1)

    def batch(some: Sequence[uuid.UUID]) -> list[Event]:
        return [created(o, *((p, 1) for p in chance.sample(products, 3))) for o in some]

    async def receive(product_id: uuid.UUID) -> None:
        async with database.transaction() as tx:
            await stock.receive(
                tx, product_id, 1, receipt_id=uuid.uuid4(), by=CUSTOMER, at=dt.datetime.now(dt.UTC)
            )

    batches = [batch(orders[i : i + 10]) for i in range(0, 80, 10)]
    await asyncio.gather(
        *(hear_together(database, *each) for each in batches), *(receive(each) for each in products)
    )
    states = [await state(database, order) for order in orders]
    held = [order for order, is_ in zip(orders, states, strict=True) if is_ is State.RESERVED]
    halves = held[::2], held[1::2]
    await asyncio.gather(
        *(hear_together(database, *map(confirmed, halves[0][i::3])) for i in range(3)),
        *(hear_together(database, *map(cancelled, halves[1][i::3])) for i in range(3)),
    )
    left = [await there(database, each) for each in products]
    assert sum(sold for _, _, sold in left) == 3 * len(halves[0])
    assert [(reserved, on_hand + sold) for on_hand, reserved, sold in left] == [(0, 21)] * 4


async def waiting_for_the_turn(database: Database) -> None:
    """Return once a transaction waits for an advisory lock."""
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with asyncio.timeout(5), database.reading() as connection:
        while not await connection.scalar(waiting):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.005)


async def test_the_last_piece_is_sold_once(database: Database) -> None:
    """Ten orders at once for one piece: one gets it."""
    tea = await add_product(database, on_hand=1)
    await asyncio.gather(*(hear(database, created(uuid.uuid4(), (tea, 1))) for _ in range(10)))
    async with database.reading() as connection:
        assert await stock.find(connection, tea) == Stock(tea, on_hand=0, reserved=1, sold=0, received=1)
    assert sorted(await told(database)) == ["STOCK_REJECTED"] * 9 + ["STOCK_RESERVED"]
