from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestServer

from backing.broker import aws_environment
from backing.postgres import Postgres
from chassis import migrations_test
from chassis.conftest import StoredAccount, without_account
from chassis.database import Database, DatabaseUnavailable
from chassis.listener import Listener
from chassis.listener_test import heard, listening, notify
from chassis.login import Login, LoginFailed
from chassis.migrations import differences, upgrade_async

ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:rds!db-1-AbC123"


@dataclass
class Manager:
    """Secrets Manager as far as it is asked for one secret: it answers as a test says, and counts."""

    answer: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    asked: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)  # while it is not set, nobody is answered

    def __post_init__(self) -> None:
        self.open.set()

    def hold(self, url: str) -> None:
        """Answer with what `url` says of who enters."""
        parts = urlsplit(url)
        self.answer = {"SecretString": json.dumps({"username": parts.username, "password": parts.password})}

    async def handle(self, _: web.Request) -> web.Response:
        self.asked += 1
        self.reached.set()
        await self.open.wait()
        return web.json_response(self.answer, status=self.status, content_type="application/x-amz-json-1.1")


@pytest.fixture
async def manager(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Manager]:
    """The environment leads to it."""
    made = Manager()
    app = web.Application()
    app.router.add_post("/", made.handle)
    async with TestServer(app, host="127.0.0.1") as server:
        for name, value in aws_environment(str(server.make_url(""))).items():
            monkeypatch.setenv(name, value)
        yield made
        made.open.set()  # what still waits would hold up the end


def change_password(postgres: Postgres, url: str) -> str:
    """Give the role of `url` another password; returns the URL with that."""
    return postgres.create_database(str(urlsplit(url).username))


@asynccontextmanager
async def entered(login: Login) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await login.connect(timeout=5)
    try:
        yield connection
    finally:
        await connection.close()


async def user(login: Login) -> str:
    """As whom one enters."""
    async with entered(login) as connection:
        return str(await connection.fetchval("SELECT current_user"))


async def failure(login: Login) -> str:
    """Why nobody can enter, with all that a log would show of it."""
    with pytest.raises(LoginFailed) as caught:
        await login.connect(timeout=5)
    return "".join(traceback.format_exception(caught.value))


async def test_a_url_that_says_all_is_enough(database_url: str) -> None:
    """Nobody is asked for a secret."""
    assert urlsplit(database_url).username == await user(Login(database_url))


async def test_the_password_is_that_of_the_secret(database_url: str, stored_account: StoredAccount) -> None:
    """And so is the user, where the URL names none."""
    await stored_account.store(database_url)
    name = urlsplit(database_url).username
    for url in (
        without_account(database_url),
        without_account(database_url) + f"?user={name}",
        without_account(database_url).replace("//", f"//{name}@"),
    ):
        assert name == await user(Login(url, stored_account.arn))


async def test_the_user_of_the_url_comes_before_that_of_the_secret(
    database_url: str, stored_account: StoredAccount
) -> None:
    """Whoever names one means it."""
    await stored_account.store(database_url.replace("//", "//somebody_"))
    name = urlsplit(database_url).username
    url = without_account(database_url).replace("//", f"//{name}@")
    assert name == await user(Login(url, stored_account.arn))


async def test_a_rotation_is_survived(
    database_url: str, postgres: Postgres, stored_account: StoredAccount
) -> None:
    """What is open goes on, and what is opened anew enters by the new password; time after time."""
    await stored_account.store(database_url)
    database = Database(Login(without_account(database_url), stored_account.arn), pool_size=4)
    async with database.reading() as before:
        for _ in range(2):
            await stored_account.store(change_password(postgres, database_url))
            async with database.reading() as one, database.reading() as other:
                for connection in (before, one, other):
                    assert 1 == await connection.scalar(sa.text("SELECT 1"))
            await database.close()
    await database.close()


async def test_a_listener_survives_a_rotation(
    database_url: str, postgres: Postgres, stored_account: StoredAccount
) -> None:
    """It listens again when it has lost its connection, and not before the new password is known."""
    await stored_account.store(database_url)
    database = Database(Login(without_account(database_url), stored_account.arn), pool_size=2)
    listener = Listener(database.login)
    event = listener.subscribe("jobs")
    async with listening(listener):
        await heard(event)
        changed = change_password(postgres, database_url)
        postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
        await heard(event)
        await stored_account.store(changed)
        await heard(event)
        await notify(database, "jobs")
        await heard(event, 1)
    await database.close()


