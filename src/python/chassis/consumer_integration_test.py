from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from backing.broker import Broker, aws_environment
from backing.fixtures import Account
from backing.postgres import Postgres
from backing.process import Process
from backing.provision import provision
from chassis import aws
from chassis.backoff import Backoff
from chassis.conftest import INBOX, effects
from chassis.consumer import Consumer, Handlers
from chassis.consumer_test import envelope, handlers, noting, reserved
from chassis.database import Database
from chassis.jobs_test import running
from chassis.testing import eventually
from contracts.events.envelope import Envelope
from contracts.events.inventory import StockReserved
from contracts.topology import ORDER_QUEUE

AT_ONCE = Backoff(first_s=0, cap_s=0)


@dataclass
class OrderQueue:
    """The order queue of a broker, and its dead-letter queue."""

    sqs: Any
    url: str
    dead_letter_url: str

    async def send(self, *bodies: Envelope | str) -> None:
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(i), "MessageBody": body if isinstance(body, str) else body.to_json()}
                for i, body in enumerate(bodies[start : start + 10])
            ]
            await self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    def consumer(self, database: Database, handlers: Handlers, **options: Any) -> Consumer:
        options = {"wait_s": 1} | options
        return Consumer(ORDER_QUEUE, self.url, self.sqs, database, INBOX, handlers, **options)

    async def dead_letters(self) -> list[str]:
        answer = await self.sqs.receive_message(
            QueueUrl=self.dead_letter_url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [each["Body"] for each in answer.get("Messages", [])]

    async def is_empty(self) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return all(answer["Attributes"][name] == "0" for name in names)


@pytest.fixture
async def queue(broker: Account, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OrderQueue]:
    for name, value in broker.environment.items():
        monkeypatch.setenv(name, value)
    async with aws.client("sqs", read_timeout_s=25) as sqs:
        urls = broker.queue_urls
        yield OrderQueue(sqs, urls[ORDER_QUEUE.name], urls[ORDER_QUEUE.dead_letter_name])


def effect(order_id: uuid.UUID) -> str:
    return f"STOCK_RESERVED {order_id}"


async def test_events_repeated_and_reordered_take_effect_once_each(
    database: Database, queue: OrderQueue
) -> None:
    """Thirty events, each sent three times, read by two consumers at once."""
    ids = [uuid.uuid4() for _ in range(30)]
    events = [envelope(reserved(each)) for each in ids]
    await queue.send(*events, *reversed(events), *events)
    async with running(*(queue.consumer(database, handlers()) for _ in range(2))):
        await eventually(queue.is_empty)
    assert sorted(await effects(database)) == sorted(map(effect, ids))


async def test_poison_ends_in_the_dead_letter_queue_and_holds_up_nobody(
    database: Database, queue: OrderQueue
) -> None:
    """As it came, to be looked at and, where it was no poison after all, redriven."""
    unknown = json.loads(envelope(reserved()).to_json()) | {"type": "mercato.STOCK_RESERVED.v2"}
    poison = ["nonsense", "{}", json.dumps(unknown)]
    ids = [uuid.uuid4() for _ in range(5)]
    await queue.send(*poison, *(envelope(reserved(each)) for each in ids))

    async def all_dead() -> bool:
        return sorted(await queue.dead_letters()) == sorted(poison)

    async with running(queue.consumer(database, handlers())):
        await eventually(all_dead)
    assert sorted(await effects(database)) == sorted(map(effect, ids))


async def test_an_event_that_always_fails_is_tried_as_often_as_the_queue_says(
    database: Database, queue: OrderQueue
) -> None:
    """Then it is a dead letter; the others of its batch are applied at the first try."""
    bad = uuid.uuid4()
    tries: list[uuid.UUID] = []

    async def handle(tx: AsyncConnection, event: StockReserved) -> None:
        if event.order_id == bad:
            tries.append(event.order_id)
            raise LookupError("no such order")
        await noting(tx, event)

    ids = [uuid.uuid4() for _ in range(5)]
    await queue.send(envelope(reserved(bad)), *(envelope(reserved(each)) for each in ids))

    async def dead() -> bool:
        return len(await queue.dead_letters()) == 1

    async with running(queue.consumer(database, handlers(handle), backoff=AT_ONCE, pollers=1)):
        await eventually(dead)
    # The first try is made twice: with the batch, and alone.
    assert len(tries) in (ORDER_QUEUE.max_receive_count, ORDER_QUEUE.max_receive_count + 1)
    assert sorted(await effects(database)) == sorted(map(effect, ids))


async def test_an_outage_of_the_database_uses_up_one_try_at_most(
    own_postgres: Postgres, own_database: Database, queue: OrderQueue
) -> None:
    """However long it lasts: nothing is received while the database is away, and nothing is lost."""
    ids = [uuid.uuid4() for _ in range(12)]
    killed = asyncio.Event()
    received: list[int] = []

    async def handle(tx: AsyncConnection, event: StockReserved) -> None:
        if not killed.is_set():
            killed.set()
            own_postgres.process.kill()
        await noting(tx, event)

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(queue.sqs, name)

        async def receive_message(self, **request: Any) -> Any:
            answer = await queue.sqs.receive_message(**request)
            received.extend(
                int(each["Attributes"]["ApproximateReceiveCount"]) for each in answer.get("Messages", [])
            )
            return answer

    await queue.send(*(envelope(reserved(each)) for each in ids))
    watched = Consumer(
        ORDER_QUEUE, queue.url, Watched(), own_database, INBOX, handlers(handle), wait_s=1, pollers=2
    )
    async with running(watched):
        await asyncio.wait_for(killed.wait(), 5)
        # Longer than it takes for the messages to be visible again.
        await asyncio.sleep(3)
        own_postgres.start()
        await eventually(queue.is_empty, within_s=30)
    assert sorted(await effects(own_database)) == sorted(map(effect, ids))
    assert max(received) == 2
    assert await queue.dead_letters() == []


async def test_consuming_goes_on_when_the_broker_is_back(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again, soon."""
    own = Broker(log=tmp_path / "broker.log", state=tmp_path / "state")
    own.start()
    try:
        own.wait_ready()
        for name, value in aws_environment(own.endpoint).items():
            monkeypatch.setenv(name, value)
        urls = (await provision()).queue_urls
        async with aws.client("sqs") as sqs:
            queue = OrderQueue(sqs, urls[ORDER_QUEUE.name], urls[ORDER_QUEUE.dead_letter_name])
            async with running(queue.consumer(database, handlers())):
                await asyncio.to_thread(own.stop)
                own.start()
                own.wait_ready()
                await queue.send(envelope(reserved(uuid.UUID(int=1))))
                await eventually(queue.is_empty, within_s=20)
    finally:
        own.stop()
    assert await effects(database) == [effect(uuid.UUID(int=1))]


async def test_a_consumer_that_was_stopped_takes_no_message_along(
    database: Database, queue: OrderQueue
) -> None:
    """What comes after it has gone reaches the next one at once, not after the visibility timeout."""
    idle = queue.consumer(database, handlers(), wait_s=20)
    async with running(idle):
        await asyncio.sleep(0.3)
    await queue.send(envelope(reserved(uuid.UUID(int=1))))
    async with running(queue.consumer(database, handlers())):
        await eventually(queue.is_empty, within_s=5)
    assert await effects(database) == [effect(uuid.UUID(int=1))]


HANGING_CONSUMER = """
import asyncio, sys
from chassis import aws
from chassis.conftest import INBOX, note
from chassis.consumer import Consumer
from chassis.consumer_test import handlers
from chassis.database import Database
from contracts.topology import ORDER_QUEUE

async def hang(tx, event):
    await note(tx, "half done")
    print("holds", event.order_id, flush=True)
    await asyncio.sleep(60)

async def main():
    async with aws.client("sqs") as sqs:
        consumer = Consumer(
            ORDER_QUEUE, sys.argv[1], sqs, Database(sys.argv[2]), INBOX, handlers(hang),
            wait_s=1, visibility_timeout_s=2,
        )
        await consumer.run(asyncio.Event())

asyncio.run(main())
"""


async def test_what_a_killed_consumer_had_in_hand_takes_effect_by_the_next(
    database: Database, queue: OrderQueue, broker: Account, tmp_path: Path
) -> None:
    """Once: of what the dead one did, nothing stays."""
    await queue.send(envelope(reserved(uuid.UUID(int=1))))
    log = tmp_path / "consumer.log"
    process = Process(
        "consumer",
        [sys.executable, "-c", HANGING_CONSUMER, queue.url, database.url],
        log=log,
        env=broker.environment | {"PYTHONPATH": ":".join(sys.path)},
    )
    process.start()
    try:
        await asyncio.to_thread(process.wait_ready, lambda: "holds" in log.read_text())
    finally:
        process.kill()
    async with running(queue.consumer(database, handlers())):
        await eventually(queue.is_empty)
    assert await effects(database) == [effect(uuid.UUID(int=1))]
