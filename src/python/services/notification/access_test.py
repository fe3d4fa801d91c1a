"""Who may do what in the notification service: a rule for each operation, and what others meet."""

from __future__ import annotations

import uuid

import pytest

from chassis import access
from chassis.access import Rule
from services.notification.conftest import Shop, ground

RULES = {
    "health": Rule.ANYBODY,
    "livez": Rule.ANYBODY,
    "readyz": Rule.ANYBODY,
    "list_notifications": Rule.SIGNED_IN,
    "get_mail_preferences": Rule.SIGNED_IN,
    "set_mail_preferences": Rule.SIGNED_IN,
    "get_notification": Rule.OWNER,
    "read_notification": Rule.OWNER,
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


@pytest.mark.parametrize("operation", access.ruled(RULES, Rule.OWNER))
async def test_the_owner_is_let_in(shop: Shop, operation: str) -> None:
    """The very request that is refused to others: it is the sender alone that it is refused for."""
    assert 400 > await (await ground(shop)).send(operation, shop.issuer.token(shop.desk.customer))
