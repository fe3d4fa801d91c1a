"""What the notification service relies on of the payment service."""

from __future__ import annotations

from typing import Any

from pact import match

from chassis.pacts import Contract, event, money_like, one_of, uuid_like
from contracts.events.payment import PaymentCompleted, PaymentFailed

ORDER = "01900000-0000-7000-8000-00000000000a"
CUSTOMER = "01900000-0000-7000-8000-00000000000c"
_PAYMENT: dict[str, Any] = {
    "order_id": uuid_like(ORDER),
    "payment_id": uuid_like("01900000-0000-7000-8000-00000000000b"),
    "customer_id": uuid_like(CUSTOMER),
    "amount": money_like(),
}

CONTRACT = Contract(
    "notification",
    "payment",
    events={
        PaymentCompleted: event(PaymentCompleted, "the amount of an order was taken", ORDER, _PAYMENT),
        PaymentFailed: event(
            PaymentFailed,
            "the provider declines",
            ORDER,
            _PAYMENT
            | {
                "stage": one_of("authorization", "capture"),
                "code": match.str("card_declined"),
                "detail": match.str("Your card was declined."),
            },
        ),
    },
)
