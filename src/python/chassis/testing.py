"""For tests of services: tokens as the user service signs them, and an application that runs in the test."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import uvicorn
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from chassis.auth import ALGORITHM, AUDIENCE, ISSUER, Verifier
from chassis.clock import utc_now

T = TypeVar("T")


class TokenIssuer:
    """Signs tokens, with a key of its own unless one is given, and gives out the public half of the key."""

    def __init__(self, key: OKPKey | None = None) -> None:
        self._key = key or OKPKey.generate_key("Ed25519", {"kid": uuid.uuid4().hex})

    async def fetch(self) -> dict[str, Any]:
        """The JWK Set."""
        return dict(KeySet([self._key]).as_dict(private=False))

    def token(self, user_id: uuid.UUID, *roles: str, expires_in_s: float = 900, **claims: Any) -> str:
        """A token for `user_id`, a customer unless `roles` say otherwise; `claims` replace the usual ones."""
        now = utc_now()
        standard = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "roles": list(roles or ("customer",)),
            "iat": int(now.timestamp()),
            "exp": int((now + dt.timedelta(seconds=expires_in_s)).timestamp()),
        }
        return jwt.encode(
            {"alg": ALGORITHM, "kid": self._key.kid}, standard | claims, self._key, algorithms=[ALGORITHM]
        )

    def headers(self, user_id: uuid.UUID, *roles: str, key: str | None = None) -> dict[str, str]:
        """Request headers that sign `user_id` in, with a fresh Idempotency-Key unless `key` is given."""
        return {
            "Authorization": f"Bearer {self.token(user_id, *roles)}",
            "Idempotency-Key": key or uuid.uuid4().hex,
        }


def run_program(
    module: str, environment: Mapping[str, object], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run `module` as a program with nothing in its environment but this, and what Python needs."""
    env = {name: str(value) for name, value in environment.items()}
    env |= {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-m", module, *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=30)


async def eventually(check: Callable[[], Awaitable[T]], *, within_s: float = 10) -> T:
    """What `check` returns as soon as that is true; AssertionError if it is not in time."""
    deadline = time.monotonic() + within_s
    while not (found := await check()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {check}"
        await asyncio.sleep(0.01)
    return found


@asynccontextmanager
async def running(app: FastAPI, issuer: TokenIssuer | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Start `app` with all its components and yield a client of it; `issuer`'s tokens are then accepted."""
    async with app.router.lifespan_context(app):
        if issuer is not None:
            app.state.verifier = Verifier(issuer)
        # What would be a 500 on the wire is one here: the application's own handlers answer.
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serve `app`, whose components run already, as it is served in earnest; yields its URL."""
    config = uvicorn.Config(app, http="httptools", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    # With its protocol named, else asyncio leaves Nagle's algorithm on, and each answer waits 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # from now on who comes is kept waiting, and not turned away
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield "http://{}:{}".format(*listening.getsockname())
        finally:
            server.should_exit = True
            await serving
