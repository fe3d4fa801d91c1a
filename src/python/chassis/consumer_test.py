from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import telemetry
from chassis.backoff import Backoff
from chassis.clock import new_id, utc_now
from chassis.conftest import INBOX, count, effects, note
from chassis.consumer import Consumer, Handlers, Poison, Retry, read
from chassis.database import Database, DatabaseUnavailable
from chassis.testing import eventually
from contracts.events.envelope import Envelope, Event
from contracts.events.inventory import StockRejected, StockReserved
from contracts.topology import ORDER_QUEUE, events_for

ORDER = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")


class FakeSqs:
    """Gives out batches of messages, and notes what becomes of them."""

    def __init__(self, *batches: list[dict[str, Any]]) -> None:
        self.batches = list(batches)
        self.requests: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.delayed: dict[str, int] = {}

    async def receive_message(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        if not self.batches:
            await asyncio.sleep(request["WaitTimeSeconds"])
            return {}
        return {"Messages": self.batches.pop(0)}

    async def delete_message_batch(self, **request: Any) -> None:
        self.deleted += [each["ReceiptHandle"] for each in request["Entries"]]

    async def change_message_visibility_batch(self, **request: Any) -> None:
        self.delayed |= {each["ReceiptHandle"]: each["VisibilityTimeout"] for each in request["Entries"]}


def envelope(event: Event, *, event_id: uuid.UUID | None = None, traceparent: str | None = None) -> Envelope:
    return Envelope.wrap(
        event, id=event_id or new_id(), source="product", time=utc_now(), traceparent=traceparent
    )


def message(body: Envelope | str, *, receipt: str = "", receive_count: int = 1) -> dict[str, Any]:
    return {
        "ReceiptHandle": receipt or uuid.uuid4().hex,
        "Body": body if isinstance(body, str) else body.to_json(),
        "Attributes": {"ApproximateReceiveCount": str(receive_count)},
    }


def reserved(order_id: uuid.UUID = ORDER) -> StockReserved:
    return StockReserved(order_id=order_id)


async def noting(tx: AsyncConnection, event: Event) -> None:
    await note(tx, f"{event.type} {event.subject}")


def handlers(
    stock_reserved: Callable[[AsyncConnection, Any], Awaitable[None]] = noting,
) -> Handlers:
    """A handler for each event of the queue: all note what they are given, but the one for STOCK_RESERVED."""
    return dict.fromkeys(events_for(ORDER_QUEUE), noting) | {StockReserved: stock_reserved}


def consumer(database: Database, sqs: Any, handlers: Handlers, **options: Any) -> Consumer:
    return Consumer(ORDER_QUEUE, "http://queue", sqs, database, INBOX, handlers, **options)


def test_an_event_without_a_handler_is_found_when_the_service_starts(database_url: str) -> None:
    """And not when the first of its kind comes."""
    incomplete = dict.fromkeys(events_for(ORDER_QUEUE) - {StockReserved, StockRejected}, noting)
    with pytest.raises(TypeError) as caught:
        consumer(Database(database_url), FakeSqs(), incomplete)
    assert str(caught.value) == (
        "order-processing-queue delivers STOCK_REJECTED, STOCK_RESERVED, for which there is no handler"
    )


def test_an_event_is_read_out_of_its_message() -> None:
    """With its id, the trace it came about in, and how often it was delivered."""
    sent = envelope(reserved(), traceparent="00-1-2-3")
    delivery = read(message(sent, receipt="r", receive_count=2))
    assert (delivery.receipt, delivery.receive_count, delivery.event_id, delivery.event) == (
        "r",
        2,
        sent.id,
        reserved(),
    )
    assert delivery.traceparent == "00-1-2-3"


def changed(**changes: Any) -> str:
    return json.dumps(json.loads(envelope(reserved()).to_json()) | changes)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not a CloudEvent"),
        ("{", "not a CloudEvent"),
        ("[]", "not a CloudEvent"),
        ("null", "not a CloudEvent"),
        ("[" * 10_000, "not a CloudEvent"),
        ('{"Type": "Notification", "Message": "{}"}', "not a CloudEvent"),
        (changed(specversion="0.3"), "specversion"),
        (changed(id="\ud800"), "not a CloudEvent"),
        (changed(id=10**400), "not a CloudEvent"),
        (changed(type="mercato.STOCK_RESERVED.v2"), "unknown event type or version"),
        (changed(type="mercato.STOCK_STOLEN.v1"), "unknown event type or version"),
        (changed(data={}), "order_id: Field required"),
        (changed(data={"order_id": "x"}), "does not fit its schema"),
        (changed(data={"order_id": "\x00"}), "does not fit its schema"),
    ],
)
def test_what_is_no_event_of_ours_is_poison(body: str, reason: str) -> None:
    """Now and ever; the reason says what is wrong with it."""
    with pytest.raises(Poison, match=reason):
        read(message(body))


