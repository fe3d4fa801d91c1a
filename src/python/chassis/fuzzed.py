"""For tests: a service that is fuzzed while it runs in the test, always with the same seed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from fastapi import FastAPI

from chassis.fuzzing import Caller, Plan, Verdict, fuzz
from chassis.operations import operations
from chassis.testing import served

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
