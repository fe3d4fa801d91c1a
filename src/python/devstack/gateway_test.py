from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from backing.ports import LOOPBACK, free_port
from devstack.conftest import eventually
from devstack.gateway import MAX_BODY_BYTES, Gateway, Limit, configuration

SERVICES = ("user", "order")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(listener: int) -> list[Any]:
    """The routes of a listener: 0 is the public one."""
    made = configuration(1, 2, Path("somewhere"), SERVICES, Limit())["static_resources"]["listeners"][
        listener
    ]
    manager = made["filter_chains"][0]["filters"][0]["typed_config"]
    found: list[Any] = manager["route_config"]["virtual_hosts"][0]["routes"]
    return found


def retried_on(route: dict[str, Any]) -> set[str]:
    return set(route["route"]["retry_policy"]["retry_on"].split(","))


@pytest.mark.parametrize("listener", [0, 1])
def test_a_refresh_token_is_never_sent_twice(listener: int) -> None:
    """One that comes again ends its session: only what was not sent yet may go to another replica."""
    (refresh,) = (r for r in routes(listener) if r["match"] == {"path": "/api/users/refresh"})
    assert "reset" not in retried_on(refresh)


def test_what_may_have_reached_a_service_is_sent_again_for_customers_alone() -> None:
    """Services retry for themselves: both would multiply."""
    public, internal = (
        [retried_on(r) for r in routes(listener) if "path_separated_prefix" in r["match"]]
        for listener in (0, 1)
    )
    assert all("reset" in on for on in public)
    assert all(on == {"connect-failure", "refused-stream"} for on in internal)
    assert len(public) == len(internal) > 0


