"""What the product service relies on of the order service."""

from __future__ import annotations

from typing import Any, get_args

from pact import match

from chassis.pacts import Contract, address_like, event, instant_like, money_like, one_of, uuid_like
from contracts.events.order import CancelReason, OrderCancelled, OrderConfirmed, OrderCreated

ORDER = "01900000-0000-7000-8000-00000000000a"
TEA = "01900000-0000-7000-8000-000000000001"
_IDS: dict[str, Any] = {
    "order_id": uuid_like(ORDER),
    "customer_id": uuid_like("01900000-0000-7000-8000-00000000000c"),
}
_LINE = {
    "product_id": uuid_like(TEA),
    "name": match.str("Tea"),
    "quantity": match.int(2),
    "unit_price": money_like(500),
}

CONTRACT = Contract(
    "product",
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
                "payment_method_id": uuid_like("01900000-0000-7000-8000-00000000000e"),
                "shipping_address": address_like(),
                "expires_at": instant_like(),
            },
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
