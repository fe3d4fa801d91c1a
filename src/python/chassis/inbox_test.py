from __future__ import annotations

import asyncio
import uuid

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import inbox
from chassis.clock import new_id
from chassis.conftest import INBOX, BrokenOff, break_off, count
from chassis.database import Database


async def take(database: Database, *ids: uuid.UUID) -> set[uuid.UUID]:
    async with database.transaction() as tx:
        return await inbox.take(tx, INBOX, ids)


async def test_an_event_is_new_once(database: Database) -> None:
    """However often it comes."""
    first, second = new_id(), new_id()
    assert await take(database, first) == {first}
    assert await take(database, first, second) == {second}
    assert await take(database, first, second) == set()


async def test_an_event_that_comes_twice_at_once_is_new_once(database: Database) -> None:
    """In one batch."""
    event = new_id()
    assert await take(database, event, event) == {event}


async def test_an_event_whose_effect_is_rolled_back_is_new_again(database: Database) -> None:
    """It has taken no effect."""
    event = new_id()

    async def record(tx: AsyncConnection) -> None:
        await inbox.take(tx, INBOX, [event])

    with pytest.raises(BrokenOff):
        await break_off(database, record)
    assert await take(database, event) == {event}


async def test_two_who_have_the_same_event_do_not_both_find_it_new(database: Database) -> None:
    """The second waits for what becomes of the first."""
    event = new_id()
    async with database.transaction() as tx:
        assert await inbox.take(tx, INBOX, [event]) == {event}
        other = asyncio.create_task(take(database, event))
        done, _ = await asyncio.wait([other], timeout=0.1)
        assert not done
    assert await other == set()
    assert await count(database, INBOX) == 1
