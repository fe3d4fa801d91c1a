from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from backing.broker import Broker, aws_environment
from backing.fixtures import Account
from backing.provision import provision
from chassis import aws, outbox, telemetry
from chassis.conftest import OUTBOX, count
from chassis.database import Database
from chassis.jobs_test import running
from chassis.listener import Listener
from chassis.outbox import Outbox
from chassis.testing import eventually
from contracts.events.envelope import Envelope
from contracts.events.inventory import StockReserved
from contracts.events.order import OrderCancelled
from contracts.topology import INVENTORY_EVENTS, INVENTORY_QUEUE, ORDER_EVENTS, ORDER_QUEUE, TOPICS


def order_cancelled() -> OrderCancelled:
    return OrderCancelled(order_id=uuid.uuid4(), customer_id=uuid.uuid4(), reason="requested")


def enter(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


async def receive(sqs: Any, url: str, at_least: int) -> list[dict[str, Any]]:
    """Take messages off the queue until there are so many."""
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while len(messages) < at_least:
            answer = await sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"]
            )
            messages += answer.get("Messages", [])
    return messages


async def test_events_reach_the_queues_that_want_them(
    database: Database, broker: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within their trace, with the attributes that subscriptions filter on."""
    enter(monkeypatch, broker.environment)
    events = Outbox("order", OUTBOX)
    listener = Listener(database.url)
    arns = {topic: broker.topic_arns[topic.name] for topic in TOPICS}
    cancelled = order_cancelled()
    async with (
        aws.client("sns") as sns,
        aws.client("sqs") as sqs,
        running(listener, outbox.relay(database, events, sns, arns, listener)),
    ):
        trace = telemetry.context_of(f"00-{'a' * 32}-{'b' * 16}-01")
        with telemetry.tracer.start_as_current_span("x", context=trace):
            async with database.transaction() as tx:
                await events.add(tx, cancelled, StockReserved(order_id=cancelled.order_id))
        (stock_side,) = await receive(sqs, broker.queue_urls[INVENTORY_QUEUE.name], 1)
        (order_side,) = await receive(sqs, broker.queue_urls[ORDER_QUEUE.name], 1)
    envelope = Envelope.model_validate_json(stock_side["Body"])
    assert OrderCancelled.model_validate(envelope.data) == cancelled
    attributes = {name: each["StringValue"] for name, each in stock_side["MessageAttributes"].items()}
    assert attributes == {"event_type": "ORDER_CANCELLED", "traceparent": envelope.traceparent}
    assert (envelope.traceparent or "").split("-")[1] == "a" * 32
    assert order_side["MessageAttributes"]["event_type"]["StringValue"] == "STOCK_RESERVED"


async def test_many_events_are_published_in_few_calls_and_each_once(
    database: Database, broker: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten to a call; two runners, as two replicas of a service have, do not get in each other's way."""
    enter(monkeypatch, broker.environment)
    events = Outbox("order", OUTBOX)
    calls: Counter[int] = Counter()
    async with database.transaction() as tx:
        await events.add(tx, *(StockReserved(order_id=uuid.uuid4()) for _ in range(100)))

    async def sent() -> bool:
        return await count(database, OUTBOX) == 0

    async with aws.client("sns") as sns, aws.client("sqs") as sqs:

        class Counting:
            async def publish_batch(self, **request: Any) -> Any:
                calls[len(request["PublishBatchRequestEntries"])] += 1
                return await sns.publish_batch(**request)

        arns = {INVENTORY_EVENTS: broker.topic_arns[INVENTORY_EVENTS.name]}
        relays = [outbox.relay(database, events, Counting(), arns, Listener(database.url)) for _ in range(2)]
        async with running(*relays):
            await eventually(sent)
        messages = await receive(sqs, broker.queue_urls[ORDER_QUEUE.name], 100)
    assert calls == {10: 10}
    assert len({Envelope.model_validate_json(each["Body"]).id for each in messages}) == len(messages) == 100


async def test_nothing_is_lost_while_the_broker_is_away(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed meanwhile goes out when it is back, soon, and has used up no try."""
    own = Broker(log=tmp_path / "broker.log", state=tmp_path / "state")
    own.start()
    try:
        own.wait_ready()
        enter(monkeypatch, aws_environment(own.endpoint))
        made = await provision()
        events = Outbox("order", OUTBOX)
        listener = Listener(database.url)
        arns = {ORDER_EVENTS: made.topic_arns[ORDER_EVENTS.name]}

        async def write() -> None:
            async with database.transaction() as tx:
                await events.add(tx, order_cancelled())

        async def sent() -> bool:
            return await count(database, OUTBOX) == 0

        async with aws.client("sns") as sns, aws.client("sqs") as sqs:
            async with running(listener, outbox.relay(database, events, sns, arns, listener)):
                await write()
                await eventually(sent)
                own.stop()
                for _ in range(15):
                    await write()
                own.start()
                own.wait_ready()
                await eventually(sent)
            messages = await receive(sqs, made.queue_urls[INVENTORY_QUEUE.name], 16)
        assert len({Envelope.model_validate_json(each["Body"]).id for each in messages}) == 16
    finally:
        own.stop()
