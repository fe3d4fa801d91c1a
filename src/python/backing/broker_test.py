"""The broker: the topology in it, and where it behaves as AWS does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from backing.broker import Broker
from backing.fixtures import Account
from backing.provision import provision
from contracts.events.envelope import Event
from contracts.events.order import OrderCancelled, OrderCreated
from contracts.events.payment import PaymentCompleted
from contracts.topology import (
    INVENTORY_QUEUE,
    NOTIFICATION_QUEUE,
    ORDER_EVENTS,
    ORDER_QUEUE,
    PAYMENT_EVENTS,
    PAYMENT_QUEUE,
    QUEUES,
    SUBSCRIPTIONS,
)


@pytest.fixture
async def sns(broker: Account) -> AsyncIterator[Any]:
    """An SNS client of the test's account."""
    async with get_session().create_client("sns", **broker.client_options) as client:
        yield client


@pytest.fixture
async def sqs(broker: Account) -> AsyncIterator[Any]:
    """An SQS client of the test's account."""
    async with get_session().create_client("sqs", **broker.client_options) as client:
        yield client


async def _publish(sns: Any, topic: str, event: type[Event], message: str = "{}") -> None:
    attribute = {"DataType": "String", "StringValue": event.type}
    await sns.publish(TopicArn=topic, Message=message, MessageAttributes={"event_type": attribute})


async def _receive(sqs: Any, url: str, wait_s: int = 0, **options: Any) -> list[dict[str, Any]]:
    answer = await sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s, MessageAttributeNames=["All"], **options
    )
    received: list[dict[str, Any]] = answer.get("Messages", [])
    return received


async def test_an_event_reaches_the_queues_that_filter_for_it(broker: Account, sns: Any, sqs: Any) -> None:
    """Delivery is raw, with the attributes of the event, and only where the topology says."""
    await _publish(sns, broker.topic_arns[ORDER_EVENTS.name], OrderCreated, '{"n": 1}')
    for queue in (PAYMENT_QUEUE, INVENTORY_QUEUE):
        (message,) = await _receive(sqs, broker.queue_urls[queue.name])
        assert '{"n": 1}' == message["Body"]
        assert OrderCreated.type == message["MessageAttributes"]["event_type"]["StringValue"]
    assert [] == await _receive(sqs, broker.queue_urls[NOTIFICATION_QUEUE.name])


async def test_a_filter_lets_other_events_of_the_topic_pass_by(broker: Account, sns: Any, sqs: Any) -> None:
    """PAYMENT_COMPLETED reaches the notification queue and the order queue, and no other."""
    await _publish(sns, broker.topic_arns[PAYMENT_EVENTS.name], PaymentCompleted)
    counts = {queue.name: len(await _receive(sqs, broker.queue_urls[queue.name])) for queue in QUEUES}
    assert {
        ORDER_QUEUE.name: 1,
        NOTIFICATION_QUEUE.name: 1,
        PAYMENT_QUEUE.name: 0,
        INVENTORY_QUEUE.name: 0,
    } == counts


async def test_queues_have_the_timeouts_and_dead_letter_queues_of_the_topology(
    broker: Account, sqs: Any
) -> None:
    """Visibility timeout, receive count and dead-letter queue are those that contracts.topology names."""
    for queue in QUEUES:
        answer = await sqs.get_queue_attributes(
            QueueUrl=broker.queue_urls[queue.name], AttributeNames=["VisibilityTimeout", "RedrivePolicy"]
        )
        redrive = json.loads(answer["Attributes"]["RedrivePolicy"])
        assert str(queue.visibility_timeout_s) == answer["Attributes"]["VisibilityTimeout"]
        assert queue.max_receive_count == redrive["maxReceiveCount"]
        assert redrive["deadLetterTargetArn"].endswith(f":{queue.dead_letter_name}")


