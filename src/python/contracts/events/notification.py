"""What a service asks the notification service to tell a customer; one type for each thing worth telling."""

from __future__ import annotations

import uuid

from contracts.events.envelope import Event
from contracts.events.order import CancelReason
from contracts.money import Money


class _Notice(Event):
    customer_id: uuid.UUID


class WelcomeNotice(_Notice, type="WELCOME_NOTICE"):
    """Greet someone who has just registered."""

    @property
    def subject(self) -> uuid.UUID:
        return self.customer_id


class _OrderNotice(_Notice):
    order_id: uuid.UUID
    total: Money

    @property
    def subject(self) -> uuid.UUID:
        return self.order_id


class OrderConfirmedNotice(_OrderNotice, type="ORDER_CONFIRMED_NOTICE"):
    """Say that the order is confirmed."""


class OrderCancelledNotice(_OrderNotice, type="ORDER_CANCELLED_NOTICE"):
    """Say that the order is cancelled, and why."""

    reason: CancelReason
