from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from contracts.services import SERVICES
from gate.openapi import breaches, document_of
from gate.registry import Document

ORDER = document_of("order")
PLACE = ("paths", "/api/orders", "post")


def at(document: Document, *path: str) -> Any:
    """What stands at `path` in `document`."""
    for each in path:
        document = document[each]
    return document


def schema(document: Document, name: str) -> Any:
    return at(document, "components", "schemas", name)


def without(document: Document, name: str, field: str) -> None:
    schema(document, name)["properties"].pop(field)
    schema(document, name)["required"].remove(field)


def requiring(document: Document, name: str, field: str) -> None:
    schema(document, name)["properties"][field] = {"type": "boolean"}
    schema(document, name)["required"].append(field)


def parameter(document: Document, *path: str, **values: Any) -> None:
    at(document, *path).setdefault("parameters", []).append({"in": "query", "schema": {}} | values)


def moved(place: dict[str, Any], old: str, new: str) -> None:
    place[new] = place.pop(old)


BREAKING: dict[str, tuple[Callable[[Document], object], str]] = {
    "a field of an answer goes": (lambda d: without(d, "OrderView", "refunded"), "'refunded'"),
    "a field deep in an answer goes": (lambda d: without(d, "OrderLine", "name"), "'name'"),
    "a field of an answer may be absent": (
        lambda d: schema(d, "OrderView")["required"].remove("total"),
        "'total'",
    ),
    "a field of an answer has another type": (
        lambda d: schema(d, "OrderLine")["properties"].update(quantity={"type": "string"}),
        "'integer' -> 'string'",
    ),
    "a field of an answer may be null": (
        lambda d: schema(d, "OrderLine")["properties"].update(
            name={"anyOf": [{"type": "string"}, {"type": "null"}]}
        ),
        "'name'",
    ),
    "a field of an answer has another format": (
        lambda d: schema(d, "OrderView")["properties"]["placed_at"].update(format="date"),
        "'date-time' -> 'date'",
    ),
    "a field of an answer has no format any more": (
        lambda d: schema(d, "OrderView")["properties"]["id"].pop("format"),
        "'uuid' -> 'none'",
    ),
    "a field of a request has another format": (
        lambda d: schema(d, "PlaceOrder")["properties"]["address_id"].update(format="ipv4"),
        "'uuid' -> 'ipv4'",
    ),
    "a field that may be null has another type": (
        lambda d: schema(d, "StepView")["properties"].update(
            trace_id={"anyOf": [{"type": "integer"}, {"type": "null"}]}
        ),
        "'string' -> 'integer'",
    ),
    "a field that may be null knows another value": (
        lambda d: schema(d, "OrderView")["properties"]["cancel_reason"]["anyOf"][0]["enum"].append("lost"),
        "lost",
    ),
    "an answer knows another value": (lambda d: schema(d, "Status")["enum"].append("LOST"), "LOST"),
    "a request must say more": (lambda d: requiring(d, "PlaceOrder", "gift"), "'gift'"),
    "a part of a request must say more": (lambda d: requiring(d, "Item", "gift"), "'gift'"),
    "a request may not say what it might": (lambda d: without(d, "PlaceOrder", "address_id"), "'address_id'"),
    "a request may ask for less": (
        lambda d: schema(d, "Item")["properties"]["quantity"].update(maximum=1),
        "'maximum'",
    ),
    "a parameter must be there": (lambda d: parameter(d, *PLACE, name="q", required=True), "'q'"),
    "a parameter goes": (lambda d: at(d, "paths", "/api/orders", "get")["parameters"].pop(0), "'status'"),
    "a success has another status": (lambda d: moved(at(d, *PLACE, "responses"), "201", "200"), "'201'"),
    "an answer has another media type": (
        lambda d: moved(at(d, *PLACE, "responses", "201", "content"), "application/json", "text/plain"),
        "'application/json'",
    ),
    "a route moves": (lambda d: moved(d["paths"], "/api/orders", "/api/order"), "/api/orders"),
    "a method goes": (lambda d: at(d, "paths", "/api/orders").pop("get"), "GET /api/orders"),
}

HARMLESS: dict[str, Callable[[Document], object]] = {
    "nothing changes": lambda _: None,
    "a route is deprecated": lambda d: d["paths"]["/api/orders"]["get"].update(deprecated=True),
    "an answer says more": lambda d: schema(d, "OrderView")["properties"].update(note={"type": "string"}),
    "a field of an answer has a format": lambda d: schema(d, "OrderLine")["properties"]["name"].update(
        format="email"
    ),
    "a field of a request has no format any more": lambda d: schema(d, "Item")["properties"][
        "product_id"
    ].pop("format"),
    "a field of an answer is never null any more": lambda d: schema(d, "StepView")["properties"].update(
        trace_id={"type": "string"}
    ),
    "a request may say more": lambda d: schema(d, "PlaceOrder")["properties"].update(
        gift={"type": "boolean"}
    ),
    "a request may ask for more": lambda d: schema(d, "Item")["properties"]["quantity"].update(maximum=10**6),
    "a parameter may be there": lambda d: parameter(d, *PLACE, name="q", required=False),
    "a route is added": lambda d: d["paths"].update({"/api/orders/new": copy.deepcopy(at(d, *PLACE[:2]))}),
    "a refusal is added": lambda d: at(d, *PLACE, "responses").update({"410": {"description": "Gone."}}),
    "a refusal comes no more": lambda d: at(d, *PLACE, "responses").pop("409"),
    "a description changes": lambda d: at(d, *PLACE).update(description="In other words.", summary="New"),
    "routes change their order": lambda d: d.update(paths=dict(reversed(d["paths"].items()))),
    "a schema has another name": lambda d: schema(d, "OrderLine")["properties"].update(
        unit_price=copy.deepcopy(schema(d, "Money"))
    ),
}


@pytest.mark.parametrize("case", BREAKING)
def test_what_breaks_a_client_is_refused_and_named(case: str) -> None:
    """Each says where."""
    change, said = BREAKING[case]
    new = copy.deepcopy(ORDER)
    change(new)
    found = breaches(ORDER, new)
    assert [line for line in found if said in line], found


@pytest.mark.parametrize("case", HARMLESS)
def test_what_breaks_no_client_passes(case: str) -> None:
    """The gate cries no wolf."""
    new = copy.deepcopy(ORDER)
    HARMLESS[case](new)
    assert [] == breaches(ORDER, new)


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_may_stay_as_it_is(service: str) -> None:
    """Its document is made without a setting, twice the same, and is compared with itself."""
    document = document_of(service)
    assert document["openapi"].startswith("3.1.")
    assert document == document_of(service)
    assert [] == breaches(document, document)


def test_a_route_that_was_open_and_asks_for_a_token_is_refused() -> None:
    """Whoever browses is not signed in."""
    old = document_of("product")
    new = copy.deepcopy(old)
    at(new, "paths", "/api/products", "get")["security"] = [{"HTTPBearer": []}]
    (found,) = breaches(old, new)
    assert "GET /api/products" in found


def test_a_redirection_with_another_status_is_refused() -> None:
    """It is no refusal: clients follow it."""
    old = document_of("product")
    new = copy.deepcopy(old)
    image = at(new, "paths", "/api/products/{product_id}/images/{image_id}", "get", "responses")
    moved(image, "307", "302")
    (found,) = breaches(old, new)
    assert "'307'" in found
