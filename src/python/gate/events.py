"""Whether an event may change as it is about to: what was written must stay readable, both ways.

A consumer that is deployed reads what the new producer writes; one that will be deployed reads what the old
producer wrote, which may lie in a queue, an outbox or a dead-letter queue for days. So a change passes when
each reads the other: in practice, when it adds fields that may be absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsoncompat

from contracts.events.envelope import Event, qualified_type
from contracts.topology import EVENTS
from gate.registry import Kind
from gate.schemas import Schema, binding, closed

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

# jsoncompat compares neither, and readers refuse what does not fit them.
_SHAPES = ("format", "pattern")


@dataclass(frozen=True)
class Breach:
    """What one who was promised the old schema would trip over. `field` is its path in the event."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field or 'the event'} {self.reason}"


def schema_of(event: type[Event]) -> Schema:
    """The JSON Schema of an event's data, as published."""
    name = qualified_type(event)
    return {"$schema": _DIALECT, "$id": f"urn:{name.replace('.', ':')}"} | event.model_json_schema()


def current() -> dict[str, Schema]:
    """The schema of every event of the topology, by its CloudEvents type."""
    return {name: schema_of(event) for name, event in EVENTS.items()}


def breaches(old: Schema, new: Schema) -> list[Breach]:
    """Why an event of schema `old` must not become one of schema `new`; empty where it may.

    Raises ValueError where one of them cannot be read.
    """
    before, after = binding(old), binding(new)
    found = list(_compare(before, after, ""))
    if not found and not _exchangeable(before, after):
        found.append(Breach("", "would not be read by everybody"))
    return found


KIND = Kind("events", current, breaches)


def _compare(old: Schema, new: Schema, field: str) -> Iterator[Breach]:
    for keyword in _SHAPES:
        if old.get(keyword) != new.get(keyword):
            yield Breach(field, f"had {_said(keyword, old)}, and now has {_said(keyword, new)}")
    if "properties" in old and "properties" in new:
        yield from _compare_fields(old, new, field)
    elif "items" in old and "items" in new:
        yield from _compare(old["items"], new["items"], f"{field}[]")
        yield from _compare_values(_without(old, "items"), _without(new, "items"), field)
    elif _nullable(old) and _nullable(new):
        yield from _compare(_there(old), _there(new), field)
    else:
        yield from _compare_values(old, new, field)


def _compare_fields(old: Schema, new: Schema, field: str) -> Iterator[Breach]:
    was, now = old["properties"], new["properties"]
    was_required, now_required = set(old.get("required", ())), set(new.get("required", ()))
    for name in was:
        path = f"{field}.{name}" if field else name
        if name not in now:
            yield Breach(path, "is gone")
            continue
        if name in was_required - now_required:
            yield Breach(path, "may be absent now, and readers count on it")
        if name in now_required - was_required:
            yield Breach(path, "must be there now, and what was written before may lack it")
        yield from _compare(was[name], now[name], path)
    for name in now_required - was.keys():
        path = f"{field}.{name}" if field else name
        yield Breach(path, "is new and must be there: what was written before lacks it; give it a default")
    if bool(old.get("additionalProperties", True)) and new.get("additionalProperties") is False:
        yield Breach(field, "refuses fields it does not know, so that no later version can add one")


def _compare_values(old: Schema, new: Schema, field: str) -> Iterator[Breach]:
    change = f"it was {_brief(old)}, and is {_brief(new)}"
    if not _reads(new, old):
        yield Breach(field, f"may be what its readers refuse: {change}")
    elif not _reads(old, new):
        yield Breach(field, f"is refused as it was written before: {change}")


def _exchangeable(one: Schema, other: Schema) -> bool:
    return _reads(one, other) and _reads(other, one)


def _reads(written: Schema, read: Schema) -> bool:
    """Whether all that is written by one schema is read by the other."""
    return jsoncompat.check_compat(json.dumps(closed(written)), json.dumps(read), "deserializer")


def _nullable(node: Schema) -> bool:
    branches = node.get("anyOf", ())
    return len(branches) == 2 and {"type": "null"} in branches and set(node) == {"anyOf"}


def _there(node: Schema) -> Schema:
    found: Schema = next(branch for branch in node["anyOf"] if branch != {"type": "null"})
    return found


def _without(node: Schema, keyword: str) -> Schema:
    return {key: value for key, value in node.items() if key not in {keyword, *_SHAPES}}


def _said(keyword: str, node: Schema) -> str:
    value: Any = node.get(keyword)
    return f"no {keyword}" if value is None else f"the {keyword} {value}"


def _brief(node: Schema) -> str:
    text = json.dumps(node, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 120 else text[:117] + "…"
