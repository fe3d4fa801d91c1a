"""What the order service relies on of the payment service."""

from __future__ import annotations

from typing import Any

from pact import match

from chassis.pacts import Contract, event, money_like, one_of, uuid_like
from contracts.events.payment import (
    PaymentAuthorized,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
)

ORDER = "01900000-0000-7000-8000-00000000000a"
_IDS: dict[str, Any] = {
    "order_id": uuid_like(ORDER),
    "payment_id": uuid_like("01900000-0000-7000-8000-00000000000b"),
    "customer_id": uuid_like("01900000-0000-7000-8000-00000000000c"),
}
_AMOUNT = _IDS | {"amount": money_like()}

CONTRACT = Contract(
    "order",
    "payment",
    events={
        PaymentAuthorized: event(PaymentAuthorized, "the amount of an order is held", ORDER, _AMOUNT),
        PaymentFailed: event(
            PaymentFailed,
            "the provider declines",
            ORDER,
            _AMOUNT
            | {
                "stage": one_of("authorization", "capture"),
                "code": match.str("card_declined"),
                "detail": match.str("Your card was declined."),
            },
        ),
        PaymentCompleted: event(PaymentCompleted, "the amount of an order was taken", ORDER, _AMOUNT),
        PaymentVoided: event(PaymentVoided, "the amount of an order was let go", ORDER, _IDS),
        PaymentRefunded: event(
            PaymentRefunded,
            "the amount of an order was given back",
            ORDER,
            _AMOUNT
            | {
                "refund_id": uuid_like("01900000-0000-7000-8000-00000000000d"),
                "total_refunded": money_like(),
            },
        ),
    },
)
