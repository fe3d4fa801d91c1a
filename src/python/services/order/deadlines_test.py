from __future__ import annotations

import asyncio

from chassis.database import Database
from chassis.outbox import Outbox
from services.order import store
from services.order.conftest import order
from services.order.deadlines import Deadlines
from services.order.domain import Order, Status


async def placed(database: Database, expires_in_s: float) -> Order:
    new = order(expires_in_s=expires_in_s)
    async with database.transaction() as tx:
        await store.insert(tx, new)
    return new


async def status(database: Database, placed: Order) -> tuple[Status, str | None]:
    async with database.reading() as connection:
        found = await store.find(connection, placed.id)
        return found.status, found.cancel_reason


async def test_only_orders_past_their_deadline_are_cancelled(database: Database) -> None:
    """The others may still be answered."""
    late, early = await placed(database, -1), await placed(database, 60)
    assert await Deadlines(database, Outbox("order", store.OUTBOX)).run_once() == 1
    assert await status(database, late) == (Status.CANCELLED, "deadline_passed")
    assert await status(database, early) == (Status.PENDING, None)


async def test_two_sweepers_cancel_each_order_once(database: Database) -> None:
    """Replicas run one each: what one holds, the other leaves."""
    for _ in range(20):
        await placed(database, -1)
    sweepers = [Deadlines(database, Outbox("order", store.OUTBOX)) for _ in range(2)]
    assert sum(await asyncio.gather(*(sweeper.run_once() for sweeper in sweepers))) == 20


async def test_a_sweeper_stops_when_told(database: Database) -> None:
    """Even in the middle of its pause."""
    stop = asyncio.Event()
    task = asyncio.create_task(Deadlines(database, Outbox("order", store.OUTBOX), every_s=60).run(stop))
    stop.set()
    await asyncio.wait_for(task, 5)