def test_services_find_each_other_without_the_limits_of_customers() -> None:
    """The internal port has neither pages of its own nor a rate."""
    listeners = configuration(1, 2, Path("somewhere"), SERVICES, Limit())["static_resources"]["listeners"]
    public, internal = (
        [f["name"] for f in each["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]]
        for each in listeners
    )
    assert ["local_ratelimit", "buffer", "router"] == public
    assert ["router"] == internal


def test_everything_is_on_the_loopback_interface() -> None:
    """Nobody else on the network reaches the shop."""
    listeners = configuration(1, 2, Path("somewhere"), SERVICES, Limit())["static_resources"]["listeners"]
    assert {LOOPBACK} == {each["address"]["socket_address"]["address"] for each in listeners}


@asynccontextmanager
async def service(handler: Handler) -> AsyncIterator[tuple[int, web.AppRunner]]:
    """A replica of a service that answers everything with `handler`."""

    async def alive(_: web.Request) -> web.Response:
        return web.Response()

    app, port = web.Application(client_max_size=4 * MAX_BODY_BYTES), free_port()
    app.router.add_get("/livez", alive)
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    try:
        yield port, runner
    finally:
        await runner.cleanup()


def saying(text: str) -> Handler:
    """A handler that says who answered."""

    async def handler(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=text)

    return handler


@asynccontextmanager
async def opened(folder: Path, limit: Limit) -> AsyncIterator[Gateway]:
    """Envoy, with no replicas behind it yet."""
    subject = Gateway(
        folder / "gateway",
        log=folder / "gateway.log",
        port=free_port(),
        internal_port=free_port(),
        services=SERVICES,
        limit=limit,
    )
    subject.start()
    try:
        await asyncio.to_thread(subject.wait_ready)
        yield subject
    finally:
        subject.stop()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """One with the limit of the shop."""
    async with opened(tmp_path, Limit()) as subject:
        yield subject


@pytest.fixture
async def customer(gateway: Gateway) -> AsyncIterator[ClientSession]:
    """A customer's connections to the public port."""
    async with ClientSession(gateway.url) as session:
        yield session


async def becomes(session: ClientSession, path: str, expected: str) -> None:
    """Return once `path` is answered with the text `expected`."""

    async def look() -> bool:
        async with session.get(path) as answer:
            return answer.status == 200 and await answer.text() == expected

    await eventually(look, within_s=5)


async def test_what_the_gateway_says_itself_is_a_problem_document(customer: ClientSession) -> None:
    """Where nothing is, and where a service does not answer."""
    for path, status in (("/nowhere", 404), ("/api/orders/1", 503)):
        async with customer.get(f"{path}?q=1") as answer:
            document = await answer.json()
            assert (status, "application/problem+json") == (answer.status, answer.content_type)
        assert (status, path) == (document["status"], document["instance"])
        assert (status == 503) == ("Retry-After" in answer.headers)


async def test_a_body_that_is_too_large_is_refused_before_a_service_sees_it(
    gateway: Gateway, customer: ClientSession
) -> None:
    """One that just fits arrives."""
    async with service(saying("taken")) as (port, _):
        gateway.set_endpoints("order", [port])
        await becomes(customer, "/api/orders", "taken")
        async with customer.post("/api/orders", data=b"x" * (MAX_BODY_BYTES - 1024)) as answer:
            assert "taken" == await answer.text()
        async with customer.post("/api/orders", data=b"x" * (MAX_BODY_BYTES + 1)) as answer:
            assert (413, "application/problem+json") == (answer.status, answer.content_type)


async def test_replicas_are_swapped_without_a_restart(gateway: Gateway, customer: ClientSession) -> None:
    """The path of a service leads to it with and without anything behind."""
    async with service(saying("old")) as (old, _), service(saying("new")) as (new, _):
        gateway.set_endpoints("user", [old])
        await becomes(customer, "/api/users", "old")
        gateway.set_endpoints("user", [new])
        await becomes(customer, "/api/users/me", "new")


async def test_a_replica_that_dies_under_requests_loses_none(
    gateway: Gateway, customer: ClientSession
) -> None:
    """What was under way on it is done by the other, writes included."""
    broken_off = 0

    async def dies(request: web.Request) -> web.Response:
        nonlocal broken_off
        broken_off += 1
        assert request.transport is not None
        request.transport.abort()  # as the kernel does for a process that is killed
        return web.Response()

    async def post(_: int) -> str:
        async with customer.post("/api/orders", data=b"{}") as answer:
            return await answer.text()

    async with service(dies) as (dying, _), service(saying("alive")) as (alive, _):
        gateway.set_endpoints("order", [alive])
        await becomes(customer, "/api/orders", "alive")
        gateway.set_endpoints("order", [dying, alive])

        async def met() -> bool:
            assert {"alive"} == set(await asyncio.gather(*map(post, range(20))))
            return broken_off > 0

        await eventually(met, within_s=10)


async def test_more_than_the_shop_takes_is_refused(tmp_path: Path) -> None:
    """With 429, and word when to come again. The limit is one that the slowest machine goes beyond."""
    limit = Limit(per_s=1, burst=50)

    async def status(session: ClientSession) -> int:
        async with session.get("/health") as answer:
            await answer.read()
            assert (answer.status == 429) == ("Retry-After" in answer.headers)
            return answer.status

    async with opened(tmp_path, limit) as gateway, ClientSession(gateway.url) as session:
        found = [await status(session) for _ in range(2 * limit.burst)]
    assert {200, 429} == set(found)
    assert 200 == found[0]


def test_the_shop_takes_what_the_api_gateway_takes() -> None:
    """As the stage of the deployment has it: 2000 requests a second, and bursts of 5000."""
    listeners = configuration(1, 2, Path("somewhere"), SERVICES, Limit())["static_resources"]["listeners"]
    (found,) = (
        each["typed_config"]["token_bucket"]
        for each in listeners[0]["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
        if each["name"] == "local_ratelimit"
    )
    assert {"max_tokens": 5000, "tokens_per_fill": 2000, "fill_interval": "1s"} == found
