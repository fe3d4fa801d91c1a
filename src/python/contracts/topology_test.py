from __future__ import annotations

import pytest

from contracts.events.envelope import qualified_type
from contracts.events.order import OrderCreated
from contracts.topology import (
    EVENTS,
    INVENTORY_QUEUE,
    NOTIFICATION_QUEUE,
    ORDER_EVENTS,
    ORDER_QUEUE,
    PAYMENT_EVENTS,
    PAYMENT_QUEUE,
    QUEUES,
    SUBSCRIPTIONS,
    TOPICS,
    Subscription,
    Topic,
    events_for,
    topic_of,
)


def policy(topic: Topic, queue: object) -> dict[str, list[str]] | None:
    (found,) = [s for s in SUBSCRIPTIONS if (s.topic, s.queue) == (topic, queue)]
    return found.filter_policy


def test_every_event_type_is_published_on_exactly_one_topic() -> None:
    """A type on two topics would reach a subscriber of both twice."""
    published = [qualified_type(event) for topic in TOPICS for event in topic.events]
    assert sorted(published) == sorted(set(published)) == sorted(EVENTS)


def test_a_topic_and_a_queue_are_joined_by_one_subscription() -> None:
    """SNS keeps one subscription per topic and endpoint: a second would silently replace the first."""
    pairs = [(s.topic.name, s.queue.name) for s in SUBSCRIPTIONS]
    assert sorted(pairs) == sorted(set(pairs))


@pytest.mark.parametrize("subscription", SUBSCRIPTIONS, ids=lambda s: f"{s.topic.name}-{s.queue.name}")
def test_a_subscription_filters_on_types_of_its_own_topic(subscription: Subscription) -> None:
    """A filter on a type that the topic never carries would wait for ever."""
    assert set(subscription.delivered) <= set(subscription.topic.events)


def test_queues_keep_the_timeouts_and_receive_counts_of_the_design() -> None:
    """Order 300 s/3, payment 300 s/3, notification 60 s/5, inventory 180 s/3."""
    assert {q.name: (q.visibility_timeout_s, q.max_receive_count) for q in QUEUES} == {
        "order-processing-queue": (300, 3),
        "payment-processing-queue": (300, 3),
        "notification-queue": (60, 5),
        "inventory-update-queue": (180, 3),
    }


def test_filters_are_those_of_the_design() -> None:
    """The tutorial's filters with the saga's additions."""
    assert policy(ORDER_EVENTS, PAYMENT_QUEUE) == {
        "event_type": ["ORDER_CANCELLED", "ORDER_CONFIRMED", "ORDER_CREATED", "ORDER_UPDATED"]
    }
    assert policy(ORDER_EVENTS, INVENTORY_QUEUE) == {
        "event_type": ["ORDER_CANCELLED", "ORDER_CONFIRMED", "ORDER_CREATED"]
    }
    assert policy(PAYMENT_EVENTS, NOTIFICATION_QUEUE) == {
        "event_type": ["PAYMENT_COMPLETED", "PAYMENT_FAILED"]
    }


def test_a_filter_tells_major_versions_apart() -> None:
    """A consumer of the first is not given the second, which it could not read."""

    class Second(OrderCreated, type="ORDER_CREATED", version=2):
        """It says more."""

    topic = Topic("order-events", (OrderCreated, Second))
    first, both = (Subscription(topic, ORDER_QUEUE, events) for events in ((OrderCreated,), topic.events))
    assert {"event_type": ["ORDER_CREATED"]} == first.filter_policy
    assert {"event_type": ["ORDER_CREATED", "ORDER_CREATED.v2"]} == both.filter_policy


def test_every_queue_has_a_dead_letter_queue_of_its_own() -> None:
    """A shared one would not tell whose message it holds."""
    assert len({q.dead_letter_name for q in QUEUES}) == len(QUEUES)


def test_the_order_queue_hears_every_outcome() -> None:
    """The saga needs stock's and money's answers."""
    assert {"STOCK_RESERVED", "STOCK_REJECTED", "PAYMENT_AUTHORIZED", "PAYMENT_FAILED"} <= {
        event.type for event in events_for(ORDER_QUEUE)
    }


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_an_event_knows_its_topic(name: str) -> None:
    """The outbox asks where an event goes."""
    assert EVENTS[name] in topic_of(EVENTS[name]).events
