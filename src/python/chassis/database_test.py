from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from chassis.conftest import EFFECTS, BrokenOff, break_off, effects, note
from chassis.database import Database, engine, is_busy, is_unavailable, sqlstate


async def test_a_transaction_commits_at_its_end(database: Database) -> None:
    """All of it."""
    async with database.transaction() as tx:
        await note(tx, "a")
        await note(tx, "b")
    assert await effects(database) == ["a", "b"]


async def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    """And the error goes on as it was."""
    with pytest.raises(BrokenOff):
        await break_off(database, lambda tx: note(tx, "a"))
    assert await effects(database) == []


async def test_reading_sees_what_was_committed_since_its_last_statement(database: Database) -> None:
    """Each statement stands alone: no snapshot is kept, no transaction left open."""
    async with database.reading() as connection:
        before = (await connection.execute(sa.select(EFFECTS.c.what))).all()
        async with database.transaction() as tx:
            await note(tx, "a")
        after = (await connection.execute(sa.select(EFFECTS.c.what))).scalars().all()
    assert (before, after) == ([], ["a"])


async def test_times_come_in_utc_and_json_as_what_it_was(database: Database) -> None:
    """Whatever the server's own zone is."""
    async with database.reading() as connection:
        zone = await connection.scalar(sa.text("SHOW timezone"))
        data = await connection.scalar(sa.text("""SELECT '{"a": [1, "ü"]}'::jsonb"""))
    assert (zone, data) == ("UTC", {"a": [1, "ü"]})


async def test_a_connection_taken_for_reading_is_fit_for_writing_afterwards(database_url: str) -> None:
    """The pool is one: AUTOCOMMIT must not stay behind on a connection."""
    single = Database(database_url, pool_size=1)
    async with single.transaction() as tx:
        await tx.run_sync(EFFECTS.create)
    async with single.reading() as connection:
        await connection.execute(sa.text("SELECT 1"))
    with pytest.raises(BrokenOff):
        await break_off(single, lambda tx: note(tx, "a"))
    assert await effects(single) == []
    await single.close()


async def test_a_wrong_statement_is_not_an_outage(database: Database) -> None:
    """It will be as wrong the next time."""
    for statement in ("SELECT nonsense", "SELECT 1/0", "SELECT 'x'::int", "SELEC"):
        with pytest.raises(DBAPIError) as caught:
            async with database.reading() as connection:
                await connection.execute(sa.text(statement))
        assert not is_unavailable(caught.value)


@pytest.mark.parametrize(
    ("what", "many"), [("a\x00b", 1), ("a", 2**31), ("a", 10**30), ("\ud800", 1)], ids=repr
)
async def test_a_value_that_cannot_be_stored_is_not_an_outage(
    database: Database, what: str, many: int
) -> None:
    """NUL, a number beyond its column, a lone surrogate."""
    with pytest.raises(DBAPIError) as caught:
        async with database.transaction() as tx:
            await tx.execute(EFFECTS.insert().values(what=what, many=many))
    assert not is_unavailable(caught.value)


async def test_values_are_not_in_the_message_of_an_error(database: Database) -> None:
    """Messages end in logs; the values may be passwords and addresses."""
    with pytest.raises(DBAPIError) as caught:
        async with database.transaction() as tx:
            await tx.execute(EFFECTS.insert().values(what="hunter2\x00", many=1))
    assert "hunter2" not in str(caught.value)


async def test_a_pool_with_nothing_left_is_an_outage(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits too long is told to come back."""
    monkeypatch.setattr("chassis.database.POOL_TIMEOUT_S", 0.05)
    single = Database(database_url, pool_size=1)
    async with single.reading():
        with pytest.raises(PoolTimeoutError) as caught:
            async with single.reading():
                pass
    assert is_unavailable(caught.value)
    await single.close()


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(database_url: str) -> None:
    """It does not go on unseen, and is no outage: what waits behind it must not wait for it."""
    impatient = engine(database_url, statement_timeout_s=0.05)
    with pytest.raises(DBAPIError) as caught:
        async with impatient.connect() as connection:
            await connection.execute(sa.text("SELECT pg_sleep(10)"))
    assert sqlstate(caught.value) == "57014"
    assert (is_unavailable(caught.value), is_busy(caught.value)) == (False, True)
    await impatient.dispose()


async def test_a_deadlock_is_ended_and_may_be_tried_again(database: Database) -> None:
    """One of the two is let through."""
    async with database.transaction() as tx:
        await tx.execute(EFFECTS.insert(), [{"what": "a", "many": 0}, {"what": "b", "many": 0}])
    both_hold_one = asyncio.Barrier(2)

    async def touch(first: str, second: str) -> None:
        async with database.transaction() as tx:
            await tx.execute(EFFECTS.update().where(EFFECTS.c.what == first).values(many=1))
            await both_hold_one.wait()
            await tx.execute(EFFECTS.update().where(EFFECTS.c.what == second).values(many=1))

    failed = [
        each
        for each in await asyncio.gather(touch("a", "b"), touch("b", "a"), return_exceptions=True)
        if each is not None
    ]
    assert [True] == [is_busy(each) for each in failed]


async def test_a_url_may_say_what_libpq_understands(database_url: str) -> None:
    """A managed database asks for `sslmode`."""
    lenient = Database(
        database_url.replace("postgresql://", "postgres://") + "?sslmode=disable&application_name=x"
    )
    async with lenient.reading() as connection:
        assert await connection.scalar(sa.text("SHOW application_name")) == "x"
    await lenient.close()
