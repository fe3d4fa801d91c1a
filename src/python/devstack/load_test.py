from __future__ import annotations

import asyncio
import json
import math

import pytest
from aiohttp import ClientSession, web

from backing.ports import LOOPBACK, free_port
from devstack.client import Client
from devstack.load import Customer, Load, percentile, timeline_s


@pytest.mark.parametrize(
    ("per_cent", "expected"), [(0, 1), (1, 1), (50, 50), (50.5, 51), (99, 99), (99.1, 100), (100, 100)]
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
    per_cent: float, expected: float
) -> None:
    """By nearest rank: it is one of the values."""
    assert expected == percentile(range(100, 0, -1), per_cent)


def test_of_nothing_there_is_no_percentile() -> None:
    """It is not a number."""
    assert math.isnan(percentile([], 50))


def test_the_time_between_two_steps_is_read_off_the_timeline() -> None:
    """In seconds; None where one of them has not come."""
    steps = [{"what": what, "at": f"2026-01-01T00:00:0{s}Z"} for what, s in (("A", "0.1"), ("B", "1.35"))]
    timeline = json.dumps(steps)
    assert 1.25 == timeline_s(timeline, "A", "B")
    assert None is timeline_s(timeline, "A", "C")


async def test_a_shop_that_stalls_is_charged_from_the_time_an_order_was_due() -> None:
    """Open loop: orders go on being due while none is answered, and each of them has waited."""
    opened = asyncio.Event()
    loop = asyncio.get_running_loop()
    arrived: list[float] = []

    async def place(_: web.Request) -> web.Response:
        arrived.append(loop.time())
        await opened.wait()
        return web.json_response({"id": str(len(arrived))}, status=201)

    app, port = web.Application(), free_port()
    app.router.add_post("/api/orders", place)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    try:
        async with ClientSession(f"http://{LOOPBACK}:{port}") as session:
            load = Load(session)
            load.customers.append(Customer(Client(session), "address", "method"))
            load.products += ["one", "other"]
            begun = loop.time()
            loop.call_later(0.5, opened.set)
            report = await load.run(20, 0.5)
            stalled_s = loop.time() - begun
    finally:
        await runner.cleanup()
    assert (10, {}) == (len(report.placed), dict(report.errors))
    assert max(arrived) - begun < 0.5 + 0.2  # none waited for the answer of another
    assert 0.5 <= max(report.latencies) <= stalled_s