def test_the_reason_shows_no_value_of_the_message() -> None:
    """It is logged."""
    with pytest.raises(Poison) as caught:
        read(message(changed(data={"order_id": "hunter2"})))
    assert "hunter2" not in str(caught.value)


async def test_an_event_takes_effect_and_is_gone(database: Database) -> None:
    """With its id in the inbox."""
    sqs = FakeSqs([message(envelope(reserved()), receipt="r")])
    assert await consumer(database, sqs, handlers()).run_once() == 1
    assert await effects(database) == [f"STOCK_RESERVED {ORDER}"]
    assert (sqs.deleted, sqs.delayed) == (["r"], {})
    assert await count(database, INBOX) == 1


async def test_an_event_delivered_twice_takes_effect_once(database: Database) -> None:
    """In one batch or in two; each delivery is taken off the queue."""
    event = envelope(reserved())
    once, twice, again = (message(event, receipt=receipt) for receipt in ("once", "twice", "again"))
    sqs = FakeSqs([once, twice], [again])
    one = consumer(database, sqs, handlers())
    await one.run_once()
    await one.run_once()
    assert await effects(database) == [f"STOCK_RESERVED {ORDER}"]
    assert sorted(sqs.deleted) == ["again", "once", "twice"]


async def test_what_arrives_together_is_applied_by_subject_and_age(database: Database) -> None:
    """Late news of one thing comes last, and rows are locked in one order, whoever applies them."""
    first, second = uuid.UUID(int=1), uuid.UUID(int=2)
    ids = [new_id() for _ in range(3)]
    events = [
        envelope(reserved(second), event_id=ids[0]),
        envelope(StockRejected(order_id=first, shortages=(_SHORT,)), event_id=ids[2]),
        envelope(reserved(first), event_id=ids[1]),
    ]
    await consumer(database, FakeSqs([message(each) for each in events]), handlers()).run_once()
    assert await effects(database) == [
        f"STOCK_RESERVED {first}",
        f"STOCK_REJECTED {first}",
        f"STOCK_RESERVED {second}",
    ]


_SHORT: Any = {"product_id": ORDER, "requested": 2, "available": 1}


async def test_one_failing_event_does_not_hold_up_the_others(database: Database) -> None:
    """It is delivered again after a while; of what it did, nothing stays."""
    bad = uuid.UUID(int=2)

    async def handle(tx: AsyncConnection, event: StockReserved) -> None:
        await noting(tx, event)
        if event.order_id == bad:
            raise LookupError("no such order")

    batch = [message(envelope(reserved(uuid.UUID(int=i))), receipt=str(i)) for i in (1, 2, 3)]
    sqs = FakeSqs(batch)
    await consumer(database, sqs, handlers(handle), backoff=Backoff(first_s=40, cap_s=40)).run_once()
    assert await effects(database) == [f"STOCK_RESERVED {uuid.UUID(int=i)}" for i in (1, 3)]
    assert sorted(sqs.deleted) == ["1", "3"]
    assert list(sqs.delayed) == ["2"]
    assert 4 <= sqs.delayed["2"] <= 40
    assert await count(database, INBOX) == 2


async def test_an_event_that_is_broken_in_the_database_does_not_hold_up_the_others(
    database: Database,
) -> None:
    """An error in a statement ends a transaction, not the batch."""
    bad = uuid.UUID(int=2)

    async def handle(tx: AsyncConnection, event: StockReserved) -> None:
        await note(tx, "a\x00b" if event.order_id == bad else "good")

    sqs = FakeSqs([message(envelope(reserved(uuid.UUID(int=i))), receipt=str(i)) for i in (1, 2, 3)])
    await consumer(database, sqs, handlers(handle)).run_once()
    assert (await effects(database), sorted(sqs.deleted)) == (["good", "good"], ["1", "3"])


async def test_an_event_that_cannot_take_effect_yet_comes_again(database: Database) -> None:
    """Its handler says so."""

    async def handle(_: AsyncConnection, __: StockReserved) -> None:
        raise Retry("the order is not there yet")

    sqs = FakeSqs([message(envelope(reserved()), receipt="r")])
    await consumer(database, sqs, handlers(handle)).run_once()
    assert (sqs.deleted, list(sqs.delayed)) == ([], ["r"])


async def test_poison_is_seen_again_at_once_and_the_others_are_applied(database: Database) -> None:
    """So that it is soon in the dead-letter queue."""
    sqs = FakeSqs([message("nonsense", receipt="poison"), message(envelope(reserved()), receipt="good")])
    await consumer(database, sqs, handlers()).run_once()
    assert (sqs.deleted, sqs.delayed) == (["good"], {"poison": 0})


