"""Runs providers on a database of their own, to verify them outside of a test."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import structlog

from backing.broker import aws_environment
from backing.postgres import Postgres
from chassis.pact_provider import Provider
from gate.quiet import quiet
from services.order.pacts import states as order
from services.payment.pacts import states as payment
from services.product.pacts import states as product
from services.user.pacts import states as user

T = TypeVar("T")

PROVIDERS: Mapping[str, Callable[[str], AbstractAsyncContextManager[Provider]]] = {
    "order": order.provider,
    "payment": payment.provider,
    "product": product.provider,
    "user": user.provider,
}
"""The services that others rely on, by name: each on the empty database at a URL."""


@contextmanager
def database_server() -> Iterator[Postgres]:
    """A PostgreSQL server that ends, and is gone, with the context."""
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder) / "postgres", log=Path(folder) / "postgres.log", throwaway=True)
        server.initialise()
        server.start()
        try:
            server.wait_ready()
            yield server
        finally:
            server.stop()


def on_stage(name: str, server: Postgres, verify: Callable[[Provider], Awaitable[T]]) -> T:
    """What `verify` says of the provider `name`, which runs on an empty database of `server` meanwhile."""

    async def run() -> T:
        async with PROVIDERS[name](server.create_database(f"verified_{uuid.uuid4().hex}")) as provider:
            return await verify(provider)

    # What it logs of its work, and of a queue that is not there, is no news here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # Nothing it tells leaves the machine: it is read from the outbox.
    os.environ.update(aws_environment("http://127.0.0.1:9"))
    with quiet():
        return asyncio.run(run())
