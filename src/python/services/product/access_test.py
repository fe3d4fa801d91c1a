"""Who may do what in the product service: a rule for each operation, and what others meet."""

from __future__ import annotations

import uuid

import pytest

from chassis import access
from chassis.access import Rule
from services.product.conftest import Shop, ground

RULES = {
    "health": Rule.ANYBODY,
    "livez": Rule.ANYBODY,
    "readyz": Rule.ANYBODY,
    "search_products": Rule.ANYBODY,
    "create_product": Rule.ADMIN,
    "list_categories": Rule.ANYBODY,
    "get_quotes": Rule.ANYBODY,
    "get_product": Rule.ANYBODY,
    "update_product": Rule.ADMIN,
    "retire_product": Rule.ADMIN,
    "receive_stock": Rule.ADMIN,
    "get_stock": Rule.ADMIN,
    "add_image": Rule.ADMIN,
    "complete_image": Rule.ADMIN,
    "get_image": Rule.ANYBODY,
    "delete_image": Rule.ADMIN,
}


def test_every_operation_has_a_rule(shop: Shop) -> None:
    """A new one fails here until somebody has said who may use it."""
    assert [] == access.gaps(shop.app.openapi(), RULES)


@pytest.mark.parametrize("operation", access.ruled(RULES, Rule.SIGNED_IN, Rule.OWNER, Rule.ADMIN))
async def test_nobody_is_let_in_without_a_token(shop: Shop, operation: str) -> None:
    """401, before anything is looked for."""
    assert 401 == await (await ground(shop)).trespass(operation, None)


@pytest.mark.parametrize("operation", access.ruled(RULES, Rule.ADMIN))
async def test_what_is_for_admins_is_refused_to_customers(shop: Shop, operation: str) -> None:
    """403, whatever the id."""
    assert 403 == await (await ground(shop)).trespass(operation, shop.issuer.token(uuid.uuid4()))


@pytest.mark.parametrize("operation", access.ruled(RULES, Rule.ADMIN))
async def test_an_admin_is_let_in(shop: Shop, operation: str) -> None:
    """The very request that is refused to others: it is the sender alone that it is refused for."""
    status = await (await ground(shop)).send(operation, shop.issuer.token(shop.admin, "admin"))
    # The object store is away in this test: that it was asked shows as much.
    assert status < 400 or (status == 503 and operation in ("complete_image", "delete_image"))
