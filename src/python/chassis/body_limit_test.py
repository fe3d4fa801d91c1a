from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Body, Request

from chassis.body_limit import DEFAULT_LIMIT
from chassis.service import Running, create_app
from chassis.testing import running

router = APIRouter()


@router.post("/api/tests")
async def size(body: Annotated[str, Body()]) -> int:
    return len(body)


@router.post("/api/tests/raw")
async def raw_size(request: Request) -> int:
    return len(await request.body())


@router.post("/api/tests/unread")
async def unread() -> str:
    return "unread"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async def compose(_: AsyncExitStack) -> Running:
        return Running(state={})

    async with running(create_app("test", "1", [router], compose)) as client:
        yield client


async def chunked(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 64 * 1024):
        yield b" " * min(64 * 1024, size - start)


async def test_a_body_as_large_as_it_may_be_is_taken(client: httpx.AsyncClient) -> None:
    """To the byte, its length declared or not."""
    for content in (b" " * DEFAULT_LIMIT, chunked(DEFAULT_LIMIT)):
        answer = await client.post("/api/tests/raw", content=content)
        assert (answer.status_code, answer.json()) == (200, DEFAULT_LIMIT)


@pytest.mark.parametrize("path", ["/api/tests", "/api/tests/raw"])
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_a_body_that_is_larger_is_refused(client: httpx.AsyncClient, path: str, declared: bool) -> None:
    """413 with what may be sent, whoever reads the body."""
    content = b" " * (DEFAULT_LIMIT + 1) if declared else chunked(DEFAULT_LIMIT + 1)
    answer = await client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/problem+json")
    document = answer.json()
    assert (document["type"], document["title"]) == ("/problems/too-large", "Body too large")
    assert "1048576 bytes" in document["detail"]


async def test_a_declared_body_that_is_larger_is_refused_unread(client: httpx.AsyncClient) -> None:
    """Also where nobody would have read it."""
    answer = await client.post("/api/tests/unread", content=b" " * (DEFAULT_LIMIT + 1))
    assert answer.status_code == 413


async def test_a_length_that_is_a_lie_does_not_help(client: httpx.AsyncClient) -> None:
    """What comes is counted."""
    headers = {"Content-Length": "10", "Content-Type": "application/json"}
    answer = await client.post("/api/tests/raw", content=chunked(DEFAULT_LIMIT + 1), headers=headers)
    assert answer.status_code == 413
