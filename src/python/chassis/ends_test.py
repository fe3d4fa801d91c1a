from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from chassis import ends
from chassis.access import Ground
from chassis.database import Database
from chassis.ends import End
from chassis.problems import NotFound
from chassis.service import create_app

THINGS = sa.Table("things", sa.MetaData(), sa.Column("id", sa.Uuid, primary_key=True))
THING = uuid.uuid4()
DELETED = End(
    "thing_id", {"write_thing": 404, "delete_thing": 404, "read_thing": 404}, unseen=("list_things",)
)


def app(database: Database, *, revives: bool) -> FastAPI:
    """A service that keeps ids; `revives` says whether writing one makes it, too."""
    made = create_app("thing", "1", [], compose=None)  # type: ignore[arg-type] # it is never started

    async def known(thing_id: uuid.UUID) -> None:
        if thing_id not in await list_things():
            raise NotFound("There is no such thing.")

    @made.get("/things", operation_id="list_things")
    async def list_things() -> list[uuid.UUID]:
        async with database.reading() as connection:
            return list(await connection.scalars(sa.select(THINGS.c.id)))

    @made.get("/things/{thing_id}", operation_id="read_thing")
    async def read_thing(thing_id: uuid.UUID) -> None:
        await known(thing_id)

    @made.put("/things/{thing_id}", operation_id="write_thing")
    async def write_thing(thing_id: uuid.UUID) -> None:
        if revives:
            async with database.transaction() as tx:
                await tx.execute(THINGS.insert().values(id=thing_id))
        await known(thing_id)

    @made.delete("/things/{thing_id}", operation_id="delete_thing")
    async def delete_thing(thing_id: uuid.UUID) -> None:
        await known(thing_id)
        async with database.transaction() as tx:
            await tx.execute(THINGS.delete().where(THINGS.c.id == thing_id))

    return made


@asynccontextmanager
async def ground(url: str, *, revives: bool) -> AsyncIterator[Ground]:
    """The service with one thing in it."""
    database = Database(url, pool_size=2)
    async with database.transaction() as tx:
        await tx.run_sync(THINGS.metadata.create_all)
        await tx.execute(THINGS.insert().values(id=THING))
    served = app(database, revives=revives)
    document = served.openapi()
    # The checks of health ask for parts that are not there.
    paths = {path: item for path, item in document["paths"].items() if path.startswith("/things")}
    transport = httpx.ASGITransport(served, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Ground(client, database, document | {"paths": paths}, {"thing_id": THING})
    await database.close()


async def test_what_stays_over_breaks_nothing(database_url: str) -> None:
    """It is refused alike, however often it is tried."""
    async with ground(database_url, revives=False) as made:
        assert [] == ends.gaps(made.document, {"delete_thing": DELETED}, ())
        assert [] == await ends.broken(made, "delete_thing", DELETED, "token")


async def test_what_comes_back_to_life_is_found(database_url: str) -> None:
    """By the answer that brought it back, and by that of another."""
    async with ground(database_url, revives=True) as made:
        found = await ends.broken(made, "delete_thing", DELETED, "token")
    assert "after delete_thing, write_thing answers 200, not 404" in found
    assert "after delete_thing, delete_thing answers 200, not 404" in found


async def test_an_end_that_proves_nothing_is_told(database_url: str) -> None:
    """What was never shown, and what has not ended."""
    async with ground(database_url, revives=False) as made:
        unshown = End("thing_id", {}, unseen=("read_thing",))
        assert ["read_thing does not show it before delete_thing either"] == await ends.broken(
            made, "delete_thing", unshown, "token"
        )
        assert 200 == await made.send("delete_thing", "token")
        assert ["delete_thing answers 404: nothing has ended"] == await ends.broken(
            made, "delete_thing", End("thing_id", {}), "token"
        )


@pytest.mark.parametrize(
    ("cases", "gap"),
    [
        ({}, "delete_thing may end something: say what, or that it does not"),
        ({"gone": DELETED}, "gone is no operation"),
        ({"delete_thing": End("id", {})}, "delete_thing ends the thing_id of its path, not id"),
        (
            {"delete_thing": End("thing_id", DELETED.then)},
            "delete_thing deletes what was shown: say where it is shown no more",
        ),
        (
            {"delete_thing": End("thing_id", {"read_thing": 404}, unseen=("list_things",))},
            "write_thing names thing_id: say what it answers after delete_thing",
        ),
        (
            {"delete_thing": End("thing_id", {**DELETED.then, "read_thing": 422}, unseen=("list_things",))},
            "after delete_thing, read_thing answers 422: that is no answer of it to what is over",
        ),
    ],
)
async def test_what_is_wrong_with_cases_is_told(cases: dict[str, End], gap: str, database_url: str) -> None:
    """One that is missing, is of nothing, leaves something out, or cannot be."""
    async with ground(database_url, revives=False) as made:
        assert gap in ends.gaps(made.document, cases, ())
