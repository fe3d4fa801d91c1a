"""Consumes a queue: each event takes effect once, however often and in whatever order it is delivered."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import inbox, logs, telemetry
from chassis.backoff import Backoff
from chassis.database import Database, is_unavailable
from chassis.spacing import Spacing
from contracts.events.envelope import Envelope, Event
from contracts.topology import EVENTS, Queue, events_for

log = logs.get(__name__)

E = TypeVar("E", bound=Event)
Messages = Sequence[Mapping[str, Any]]
Handlers = Mapping[type[Any], Callable[[AsyncConnection, Any], Awaitable[None]]]

_BATCH = 10  # as many as SQS gives in one answer
# When the database went away under a batch, which its visibility timeout would hold back for minutes.
_OUTAGE_RETRY_S = 2
# How long to wait, when told to stop, for messages that are on their way: thrown away, they would be out of
# sight until their visibility timeout ends.
_LAST_RECEIVE_S = 1.0
_BACKOFF = Backoff(first_s=1.0)
_OUTAGE_BACKOFF = Backoff(cap_s=5.0)
_processed = telemetry.meter.create_counter("consumer.events", description="events by type and outcome")


class Retry(Exception):
    """The event cannot take effect yet: deliver it again later. Not a fault: it is logged without a trace."""


class Poison(Exception):
    """The message cannot be read, now or ever: it belongs in the dead-letter queue."""


@dataclass(frozen=True)
class Delivery:
    """A message as received, with the event that was read out of it."""

    receipt: str
    receive_count: int
    event_id: uuid.UUID
    event: Event
    traceparent: str | None


class Consumer:
    """Reads one queue and hands its events to `handlers`, each in a transaction with its inbox entry.

    What arrives together is applied in one transaction; when that fails, each event is tried in its own.
    One that fails is delivered again with back-off, until the queue's receive count moves it to the
    dead-letter queue. While the database is away nothing is received: an outage uses up one try at most.
    """

    def __init__(
        self,
        queue: Queue,
        queue_url: str,
        sqs: Any,
        database: Database,
        inbox_table: sa.Table,
        handlers: Handlers,
        *,
        wait_s: int = 20,
        visibility_timeout_s: int | None = None,
        backoff: Backoff = _BACKOFF,
        pollers: int = 2,
    ) -> None:
        missing = events_for(queue) - set(handlers)
        if missing:
            names = ", ".join(sorted(event.type for event in missing))
            raise TypeError(f"{queue.name} delivers {names}, for which there is no handler")
        self._queue = queue
        self._url = queue_url
        self._sqs = sqs
        self._database = database
        self._inbox = inbox_table
        self._handlers = handlers
        self._wait_s = wait_s
        self._visibility_timeout_s = visibility_timeout_s or queue.visibility_timeout_s
        self._backoff = backoff
        self._pollers = pollers
        self._receiving = asyncio.Lock()
        self._spacing = Spacing(_BATCH)

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set; what was received is finished first."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._pollers):
                group.create_task(self._poll(stop))

    async def _poll(self, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                if failures:
                    await self._database.ping()
                await self._consume(await self._next_messages(stop))
                failures = 0
            except Exception as error:
                failures += 1
                delay_s = _OUTAGE_BACKOFF.delay_s(failures)
                log.warning("cannot consume, trying again", queue=self._queue.name, error=str(error))
                await _sleep_unless(stop, delay_s)

    async def run_once(self) -> int:
        """Receive one batch, apply it, and return how many messages there were.

        Raises where the broker or the database is out of reach; the messages then come again by themselves.
        """
        messages = await self._receive()
        await self._consume(messages)
        return len(messages)

    async def _receive(self) -> Messages:
        answer = await self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_BATCH,
            WaitTimeSeconds=self._wait_s,
            VisibilityTimeout=self._visibility_timeout_s,
            AttributeNames=["ApproximateReceiveCount"],
        )
        messages: Messages = answer.get("Messages", [])
        return messages

    async def _next_messages(self, stop: asyncio.Event) -> Messages:
        """What comes next. One poller waits for it; the others are at work, or queue up to wait next."""
        async with self._receiving:
            if pause_s := self._spacing.pause_s:
                await _sleep_unless(stop, pause_s)
            if stop.is_set():
                return []
            messages = await self._receive_unless(stop)
            self._spacing.found(len(messages))
            return messages

    async def _receive_unless(self, stop: asyncio.Event) -> Messages:
        """Receive; nothing, if `stop` is set while nothing comes."""
        receiving = asyncio.create_task(self._receive())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([receiving, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                await asyncio.wait([receiving], timeout=_LAST_RECEIVE_S)
            return receiving.result() if receiving.done() else []
        finally:
            stopping.cancel()
            receiving.cancel()
            # What waits at the broker has ended when this returns, so that it takes nothing along any more.
            await asyncio.wait([receiving, stopping])

    async def _consume(self, messages: Messages) -> None:
        deliveries: list[Delivery] = []
        retries: dict[str, int] = {}  # receipt -> seconds until it is delivered again
        for message in messages:
            try:
                deliveries.append(read(message))
            except Poison as poison:
                # Seen again at once, and so soon in the dead-letter queue, where somebody looks.
                retries[message["ReceiptHandle"]] = 0
                log.error(  # noqa: TRY400 - the reason says it all
                    "a message cannot be read", queue=self._queue.name, reason=str(poison)
                )
                _processed.add(1, {"queue": self._queue.name, "outcome": "poison"})
        # By subject, and within one by age: rows are locked in one order, and late news comes last.
        deliveries.sort(key=lambda delivery: (delivery.event.subject, delivery.event_id))
        done: list[str] = []
        try:
            if deliveries:
                await self._apply_together_or_apart(deliveries, done, retries)
        finally:
            unsettled = {d.receipt for d in deliveries} - set(done) - set(retries)
            retries.update(dict.fromkeys(unsettled, _OUTAGE_RETRY_S))
            await self._answer(done, retries)

    async def _apply_together_or_apart(
        self, deliveries: Sequence[Delivery], done: list[str], retries: dict[str, int]
    ) -> None:
        """Apply `deliveries`, noting each receipt in `done` or `retries`; raises if the database is away."""
        try:
            await self._apply(deliveries)
            done.extend(delivery.receipt for delivery in deliveries)
            return
        except Exception as error:
            if is_unavailable(error):
                raise
            if len(deliveries) == 1:
                retries[deliveries[0].receipt] = self._failed(deliveries[0], error)
                return
        for delivery in deliveries:
            await self._apply_together_or_apart([delivery], done, retries)

    async def _apply(self, deliveries: Sequence[Delivery]) -> None:
        links = [link for delivery in deliveries for link in telemetry.link_to(delivery.traceparent)]
        with telemetry.tracer.start_as_current_span(f"process {self._queue.name}", links=links):
            async with self._database.transaction() as tx:
                fresh = await inbox.take(tx, self._inbox, [delivery.event_id for delivery in deliveries])
                for delivery in deliveries:
                    if delivery.event_id in fresh:
                        fresh.discard(delivery.event_id)  # the same event twice in one batch
                        await self._handle(tx, delivery)

    async def _handle(self, tx: AsyncConnection, delivery: Delivery) -> None:
        event = delivery.event
        context = telemetry.context_of(delivery.traceparent)
        with (
            telemetry.tracer.start_as_current_span(f"process {event.type}", context=context),
            structlog.contextvars.bound_contextvars(
                event_id=str(delivery.event_id), subject=str(event.subject)
            ),
        ):
            await self._handlers[type(event)](tx, event)
        _processed.add(1, {"queue": self._queue.name, "type": event.type, "outcome": "applied"})

    def _failed(self, delivery: Delivery, error: Exception) -> int:
        expected = isinstance(error, Retry)
        log.warning(
            "an event cannot take effect yet" if expected else "an event failed",
            queue=self._queue.name,
            event_type=delivery.event.type,
            event_id=str(delivery.event_id),
            subject=str(delivery.event.subject),
            receive_count=delivery.receive_count,
            error=f"{type(error).__name__}: {error}",
            exc_info=None if expected else error,
        )
        _processed.add(1, {"queue": self._queue.name, "type": delivery.event.type, "outcome": "failed"})
        return round(self._backoff.delay_s(delivery.receive_count))

    async def _answer(self, done: Sequence[str], retries: Mapping[str, int]) -> None:
        if done:
            entries = [{"Id": str(i), "ReceiptHandle": receipt} for i, receipt in enumerate(done)]
            await self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        if retries:
            waits = [
                {"Id": str(i), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for i, (receipt, seconds) in enumerate(retries.items())
            ]
            await self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=waits)


def read(message: Mapping[str, Any]) -> Delivery:
    """Read the event out of an SQS message; raises Poison, saying why, where there is none that we know."""
    try:
        envelope = Envelope.model_validate_json(message["Body"])
    except ValidationError as error:
        raise Poison(f"not a CloudEvent of ours: {_summary(error)}") from None
    event = EVENTS.get(envelope.type)
    if event is None:
        raise Poison(f"unknown event type or version {envelope.type!r}, id {envelope.id}")
    try:
        data = event.model_validate(envelope.data)
    except ValidationError as error:
        raise Poison(f"{envelope.type} {envelope.id} does not fit its schema: {_summary(error)}") from None
    return Delivery(
        receipt=message["ReceiptHandle"],
        receive_count=int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
        event_id=envelope.id,
        event=data,
        traceparent=envelope.traceparent,
    )


def _summary(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:3])


async def _sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
