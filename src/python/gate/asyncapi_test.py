from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

import jsoncompat
import pytest

from contracts.events.envelope import Envelope
from contracts.events.inventory import StockReserved
from contracts.topology import EVENTS, QUEUES, SUBSCRIPTIONS, TOPICS, Queue, events_for
from gate.asyncapi import document
from gate.specification import faults

DOCUMENT = document()


def resolved(reference: str) -> Any:
    """What a reference leads to. Raises KeyError if that is nowhere."""
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_the_document_is_valid() -> None:
    """By AsyncAPI's own schema, that of the bindings included, and by its rules."""
    assert [] == faults(DOCUMENT)


def test_every_topic_and_every_subscription_has_an_operation() -> None:
    """Two of one name would silently be one."""
    assert len(TOPICS) + len(SUBSCRIPTIONS) == len(DOCUMENT["operations"])


def test_every_event_is_on_the_channel_of_its_topic() -> None:
    """With its own name, and no other."""
    for topic in TOPICS:
        on_it = DOCUMENT["channels"][topic.name]["messages"]
        assert {EVENTS[name] for name in on_it} == set(topic.events)
    assert set(DOCUMENT["components"]["messages"]) == set(EVENTS)


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_what_a_queue_receives_is_what_the_topology_delivers(queue: Queue) -> None:
    """Over all its subscriptions."""
    received = {
        resolved(resolved(message["$ref"])["$ref"])["name"]
        for name, operation in DOCUMENT["operations"].items()
        if name.startswith(f"{queue.name}-from-")
        for message in operation["messages"]
    }
    assert {EVENTS[name] for name in received} == events_for(queue)


def test_a_message_is_described_as_it_is_written() -> None:
    """Its fields are those of the envelope on the wire; its header is what is filtered on."""
    message = DOCUMENT["components"]["messages"]["mercato.STOCK_RESERVED.v1"]
    written = json.loads(
        Envelope.wrap(
            StockReserved(order_id=uuid.uuid4()),
            id=uuid.uuid4(),
            source="product",
            time=dt.datetime.now(dt.UTC),
            traceparent="00-a-b-01",
        ).to_json()
    )
    assert set(written) == set(message["payload"]["properties"])
    assert written["type"] == message["payload"]["properties"]["type"]["const"]
    assert {"const": "STOCK_RESERVED"} == message["headers"]["properties"]["event_type"]
    assert set(message["payload"]["required"]) <= set(written)


@pytest.mark.parametrize("name", EVENTS)
def test_a_schema_in_the_document_is_that_of_its_event(name: str) -> None:
    """Moved to another place, it means the same."""
    schemas = DOCUMENT["components"]["schemas"]
    moved = {
        "$ref": f"#/components/schemas/{name}",
        "components": {"schemas": schemas},
    }
    own = EVENTS[name].model_json_schema()
    for role in ("serializer", "deserializer"):
        assert jsoncompat.check_compat(json.dumps(own), json.dumps(moved), role)


def test_two_parts_of_one_name_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """One would silently be described as the other."""

    class Clash(StockReserved, type="CLASH"):
        """It has a part called Money that is none."""

        @classmethod
        def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
            return {"type": "object", "$defs": {"Money": {"type": "string"}}}

    monkeypatch.setitem(EVENTS, "mercato.CLASH.v1", Clash)
    with pytest.raises(ValueError, match="called Money and differ"):
        document()
