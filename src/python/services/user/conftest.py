"""The user service in a test: on a real database, with quick passwords and a clock that the test holds."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from backing.fixtures import Databases
from chassis import migrations
from chassis.access import Ground
from chassis.clock import utc_now
from chassis.database import Database
from chassis.testing import running
from services.user import app as user_app
from services.user import store
from services.user.domain import Role, User
from services.user.settings import Settings
from services.user.tokens import SigningKeys, new_signing_keys

PASSWORD = "correct horse battery"
HOME = {
    "recipient": "Ada Lovelace",
    "line1": "Allee 1",
    "line2": None,
    "city": "Berlin",
    "postal_code": "10115",
    "country": "DE",
}
SIGNING_KEYS = new_signing_keys()


@dataclass
class HeldClock:
    """A clock that stands still until it is moved."""

    now: dt.datetime = field(default_factory=utc_now)

    def __call__(self) -> dt.datetime:
        return self.now

    def advance(self, **by: float) -> None:
        """Move on, by what `datetime.timedelta` takes."""
        self.now += dt.timedelta(**by)


@dataclass
class Users:
    """The running user service."""

    app: FastAPI
    client: httpx.AsyncClient
    database: Database
    keys: SigningKeys
    clock: HeldClock

    def headers(self, user_id: str | uuid.UUID, *roles: str, key: str | None = None) -> dict[str, str]:
        """Request headers that sign somebody in, with a fresh Idempotency-Key unless `key` is given."""
        return {
            "Authorization": f"Bearer {self.token(user_id, *roles)}",
            "Idempotency-Key": key or uuid.uuid4().hex,
        }

    def token(self, user_id: str | uuid.UUID, *roles: str) -> str:
        """An access token, of a customer unless `roles` say otherwise."""
        return self.keys.access_token(
            uuid.UUID(str(user_id)), roles or ("customer",), utc_now(), uuid.uuid4()
        )

    async def register(self, email: str = "ada@example.com", **changes: Any) -> httpx.Response:
        """Register somebody."""
        key = changes.pop("key", None) or uuid.uuid4().hex
        body = {"email": email, "password": PASSWORD, "display_name": "Ada"} | changes
        return await self.client.post("/api/users", json=body, headers={"Idempotency-Key": key})

    async def user_id(self, email: str = "ada@example.com") -> str:
        """Register somebody and return their id."""
        return str((await self.register(email)).json()["id"])

    async def log_in(self, email: str = "ada@example.com", password: str = PASSWORD) -> httpx.Response:
        """Sign somebody in."""
        return await self.client.post("/api/users/login", json={"email": email, "password": password})

    async def refresh(self, token: str) -> httpx.Response:
        """Renew a session."""
        return await self.client.post("/api/users/refresh", json={"refresh_token": token})

    async def events(self) -> list[str]:
        """The types of the events in the outbox, in the order of their writing."""
        async with self.database.reading() as connection:
            rows = await connection.execute(sa.select(store.OUTBOX.c.kind).order_by(store.OUTBOX.c.id))
            return [kind.split(".")[1] for kind in rows.scalars()]

    async def count(self, table: sa.Table) -> int:
        """How many rows a table has."""
        async with self.database.reading() as connection:
            return int(await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


def settings(database_url: str, **changes: Any) -> Settings:
    """Settings that reach nothing but the database, with passwords that are hashed in no time."""
    topic = "arn:aws:sns:eu-central-1:000000000000:"
    values: dict[str, Any] = {
        "environment": "test",
        "port": 1,
        "database_url": database_url,
        "database_pool_size": 5,
        "signing_keys": SIGNING_KEYS,
        "user_events_topic_arn": topic + "user-events",
        "notification_events_topic_arn": topic + "notification-events",
        "argon2_time_cost": 1,
        "argon2_memory_kib": 8,
    }
    return Settings(**(values | changes))


@pytest.fixture
async def migrated_url(databases: Databases) -> str:
    """A database with the service's tables, which are empty."""
    return await databases.clean(user_app.NAME, partial(migrations.upgrade_async, user_app.MIGRATIONS))


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """The service's database."""
    opened = Database(migrated_url, pool_size=5)
    yield opened
    await opened.close()


@asynccontextmanager
async def serving(database: Database) -> AsyncIterator[Users]:
    """The service as it runs, without any account."""
    app = user_app.build(settings(database.url))
    clock = HeldClock()
    async with running(app) as client:
        app.state.parts = replace(app.state.parts, clock=clock)
        yield Users(app, client, database, app.state.parts.keys, clock)


@pytest.fixture
async def users(database: Database, aws_nowhere: None) -> AsyncIterator[Users]:  # noqa: ARG001
    """The running service."""
    async with serving(database) as users:
        yield users


def user(email: str = "ada@example.com", *, roles: tuple[Role, ...] = (Role.CUSTOMER,)) -> User:
    """Somebody with an account."""
    return User(uuid.uuid4(), email, "Ada", utc_now(), roles)


async def ground(users: Users) -> Ground:
    """Ada, who has an address."""
    ada = await users.user_id()
    added = await users.client.post("/api/users/me/addresses", json=HOME, headers=users.headers(ada))
    known = {
        "user_id": ada,
        "address_id": added.json()["id"],
        "roles": ["admin"],
        "password": PASSWORD,
        "new": PASSWORD,
    }
    return Ground(users.client, users.database, users.app.openapi(), known)
