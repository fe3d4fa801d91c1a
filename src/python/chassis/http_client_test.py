from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from backing.ports import free_port
from chassis import http_client, telemetry
from chassis.http_client import Answer, HttpClient, RetryBudget
from chassis.problems import Unavailable
from chassis.testing import eventually


@dataclass
class Neighbour:
    """A service that answers with one status after the other, the last one for ever."""

    statuses: list[int] = field(default_factory=lambda: [200])
    asked: list[web.Request] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)  # while it is not set, nobody is answered
    url: str = ""

    def __post_init__(self) -> None:
        self.open.set()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        await self.open.wait()
        return web.Response(status=status, body=b'{"status": %d}' % status)


@pytest.fixture
async def neighbour() -> AsyncIterator[Neighbour]:
    service = Neighbour()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        service.url = str(server.make_url(""))
        yield service
        service.open.set()  # what still waits would hold up the end


@asynccontextmanager
async def client(url: str, **options: Any) -> AsyncIterator[HttpClient]:
    async with http_client.session() as session:
        yield HttpClient("tea", url, session, **{"retry_wait_s": 0.001} | options)


async def refused(http: HttpClient, times: int = 1) -> list[str]:
    """What is said when no answer is got."""
    details = []
    for _ in range(times):
        with pytest.raises(Unavailable) as caught:
            await http.get("/")
        details.append(caught.value.detail)
    return details


async def test_an_answer_comes_with_its_status_and_body(neighbour: Neighbour) -> None:
    """Path, parameters and token are what was given; without one, no token is sent."""
    async with client(neighbour.url) as http:
        assert await http.get("/a", params={"q": "ü&=", "n": "1"}, token="x.y") == Answer(
            200, b'{"status": 200}'
        )
        assert (await http.get("/b")).json() == {"status": 200}
    first, second = neighbour.asked
    assert (first.path, dict(first.query)) == ("/a", {"q": "ü&=", "n": "1"})
    assert first.headers["Authorization"] == "Bearer x.y"
    assert "Authorization" not in second.headers


@pytest.mark.parametrize("status", [301, 400, 401, 404, 409, 422, 429])
async def test_a_refusal_is_an_answer(neighbour: Neighbour, status: int) -> None:
    """It is the caller's to judge, is not asked for again, and says nothing against the service."""
    neighbour.statuses = [status]
    async with client(neighbour.url, failures_to_open=1) as http:
        assert [(await http.get("/")).status for _ in range(3)] == [status] * 3
    assert len(neighbour.asked) == 3


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_what_may_pass_is_tried_again(neighbour: Neighbour, status: int) -> None:
    """And the caller does not notice."""
    neighbour.statuses = [status, status, 200]
    async with client(neighbour.url) as http:
        assert (await http.get("/")).status == 200
    assert len(neighbour.asked) == 3


async def test_after_three_tries_it_is_unavailable(neighbour: Neighbour) -> None:
    """The message names the service, what was wrong and what to do."""
    neighbour.statuses = [503]
    async with client(neighbour.url) as http:
        assert await refused(http) == ["The tea service answered 503; try again shortly."]
    assert len(neighbour.asked) == 3


async def test_a_fault_of_the_service_is_not_asked_for_again(neighbour: Neighbour) -> None:
    """A 500 comes of the request, and would come again."""
    neighbour.statuses = [500]
    async with client(neighbour.url) as http:
        assert await refused(http) == ["The tea service answered 500; try again shortly."]
    assert len(neighbour.asked) == 1


async def test_a_service_that_nobody_runs_is_unavailable() -> None:
    """Whether the connection is refused or the name unknown."""
    for url in (f"http://127.0.0.1:{free_port()}", "http://nowhere.invalid:1"):
        async with client(url) as http:
            (detail,) = await refused(http)
            assert detail.startswith("The tea service cannot be reached (Client")


async def test_an_answer_that_breaks_off_is_none() -> None:
    """It is asked for again, as far as that is allowed."""
    connections = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, client(f"http://{host}:{port}") as http:
        (detail,) = await refused(http)
    assert "cannot be reached (ClientPayloadError)" in detail
    assert connections == 3


async def test_no_call_outlasts_its_deadline(neighbour: Neighbour) -> None:
    """Retries included: the caller has a deadline too."""
    neighbour.open.clear()
    async with client(neighbour.url, deadline_s=0.1) as http:
        started = time.monotonic()
        assert await refused(http) == ["The tea service did not answer within 0.1 s; try again shortly."]
        assert 0.1 <= time.monotonic() - started < 5
    neighbour.statuses = [503]
    neighbour.open.set()
    async with client(neighbour.url, deadline_s=0.1, retry_wait_s=10) as http:
        started = time.monotonic()
        await refused(http)
        assert time.monotonic() - started < 5


