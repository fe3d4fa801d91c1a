"""Transactional outbox: an event is written with the change it tells of, and a relay publishes it.

https://microservices.io/patterns/data/transactional-outbox.html
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import aws, jobs, telemetry
from chassis.clock import Clock, Ids, new_id, utc_now
from chassis.database import Database
from chassis.jobs import Failures, Job, JobRunner, Later, Outage, Rejected
from chassis.listener import Listener
from contracts.events.envelope import (
    EVENT_TYPE_ATTRIBUTE,
    TRACEPARENT_ATTRIBUTE,
    Envelope,
    Event,
    routing_type,
)
from contracts.topology import EVENTS, Topic, topic_of

TABLE = "outbox"
_BATCH = 10  # as many as SNS PublishBatch takes
_published = telemetry.meter.create_counter("events.published", description="events that SNS took, by type")


def outbox_table(metadata: sa.MetaData) -> sa.Table:
    """The outbox of a service, among its own tables."""
    return jobs.job_table(TABLE, metadata)


class Outbox:
    """Where a service writes the events that it publishes."""

    def __init__(self, source: str, table: sa.Table, *, clock: Clock = utc_now, ids: Ids = new_id) -> None:
        self.table = table
        self._source = source
        self._clock = clock
        self._ids = ids

    async def add(self, tx: AsyncConnection, *events: Event) -> None:
        """Write `events` in the transaction of the change they tell of; they go out once it has committed.

        One whose older major version is still published goes out as that too.
        """
        told = [version for event in events for version in _versions(event)]
        await jobs.add(tx, self.table, [self._job(event) for event in told])

    def _job(self, event: Event) -> Job:
        traceparent = telemetry.traceparent()
        envelope = Envelope.wrap(
            event, id=self._ids(), source=self._source, time=self._clock(), traceparent=traceparent
        )
        return Job(envelope.id, envelope.type, envelope.to_json(), traceparent, attempts=0)


class Publisher:
    """Publishes outbox rows on SNS, ten to a call."""

    def __init__(self, sns: Any, topic_arns: Mapping[Topic, str]) -> None:
        self._sns = sns
        self._arns = topic_arns

    async def publish(self, _: AsyncConnection, batch: Sequence[Job]) -> Failures:
        """Publish `batch`; returns what was refused. Raises Outage where the broker does not answer."""
        by_arn: dict[str, list[Job]] = defaultdict(list)
        failures: dict[uuid.UUID, Exception] = {}
        for job in batch:
            arn = self._arn(job)
            if arn is None:
                failures[job.id] = Rejected(f"no topic is configured for {job.kind}")
            else:
                by_arn[arn].append(job)
        answers = await asyncio.gather(
            *(self._publish(arn, some) for arn, some in by_arn.items()), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            failures.update(answer)
        return failures

    def _arn(self, job: Job) -> str | None:
        event = EVENTS.get(job.kind)
        return None if event is None else self._arns.get(topic_of(event))

    async def _publish(self, arn: str, batch: Sequence[Job]) -> Failures:
        entries = [entry(job) for job in batch]
        try:
            answer = await self._sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=entries)
        except Exception as error:
            if aws.is_unavailable(error):
                raise Outage(f"SNS does not answer: {error}") from error
            return {job.id: error for job in batch}
        failures = {uuid.UUID(failed["Id"]): _refusal(failed) for failed in answer.get("Failed", [])}
        for job in batch:
            if job.id not in failures:
                _published.add(1, {"event_type": routing_type(EVENTS[job.kind])})
        return failures


def relay(
    database: Database, outbox: Outbox, sns: Any, topic_arns: Mapping[Topic, str], listener: Listener
) -> JobRunner:
    """The runner that carries a service's outbox to SNS; it tries for ever, since no event may be lost."""
    publisher = Publisher(sns, topic_arns)
    return JobRunner(database, outbox.table, publisher.publish, listener=listener, batch=_BATCH, workers=2)


def entry(job: Job) -> dict[str, Any]:
    """What SNS is given for an outbox row: the event, and the attributes that it is routed and traced by."""
    attributes = {EVENT_TYPE_ATTRIBUTE: routing_type(EVENTS[job.kind])}
    if job.traceparent:
        attributes[TRACEPARENT_ATTRIBUTE] = job.traceparent
    return {
        "Id": str(job.id),
        "Message": job.body,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }


def _versions(event: Event) -> Iterator[Event]:
    version: Event | None = event
    while version is not None:
        yield version
        version = version.older()


def _refusal(failed: Mapping[str, Any]) -> Exception:
    message = f"{failed.get('Code')}: {failed.get('Message', '')}"
    return Rejected(message) if failed.get("SenderFault") else Later(message)
