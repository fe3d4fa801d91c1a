"""Who may do what in the user service: a rule for each operation, and what others meet."""

from __future__ import annotations

import uuid

import pytest

from chassis import access
from chassis.access import Rule
from services.user.conftest import Users, ground

RULES = {
    "health": Rule.ANYBODY,
    "livez": Rule.ANYBODY,
    "readyz": Rule.ANYBODY,
    "log_in": Rule.ANYBODY,
    "refresh": Rule.ANYBODY,
    "log_out": Rule.ANYBODY,
    "change_password": Rule.SIGNED_IN,
    "add_address": Rule.SIGNED_IN,
    "list_addresses": Rule.SIGNED_IN,
    "get_address": Rule.OWNER,
    "replace_address": Rule.OWNER,
    "delete_address": Rule.OWNER,
    "register": Rule.ANYBODY,
    "list_users": Rule.ADMIN,
    "signing_keys": Rule.ANYBODY,
    "get_me": Rule.SIGNED_IN,
    "change_me": Rule.SIGNED_IN,
    "get_user": Rule.OWNER,
    "give_roles": Rule.ADMIN,
}


def test_every_operation_has_a_rule(users: Users) -> None:
    """A new one fails here until somebody has said who may use it."""
    assert [] == access.gaps(users.app.openapi(), RULES)


@pytest.mark.parametrize("operation", access.ruled(RULES, Rule.SIGNED_IN, Rule.OWNER, Rule.ADMIN))
async def test_nobody_is_let_in_without_a_token(users: Users, operation: str) -> None:
    """401, before anything is looked for."""
    assert 401 == await (await ground(users)).trespass(operation, None)


@pytest.mark.parametrize("operation", access.ruled(RULES, Rule.OWNER))
async def test_what_is_somebody_elses_is_not_there(users: Users, operation: str) -> None:
    """404, as for an id that does not exist, and nothing is changed."""
    assert 404 == await (await ground(users)).trespass(operation, users.token(uuid.uuid4()))


@pytest.mark.parametrize("operation", access.ruled(RULES, Rule.ADMIN))
async def test_what_is_for_admins_is_refused_to_customers(users: Users, operation: str) -> None:
    """403, whatever the id."""
    assert 403 == await (await ground(users)).trespass(operation, users.token(uuid.uuid4()))


@pytest.mark.parametrize("operation", access.ruled(RULES, Rule.OWNER, Rule.ADMIN))
async def test_an_admin_or_the_owner_is_let_in(users: Users, operation: str) -> None:
    """The very request that is refused to others: it is the sender alone that it is refused for."""
    let_in = await ground(users)
    assert 400 > await let_in.send(operation, users.token(let_in.known["user_id"], "customer", "admin"))
