"""What the payment service tells the others."""

from __future__ import annotations

import uuid
from typing import Literal

from contracts.events.envelope import Event
from contracts.money import Money


class _PaymentEvent(Event):
    order_id: uuid.UUID
    payment_id: uuid.UUID
    customer_id: uuid.UUID

    @property
    def subject(self) -> uuid.UUID:
        return self.order_id


class PaymentAuthorized(_PaymentEvent, type="PAYMENT_AUTHORIZED"):
    """The amount is held on the customer's card; nothing has been taken."""

    amount: Money


class PaymentFailed(_PaymentEvent, type="PAYMENT_FAILED"):
    """The provider said no: nothing is held or taken. `code` is for programs, `detail` for people."""

    stage: Literal["authorization", "capture"]
    amount: Money
    code: str
    detail: str


class PaymentCompleted(_PaymentEvent, type="PAYMENT_COMPLETED"):
    """The amount was captured."""

    amount: Money


class PaymentVoided(_PaymentEvent, type="PAYMENT_VOIDED"):
    """The hold on the customer's card was let go; nothing was taken."""


class PaymentRefunded(_PaymentEvent, type="PAYMENT_REFUNDED"):
    """`amount` went back to the customer; `total_refunded` is the sum of all that did."""

    refund_id: uuid.UUID
    amount: Money
    total_refunded: Money