async def test_no_more_calls_are_under_way_than_the_bulkhead_holds(neighbour: Neighbour) -> None:
    """The others wait their turn, and no longer than their deadline."""
    neighbour.open.clear()

    async def busy() -> bool:
        return len(neighbour.asked) == 2

    async with client(neighbour.url, concurrency=2, deadline_s=20) as http:
        calls = [asyncio.create_task(http.get("/")) for _ in range(5)]
        await eventually(busy)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(neighbour.asked) == 2
        neighbour.open.set()
        assert [answer.status for answer in await asyncio.gather(*calls)] == [200] * 5
    neighbour.open.clear()
    async with client(neighbour.url, concurrency=1, deadline_s=0.2) as http:
        refusals = await asyncio.gather(*(http.get("/") for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in refusals] == [Unavailable] * 3
    assert len(neighbour.asked) == 5 + 1


async def test_a_service_that_fails_again_and_again_is_left_alone(neighbour: Neighbour) -> None:
    """Its callers are told at once, without asking it."""
    neighbour.statuses = [500]
    async with client(neighbour.url, failures_to_open=3, open_for_s=60) as http:
        await refused(http, times=3)
        assert (
            await refused(http, times=2)
            == ["The tea service has failed repeatedly and is left alone for a moment; try again shortly."]
            * 2
        )
    assert len(neighbour.asked) == 3


async def test_a_service_that_hangs_is_left_alone_too(neighbour: Neighbour) -> None:
    """Time that ran out is a failure like any other."""
    neighbour.open.clear()
    async with client(neighbour.url, failures_to_open=2, open_for_s=60, deadline_s=0.05) as http:
        await refused(http, times=2)
        (detail,) = await refused(http)
    assert "left alone" in detail
    assert len(neighbour.asked) == 2


async def test_a_success_forgives_the_failures_before_it(neighbour: Neighbour) -> None:
    """Only those in a row count."""
    neighbour.statuses = [500, 500, 200, 500, 500, 200]
    async with client(neighbour.url, failures_to_open=3) as http:
        for _ in range(2):
            await refused(http, times=2)
            assert (await http.get("/")).status == 200


async def test_a_service_that_has_recovered_is_asked_again(neighbour: Neighbour) -> None:
    """After a while one call tries it; when that fails, it is left alone for as long again."""
    neighbour.statuses = [500, 500, 500, 200]
    async with client(neighbour.url, failures_to_open=2, open_for_s=0.2) as http:

        async def asked(times: int) -> Callable[[], Any]:
            async def check() -> bool:
                try:
                    await http.get("/")
                except Unavailable:
                    return len(neighbour.asked) == times
                return False

            return check

        await refused(http, times=2)
        await eventually(await asked(3))
        assert "left alone" in (await refused(http))[0]

        async def answered() -> bool:
            try:
                return (await http.get("/")).status == 200
            except Unavailable:
                return False

        await eventually(answered)
        assert [(await http.get("/")).status for _ in range(3)] == [200] * 3


async def test_a_call_that_is_left_undone_holds_nothing(neighbour: Neighbour) -> None:
    """What refuses it is one object, which must not collect the frames of all it has refused."""
    neighbour.statuses = [500]
    async with client(neighbour.url, failures_to_open=1, open_for_s=60) as http:
        await refused(http)
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                await http.get("/")
            assert caught.value.__context__ is not None
            assert caught.value.__context__.__traceback__ is None


async def test_retries_stay_a_share_of_the_calls(neighbour: Neighbour) -> None:
    """A service that struggles is not asked three times as often."""
    neighbour.statuses = [503]
    async with client(neighbour.url, failures_to_open=10_000) as http:
        await refused(http, times=100)
    # Ten retries in hand, and one more for every five calls.
    assert 100 + 10 <= len(neighbour.asked) <= 100 + 10 + 20


def test_a_budget_is_spent_and_earned() -> None:
    """Up to what may be in hand."""
    budget = RetryBudget(ratio=0.5, burst=2)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    budget.earn()
    assert budget.spend() is False
    budget.earn()
    assert [budget.spend(), budget.spend()] == [True, False]
    for _ in range(100):
        budget.earn()
    assert [budget.spend() for _ in range(3)] == [True, True, False]


async def test_what_one_caller_is_given_is_not_the_next_ones() -> None:
    """Cookies are not kept: the connections are everybody's."""
    cookies: list[str | None] = []

    async def give(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        answer = web.Response()
        answer.set_cookie("session", "secret")
        return answer

    app = web.Application()
    app.router.add_get("/", give)
    async with TestServer(app, host="127.0.0.1") as server, client(str(server.make_url(""))) as http:
        for _ in range(2):
            await http.get("/")
    assert cookies == [None, None]


async def test_a_call_belongs_to_the_trace_of_its_caller(neighbour: Neighbour) -> None:
    """Each try is a step of its own in it."""
    neighbour.statuses = [503, 200]
    async with client(neighbour.url) as http:
        with telemetry.tracer.start_as_current_span("order"):
            await http.get("/")
            trace_id = telemetry.trace_id()
    assert [each.headers["traceparent"].split("-")[1] for each in neighbour.asked] == [trace_id] * 2
