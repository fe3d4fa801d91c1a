"""What is over in the payment service: each operation that ends a thing, and what is answered about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chassis import ends
from chassis.ends import End
from services.payment.conftest import Shop, ground

ENDS = {
    "remove_payment_method": End(
        "method_id", {"remove_payment_method": 404}, unseen=("list_payment_methods",)
    ),
    # Of all that was taken: nothing is left to give back.
    "refund_payment": End("payment_id", {"get_payment": 200, "refund_payment": 409}),
}
GOING_ON = ("add_payment_method", "receive_provider_event")


def test_every_end_has_its_case(shop: Shop) -> None:
    """A new one fails here until somebody has said what is answered after it."""
    assert [] == ends.gaps(shop.app.openapi(), ENDS, GOING_ON)


@pytest.mark.parametrize("ending", ENDS)
async def test_what_is_over_stays_over(shop: Shop, ending: str) -> None:
    """Whatever is tried with it: it is told, or refused."""
    made = await ground(shop)
    token = shop.issuer.token(shop.desk.customer, "admin")
    whole = replace(made, known={**made.known, "amount": None})
    assert [] == await ends.broken(whole, ending, ENDS[ending], token)
