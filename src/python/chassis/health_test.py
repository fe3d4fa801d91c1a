from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest

from chassis.health import Check
from chassis.service import Running, create_app
from chassis.testing import running


@asynccontextmanager
async def service(checks: Mapping[str, Check], *, stopping: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    async def compose(_: AsyncExitStack) -> Running:
        return Running(state={}, checks=checks)

    app = create_app("test", "1.2.3", [], compose)
    async with running(app) as client:
        app.state.stopping = stopping
        yield client


async def good() -> None:
    """It answers."""


async def bad() -> None:
    raise ConnectionRefusedError("postgresql://shop:hunter2@db")


@pytest.mark.parametrize("path", ["/livez", "/health"])
async def test_a_process_that_answers_lives_whatever_it_needs(path: str) -> None:
    """Or a shared database that is away would have every task replaced."""
    async with service({"database": bad}) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (200, {"service": "test", "version": "1.2.3"})


async def test_a_service_is_ready_when_all_it_needs_answers() -> None:
    """Each is named."""
    async with service({"database": good, "cache": good}) as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["dependencies"]) == (200, {"database": "ok", "cache": "ok"})


async def test_a_service_is_not_ready_when_something_does_not_answer() -> None:
    """It is named with the kind of its failure, and no more: addresses and passwords stay inside."""
    async with service({"database": bad, "cache": good}) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "Not ready: database (ConnectionRefusedError)."


async def test_what_hangs_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are asked at once, each for a bounded time."""
    monkeypatch.setattr("chassis.health._CHECK_TIMEOUT_S", 0.05)

    async def hang() -> None:
        await asyncio.sleep(60)

    async with service({"database": hang, "cache": hang}) as client, asyncio.timeout(5):
        answer = await client.get("/readyz")
    assert answer.json()["detail"] == "Not ready: database (TimeoutError), cache (TimeoutError)."


async def test_a_service_that_stops_is_not_ready_but_lives() -> None:
    """No new requests, please."""
    async with service({"database": good}, stopping=True) as client:
        ready, alive = await client.get("/readyz"), await client.get("/livez")
    assert (ready.status_code, ready.json()["detail"], alive.status_code) == (
        503,
        "Not ready: stopping.",
        200,
    )
