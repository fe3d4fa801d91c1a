"""What is over in the order service: each operation that ends a thing, and what is answered about it."""

from __future__ import annotations

import pytest

from chassis import ends
from chassis.ends import End
from services.order.conftest import Shop, ground

ENDS = {
    "cancel_order": End("order_id", {"get_order": 200, "change_order_address": 409, "cancel_order": 200}),
}
GOING_ON = ("place_order",)


def test_every_end_has_its_case(shop: Shop) -> None:
    """A new one fails here until somebody has said what is answered after it."""
    assert [] == ends.gaps(shop.app.openapi(), ENDS, GOING_ON)


@pytest.mark.parametrize("ending", ENDS)
async def test_what_is_over_stays_over(shop: Shop, ending: str) -> None:
    """Whatever is tried with it: it is told, refused, or was done already."""
    token = shop.issuer.token(shop.customer)
    assert [] == await ends.broken(await ground(shop), ending, ENDS[ending], token)
