from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from backing.ports import free_port
from backing.postgres import Postgres
from chassis.conftest import effects, note
from chassis.database import Database, DatabaseUnavailable, is_unavailable
from chassis.testing import eventually


async def failure(database: Database) -> Exception:
    try:
        async with database.transaction() as tx:
            await note(tx, "lost")
    except Exception as error:
        return error
    raise AssertionError("the database answered")


async def test_a_killed_server_is_an_outage_until_it_is_back(
    own_postgres: Postgres, own_database: Database
) -> None:
    """For connections that were open, for new ones, and while it comes up; what was committed is there."""
    async with own_database.transaction() as tx:
        await note(tx, "kept")
    own_postgres.process.kill()
    failures = [await failure(own_database) for _ in range(3)]
    assert [True] * 3 == [is_unavailable(each) for each in failures]
    own_postgres.start()

    async def answers() -> bool:
        try:
            await own_database.ping()
        except Exception as error:
            failures.append(error)
            return False
        return True

    await eventually(answers)
    assert all(is_unavailable(each) for each in failures), failures
    assert await effects(own_database) == ["kept"]


async def test_a_server_killed_under_a_statement_is_an_outage(
    own_postgres: Postgres, own_database: Database
) -> None:
    """The statement is not left waiting."""

    async def slow() -> None:
        async with own_database.transaction() as tx:
            await note(tx, "lost")
            running.set()
            await tx.execute(sa.text("SELECT pg_sleep(9)"))

    running = asyncio.Event()
    task = asyncio.create_task(slow())
    await running.wait()
    own_postgres.process.kill()
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what is tested
        await asyncio.wait_for(task, 5)
    assert is_unavailable(caught.value)


async def test_a_server_that_is_stopped_in_order_is_an_outage_too(
    own_postgres: Postgres, own_database: Database
) -> None:
    """It tells its clients that it goes."""
    await own_database.ping()
    own_postgres.stop()
    assert is_unavailable(await failure(own_database))


async def test_no_server_at_all_is_an_outage_and_its_message_names_no_password() -> None:
    """Whoever logs it."""
    nowhere = Database(f"postgresql://shop:hunter2@127.0.0.1:{free_port()}/shop")
    with pytest.raises(DatabaseUnavailable) as caught:
        await nowhere.ping()
    assert is_unavailable(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_a_wrong_password_is_not_an_outage(own_postgres: Postgres) -> None:
    """It will be as wrong the next time."""
    url = own_postgres.create_database("shop")
    wrong = Database(url.replace("shop:", "shop:wrong", 1))
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what is tested
        await wrong.ping()
    assert not is_unavailable(caught.value)
