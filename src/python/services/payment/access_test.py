"""Who may do what in the payment service: a rule for each operation, and what others meet."""

from __future__ import annotations

import uuid

import pytest

from chassis import access
from chassis.access import Rule
from services.payment.conftest import Shop, ground

RULES = {
    "health": Rule.ANYBODY,
    "livez": Rule.ANYBODY,
    "readyz": Rule.ANYBODY,
    "add_payment_method": Rule.SIGNED_IN,
    "list_payment_methods": Rule.SIGNED_IN,
    "remove_payment_method": Rule.OWNER,
    "list_payments": Rule.SIGNED_IN,
    "get_payment_of_order": Rule.OWNER,
    "get_payment": Rule.OWNER,
    "refund_payment": Rule.ADMIN,
    "receive_provider_event": Rule.ANYBODY,
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
    """404, as for an id that does not exist, and nothing is changed."""
    assert 404 == await (await ground(shop)).trespass(operation, shop.issuer.token(uuid.uuid4()))


@pytest.mark.parametrize("operation", access.ruled(RULES, Rule.ADMIN))
async def test_what_is_for_admins_is_refused_to_customers(shop: Shop, operation: str) -> None:
    """403, whatever the id."""
    assert 403 == await (await ground(shop)).trespass(operation, shop.issuer.token(uuid.uuid4()))


@pytest.mark.parametrize("operation", access.ruled(RULES, Rule.OWNER, Rule.ADMIN))
async def test_an_admin_or_the_owner_is_let_in(shop: Shop, operation: str) -> None:
    """The very request that is refused to others: it is the sender alone that it is refused for."""
    assert 400 > await (await ground(shop)).send(operation, shop.issuer.token(shop.desk.customer, "admin"))
