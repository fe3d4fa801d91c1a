from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from chassis.auth import Admin
from chassis.conftest import IDEMPOTENCY, count, effects, note
from chassis.database import Database
from chassis.idempotency import OnceForAnyone, OnceForCaller
from chassis.problems import Conflict, NotFound, Problem, Unauthenticated, Unavailable
from chassis.service import Running, create_app
from chassis.testing import TokenIssuer, running

ADA, BOB = uuid.uuid4(), uuid.uuid4()


class Write(BaseModel):
    what: str


class Written(BaseModel):
    what: str
    number: int


Step = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """A step that does nothing."""


@dataclass
class Shop:
    """A service with one write, whose steps a test may fill in."""

    client: httpx.AsyncClient
    issuer: TokenIssuer
    database: Database
    before: Step = nothing
    within: Step = nothing
    number: int = 0

    async def write(
        self, key: str | None, what: str = "a", *, user: uuid.UUID = ADA, path: str = "/api/tests"
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.issuer.token(user)}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self.client.post(path, json={"what": what}, headers=headers)


router = APIRouter()


async def _write(request: Request, body: Write, once: Any) -> Response:
    shop: Shop = request.app.state.shop
    await shop.before()
    async with once.transaction() as tx:
        await note(tx, body.what)
        await shop.within()
        shop.number += 1
        view = Written(what=body.what, number=shop.number)
        answer: Response = await once.answer(tx, 201, view, location=f"/api/tests/{shop.number}")
        return answer


@router.post("/api/tests", status_code=201, response_model=Written)
async def write(request: Request, body: Write, once: OnceForCaller) -> Response:
    return await _write(request, body, once)


@router.post("/api/tests/other", status_code=201, response_model=Written)
async def write_other(request: Request, body: Write, once: OnceForCaller) -> Response:
    return await _write(request, body, once)


@router.post("/api/tests/anyone", status_code=201, response_model=Written)
async def write_for_anyone(request: Request, body: Write, once: OnceForAnyone) -> Response:
    return await _write(request, body, once)


@router.post("/api/tests/admin", status_code=201, response_model=Written)
async def write_as_admin(request: Request, body: Write, admin: Admin, once: OnceForCaller) -> Response:
    return await _write(request, body, once)


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async def compose(_: AsyncExitStack) -> Running:
        return Running(state={"database": database})

    app = create_app("test", "1", [router], compose, idempotency_table=IDEMPOTENCY)
    issuer = TokenIssuer()
    async with running(app, issuer) as client:
        app.state.shop = Shop(client, issuer, database)
        yield app.state.shop


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).removeprefix("/problems/")


def raising(error: Exception) -> Step:
    async def fail() -> None:
        raise error

    return fail


async def test_a_write_without_a_key_is_refused(shop: Shop) -> None:
    """400, with what to send; nothing is done."""
    answer = await shop.write(None)
    assert (answer.status_code, slug(answer)) == (400, "idempotency-key-missing")
    assert await effects(shop.database) == []