async def test_migrations_enter_by_the_secret_too(
    database_url: str, stored_account: StoredAccount, tmp_path: Path
) -> None:
    """To make the tables, and to compare them."""
    await stored_account.store(database_url)
    login = Login(without_account(database_url), stored_account.arn)
    await upgrade_async(migrations_test.write(tmp_path, first=migrations_test.FIRST), login)
    assert [] == await differences(login, migrations_test.tables())


async def test_those_who_enter_together_read_the_secret_once(
    database_url: str, postgres: Postgres, manager: Manager
) -> None:
    """At first, and again when the server has refused all of them."""
    manager.hold(database_url)
    login = Login(without_account(database_url), ARN)
    await asyncio.gather(*(user(login) for _ in range(10)))
    assert 1 == manager.asked
    manager.hold(change_password(postgres, database_url))
    await asyncio.gather(*(user(login) for _ in range(10)))
    assert 2 == manager.asked


async def test_who_does_not_wait_any_more_takes_nothing_from_the_others(
    database_url: str, manager: Manager
) -> None:
    """A request that is broken off is not the only one that needs the password."""
    manager.hold(database_url)
    manager.open.clear()
    login = Login(without_account(database_url), ARN)
    first, second = (asyncio.create_task(user(login)) for _ in range(2))
    await manager.reached.wait()
    first.cancel()
    manager.open.set()
    assert urlsplit(database_url).username == await second
    assert (1, True) == (manager.asked, first.cancelled())


async def test_a_wrong_secret_is_an_outage_and_is_read_twice_at_most(
    database_url: str, manager: Manager
) -> None:
    """Not wrong for good: in a rotation the server has the new password first. No try goes on for ever."""
    manager.hold(database_url.replace(f":{urlsplit(database_url).password}", ":hunter2"))
    database = Database(Login(without_account(database_url), ARN), pool_size=2)
    with pytest.raises(DatabaseUnavailable) as caught:
        await database.ping()
    assert f"what the secret {ARN} says is refused: password authentication failed" in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert 2 == manager.asked
    manager.hold(database_url)
    await database.ping()
    await database.close()


@pytest.mark.parametrize(
    "answer",
    [
        {"SecretString": "hunter2"},
        {"SecretString": '"hunter2"'},
        {"SecretString": '["hunter2"]'},
        {"SecretString": '{"password": "hunter2"}'},
        {"SecretString": '{"username": null, "password": "hunter2"}'},
        {"SecretString": '{"username": "hunter2", "password": 2}'},
        {"SecretBinary": "aHVudGVyMg=="},
    ],
    ids=str,
)
async def test_a_secret_that_holds_no_account_is_named_and_not_shown(
    manager: Manager, answer: dict[str, Any]
) -> None:
    """What it holds may be the password all the same."""
    manager.answer = answer
    logged = await failure(Login("postgresql://127.0.0.1:9/shop", ARN))
    assert f"the secret {ARN} is no JSON with a username and a password" in logged
    assert "hunter2" not in logged


async def test_a_secret_that_may_not_be_read_is_named_with_the_reason(manager: Manager) -> None:
    """The role lacks a permission; once it has it, the process need not be started anew."""
    manager.status = 400
    manager.answer = {"__type": "AccessDeniedException", "Message": "not authorized"}
    login = Login("postgresql://127.0.0.1:9/shop", ARN)
    logged = await failure(login)
    assert f"LoginFailed: the secret {ARN} cannot be read: " in logged
    assert "(AccessDeniedException)" in logged
    assert "not authorized" in logged
    await failure(login)
    assert 2 == manager.asked


async def test_aws_that_is_away_is_an_outage(aws_nowhere: None) -> None:
    """Not in a library's words alone."""
    database = Database(Login("postgresql://127.0.0.1:9/shop", ARN))
    with pytest.raises(
        DatabaseUnavailable, match=f"no connection .* the secret {ARN} cannot be read: Could not"
    ):
        await database.ping()


async def test_aws_that_does_not_answer_holds_nobody_up_for_long(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many who wait together wait no longer than one."""
    # Long enough for a client to be made on a busy machine: it is to have asked.
    monkeypatch.setattr("chassis.login.READING_TIMEOUT_S", 3)
    manager.open.clear()
    login = Login("postgresql://127.0.0.1:9/shop", ARN)
    for logged in await asyncio.gather(*(failure(login) for _ in range(10))):
        assert f"the secret {ARN} cannot be read: TimeoutError" in logged
    assert 1 == manager.asked