async def test_when_the_database_is_away_the_whole_batch_comes_again_soon(database: Database) -> None:
    """And not after the queue's visibility timeout of minutes; poison is poison all the same."""

    async def handle(_: AsyncConnection, __: StockReserved) -> None:
        raise DatabaseUnavailable

    batch = [message(envelope(reserved()), receipt=receipt) for receipt in ("a", "b")]
    sqs = FakeSqs([*batch, message("nonsense", receipt="poison")])
    with pytest.raises(DatabaseUnavailable):
        await consumer(database, sqs, handlers(handle)).run_once()
    assert (sqs.deleted, sqs.delayed) == ([], {"a": 2, "b": 2, "poison": 0})


async def test_the_queue_s_visibility_timeout_holds_unless_another_is_set(database: Database) -> None:
    """A service may need longer, or, in a test, less."""
    sqs = FakeSqs([], [])
    await consumer(database, sqs, handlers()).run_once()
    await consumer(database, sqs, handlers(), visibility_timeout_s=7).run_once()
    assert [ORDER_QUEUE.visibility_timeout_s, 7] == [each["VisibilityTimeout"] for each in sqs.requests]


async def test_an_event_is_handled_within_the_trace_it_came_about_in(database: Database) -> None:
    """Though it is handled with others."""
    traces: list[str | None] = []

    async def handle(_: AsyncConnection, __: StockReserved) -> None:
        traces.append(telemetry.trace_id())

    batch = [
        message(
            envelope(reserved(uuid.UUID(int=i)), traceparent=f"00-{str(i) * 32}-{'b' * 16}-01"),
        )
        for i in (1, 2)
    ]
    await consumer(database, FakeSqs(batch), handlers(handle)).run_once()
    assert traces == ["1" * 32, "2" * 32]


async def run_until(one: Consumer, condition: Callable[[], bool]) -> float:
    """Run `one` until `condition` holds, stop it, and return how long that took."""
    stop = asyncio.Event()
    task = asyncio.create_task(one.run(stop))

    async def holds() -> bool:
        return condition()

    await eventually(holds)
    begun = asyncio.get_running_loop().time()
    stop.set()
    await asyncio.wait_for(task, 10)
    return asyncio.get_running_loop().time() - begun


async def test_a_consumer_that_waits_for_messages_stops_soon(database: Database) -> None:
    """And not when its long poll ends."""
    sqs = FakeSqs()
    took_s = await run_until(consumer(database, sqs, handlers(), wait_s=20), lambda: len(sqs.requests) == 1)
    assert took_s < 3


async def test_a_consumer_finishes_what_it_has_received(database: Database) -> None:
    """When it is told to stop in the midst of it."""
    begun, release = asyncio.Event(), asyncio.Event()

    async def handle(tx: AsyncConnection, event: StockReserved) -> None:
        begun.set()
        await release.wait()
        await noting(tx, event)

    sqs = FakeSqs([message(envelope(reserved()), receipt="r")])
    stop = asyncio.Event()
    task = asyncio.create_task(consumer(database, sqs, handlers(handle), wait_s=20).run(stop))
    await asyncio.wait_for(begun.wait(), 5)
    stop.set()
    release.set()
    await asyncio.wait_for(task, 5)
    assert (sqs.deleted, await effects(database)) == (["r"], [f"STOCK_RESERVED {ORDER}"])


async def test_messages_that_are_on_their_way_when_it_is_told_to_stop_are_taken(database: Database) -> None:
    """Thrown away, they would be out of sight for minutes."""
    asked, answer = asyncio.Event(), asyncio.Event()

    class Slow(FakeSqs):
        async def receive_message(self, **request: Any) -> dict[str, Any]:
            asked.set()
            await answer.wait()
            return await super().receive_message(**request)

    sqs = Slow([message(envelope(reserved()), receipt="r")])
    stop = asyncio.Event()
    task = asyncio.create_task(consumer(database, sqs, handlers(), pollers=1).run(stop))
    await asyncio.wait_for(asked.wait(), 5)
    stop.set()
    await asyncio.sleep(0.1)
    answer.set()
    await asyncio.wait_for(task, 5)
    assert sqs.deleted == ["r"]


async def test_a_broker_that_fails_stops_nobody(database: Database) -> None:
    """It is asked again."""

    class Flaky(FakeSqs):
        async def receive_message(self, **request: Any) -> dict[str, Any]:
            if len(self.requests) < 2:
                self.requests.append(request)
                raise ConnectionError("no broker")
            return await super().receive_message(**request)

    sqs = Flaky([message(envelope(reserved()), receipt="r")])
    await run_until(consumer(database, sqs, handlers()), lambda: sqs.deleted == ["r"])