@pytest.mark.parametrize("key", ["", " ", "a b", "a" * 256, "ä"])
async def test_a_key_that_is_none_is_refused(shop: Shop, key: str) -> None:
    """422, naming the header."""
    answer = await shop.client.post(
        "/api/tests",
        json={"what": "a"},
        headers=[
            (b"authorization", f"Bearer {shop.issuer.token(ADA)}".encode()),
            (b"idempotency-key", key.encode("latin-1")),
        ],
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "Idempotency-Key"
    assert await effects(shop.database) == []


async def test_a_repeated_write_answers_as_the_first_and_has_one_effect(shop: Shop) -> None:
    """Status, body and location; that it is a repetition is said in a header."""
    first, again = await shop.write("k"), await shop.write("k")
    assert (first.status_code, first.json(), first.headers["Location"]) == (
        201,
        {"what": "a", "number": 1},
        "/api/tests/1",
    )
    assert (again.status_code, again.content, again.headers["Location"], again.headers["Content-Type"]) == (
        first.status_code,
        first.content,
        first.headers["Location"],
        first.headers["Content-Type"],
    )
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (
        None,
        "true",
    )
    assert await effects(shop.database) == ["a"]


async def test_another_key_is_another_write(shop: Shop) -> None:
    """Of the same."""
    await shop.write("k1")
    await shop.write("k2")
    assert await effects(shop.database) == ["a", "a"]


async def test_a_key_with_another_body_or_path_is_refused(shop: Shop) -> None:
    """422; the first write stands, and is still answered for."""
    await shop.write("k")
    for answer in (await shop.write("k", "b"), await shop.write("k", path="/api/tests/other")):
        assert (answer.status_code, slug(answer)) == (422, "idempotency-key-reused")
    assert (await shop.write("k")).status_code == 201
    assert await effects(shop.database) == ["a"]


async def test_two_callers_may_use_the_same_key(shop: Shop) -> None:
    """Neither sees what the other was answered."""
    ada, bob = await shop.write("k", user=ADA), await shop.write("k", user=BOB)
    assert (ada.json()["number"], bob.json()["number"]) == (1, 2)


async def test_who_is_not_signed_in_has_keys_too_where_nobody_needs_to_be(shop: Shop) -> None:
    """Registering is repeated as well."""
    first, again = [
        await shop.client.post(
            "/api/tests/anyone", json={"what": "a"}, headers={"Idempotency-Key": "a-random-one"}
        )
        for _ in range(2)
    ]
    assert (first.status_code, again.content) == (201, first.content)
    assert await effects(shop.database) == ["a"]


async def test_of_two_at_once_one_is_done_and_the_other_told_to_wait(shop: Shop) -> None:
    """409 and when to come back; having come back, it has the answer of the first."""
    inside, release = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        inside.set()
        await release.wait()

    shop.within = hold
    first = asyncio.create_task(shop.write("k"))
    await asyncio.wait_for(inside.wait(), 5)
    second = await shop.write("k")
    assert (second.status_code, slug(second), second.headers["Retry-After"]) == (
        409,
        "idempotency-key-in-flight",
        "1",
    )
    release.set()
    done = await first
    assert (done.status_code, (await shop.write("k")).content) == (201, done.content)
    assert await effects(shop.database) == ["a"]


async def test_one_that_looked_before_the_other_had_answered_answers_as_the_other(shop: Shop) -> None:
    """It finds out in its own transaction, which then leaves nothing."""
    both_looked = asyncio.Barrier(2)
    turn = asyncio.Lock()

    async def line_up() -> None:
        await both_looked.wait()
        await turn.acquire()

    shop.before = line_up
    first, second = asyncio.create_task(shop.write("k")), asyncio.create_task(shop.write("k"))
    await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
    turn.release()
    assert {(await first).content} == {(await second).content}
    assert await effects(shop.database) == ["a"]
    assert shop.number == 2


async def test_one_that_is_refused_because_the_other_went_through_answers_as_the_other(shop: Shop) -> None:
    """An address that is taken was taken by this very request."""

    async def taken_by_the_other() -> None:
        shop.before = nothing
        assert (await shop.write("k")).status_code == 201
        raise Conflict("It is taken.")

    shop.before = taken_by_the_other
    answer = await shop.write("k")
    assert (answer.status_code, answer.json()) == (201, {"what": "a", "number": 1})


@pytest.mark.parametrize("status", [404, 409, 422])
async def test_a_refusal_is_refused_alike_when_repeated(shop: Shop, status: int) -> None:
    """Though it would go through by now: the caller has been told no."""
    kind = {404: NotFound, 409: Conflict, 422: type("Odd", (Conflict,), {"status": 422, "slug": "odd"})}[
        status
    ]
    shop.before = raising(kind("No.", more="detail"))
    first = await shop.write("k")
    shop.before = nothing
    again = await shop.write("k")
    assert (first.status_code, first.json()["more"]) == (status, "detail")
    assert (again.status_code, again.content, again.headers["Content-Type"]) == (
        status,
        first.content,
        "application/problem+json",
    )
    assert await effects(shop.database) == []


async def test_a_refusal_within_the_transaction_leaves_nothing_of_it(shop: Shop) -> None:
    """But the refusal."""
    shop.within = raising(Conflict("No."))
    assert (await shop.write("k")).status_code == 409
    assert (await effects(shop.database), await count(shop.database, IDEMPOTENCY)) == ([], 1)


class TooMany(Problem):
    status, slug, title = 429, "too-many", "Too many"


@pytest.mark.parametrize(
    "error",
    [Unauthenticated("x"), TooMany("x"), Unavailable("x"), LookupError("a bug"), OSError("a bug")],
    ids=lambda error: type(error).__name__,
)
async def test_what_says_something_of_the_moment_is_not_saved(shop: Shop, error: Exception) -> None:
    """Signed out, slowed down, failed: the same request goes through when that is over."""
    shop.within = raising(error)
    assert (await shop.write("k")).status_code in (401, 429, 500, 503)
    shop.within = nothing
    assert (await shop.write("k")).status_code == 201
    assert await effects(shop.database) == ["a"]


async def test_who_may_not_write_has_used_up_no_key(shop: Shop) -> None:
    """Made an admin, they may."""
    assert (await shop.write("k", path="/api/tests/admin")).status_code == 403
    assert await count(shop.database, IDEMPOTENCY) == 0


async def test_a_body_that_is_wrong_has_used_up_no_key(shop: Shop) -> None:
    """Mended, it may go with the same."""
    headers = shop.issuer.headers(ADA, key="k")
    wrong = await shop.client.post("/api/tests", json={"what": 1}, headers=headers)
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/what")
    assert (await shop.write("k")).status_code == 201


async def test_an_effect_whose_answer_cannot_be_saved_does_not_happen(shop: Shop) -> None:
    """Nor the other way round: they commit together, or a repetition would be a second write."""

    async def lose_the_table() -> None:
        async with shop.database.transaction() as tx:
            await tx.execute(sa.text("ALTER TABLE idempotency_key RENAME TO lost"))

    async def find_the_table() -> None:
        async with shop.database.transaction() as tx:
            await tx.execute(sa.text("ALTER TABLE lost RENAME TO idempotency_key"))

    shop.before = lose_the_table
    assert (await shop.write("k")).status_code == 500
    await find_the_table()
    assert (await effects(shop.database), await count(shop.database, IDEMPOTENCY)) == ([], 0)
    shop.before = nothing
    assert (await shop.write("k")).status_code == 201


async def test_a_client_that_goes_away_leaves_nothing_half_done(shop: Shop) -> None:
    """The write is whole or it is not there, and its repetition tells which."""
    inside = asyncio.Event()

    async def hang() -> None:
        inside.set()
        await asyncio.sleep(60)

    shop.within = hang
    task = asyncio.create_task(shop.write("k"))
    await asyncio.wait_for(inside.wait(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await effects(shop.database), await count(shop.database, IDEMPOTENCY)) == ([], 0)
    shop.within = nothing
    assert (await shop.write("k")).status_code == 201
    assert await effects(shop.database) == ["a"]


async def test_what_is_kept_of_a_request_is_a_digest(shop: Shop) -> None:
    """Its body may hold a password."""
    await shop.write("k", "hunter2")
    async with shop.database.reading() as connection:
        (kept,) = (await connection.execute(sa.select(IDEMPOTENCY.c.fingerprint))).scalars().all()
    assert len(kept) == 32
