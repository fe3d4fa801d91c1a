"""What nobody thought of, sent to the product service: it answers as its document says."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from chassis import boundaries
from chassis.fuzzed import fuzzed
from chassis.fuzzing import NOBODY, Caller
from services.product.conftest import NoImages, Shop


async def fill(shop: Shop) -> str:
    """Put a product on sale, with an object store for its images, and return its id."""
    shop.app.state.parts = replace(shop.app.state.parts, images=NoImages("images"))
    return str((await shop.create(stock=5))["id"])


def caller(shop: Shop, role: str) -> Caller:
    """Somebody who is signed in, and for a customer another one."""
    other = shop.issuer.token(uuid.uuid4()) if role == "customer" else None
    return Caller(role, shop.issuer.token(shop.customer, role), other)


@pytest.mark.parametrize("role", ["customer", "admin"])
async def test_requests_of_somebody_break_no_promise(shop: Shop, tmp_path: Path, role: str) -> None:
    """Every operation was tried, and every check of schemathesis passed."""
    await fill(shop)
    verdict = await fuzzed(shop.app, caller(shop, role), tmp_path)
    assert () == verdict.failures, verdict.output


async def test_requests_of_nobody_break_no_promise(shop: Shop, tmp_path: Path) -> None:
    """Nor is anything shown that needs a sign-in."""
    verdict = await fuzzed(shop.app, NOBODY, tmp_path)
    assert () == verdict.failures, verdict.output


@pytest.mark.parametrize("role", ["customer", "admin"])
async def test_a_value_at_a_bound_breaks_no_operation(shop: Shop, role: str) -> None:
    """NUL, too many bits, half a character, deep nesting: wherever it stands, it is taken or refused."""
    product_id = await fill(shop)
    image = {"content_type": "image/png", "size": 1}
    added = await shop.client.post(f"/api/products/{product_id}/images", json=image, headers=shop.as_admin())
    known = {"product_id": product_id, "image_id": added.json()["id"], "ids": product_id}
    document = shop.app.openapi()
    assert [] == await boundaries.broken(
        shop.client, document, known, lambda: shop.issuer.headers(shop.customer, role)
    )
