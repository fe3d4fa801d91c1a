from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from gate.specification import faults

Node = dict[str, Any]

CHANNEL = "#/channels/orders"
DOCUMENT: Node = {
    "asyncapi": "3.0.0",
    "info": {"title": "Orders", "version": "1"},
    "channels": {
        "orders": {
            "address": "orders",
            "messages": {"placed": {"$ref": "#/components/messages/placed"}},
            "bindings": {"sns": {"name": "orders", "bindingVersion": "0.1.0"}},
        },
        "payments": {"address": "payments", "messages": {"paid": {"payload": {"type": "object"}}}},
    },
    "operations": {
        "place": {
            "action": "send",
            "channel": {"$ref": CHANNEL},
            "messages": [{"$ref": f"{CHANNEL}/messages/placed"}],
        },
        "receive": {
            "action": "receive",
            "channel": {"$ref": CHANNEL},
            "bindings": {
                "sns": {
                    "consumers": [
                        {
                            "protocol": "sqs",
                            "endpoint": {"name": "queue"},
                            "rawMessageDelivery": True,
                            "redrivePolicy": {"deadLetterQueue": {"name": "dead"}, "maxReceiveCount": 3},
                        }
                    ],
                    "bindingVersion": "0.1.0",
                },
                "sqs": {"queues": [{"name": "queue"}], "bindingVersion": "0.2.0"},
            },
        },
    },
    "components": {"messages": {"placed": {"payload": {"type": "object", "properties": {"id": {}}}}}},
}


def unknown_version_of_a_binding(document: Node) -> None:
    document["channels"]["orders"]["bindings"]["sns"]["bindingVersion"] = "9.9.9"


def unknown_binding(document: Node) -> None:
    document["channels"]["orders"]["bindings"]["snss"] = {}


def binding_of_sns_without_a_protocol(document: Node) -> None:
    del document["operations"]["receive"]["bindings"]["sns"]["consumers"][0]["protocol"]


def deliveries_that_are_no_number(document: Node) -> None:
    consumer = document["operations"]["receive"]["bindings"]["sns"]["consumers"][0]
    consumer["redrivePolicy"]["maxReceiveCount"] = "three"


def binding_of_sqs_without_queues(document: Node) -> None:
    del document["operations"]["receive"]["bindings"]["sqs"]["queues"]


def address_that_is_no_text(document: Node) -> None:
    document["channels"]["orders"]["address"] = 5


def unknown_action(document: Node) -> None:
    document["operations"]["place"]["action"] = "publish"


def unknown_field(document: Node) -> None:
    document["components"]["messages"]["placed"]["titel"] = "Placed"


def payload_of_no_type(document: Node) -> None:
    document["components"]["messages"]["placed"]["payload"]["type"] = "objekt"


def another_version(document: Node) -> None:
    document["asyncapi"] = "2.6.0"


def no_title(document: Node) -> None:
    del document["info"]["title"]


def operation_on_an_unknown_channel(document: Node) -> None:
    document["operations"]["receive"]["channel"]["$ref"] = "#/channels/nowhere"


def operation_on_a_channel_that_is_none_of_the_document(document: Node) -> None:
    document["components"]["channels"] = {"spare": {"address": "spare"}}
    document["operations"]["receive"]["channel"]["$ref"] = "#/components/channels/spare"


def operation_elsewhere(document: Node) -> None:
    document["components"]["operations"] = {"receive": document["operations"]["receive"]}
    document["operations"]["receive"] = {"$ref": "#/components/operations/receive"}


def channel_without_the_message(document: Node) -> None:
    document["channels"]["orders"]["messages"] = {}


def message_of_another_channel(document: Node) -> None:
    document["operations"]["place"]["messages"][0]["$ref"] = "#/channels/payments/messages/paid"


def message_past_the_channel(document: Node) -> None:
    document["operations"]["place"]["messages"][0]["$ref"] = "#/components/messages/placed"


def field_of_an_unknown_schema(document: Node) -> None:
    document["components"]["messages"]["placed"]["payload"]["properties"]["id"] = {"$ref": "#/a~1b"}


def schema_on_the_network(document: Node) -> None:
    document["components"]["messages"]["placed"]["payload"] = {"$ref": "https://example.com/schema"}


BROKEN: tuple[tuple[Callable[[Node], None], str], ...] = (
    (
        unknown_version_of_a_binding,
        'channels/orders/bindings/sns/bindingVersion: "9.9.9" is not one of "0.1.0"',
    ),
    (
        unknown_binding,
        "channels/orders/bindings: Additional properties are not allowed ('snss' was unexpected)",
    ),
    (
        binding_of_sns_without_a_protocol,
        'operations/receive/bindings/sns/consumers/0: "protocol" is a required property',
    ),
    (
        deliveries_that_are_no_number,
        'operations/receive/bindings/sns/consumers/0/redrivePolicy/maxReceiveCount: "three" is not of',
    ),
    (binding_of_sqs_without_queues, 'operations/receive/bindings/sqs: "queues" is a required property'),
    (address_that_is_no_text, 'channels/orders/address: 5 is not of types "null", "string"'),
    (unknown_action, 'operations/place/action: "publish" is not one of "send" or "receive"'),
    (
        unknown_field,
        "components/messages/placed: Additional properties are not allowed ('titel' was unexpected)",
    ),
    (payload_of_no_type, 'components/messages/placed/payload/type: "objekt" is not one of'),
    (another_version, 'asyncapi: "3.0.0" was expected'),
    (no_title, 'info: "title" is a required property'),
    (operation_on_an_unknown_channel, "operations/receive/channel: #/channels/nowhere leads nowhere"),
    (
        operation_on_a_channel_that_is_none_of_the_document,
        "operations/receive/channel: #/components/channels/spare is not among the channels of the document",
    ),
    (operation_elsewhere, "operations/receive: is a reference; write the operation out"),
    (
        channel_without_the_message,
        "operations/place/messages/0: #/channels/orders/messages/placed leads nowhere",
    ),
    (
        message_of_another_channel,
        "operations/place/messages/0: #/channels/payments/messages/paid is not of #/channels/orders",
    ),
    (
        message_past_the_channel,
        "operations/place/messages/0: #/components/messages/placed is not of #/channels/orders",
    ),
    (field_of_an_unknown_schema, "components/messages/placed/payload/properties/id: #/a~1b leads nowhere"),
    (schema_on_the_network, "components/messages/placed/payload: https://example.com/schema is outside"),
)


def test_a_valid_document_has_no_faults() -> None:
    """And those below are invalid by what was done to them alone."""
    assert [] == faults(DOCUMENT)


@pytest.mark.parametrize(("spoil", "told"), BROKEN, ids=[spoil.__name__ for spoil, _ in BROKEN])
def test_an_invalid_document_is_told_what_is_wrong_and_where(
    spoil: Callable[[Node], None], told: str
) -> None:
    """First of all; what else follows from it may be told as well."""
    document = copy.deepcopy(DOCUMENT)
    spoil(document)
    first, *_ = faults(document)
    assert first.startswith(told)


def test_every_fault_is_told_once() -> None:
    """However many alternatives of the schema it fails."""
    document = copy.deepcopy(DOCUMENT)
    unknown_action(document)
    address_that_is_no_text(document)
    assert 2 == len(faults(document))
