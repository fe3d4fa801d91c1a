"""Parts of the shop are killed under load and start again; what was promised to customers is kept."""

from __future__ import annotations

import asyncio
import signal

import aiohttp
import pytest

from contracts.services import SERVICES
from devstack.conftest import OpenShop
from devstack.invariants import Ledgers, breaches
from devstack.load import Load

_PER_S, _SECONDS = 6, 5
_PARTS = [*SERVICES, "gateway", "cache", "postgres", "mailbox"]
# They keep their state in memory and save it when told to end.
_EMULATORS = ["broker", "stripe"]


@pytest.mark.parametrize(
    ("part", "number"),
    [*((part, signal.SIGKILL) for part in _PARTS), *((part, signal.SIGTERM) for part in _EMULATORS)],
    # As the experiments on what is deployed are called (infra/stacks/fault_injection.py).
    ids=[f"kill-{part}" for part in (*_PARTS, *_EMULATORS)],
)
async def test_a_part_that_is_killed_under_load_breaks_no_promise(
    open_shop: OpenShop, part: str, number: signal.Signals
) -> None:
    """Every order ends, stock and money add up, and repeated writes answer as the first did."""
    running = open_shop.running
    async with (
        aiohttp.ClientSession(running.url, timeout=aiohttp.ClientTimeout(total=20)) as session,
        Ledgers(running.database_urls) as before,
    ):
        load = Load(session, patience_s=60)
        await load.prepare(3)
        orders = await count(before)
        placing = asyncio.create_task(load.run(_PER_S, _SECONDS, cancelled=0.2, repeated=0.3))
        await asyncio.sleep(_SECONDS / 3)  # orders are in every stage by then
        await open_shop.kill(part, number)
        report = await placing
    assert ({}, 0) == (dict(report.errors), report.answered_differently)
    assert _PER_S * _SECONDS == len(set(report.placed))
    async with Ledgers(running.database_urls) as ledgers:
        await ledgers.rest(within_s=90)
        assert _PER_S * _SECONDS == await count(ledgers) - orders
    assert [] == await breaches(open_shop.running)


async def count(ledgers: Ledgers) -> int:
    """How many orders there are."""
    ((orders,),) = await ledgers.fetch("order", "SELECT count(*) FROM orders")
    return int(orders)
