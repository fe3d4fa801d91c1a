"""What nobody thought of, sent to the notification service: it answers as its document says."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from chassis import boundaries
from chassis.fuzzed import fuzzed
from chassis.fuzzing import NOBODY, Caller
from services.notification.conftest import Shop


def caller(shop: Shop, role: str) -> Caller:
    """Somebody who is signed in, and for a customer another one."""
    other = shop.issuer.token(uuid.uuid4()) if role == "customer" else None
    return Caller(role, shop.issuer.token(shop.desk.customer, role), other)


@pytest.mark.parametrize("role", ["customer", "admin"])
async def test_requests_of_somebody_break_no_promise(shop: Shop, tmp_path: Path, role: str) -> None:
    """Every operation was tried, and every check of schemathesis passed."""
    await shop.desk.hear(shop.desk.registered(), shop.desk.confirmed(), shop.desk.paid())
    verdict = await fuzzed(shop.app, caller(shop, role), tmp_path)
    assert () == verdict.failures, verdict.output


async def test_requests_of_nobody_break_no_promise(shop: Shop, tmp_path: Path) -> None:
    """Nor is anything shown that needs a sign-in."""
    verdict = await fuzzed(shop.app, NOBODY, tmp_path)
    assert () == verdict.failures, verdict.output


@pytest.mark.parametrize("role", ["customer", "admin"])
async def test_a_value_at_a_bound_breaks_no_operation(shop: Shop, role: str) -> None:
    """NUL, too many bits, half a character, deep nesting: wherever it stands, it is taken or refused."""
    await shop.desk.hear(shop.desk.confirmed())
    known = {"notification_id": (await shop.ids())[0]}
    document = shop.app.openapi()
    assert [] == await boundaries.broken(
        shop.client, document, known, lambda: shop.issuer.headers(shop.desk.customer, role)
    )