async def test_provisioning_again_takes_over_what_changed(broker: Account, sns: Any, sqs: Any) -> None:
    """A filter and a timeout of a newer topology replace those that are there."""
    queues = [replace(queue, visibility_timeout_s=7) for queue in QUEUES]
    by_name = {queue.name: queue for queue in queues}
    subscriptions = [
        replace(each, queue=by_name[each.queue.name], events=(OrderCancelled,))
        if each.topic == ORDER_EVENTS
        else replace(each, queue=by_name[each.queue.name])
        for each in SUBSCRIPTIONS
    ]
    await provision(bucket=broker.bucket, queues=queues, subscriptions=subscriptions, **broker.client_options)
    url = broker.queue_urls[PAYMENT_QUEUE.name]
    answer = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert "7" == answer["Attributes"]["VisibilityTimeout"]
    await _publish(sns, broker.topic_arns[ORDER_EVENTS.name], OrderCreated)
    await _publish(sns, broker.topic_arns[ORDER_EVENTS.name], OrderCancelled)
    (message,) = await _receive(sqs, url)
    assert OrderCancelled.type == message["MessageAttributes"]["event_type"]["StringValue"]


async def test_accounts_do_not_see_each_other(broker: Account, broker_server: Broker, sqs: Any) -> None:
    """Tests that share the process each have an empty world of their own."""
    options = broker.client_options | {"aws_access_key_id": "999999999999"}
    async with get_session().create_client("sqs", **options) as stranger:
        assert not (await stranger.list_queues()).get("QueueUrls")
    assert 2 * len(QUEUES) == len((await sqs.list_queues())["QueueUrls"])


async def test_a_waiting_receive_is_answered_at_once(broker: Account, sns: Any, sqs: Any) -> None:
    """An event does not wait for the next look into the queue."""
    url = broker.queue_urls[PAYMENT_QUEUE.name]
    waiting = [asyncio.create_task(_receive(sqs, url, wait_s=10)) for _ in range(2)]
    await asyncio.sleep(0.1)
    started = time.monotonic()
    await _publish(sns, broker.topic_arns[ORDER_EVENTS.name], OrderCreated)
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert time.monotonic() - started < 0.6  # it looks by itself after a second
    assert 1 == len(done)
    for task in pending:
        task.cancel()


async def test_a_message_in_flight_comes_back_to_a_waiting_receive(broker: Account, sqs: Any) -> None:
    """Nothing arrives, and yet the receive ends when the visibility timeout does."""
    url = broker.queue_urls[ORDER_QUEUE.name]
    await sqs.send_message(QueueUrl=url, MessageBody="x")
    started = time.monotonic()
    await _receive(sqs, url, VisibilityTimeout=1)
    assert 1 == len(await _receive(sqs, url, wait_s=10))
    assert 1 <= time.monotonic() - started < 5


async def test_a_receive_whose_client_has_gone_takes_no_message_along(broker: Account, sqs: Any) -> None:
    """Not even one that is sent in the same moment: it is there for who asks next."""
    url = broker.queue_urls[ORDER_QUEUE.name]
    async with get_session().create_client("sqs", **broker.client_options) as other:
        for number in range(20):
            waiting = [asyncio.create_task(_receive(sqs, url, wait_s=20)) for _ in range(2)]
            await asyncio.sleep(0.02)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            await other.send_message(QueueUrl=url, MessageBody=str(number))
            (message,) = await _receive(other, url, wait_s=5)
            assert str(number) == message["Body"]
            await other.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


async def test_a_message_received_too_often_moves_to_the_dead_letter_queue(broker: Account, sqs: Any) -> None:
    """After max_receive_count deliveries it is found there, attributes and all; the queue goes on."""
    url = broker.queue_urls[ORDER_QUEUE.name]
    attribute = {"event_type": {"DataType": "String", "StringValue": "poison"}}
    await sqs.send_message(QueueUrl=url, MessageBody="poison", MessageAttributes=attribute)
    for _ in range(ORDER_QUEUE.max_receive_count):
        assert ["poison"] == [message["Body"] for message in await _receive(sqs, url, VisibilityTimeout=0)]
    await sqs.send_message(QueueUrl=url, MessageBody="fine")
    assert ["fine"] == [message["Body"] for message in await _receive(sqs, url)]
    (dead,) = await _receive(sqs, broker.queue_urls[ORDER_QUEUE.dead_letter_name])
    assert ("poison", "poison") == (dead["Body"], dead["MessageAttributes"]["event_type"]["StringValue"])


