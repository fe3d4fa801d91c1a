from __future__ import annotations

import asyncio
import datetime as dt

import pytest
import sqlalchemy as sa

from chassis.clock import new_id
from chassis.conftest import IDEMPOTENCY, INBOX, count
from chassis.database import Database
from chassis.housekeeping import Housekeeping, standard_retention

DAY = dt.timedelta(days=1)


async def receive(database: Database, *ages: dt.timedelta) -> None:
    rows = [{"event_id": new_id(), "received_at": dt.datetime.now(dt.UTC) - age} for age in ages]
    async with database.transaction() as tx:
        await tx.execute(INBOX.insert(), rows)


async def answer(database: Database, *ages: dt.timedelta) -> None:
    rows = [
        {
            "scope": "x",
            "key": str(new_id()),
            "fingerprint": b"",
            "status": 200,
            "media_type": "",
            "body": b"",
            "created_at": dt.datetime.now(dt.UTC) - age,
        }
        for age in ages
    ]
    async with database.transaction() as tx:
        await tx.execute(IDEMPOTENCY.insert(), rows)


async def test_what_has_had_its_time_goes_and_the_rest_stays(database: Database) -> None:
    """Each table by its own time."""
    await receive(database, 14 * DAY, 16 * DAY, 17 * DAY)
    await answer(database, DAY, 3 * DAY)
    cleaner = Housekeeping(database, standard_retention(INBOX, IDEMPOTENCY))
    assert await cleaner.run_once() == 3
    assert (await count(database, INBOX), await count(database, IDEMPOTENCY)) == (1, 1)
    assert await cleaner.run_once() == 0


def test_an_event_is_remembered_longer_than_a_queue_can_keep_it() -> None:
    """SQS keeps a message for two weeks at most; a saved answer is kept for a day at least."""
    kept = {column.table.name: age for column, age in standard_retention(INBOX, IDEMPOTENCY).items()}
    assert kept["inbox"] > 14 * DAY
    assert kept["idempotency_key"] >= DAY


async def test_much_is_deleted_in_pieces(database: Database) -> None:
    """A statement over all rows of a busy day would run out of time, for ever."""
    await receive(database, *[16 * DAY] * 25, *[DAY] * 5)
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    sa.event.listen(database._engine.sync_engine, "before_cursor_execute", note)
    assert await Housekeeping(database, standard_retention(INBOX), batch=10).run_once() == 25
    assert len(statements) == 3
    assert await count(database, INBOX) == 5


async def test_it_cleans_up_by_and_by_and_stops_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error does not end it."""
    monkeypatch.setattr("chassis.housekeeping._EVERY_S", 0.01)
    await receive(database, 16 * DAY)
    cleaner = Housekeeping(database, standard_retention(INBOX))
    stop = asyncio.Event()
    original, tries = cleaner.run_once, 0

    async def fail_once() -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ConnectionError
        gone = await original()
        stop.set()
        return gone

    monkeypatch.setattr(cleaner, "run_once", fail_once)
    await asyncio.wait_for(cleaner.run(stop), 5)
    assert await count(database, INBOX) == 0
