from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field

from contracts.events.order import OrderCreated
from contracts.topology import EVENTS
from gate.events import breaches, schema_of
from gate.schemas import Schema

OLD = schema_of(OrderCreated)


def changed(change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Schema:
    """The schema of ORDER_CREATED after `change` of its own part and of its definitions."""
    new = copy.deepcopy(OLD)
    change(new, new["$defs"])
    return new


def prop(name: str, **values: Any) -> Callable[[dict[str, Any], dict[str, Any]], object]:
    return lambda root, _: root["properties"][name].update(values)


BREAKING: dict[str, tuple[Callable[[dict[str, Any], dict[str, Any]], object], str]] = {
    "a field goes": (
        lambda root, _: (root["properties"].pop("total"), root["required"].remove("total")),
        "total is gone",
    ),
    "a field deep inside goes": (
        lambda _, defs: defs["Address"]["properties"].pop("line2"),
        "shipping_address.line2 is gone",
    ),
    "a field of a list goes": (
        lambda _, defs: (
            defs["OrderLine"]["properties"].pop("name"),
            defs["OrderLine"]["required"].remove("name"),
        ),
        "lines[].name is gone",
    ),
    "a field is renamed": (
        lambda root, _: root["properties"].update(sum=root["properties"].pop("total")),
        "total is gone",
    ),
    "a field may be absent": (
        lambda root, _: root["required"].remove("customer_id"),
        "customer_id may be absent now",
    ),
    "an optional field must be there": (
        lambda _, defs: defs["Address"]["required"].append("line2"),
        "shipping_address.line2 must be there now",
    ),
    "a new field must be there": (
        lambda root, _: (
            root["properties"].update(gift={"type": "boolean"}),
            root["required"].append("gift"),
        ),
        "gift is new and must be there",
    ),
    "a type changes": (
        lambda _, defs: defs["Money"]["properties"].update(amount={"type": "string"}),
        "total.amount may be what its readers refuse",
    ),
    "a field may be null": (
        lambda _, defs: defs["OrderLine"]["properties"].update(
            name={"anyOf": [{"type": "string"}, {"type": "null"}]}
        ),
        "lines[].name may be what its readers refuse",
    ),
    "a nullable field may not be null": (
        lambda _, defs: defs["Address"]["properties"].update(line2={"type": "string"}),
        "shipping_address.line2 is refused as it was written before",
    ),
    "a nullable field has another type": (
        lambda _, defs: defs["Address"]["properties"].update(
            line2={"anyOf": [{"type": "integer"}, {"type": "null"}]}
        ),
        "shipping_address.line2 may be what its readers refuse",
    ),
    "a bound is loosened": (
        lambda _, defs: defs["Money"]["properties"]["amount"].update(minimum=-1),
        "total.amount may be what its readers refuse",
    ),
    "a bound is tightened": (
        lambda _, defs: defs["Money"]["properties"]["amount"].update(minimum=1),
        "total.amount is refused as it was written before",
    ),
    "a list may be empty": (prop("lines", minItems=0), "lines may be what its readers refuse"),
    "a format changes": (
        prop("expires_at", format="date"),
        "expires_at had the format date-time, and now has the format date",
    ),
    "a format goes": (
        lambda root, _: root["properties"]["order_id"].pop("format"),
        "order_id had the format uuid, and now has no format",
    ),
    "a pattern changes": (
        lambda _, defs: defs["Money"]["properties"]["currency"].update(pattern="^[A-Z]{3,4}$"),
        "total.currency had the pattern ^[A-Z]{3}$, and now has the pattern ^[A-Z]{3,4}$",
    ),
    "unknown fields are refused": (
        lambda root, _: root.update(additionalProperties=False),
        "the event refuses fields it does not know",
    ),
}


@pytest.mark.parametrize("case", BREAKING)
def test_a_breaking_change_is_refused_with_the_field_and_the_reason(case: str) -> None:
    """Each names what would be tripped over."""
    change, said = BREAKING[case]
    found = [str(breach) for breach in breaches(OLD, changed(change))]
    assert [line for line in found if said in line], found


HARMLESS: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "nothing changes": lambda _, __: None,
    "a field is added that may be absent": lambda root, _: root["properties"].update(
        note={"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    ),
    "a field is added deep inside": lambda _, defs: defs["Money"]["properties"].update(
        formatted={"type": "string", "default": ""}
    ),
    "an object is added that may be absent": lambda root, defs: (
        root["properties"].update(gift={"$ref": "#/$defs/Gift"}),
        defs.update(Gift={"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}),
    ),
    "a field called title is added": lambda root, _: root["properties"].update(title={"type": "string"}),
    "remarks change": lambda root, _: root.update(description="In other words.", title="Other"),
    "a field's remarks change": prop("total", description="What it costs.", examples=[{}]),
    "fields change their order": lambda root, _: root.update(
        properties=dict(reversed(root["properties"].items())), required=root["required"][::-1]
    ),
    "a definition has another name": lambda root, defs: (
        defs.update(Amount=copy.deepcopy(defs["Money"])),
        root["properties"]["total"].update({"$ref": "#/$defs/Amount"}),
    ),
    "a definition is put in place": lambda root, defs: root["properties"].update(
        total=copy.deepcopy(defs["Money"])
    ),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_a_harmless_change_passes(case: str) -> None:
    """The gate cries no wolf."""
    assert [] == breaches(OLD, changed(HARMLESS[case]))


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_may_stay_as_it_is(name: str) -> None:
    """And can be read by the gate at all."""
    schema = schema_of(EVENTS[name])
    assert [] == breaches(schema, schema)


def test_a_value_more_in_an_enumeration_is_refused() -> None:
    """A reader that matches on it would meet what it does not know; and one less, what it is not any more."""

    class One(BaseModel):
        why: str = Field(json_schema_extra={"enum": ["a", "b"]})

    class Other(BaseModel):
        why: str = Field(json_schema_extra={"enum": ["a", "b", "c"]})

    old, new = One.model_json_schema(), Other.model_json_schema()
    (more,) = breaches(old, new)
    (less,) = breaches(new, old)
    assert ("why", "why") == (more.field, less.field)
    assert "may be what its readers refuse" in more.reason
    assert "is refused as it was written before" in less.reason


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"properties": {"a": {"$ref": "#/$defs/B"}}, "$defs": {}}, "leads nowhere"),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"items": {"$ref": "#/$defs/A"}}}}, "leads in a circle"),
    ],
)
def test_a_schema_that_cannot_be_read_is_an_error(schema: Schema, said: str) -> None:
    """It names the reference."""
    with pytest.raises(ValueError, match=said):
        breaches(schema, schema)
