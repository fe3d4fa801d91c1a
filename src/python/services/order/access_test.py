"""Who may do what in the order service: a rule for each operation, and what others meet."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from chassis import access
from chassis.access import Rule
from services.order.conftest import Shop, ground

RULES = {
    "health": Rule.ANYBODY,
    "livez": Rule.ANYBODY,
    "readyz": Rule.ANYBODY,
    "place_order": Rule.OWNER,
    "list_orders": Rule.SIGNED_IN,
    "get_order": Rule.OWNER,
    "change_order_address": Rule.OWNER,
    "cancel_order": Rule.OWNER,
}


def test_every_operation_has_a_rule(shop: Shop) -> None:
    """A new one fails here until somebody has said who may use it."""
    assert [] == access.gaps(shop.app.openapi(), RULES)


@pytest.mark.parametrize("operation", access.ruled(RULES, Rule.SIGNED_IN, Rule.OWNER, Rule.ADMIN))
async def test_nobody_is_let_in_without_a_token(shop: Shop, operation: str) -> None:
    """401, before anything is looked for."""
    assert 401 == await (await ground(shop)).trespass(operation, None)


@pytest.mark.parametrize("operation", access.ruled(RULES, Rule.OWNER))
async def test_what_is_somebody_elses_is_not_there(shop: Shop, operation: str) -> None:
    """404, as for an id that does not exist, and nothing is changed.

    Where a new order goes is in the body: somebody else's address makes a request that does not fit. An order
    that is there is asked for with an address of the stranger's own, so that the order alone is not theirs.
    """
    ordered, stranger = await ground(shop), uuid.uuid4()
    refusal, known = 422, dict(ordered.known)
    if operation != "place_order":
        refusal, known["address_id"] = 404, str(shop.addresses.add(stranger))
    theirs = replace(ordered, known=known)
    assert refusal == await theirs.trespass(operation, shop.issuer.token(stranger))


@pytest.mark.parametrize("operation", access.ruled(RULES, Rule.OWNER))
async def test_the_owner_is_let_in(shop: Shop, operation: str) -> None:
    """The very request that is refused to others: it is the sender alone that it is refused for."""
    assert 400 > await (await ground(shop)).send(operation, shop.issuer.token(shop.customer))
