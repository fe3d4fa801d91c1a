"""What the notification service relies on of the order service."""

from __future__ import annotations

from typing import Any, get_args

from chassis.pacts import Contract, event, money_like, one_of, uuid_like
from contracts.events.notification import OrderCancelledNotice, OrderConfirmedNotice
from contracts.events.order import CancelReason

ORDER = "01900000-0000-7000-8000-00000000000a"
CUSTOMER = "01900000-0000-7000-8000-00000000000c"
_ORDER: dict[str, Any] = {
    "order_id": uuid_like(ORDER),
    "customer_id": uuid_like(CUSTOMER),
    "total": money_like(),
}

CONTRACT = Contract(
    "notification",
    "order",
    events={
        OrderConfirmedNotice: event(OrderConfirmedNotice, "an order was confirmed", ORDER, _ORDER),
        OrderCancelledNotice: event(
            OrderCancelledNotice,
            "an order was cancelled",
            ORDER,
            _ORDER | {"reason": one_of(*get_args(CancelReason))},
        ),
    },
)
