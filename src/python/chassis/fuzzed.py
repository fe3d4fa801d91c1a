"""For tests: a service that is fuzzed while it runs in the test, always with the same seed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from chassis.fuzzing import Caller, Plan, Verdict, fuzz
from chassis.operations import operations

SEED = 20261125
# Of each operation. Most of what is sent is not drawn but follows from the document, whatever this is.
MAX_EXAMPLES = 5


async def fuzzed(
    app: FastAPI, caller: Caller, directory: Path, *, known: Mapping[str, Sequence[str]] | None = None
) -> Verdict:
    """Fuzz `app`, whose components run already. AssertionError unless every operation was tried."""
    async with served(app) as url:
        assert app.openapi_url is not None
        plan = Plan(url, app.openapi_url, caller, SEED, MAX_EXAMPLES, known=known or {})
        # In a thread: the service answers in this one.
        verdict = await asyncio.to_thread(fuzz, plan, directory)
    assert (len(operations(app.openapi())), 0) == (verdict.tested, verdict.untested)
    return verdict


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serve `app` as it is served in earnest; yields its URL."""
    config = uvicorn.Config(app, http="httptools", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    # With its protocol named, else asyncio leaves Nagle's algorithm on, and each answer waits 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield "http://{}:{}".format(*listening.getsockname())
        finally:
            server.should_exit = True
            await serving
