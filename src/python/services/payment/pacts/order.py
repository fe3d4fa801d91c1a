"""What the payment service relies on of the order service."""

from __future__ import annotations

from typing import Any, get_args

from pact import match

from chassis.pacts import Contract, address_like, event, instant_like, money_like, one_of, uuid_like
from contracts.events.order import CancelReason, OrderCancelled, OrderConfirmed, OrderCreated, OrderUpdated

ORDER = "01900000-0000-7000-8000-00000000000a"
CUSTOMER = "01900000-0000-7000-8000-00000000000c"
CARD = "01900000-0000-7000-8000-00000000000e"
_IDS: dict[str, Any] = {"order_id": uuid_like(ORDER), "customer_id": uuid_like(CUSTOMER)}
_LINE = {
    "product_id": uuid_like("01900000-0000-7000-8000-000000000001"),
    "name": match.str("Tea"),
    "quantity": match.int(2),
    "unit_price": money_like(500),
}

CONTRACT = Contract(
    "payment",
    "order",
    events={
        OrderCreated: event(
            OrderCreated,
            "an order was placed",
            ORDER,
            _IDS
            | {
                "lines": match.each_like(_LINE, min=1),
                "total": money_like(),
                "payment_method_id": uuid_like(CARD),
                "shipping_address": address_like(),
                "expires_at": instant_like(),
            },
        ),
        OrderUpdated: event(
            OrderUpdated,
            "the address of an order was changed",
            ORDER,
            _IDS | {"shipping_address": address_like(), "revision": match.int(1)},
        ),
        OrderConfirmed: event(
            OrderConfirmed, "an order was confirmed", ORDER, _IDS | {"total": money_like()}
        ),
        OrderCancelled: event(
            OrderCancelled,
            "an order was cancelled",
            ORDER,
            _IDS | {"reason": one_of(*get_args(CancelReason))},
        ),
    },
)
