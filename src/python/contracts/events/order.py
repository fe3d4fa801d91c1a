"""What the order service tells the others."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.events.envelope import Event
from contracts.money import Money

CancelReason = Literal[
    "requested",  # the customer asked
    "out_of_stock",
    "payment_failed",
    "deadline_passed",  # no answer in time
]


class Address(BaseModel):
    """Where an order goes."""

    model_config = ConfigDict(frozen=True)

    recipient: str
    line1: str
    line2: str | None = None
    city: str
    postal_code: str
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2")]


class OrderLine(BaseModel):
    """So many of one product, at the price it had when the order was placed."""

    model_config = ConfigDict(frozen=True)

    product_id: uuid.UUID
    name: str
    quantity: Annotated[int, Field(ge=1)]
    unit_price: Money


class _OrderEvent(Event):
    order_id: uuid.UUID
    customer_id: uuid.UUID

    @property
    def subject(self) -> uuid.UUID:
        return self.order_id


class OrderCreated(_OrderEvent, type="ORDER_CREATED"):
    """An order was placed: stock is to be reserved and the amount authorised before `expires_at`."""

    lines: Annotated[tuple[OrderLine, ...], Field(min_length=1)]
    total: Money
    payment_method_id: uuid.UUID
    shipping_address: Address
    expires_at: AwareDatetime


class OrderUpdated(_OrderEvent, type="ORDER_UPDATED"):
    """The order goes to another address; `revision` grows with each change, so that late news is known."""

    shipping_address: Address
    revision: Annotated[int, Field(ge=1)]


class OrderConfirmed(_OrderEvent, type="ORDER_CONFIRMED"):
    """Stock and money are both there: the payment is to be captured and the stock taken out."""

    total: Money


class OrderCancelled(_OrderEvent, type="ORDER_CANCELLED"):
    """The order ends here: what was reserved, authorised or captured is to be given back."""

    reason: CancelReason
