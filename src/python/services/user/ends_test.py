"""What is over in the user service: each operation that ends a thing, and what is answered about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chassis import ends
from chassis.ends import End
from services.user.conftest import PASSWORD, Users, ground

_NO_SESSION = {"refresh": 401, "log_out": 204}
ENDS = {
    "delete_address": End(
        "address_id",
        {"get_address": 404, "replace_address": 404, "delete_address": 404},
        unseen=("list_addresses",),
    ),
    "log_out": End("refresh_token", _NO_SESSION),
    "change_password": End("refresh_token", _NO_SESSION),
}
# A token that comes again after `refresh` ends its session: sessions_test.py.
GOING_ON = ("log_in", "refresh", "add_address", "register")


def test_every_end_has_its_case(users: Users) -> None:
    """A new one fails here until somebody has said what is answered after it."""
    assert [] == ends.gaps(users.app.openapi(), ENDS, GOING_ON)


@pytest.mark.parametrize("ending", ENDS)
async def test_what_is_over_stays_over(users: Users, ending: str) -> None:
    """Whatever is tried with it: it is not there, or was done already."""
    made = await ground(users)
    session = (await users.log_in()).json()
    known = {
        **made.known,
        "refresh_token": session["refresh_token"],
        "current": PASSWORD,
        "new": f"{PASSWORD}!",
    }
    token = users.token(made.known["user_id"])
    assert [] == await ends.broken(replace(made, known=known), ending, ENDS[ending], token)
