from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from chassis.conftest import EFFECTS, break_off, effects
from chassis.database import Database, DatabaseUnavailable
from chassis.problems import Conflict, Problem
from chassis.service import Running, create_app
from chassis.testing import running

MEDIA_TYPE = "application/problem+json"

router = APIRouter(prefix="/api/things")


class Line(BaseModel):
    name: str
    count: int


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lines: list[Line]


class OutOfStock(Conflict):
    slug, title = "out-of-stock", "Out of stock"


@router.get("/{thing_id}")
async def find(thing_id: uuid.UUID) -> str:
    raise OutOfStock(f"There is no {thing_id}.", left=0)


@router.put("/{thing_id}")
async def change(thing_id: uuid.UUID, thing: Thing) -> str:
    return "changed"


@router.delete("/{thing_id}", include_in_schema=False)
async def remove(thing_id: uuid.UUID) -> str:
    return "removed"


@router.get("")
async def search(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> str:
    return "found"


class Row(BaseModel):
    what: str
    many: int


@router.post("/rows")
async def store(request: Request, row: Row) -> str:
    async with request.app.state.database.transaction() as tx:
        await tx.execute(EFFECTS.insert().values(what=row.what, many=row.many))
    return "stored"


@router.post("/echo")
async def echo(request: Request, row: Row) -> Row:
    if row.many:
        row.what.encode()
    return row


@router.post("/raise")
async def fail(request: Request) -> str:
    raise request.app.state.error


class Service:
    def __init__(self, client: httpx.AsyncClient, state: Any) -> None:
        self.client = client
        self._state = state

    def use(self, database: Database) -> None:
        self._state.database = database

    async def fails_with(self, error: Exception) -> httpx.Response:
        self._state.error = error
        return await self.client.post("/api/things/raise")


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async def compose(_: AsyncExitStack) -> Running:
        return Running(state={})

    app = create_app("thing", "1", [router], compose)
    async with running(app) as client:
        yield Service(client, app.state)


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem document of `answer`, which must be whole."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, MEDIA_TYPE)
    document: dict[str, Any] = answer.json()
    assert (document["status"], document["type"]) == (status, f"/problems/{slug}")
    assert document["title"]
    assert document["detail"].endswith(".")
    assert document["instance"] == answer.request.url.path
    assert int(document["trace_id"], 16)
    return document


async def test_a_problem_is_a_document_with_what_it_was_given(service: Service) -> None:
    """Type, title, status, detail, instance, trace, and members of its own."""
    some = uuid.uuid4()
    document = problem(await service.client.get(f"/api/things/{some}"), 409, "out-of-stock")
    assert (document["title"], document["detail"], document["left"]) == (
        "Out of stock",
        f"There is no {some}.",
        0,
    )


async def test_what_a_request_held_can_always_be_said(service: Service) -> None:
    """Lone surrogates and huge numbers have no place in JSON as others write it."""
    answer = await service.fails_with(Conflict("There is no \ud800.", number=10**40))
    assert problem(answer, 409, "conflict")["number"] == 10**40


@pytest.mark.parametrize("path", ["/", "/api", "/api/things/", "/nothing%00", "/%ff", "/api/things/a/b"])
async def test_an_unknown_path_is_not_found(service: Service, path: str) -> None:
    """404."""
    answer = await service.client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, MEDIA_TYPE)


@pytest.mark.parametrize("thing_id", ["x", "1", "%00", "%ff", "a" * 5000, "-1"])
async def test_an_id_that_is_none_is_refused(service: Service, thing_id: str) -> None:
    """422, naming the parameter."""
    answer = await service.client.get(f"/api/things/{thing_id}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "thing_id")


async def test_a_method_that_is_not_there_names_all_that_are(service: Service) -> None:
    """The union over the routes at that path, documented or not (RFC 9110, 15.5.6)."""
    answer = await service.client.post(f"/api/things/{uuid.uuid4()}")
    assert "DELETE, GET, PUT" in problem(answer, 405, "method-not-allowed")["detail"]
    assert answer.headers["Allow"] == "DELETE, GET, PUT"


async def test_documentation_names_its_methods_too(service: Service) -> None:
    """Though it is not in the document itself."""
    answer = await service.client.post("/api/things/openapi.json")
    assert problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("limit=0", "limit"), ("limit=x", "limit"), ("limit=1e9999", "limit"), ("limit=" + "9" * 5000, "limit")],
)
async def test_a_query_that_is_wrong_is_refused(service: Service, query: str, pointer: str) -> None:
    """422, naming the parameter."""
    answer = await service.client.get(f"/api/things?{query}")
    assert problem(answer, 422, "invalid")["errors"][0]["pointer"] == pointer


BODIES = [
    (b"", "/"),
    (b"{", "/"),
    (b"[]", "/"),
    (b"null", "/"),
    (b'"\\ud800"', "/"),
    (b"NaN", "/"),
    (b"{}", "/lines"),
    (b'{"lines": 1}', "/lines"),
    (b'{"lines": [{"name": "a", "count": 1}, {"name": 1}]}', "/lines/1/name"),
    (b'{"lines": [{"name": "a", "count": 1e999}]}', "/lines/0/count"),
    (b'{"lines": [], "more": 1}', "/more"),
    (b'{"lines": [], "\\ud800": 1}', "/"),
    (b'{"lines": [], "a/b~c": 1}', "/a~1b~0c"),
]


