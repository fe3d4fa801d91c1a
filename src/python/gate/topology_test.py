from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from gate.asyncapi import document
from gate.topology import breaches, parts, without

OLD = document()
FAILED, RESERVED = "mercato.PAYMENT_FAILED.v1", "mercato.STOCK_RESERVED.v1"
LATER = "mercato.PAYMENT_FAILED.v2"
MAILS = "notification-queue-from-payment-events"

Change = Callable[[dict[str, Any], dict[str, Any]], object]


def changed(change: Change) -> dict[str, Any]:
    """The shop's document after `change` of its channels and its operations."""
    new = copy.deepcopy(OLD)
    change(new["channels"], new["operations"])
    return new


def without_message(operation: dict[str, Any], event: str) -> None:
    operation["messages"] = [each for each in operation["messages"] if not each["$ref"].endswith(event)]


def with_message(operation: dict[str, Any], event: str) -> None:
    operation["messages"].append({"$ref": f"{operation['channel']['$ref']}/messages/{event}"})


def consumer(operation: dict[str, Any]) -> Any:
    return operation["bindings"]["sns"]["consumers"][0]


def without_event(channels: dict[str, Any], operations: dict[str, Any]) -> None:
    channels["payment-events"]["messages"].pop(FAILED)
    for operation in operations.values():
        without_message(operation, FAILED)


def without_topic(channels: dict[str, Any], operations: dict[str, Any]) -> None:
    channels.pop("user-events")
    for name in [each for each in operations if each.endswith("-user-events")]:
        operations.pop(name)


def renamed_queue(_: dict[str, Any], operations: dict[str, Any]) -> None:
    for name in [each for each in operations if each.startswith("order-processing-queue-")]:
        operations[name.replace("order-processing-queue", "orders")] = moved = operations.pop(name)
        consumer(moved)["endpoint"]["name"] = "orders"


def renewed(channels: dict[str, Any], operations: dict[str, Any]) -> None:
    """What a consumer does when its team likes: it hears the new major version in place of the old."""
    channels["payment-events"]["messages"][LATER] = {}
    without_message(operations[MAILS], FAILED)
    with_message(operations[MAILS], LATER)


BREAKING: dict[str, tuple[Change, list[str]]] = {
    "a topic goes": (
        lambda channels, _: channels.pop("user-events"),
        ["the topic user-events is gone: whoever is deployed publishes there, and listens there"],
    ),
    "an event leaves": (
        lambda channels, _: channels["payment-events"]["messages"].pop(FAILED),
        [f"{FAILED} leaves payment-events: whoever is deployed waits for it there"],
    ),
    "an event moves": (
        lambda channels, _: channels["order-events"]["messages"].update(
            {RESERVED: channels["inventory-events"]["messages"].pop(RESERVED)}
        ),
        [
            (
                f"{RESERVED} moves from inventory-events to order-events: "
                "whoever is deployed waits on inventory-events"
            )
        ],
    ),
    "a queue has another name": (
        renamed_queue,
        [
            (
                "the queue order-processing-queue is gone: "
                "whoever is deployed reads it, and what lies in it is lost"
            )
        ],
    ),
    "dead letters go elsewhere": (
        lambda _, operations: consumer(operations["inventory-update-queue-from-order-events"])[
            "redrivePolicy"
        ]["deadLetterQueue"].update(name="dead"),
        ["inventory-update-queue gives up to dead: what lies in inventory-update-queue-dlq is lost"],
    ),
    "a subscription goes": (
        lambda _, operations: operations.pop("notification-queue-from-user-events"),
        [
            (
                "notification-queue is not subscribed to user-events any more: "
                "mercato.USER_REGISTERED.v1, mercato.USER_UPDATED.v1"
            )
        ],
    ),
    "a filter loses an event": (
        lambda _, operations: without_message(operations[MAILS], FAILED),
        [f"notification-queue is given no {FAILED} of payment-events: whoever reads it waits for that"],
    ),
}

COMPATIBLE: dict[str, Change] = {
    "nothing changes": lambda _, __: None,
    "a topic comes": lambda channels, _: channels.update(reviews={"messages": {}}),
    "an event comes": lambda channels, _: channels["order-events"]["messages"].update({"mercato.NEW.v1": {}}),
    "a queue hears more": lambda _, operations: with_message(
        operations[MAILS], "mercato.PAYMENT_REFUNDED.v1"
    ),
    "a queue comes": lambda _, operations: operations.update(
        {"archive-from-order-events": operations["payment-processing-queue-from-order-events"]}
    ),
    "a queue waits for longer": lambda _, operations: consumer(operations[MAILS])["redrivePolicy"].update(
        maxReceiveCount=9
    ),
    "nothing is filtered any more": lambda _, operations: consumer(operations[MAILS]).pop("filterPolicy"),
    "a later version is heard instead": renewed,
}


@pytest.mark.parametrize("case", BREAKING)
def test_what_somebody_waits_for_may_not_go(case: str) -> None:
    """Each is said once, with what goes and whose it is."""
    change, told = BREAKING[case]
    assert told == breaches(OLD, changed(change))


@pytest.mark.parametrize("case", COMPATIBLE)
def test_what_comes_besides_passes(case: str) -> None:
    """Nobody who is deployed waits for what was not there."""
    assert [] == breaches(OLD, changed(COMPATIBLE[case]))


def test_an_older_version_in_the_place_of_a_later_one_is_refused() -> None:
    """Who reads the later one may never have known the older."""
    older = changed(lambda channels, _: channels["payment-events"]["messages"].update({LATER: {}}))
    (said,) = breaches(changed(renewed), older)
    assert f"notification-queue is given no {LATER} of payment-events" in said


def test_what_is_no_asyncapi_document_is_told() -> None:
    """A released file that is damaged must not look like a topology without anything."""
    damaged: dict[str, Any]
    for damaged in ({}, {"channels": []}, OLD | {"operations": {"x": {"action": "receive"}}}):
        with pytest.raises(ValueError, match="nothing of topics and queues"):
            breaches(damaged, OLD)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (FAILED, without_event),
        ("user-events", without_topic),
        ("order-processing-queue", BREAKING["a queue has another name"][0]),
        ("notification-queue-from-user-events", BREAKING["a subscription goes"][0]),
        (f"{MAILS}/{FAILED}", BREAKING["a filter loses an event"][0]),
    ],
)
def test_what_is_retired_may_go(name: str, change: Change) -> None:
    """That alone: an event, a topic, a queue, a subscription, or what one delivers."""
    shorter = without(OLD, name)
    assert shorter is not None
    assert [] == breaches(shorter, changed(change))
    assert [] != breaches(OLD, changed(change))


def test_what_is_not_there_cannot_be_retired() -> None:
    """A mistyped name takes nothing out; what is there is listed."""
    assert [] == [
        name for name in ("", "orders", "x/y", f"{MAILS}/x", "publish-user-events") if without(OLD, name)
    ]
    assert {"user-events", "notification-queue", MAILS} <= set(parts(OLD))
    assert [] == [part for part in parts(OLD) if without(OLD, part) is None]