async def test_a_message_may_be_deleted_twice(broker: Account, sqs: Any) -> None:
    """A consumer that repeats a delete whose answer was lost meets no error."""
    url = broker.queue_urls[ORDER_QUEUE.name]
    await sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = await _receive(sqs, url)
    entry = {"Id": "0", "ReceiptHandle": message["ReceiptHandle"]}
    for _ in range(2):
        answer = await sqs.delete_message_batch(QueueUrl=url, Entries=[entry])
        assert not answer.get("Failed")
        await sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


async def test_a_receipt_handle_that_is_none_is_refused(broker: Account, sqs: Any) -> None:
    """Only handles of the broker's own making may be deleted."""
    with pytest.raises(ClientError, match="ReceiptHandleIsInvalid"):
        await sqs.delete_message(QueueUrl=broker.queue_urls[ORDER_QUEUE.name], ReceiptHandle="made-up")


async def test_an_empty_message_is_refused(broker: Account, sns: Any) -> None:
    """SNS takes no empty message, alone or in a batch."""
    topic = broker.topic_arns[ORDER_EVENTS.name]
    with pytest.raises(ClientError, match="Empty message"):
        await sns.publish(TopicArn=topic, Message="")
    with pytest.raises(ClientError, match="Empty message"):
        await sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "0", "Message": ""}])


async def test_state_survives_a_stop(tmp_path: Path, sqs: Any) -> None:
    """Topics, queues, messages in flight and objects are there after SIGTERM, on another port too."""
    options: dict[str, Any] = {
        "region_name": "us-east-1",
        "aws_access_key_id": "000000000000",
        "aws_secret_access_key": "local",
    }
    first = Broker(log=tmp_path / "log", state=tmp_path / "state")
    first.start()
    first.wait_ready()
    made = await provision(endpoint_url=first.endpoint, **options)
    async with (
        get_session().create_client("sns", endpoint_url=first.endpoint, **options) as sns,
        get_session().create_client("sqs", endpoint_url=first.endpoint, **options) as sqs,
        get_session().create_client("s3", endpoint_url=first.endpoint, **options) as s3,
    ):
        await _publish(sns, made.topic_arns[ORDER_EVENTS.name], OrderCreated, "before")
        (handled,) = await _receive(sqs, made.queue_urls[PAYMENT_QUEUE.name])
        await s3.put_object(Bucket=made.bucket, Key="a.txt", Body=b"picture")
        await asyncio.to_thread(first.stop)
    assert 0 == first.process.returncode
    second = Broker(log=tmp_path / "log", state=tmp_path / "state")
    second.start()
    second.wait_ready()
    async with (
        get_session().create_client("sns", endpoint_url=second.endpoint, **options) as sns,
        get_session().create_client("sqs", endpoint_url=second.endpoint, **options) as sqs,
        get_session().create_client("s3", endpoint_url=second.endpoint, **options) as s3,
    ):
        url = (await sqs.get_queue_url(QueueName=PAYMENT_QUEUE.name))["QueueUrl"]
        assert url.startswith(second.endpoint)
        # The one in flight is still ours to delete, and its twin in the other queue still waits.
        await sqs.delete_message(QueueUrl=url, ReceiptHandle=handled["ReceiptHandle"])
        assert ["before"] == [
            message["Body"] for message in await _receive(sqs, made.queue_urls[INVENTORY_QUEUE.name])
        ]
        await _publish(sns, made.topic_arns[ORDER_EVENTS.name], OrderCreated, "after")
        assert ["after"] == [message["Body"] for message in await _receive(sqs, url)]
        answer = await s3.get_object(Bucket=made.bucket, Key="a.txt")
        assert b"picture" == await answer["Body"].read()
        # Idempotent on what was restored, too.
        assert made.topic_arns == (await provision(endpoint_url=second.endpoint, **options)).topic_arns
        waiting = asyncio.create_task(_receive(sqs, url, wait_s=20))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        await asyncio.to_thread(second.stop)
        assert time.monotonic() - started < 8  # and not after the receive
        waiting.cancel()
