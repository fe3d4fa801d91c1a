"""JSON Schemas as the gate compares them: without references, and without what binds nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_REMARKS = frozenset({"$schema", "$id", "$defs", "title", "description", "examples", "default", "deprecated"})
_REF = "#/$defs/"


def binding(schema: Schema) -> Schema:
    """What `schema` binds its reader and its writer to: references put in place, remarks left out.

    Raises ValueError where a reference leads nowhere or in a circle.
    """
    bound: Schema = _binding(schema, schema.get("$defs", {}), ())
    return bound


def closed(bound: Schema) -> Schema:
    """A schema of `binding` as one who writes by it keeps it: no field that it does not name."""
    kept: Schema = _closed(bound)
    return kept


def _binding(node: Any, defs: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_binding(each, defs, within) for each in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if reference is not None:
        name = str(reference).removeprefix(_REF)
        if name in within or name not in defs:
            where = "in a circle" if name in within else "nowhere"
            raise ValueError(f"the reference {reference} leads {where}")
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _binding(defs[name] | beside, defs, (*within, name))
    bound = {
        # The names in `properties` are the writer's own: a field may well be called "title".
        key: {name: _binding(each, defs, within) for name, each in value.items()}
        if key == "properties"
        else _binding(value, defs, within)
        for key, value in node.items()
        if key not in _REMARKS
    }
    # For a writer the two are one, and jsoncompat knows the latter.
    if "oneOf" in bound:
        bound["anyOf"] = bound.pop("oneOf")
    bound.pop("discriminator", None)
    return bound


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    if "properties" not in node:
        return {key: _closed(value) for key, value in node.items()}
    fields = {name: _closed(each) for name, each in node["properties"].items()}
    return node | {"properties": fields, "additionalProperties": False}
