"""Whether a process lives, whether it can work, and what the load balancer should think of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request
from pydantic import BaseModel

from chassis.problems import Unavailable

Check = Callable[[], Awaitable[None]]

_CHECK_TIMEOUT_S = 3


class Health(BaseModel):
    """The service answers."""

    service: str
    version: str


class Readiness(Health):
    """What the service needs, and that each of it answers."""

    dependencies: dict[str, str]


def router(service: str, version: str, checks: Mapping[str, Check]) -> APIRouter:
    """`/livez`: the process runs. `/readyz`: all it needs answers. `/health`: as `/livez`.

    A load balancer must not ask for the dependencies: it would take every task away when a shared one fails.
    https://aws.amazon.com/builders-library/implementing-health-checks/
    """
    made = APIRouter(tags=["health"])

    @made.get("/livez", operation_id="livez")
    @made.get("/health", operation_id="health")
    async def alive() -> Health:
        """The process runs."""
        return Health(service=service, version=version)

    @made.get("/readyz", operation_id="readyz")
    async def ready(request: Request) -> Readiness:
        """Everything the service needs answers; 503 with the names of what does not."""
        found = dict(zip(checks, await asyncio.gather(*map(_ask, checks.values())), strict=True))
        failing = {name: state for name, state in found.items() if state != "ok"}
        if failing or request.app.state.stopping:
            reasons = [f"{name} ({why})" for name, why in failing.items()] or ["stopping"]
            raise Unavailable(f"Not ready: {', '.join(reasons)}.")
        return Readiness(service=service, version=version, dependencies=found)

    return made


async def _ask(check: Check) -> str:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            await check()
    except Exception as error:
        return type(error).__name__
    return "ok"
