from __future__ import annotations

import datetime as dt
import json
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from botocore.exceptions import ClientError, EndpointConnectionError
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from chassis import jobs, outbox, telemetry
from chassis.conftest import OUTBOX, BrokenOff, break_off, count
from chassis.database import Database
from chassis.jobs import JobRunner, Outage
from chassis.outbox import Outbox, Publisher
from contracts.events.envelope import Envelope, Event, qualified_type
from contracts.events.inventory import StockReserved
from contracts.events.order import OrderCancelled
from contracts.events.user import UserRegistered
from contracts.topology import EVENTS, INVENTORY_EVENTS, ORDER_EVENTS, Topic

NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)
ORDER = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")
FIRST_ID = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8058")

ARNS: Mapping[Topic, str] = {INVENTORY_EVENTS: "arn:inventory", ORDER_EVENTS: "arn:order"}
RESERVED = StockReserved(order_id=ORDER)
CANCELLED = OrderCancelled(order_id=ORDER, customer_id=ORDER, reason="requested")


class FakeSns:
    """Takes what is published, and refuses the messages and topics it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[dict[str, Any]]]] = []
        self.refused: dict[str, dict[str, Any]] = {}
        self.broken: dict[str, Exception] = {}

    async def publish_batch(self, **request: Any) -> dict[str, Any]:
        arn, entries = request["TopicArn"], request["PublishBatchRequestEntries"]
        if arn in self.broken:
            raise self.broken[arn]
        self.calls.append((arn, entries))
        return {"Failed": [self.refused[e["Id"]] for e in entries if e["Id"] in self.refused]}

    @property
    def published(self) -> list[str]:
        return [entry["Id"] for _, entries in self.calls for entry in entries]


def relay(database: Database, sns: FakeSns) -> JobRunner:
    return JobRunner(database, OUTBOX, Publisher(sns, ARNS).publish, batch=10)


async def add(database: Database, *events: Event) -> list[str]:
    async with database.transaction() as tx:
        await Outbox("order", OUTBOX).add(tx, *events)
        return [str(each) for each in await tx.scalars(sa.select(OUTBOX.c.id).order_by(OUTBOX.c.id))]


async def states(database: Database) -> dict[str, tuple[str, int]]:
    async with database.reading() as connection:
        rows = await connection.execute(sa.select(OUTBOX.c.id, OUTBOX.c.state, OUTBOX.c.attempts))
        return {str(row.id): (row.state, row.attempts) for row in rows}


async def test_an_event_is_written_as_a_cloud_event(database: Database) -> None:
    """With the trace in which it came about."""
    outbox = Outbox("order", OUTBOX, clock=lambda: NOON, ids=lambda: FIRST_ID)
    with telemetry.tracer.start_as_current_span(
        "x", context=telemetry.context_of(f"00-{'a' * 32}-{'b' * 16}-01")
    ):
        async with database.transaction() as tx:
            await outbox.add(tx, RESERVED)
    async with database.reading() as connection:
        (row,) = (await connection.execute(sa.select(OUTBOX))).all()
    assert row.traceparent.split("-")[1] == "a" * 32
    assert Envelope.model_validate_json(row.body) == Envelope.wrap(
        RESERVED, id=FIRST_ID, source="order", time=NOON, traceparent=row.traceparent
    )


async def test_an_event_whose_older_version_is_published_goes_out_as_both(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with what its own subscribers filter on."""

    class Reserved(StockReserved, type="STOCK_RESERVED", version=2):
        shelf: str

        def older(self) -> Event:
            return StockReserved(order_id=self.order_id)

    monkeypatch.setitem(EVENTS, qualified_type(Reserved), Reserved)
    monkeypatch.setattr(outbox, "topic_of", lambda _: INVENTORY_EVENTS)
    await add(database, Reserved(order_id=ORDER, shelf="A1"))
    sns = FakeSns()
    await relay(database, sns).run_once()
    ((_, entries),) = sns.calls
    told = {
        entry["MessageAttributes"]["event_type"]["StringValue"]: json.loads(entry["Message"])
        for entry in entries
    }
    assert {"STOCK_RESERVED", "STOCK_RESERVED.v2"} == set(told)
    assert ("mercato.STOCK_RESERVED.v1", {"order_id": str(ORDER)}) == (
        told["STOCK_RESERVED"]["type"],
        told["STOCK_RESERVED"]["data"],
    )
    assert {"order_id": str(ORDER), "shelf": "A1"} == told["STOCK_RESERVED.v2"]["data"]


async def test_an_event_of_a_change_that_is_rolled_back_is_never_told(database: Database) -> None:
    """It did not happen."""
    with pytest.raises(BrokenOff):
        await break_off(database, lambda tx: Outbox("order", OUTBOX).add(tx, RESERVED))
    assert await count(database, OUTBOX) == 0