@pytest.mark.parametrize(("content", "pointer"), BODIES, ids=range(len(BODIES)))
async def test_a_body_that_is_wrong_is_refused_with_where(
    service: Service, content: bytes, pointer: str
) -> None:
    """A JSON pointer (RFC 6901); whatever it held, the answer can be written."""
    answer = await service.client.put(
        f"/api/things/{uuid.uuid4()}", content=content, headers={"Content-Type": "application/json"}
    )
    document = problem(answer, 422, "invalid")
    assert document["errors"][0]["pointer"] == pointer
    assert document["detail"].startswith(pointer)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b'{"lines": "\xff"}', b"[" * 100_000, b"9" * 5000], ids=range(4)
)
async def test_a_body_that_cannot_be_read_is_refused(service: Service, content: bytes) -> None:
    """Not UTF-8, too deep, a number too long: 422, and what to send."""
    answer = await service.client.put(
        f"/api/things/{uuid.uuid4()}", content=content, headers={"Content-Type": "application/json"}
    )
    assert "JSON" in problem(answer, 422, "invalid")["detail"]


async def test_many_errors_are_told_up_to_a_bound(service: Service) -> None:
    """An answer does not grow with its request."""
    lines = [{"name": 1, "count": "x"}] * 1000
    answer = await service.client.put(f"/api/things/{uuid.uuid4()}", json={"lines": lines})
    assert len(problem(answer, 422, "invalid")["errors"]) == 20


async def test_an_error_does_not_repeat_what_was_sent(service: Service) -> None:
    """It may be a password in the wrong place."""
    answer = await service.client.put(f"/api/things/{uuid.uuid4()}", json={"lines": "hunter2"})
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    "row",
    [
        {"what": "a\x00b", "many": 1},
        {"what": "a", "many": 2**31},
        {"what": "a", "many": -(2**31) - 1},
        {"what": "a", "many": 10**30},
    ],
    ids=["nul", "overflow", "underflow", "huge"],
)
async def test_a_value_that_cannot_be_stored_is_refused(
    service: Service, database: Database, row: dict[str, object]
) -> None:
    """422 where a service's own bounds let it through, and no 500."""
    service.use(database)
    answer = await service.client.post("/api/things/rows", json=row)
    problem(answer, 422, "invalid")
    assert await effects(database) == []


@pytest.mark.parametrize("path", ["rows", "echo"])
@pytest.mark.parametrize("many", [0, 1])
async def test_a_text_that_is_none_is_refused(
    service: Service, database: Database, path: str, many: int
) -> None:
    """Half a character can be neither stored, nor sent, nor hashed: 422 where a service let it in."""
    service.use(database)
    content = b'{"what": "\\ud800", "many": %d}' % many
    headers = {"Content-Type": "application/json"}
    answer = await service.client.post(f"/api/things/{path}", content=content, headers=headers)
    problem(answer, 422, "invalid")


async def test_an_unexpected_error_hides_its_cause_and_logs_it(service: Service) -> None:
    """The trace id joins the two."""
    with capture_logs() as logged:
        answer = await service.fails_with(LookupError("secret detail"))
    document = problem(answer, 500, "internal-error")
    assert "secret" not in answer.text
    assert "Lookup" not in answer.text
    (line,) = [each for each in logged if each["event"] == "a request failed"]
    assert str(line["exc_info"]) == "secret detail"
    assert document["trace_id"]


@pytest.mark.parametrize(
    "error",
    [TimeoutError(), DatabaseUnavailable(), PoolTimeoutError()],
    ids=lambda error: type(error).__name__,
)
async def test_a_database_that_is_away_is_said_to_be(service: Service, error: Exception) -> None:
    """503, and when to come back."""
    answer = await service.fails_with(error)
    problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "1"


async def test_who_had_to_make_way_for_others_is_asked_to_come_back(
    service: Service, database: Database
) -> None:
    """503: the same request may well pass the next time."""
    async with database.transaction() as tx:
        await tx.execute(EFFECTS.insert().values(what="a", many=1))

    async def update(tx: AsyncConnection) -> None:
        await tx.execute(sa.text("SET LOCAL lock_timeout = '10ms'"))
        await tx.execute(EFFECTS.update().values(many=2))

    async with database.transaction() as tx:
        await update(tx)
        with pytest.raises(DBAPIError) as caught:
            await break_off(database, update)
    answer = await service.fails_with(caught.value)
    problem(answer, 503, "unavailable")


@pytest.mark.parametrize(
    ("status", "slug"), [(403, "forbidden"), (406, "not-acceptable"), (415, "unsupported-media-type")]
)
async def test_what_a_library_refuses_is_a_problem_too(service: Service, status: int, slug: str) -> None:
    """With its own status and headers."""
    answer = await service.fails_with(HTTPException(status, "No.", headers={"X-Why": "because"}))
    problem(answer, status, slug)
    assert answer.headers["X-Why"] == "because"


def test_a_problem_s_message_is_its_detail() -> None:
    """In logs and tracebacks."""
    assert str(Problem("What is wrong.")) == "What is wrong."


async def test_answers_at_once_do_not_mix_their_traces(service: Service) -> None:
    """Each request has its own."""
    answers = await asyncio.gather(*(service.client.get("/nothing") for _ in range(5)))
    assert len({answer.json()["trace_id"] for answer in answers}) == 5
