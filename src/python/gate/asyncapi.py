"""The AsyncAPI document of the shop's events: which are published where, and which queue is given which.

https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from __future__ import annotations

from typing import Any

from contracts.events.envelope import (
    EVENT_TYPE_ATTRIBUTE,
    TRACEPARENT_ATTRIBUTE,
    Envelope,
    Event,
    qualified_type,
    routing_type,
)
from contracts.topology import EVENTS, SUBSCRIPTIONS, TOPICS, Subscription, Topic
from gate.registry import Document, Kind
from gate.schemas import Schema
from gate.specification import faults
from gate.topology import breaches, parts, without

NAME = "mercato"
_BINDINGS = "0.1.0"  # https://github.com/asyncapi/bindings/tree/master/sns


def document() -> Document:
    """The document of all topics and queues."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Mercato events",
            "version": "1",  # the events have versions of their own
            "description": "CloudEvents 1.0 in JSON, published on SNS and delivered raw to SQS, at least "
            "once and in any order. Readers ignore fields they do not know.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {
            **{f"publish-{topic.name}": _sent(topic) for topic in TOPICS},
            **{f"{each.queue.name}-from-{each.topic.name}": _received(each) for each in SUBSCRIPTIONS},
        },
        "components": {
            "messages": {name: _message(name, event) for name, event in EVENTS.items()},
            "schemas": _schemas(),
        },
    }


def current() -> dict[str, Document]:
    """The document, by its name in the registry."""
    return {NAME: document()}


def _channel(topic: Topic) -> dict[str, Any]:
    messages = {qualified_type(event): _ref("messages", qualified_type(event)) for event in topic.events}
    return {
        "address": topic.name,
        "messages": messages,
        "bindings": {"sns": {"name": topic.name, "bindingVersion": _BINDINGS}},
    }


def _sent(topic: Topic) -> dict[str, Any]:
    return {"action": "send", "title": f"Publish on {topic.name}"} | _messages(topic, topic.events)


def _received(subscription: Subscription) -> dict[str, Any]:
    topic, queue = subscription.topic, subscription.queue
    consumer: dict[str, Any] = {
        "protocol": "sqs",
        "endpoint": {"name": queue.name},
        "rawMessageDelivery": True,
        "redrivePolicy": {
            "deadLetterQueue": {"name": queue.dead_letter_name},
            "maxReceiveCount": queue.max_receive_count,
        },
    }
    if subscription.filter_policy is not None:
        consumer["filterPolicy"] = subscription.filter_policy
        consumer["filterPolicyScope"] = "MessageAttributes"
    return {
        "action": "receive",
        "title": f"The {queue.consumer} service hears of {topic.name}",
        "description": f"Delivered to `{queue.name}`. What is not deleted within "
        f"{queue.visibility_timeout_s} s is delivered again, and after {queue.max_receive_count} deliveries "
        f"moved to `{queue.dead_letter_name}`.",
        "bindings": {
            "sns": {"topic": {"name": topic.name}, "consumers": [consumer], "bindingVersion": _BINDINGS}
        },
    } | _messages(topic, subscription.delivered)


def _messages(topic: Topic, events: tuple[type[Event], ...]) -> dict[str, Any]:
    channel = f"#/channels/{topic.name}"
    return {
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{qualified_type(event)}"} for event in events],
    }


def _message(name: str, event: type[Event]) -> dict[str, Any]:
    envelope = Envelope.model_json_schema()
    fields = envelope["properties"] | {"type": {"const": name}, "data": _ref("schemas", name)}
    return {
        "name": name,
        "title": event.__name__,
        "summary": (event.__doc__ or "").strip(),
        "contentType": "application/cloudevents+json",
        # As SNS message attributes; the first is what subscriptions filter on.
        "headers": {
            "type": "object",
            "properties": {
                EVENT_TYPE_ATTRIBUTE: {"const": routing_type(event)},
                TRACEPARENT_ATTRIBUTE: {"type": "string", "description": "W3C Trace Context"},
            },
            "required": [EVENT_TYPE_ATTRIBUTE],
        },
        "payload": {"type": "object", "properties": fields, "required": envelope["required"]},
    }


def _schemas() -> dict[str, Schema]:
    schemas: dict[str, Schema] = {}
    for name, event in EVENTS.items():
        schema = event.model_json_schema(ref_template="#/components/schemas/{model}")
        parts = schema.pop("$defs", {})
        for part, found in ({name: schema} | parts).items():
            if schemas.setdefault(part, found) != found:
                raise ValueError(f"two parts of events are called {part} and differ: give one another name")
    return schemas


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


KIND = Kind("asyncapi", current, breaches, faults, parts, without)
