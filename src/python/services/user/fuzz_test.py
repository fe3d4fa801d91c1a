"""What nobody thought of, sent to the user service: it answers as its document says."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from chassis import boundaries
from chassis.fuzzed import fuzzed
from chassis.fuzzing import NOBODY, Caller
from services.user.conftest import HOME, PASSWORD, Users


async def caller(users: Users, role: str) -> Caller:
    """Somebody with an account, and for a customer another one."""
    ada, bob = await users.user_id(), await users.user_id("bob@example.com")
    return Caller(role, users.token(ada, role), users.token(bob) if role == "customer" else None)


@pytest.mark.parametrize("role", ["customer", "admin"])
async def test_requests_of_somebody_break_no_promise(users: Users, tmp_path: Path, role: str) -> None:
    """Every operation was tried, and every check of schemathesis passed."""
    verdict = await fuzzed(users.app, await caller(users, role), tmp_path)
    assert () == verdict.failures, verdict.output


async def test_requests_of_nobody_break_no_promise(users: Users, tmp_path: Path) -> None:
    """Nor is anything shown that needs a sign-in."""
    verdict = await fuzzed(users.app, NOBODY, tmp_path)
    assert () == verdict.failures, verdict.output


@pytest.mark.parametrize("role", ["customer", "admin"])
async def test_a_value_at_a_bound_breaks_no_operation(users: Users, role: str) -> None:
    """NUL, too many bits, half a character, deep nesting: wherever it stands, it is taken or refused."""
    ada = uuid.UUID(await users.user_id())
    added = await users.client.post("/api/users/me/addresses", json=HOME, headers=users.headers(ada))
    known = {
        "user_id": str(ada),
        "address_id": added.json()["id"],
        "password": PASSWORD,
        "current": PASSWORD,
        "new": PASSWORD,
    }
    document = users.app.openapi()
    assert [] == await boundaries.broken(users.client, document, known, lambda: users.headers(ada, role))
