from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa

from chassis.database import Database
from chassis.listener import Listener


@asynccontextmanager
async def listening(listener: Listener) -> AsyncIterator[None]:
    """Run `listener` beside the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(listener.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)


async def heard(event: asyncio.Event, within_s: float = 5) -> None:
    await asyncio.wait_for(event.wait(), within_s)
    event.clear()


async def notify(database: Database, channel: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(sa.select(sa.func.pg_notify(channel, "")))


async def test_whoever_waits_is_woken_when_it_begins_to_listen(database: Database) -> None:
    """What was notified before went unheard: it must be looked for."""
    listener = Listener(database.url)
    event = listener.subscribe("jobs")
    async with listening(listener):
        await heard(event)


async def test_a_notification_wakes_all_who_wait_on_its_channel_and_nobody_else(database: Database) -> None:
    """Once it is committed."""
    listener = Listener(database.url)
    one, two, other = listener.subscribe("jobs"), listener.subscribe("jobs"), listener.subscribe("other")
    async with listening(listener):
        for event in (one, two, other):
            await heard(event)
        await notify(database, "jobs")
        await heard(one, 1)
        await heard(two, 1)
        assert not other.is_set()
        await notify(database, "other")
        await heard(other, 1)


async def test_a_rolled_back_notification_wakes_nobody(database: Database) -> None:
    """Work that was never committed is no work."""
    listener = Listener(database.url)
    event = listener.subscribe("jobs")
    async with listening(listener):
        await heard(event)
        async with database.transaction() as tx:
            await tx.execute(sa.select(sa.func.pg_notify("jobs", "")))
            await tx.rollback()
        await notify(database, "fence")
        assert not event.is_set()


async def test_it_stops_at_once_when_told_to(database: Database) -> None:
    """Though it may be waiting for a notification."""
    listener = Listener(database.url)
    event = listener.subscribe("jobs")
    stop = asyncio.Event()
    task = asyncio.create_task(listener.run(stop))
    await heard(event)
    stop.set()
    await asyncio.wait_for(task, 1)


async def test_a_connection_ended_by_the_server_is_made_again(database: Database) -> None:
    """As an administrator, or a failover, may do."""
    listener = Listener(database.url)
    event = listener.subscribe("jobs")
    async with listening(listener):
        await heard(event)
        async with database.transaction() as tx:
            mine = sa.text("pid <> pg_backend_pid() AND query LIKE 'LISTEN%'")
            ended = await tx.execute(
                sa.select(sa.text("pg_terminate_backend(pid)"))
                .select_from(sa.text("pg_stat_activity"))
                .where(mine)
            )
            assert ended.all() == [(True,)]
        await heard(event)  # woken by the loss, and again when it listens anew
        await heard(event)
        await notify(database, "jobs")
        await heard(event, 1)