async def test_a_change_may_have_nothing_to_tell(database: Database) -> None:
    """No events, no rows."""
    assert await add(database) == []


async def test_events_go_to_their_topics_with_what_is_filtered_on(database: Database) -> None:
    """The type without its version, since filters name that; one call for each topic."""
    await add(database, RESERVED, CANCELLED, RESERVED)
    sns = FakeSns()
    await relay(database, sns).run_once()
    assert {arn: len(entries) for arn, entries in sns.calls} == {"arn:inventory": 2, "arn:order": 1}
    entry = sns.calls[0][1][0]
    assert entry["MessageAttributes"]["event_type"] == {"DataType": "String", "StringValue": "STOCK_RESERVED"}
    assert json.loads(entry["Message"])["type"] == "mercato.STOCK_RESERVED.v1"
    assert await count(database, OUTBOX) == 0


async def test_what_sns_refuses_stays_and_the_rest_is_gone(database: Database) -> None:
    """Tried again if the refusal is SNS's fault, dead if it is ours."""
    good, busy, bad = await add(database, RESERVED, RESERVED, RESERVED)
    sns = FakeSns()
    sns.refused = {
        busy: {"Id": busy, "Code": "InternalError", "SenderFault": False},
        bad: {"Id": bad, "Code": "InvalidParameter", "Message": "too long", "SenderFault": True},
    }
    await relay(database, sns).run_once()
    assert good in sns.published
    assert await states(database) == {busy: ("pending", 1), bad: ("dead", 1)}
    assert ["Rejected: InvalidParameter: too long"] == [
        row.last_error for row in await jobs.dead(database, OUTBOX)
    ]


@pytest.fixture(scope="session")
def metrics() -> InMemoryMetricReader:
    """What is counted, from the first test on that asks for it."""
    reader = InMemoryMetricReader()
    set_meter_provider(MeterProvider(metric_readers=[reader]))
    return reader


def published(metrics: InMemoryMetricReader) -> Counter[str]:
    """How many events of each type were counted so far."""
    data = metrics.get_metrics_data()
    return Counter(
        {
            str((point.attributes or {})["event_type"]): int(point.value)
            for of_resource in (data.resource_metrics if data else ())
            for scope in of_resource.scope_metrics
            for metric in scope.metrics
            if metric.name == "events.published"
            for point in metric.data.data_points
            if isinstance(point, NumberDataPoint)
        }
    )


async def test_what_sns_took_is_counted_by_its_type(
    database: Database, metrics: InMemoryMetricReader
) -> None:
    """What it refuses is not, and what goes out twice is twice: as it is after another topic's outage."""
    before = published(metrics)
    refused, *_ = await add(database, RESERVED, RESERVED, RESERVED, CANCELLED)
    sns = FakeSns()
    sns.refused = {refused: {"Id": refused, "Code": "InternalError", "SenderFault": False}}
    sns.broken = {"arn:order": TimeoutError()}
    with pytest.raises(Outage):
        await relay(database, sns).run_once()
    assert Counter(STOCK_RESERVED=2) == published(metrics) - before
    sns.refused, sns.broken = {}, {}
    await relay(database, sns).run_once()
    assert Counter(STOCK_RESERVED=5, ORDER_CANCELLED=1) == published(metrics) - before


async def test_a_topic_that_is_wrong_does_not_hold_up_the_others(database: Database) -> None:
    """Nor are the others published twice."""
    reserved, cancelled = await add(database, RESERVED, CANCELLED)
    sns = FakeSns()
    answer = {"Error": {"Code": "NotFound"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
    sns.broken = {"arn:order": ClientError(answer, "PublishBatch")}
    await relay(database, sns).run_once()
    assert sns.published == [reserved]
    assert await states(database) == {cancelled: ("pending", 1)}


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="http://sns"),
        TimeoutError(),
        ClientError({"ResponseMetadata": {"HTTPStatusCode": 503}}, "PublishBatch"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_broker_that_is_away_is_an_outage(database: Database, error: Exception) -> None:
    """No event has used up a try, and the relay pauses as a whole."""
    (event,) = await add(database, RESERVED)
    sns = FakeSns()
    sns.broken = {"arn:inventory": error}
    with pytest.raises(Outage):
        await relay(database, sns).run_once()
    assert await states(database) == {event: ("pending", 0)}


async def test_an_event_without_a_topic_is_dead(database: Database) -> None:
    """A fault of the wiring, which is seen, and holds up nobody."""
    (event,) = await add(
        database, UserRegistered(user_id=ORDER, email="a@example.org", display_name="A", revision=1)
    )
    await relay(database, FakeSns()).run_once()
    assert await states(database) == {event: ("dead", 1)}
