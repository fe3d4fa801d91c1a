"""Topics, queues and subscriptions as data: what the devstack provisions and the deployment creates."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.events.envelope import EVENT_TYPE_ATTRIBUTE, Event, qualified_type, routing_type
from contracts.events.inventory import StockRejected, StockReserved
from contracts.events.notification import OrderCancelledNotice, OrderConfirmedNotice, WelcomeNotice
from contracts.events.order import OrderCancelled, OrderConfirmed, OrderCreated, OrderUpdated
from contracts.events.payment import (
    PaymentAuthorized,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
)
from contracts.events.user import UserRegistered, UserUpdated


@dataclass(frozen=True)
class Topic:
    """An SNS topic, and the event types that may be published on it."""

    name: str
    events: tuple[type[Event], ...]


@dataclass(frozen=True)
class Queue:
    """An SQS queue with a dead-letter queue of its own, read by one service.

    A message not deleted within `visibility_timeout_s` is delivered again; after `max_receive_count`
    deliveries the broker moves it to the dead-letter queue.
    """

    name: str
    consumer: str
    visibility_timeout_s: int
    max_receive_count: int

    @property
    def dead_letter_name(self) -> str:
        """The name of the queue that takes what could not be handled."""
        return f"{self.name}-dlq"


@dataclass(frozen=True)
class Subscription:
    """Which events of a topic reach a queue. `events` is None where all do, those of tomorrow included."""

    topic: Topic
    queue: Queue
    events: tuple[type[Event], ...] | None = None

    @property
    def delivered(self) -> tuple[type[Event], ...]:
        """The event types that reach the queue today."""
        return self.topic.events if self.events is None else self.events

    @property
    def filter_policy(self) -> dict[str, list[str]] | None:
        """The SNS filter policy over message attributes, or None where nothing is filtered."""
        if self.events is None:
            return None
        return {EVENT_TYPE_ATTRIBUTE: sorted({routing_type(event) for event in self.events})}


ORDER_EVENTS = Topic("order-events", (OrderCreated, OrderUpdated, OrderConfirmed, OrderCancelled))
PAYMENT_EVENTS = Topic(
    "payment-events", (PaymentAuthorized, PaymentFailed, PaymentCompleted, PaymentVoided, PaymentRefunded)
)
NOTIFICATION_EVENTS = Topic(
    "notification-events", (WelcomeNotice, OrderConfirmedNotice, OrderCancelledNotice)
)
INVENTORY_EVENTS = Topic("inventory-events", (StockReserved, StockRejected))
USER_EVENTS = Topic("user-events", (UserRegistered, UserUpdated))

TOPICS = (ORDER_EVENTS, PAYMENT_EVENTS, NOTIFICATION_EVENTS, INVENTORY_EVENTS, USER_EVENTS)

ORDER_QUEUE = Queue("order-processing-queue", "order", visibility_timeout_s=300, max_receive_count=3)
PAYMENT_QUEUE = Queue("payment-processing-queue", "payment", visibility_timeout_s=300, max_receive_count=3)
NOTIFICATION_QUEUE = Queue("notification-queue", "notification", visibility_timeout_s=60, max_receive_count=5)
INVENTORY_QUEUE = Queue("inventory-update-queue", "product", visibility_timeout_s=180, max_receive_count=3)

QUEUES = (ORDER_QUEUE, PAYMENT_QUEUE, NOTIFICATION_QUEUE, INVENTORY_QUEUE)

SUBSCRIPTIONS = (
    Subscription(ORDER_EVENTS, PAYMENT_QUEUE, (OrderCreated, OrderUpdated, OrderConfirmed, OrderCancelled)),
    Subscription(ORDER_EVENTS, INVENTORY_QUEUE, (OrderCreated, OrderConfirmed, OrderCancelled)),
    Subscription(PAYMENT_EVENTS, NOTIFICATION_QUEUE, (PaymentCompleted, PaymentFailed)),
    Subscription(PAYMENT_EVENTS, ORDER_QUEUE, PAYMENT_EVENTS.events),
    Subscription(INVENTORY_EVENTS, ORDER_QUEUE, INVENTORY_EVENTS.events),
    Subscription(USER_EVENTS, NOTIFICATION_QUEUE, USER_EVENTS.events),
    Subscription(NOTIFICATION_EVENTS, NOTIFICATION_QUEUE),
)

EVENTS: dict[str, type[Event]] = {qualified_type(event): event for topic in TOPICS for event in topic.events}
"""Every published event class by its CloudEvents type."""

_TOPIC_OF = {event: topic for topic in TOPICS for event in topic.events}


def topic_of(event: type[Event]) -> Topic:
    """The topic that `event` is published on; KeyError if it is on none."""
    return _TOPIC_OF[event]


def events_for(queue: Queue) -> frozenset[type[Event]]:
    """Every event type that the topology delivers to `queue`."""
    return frozenset(
        event
        for subscription in SUBSCRIPTIONS
        if subscription.queue == queue
        for event in subscription.delivered
    )
