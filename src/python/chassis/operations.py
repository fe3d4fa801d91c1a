"""For tests over every operation of a service: what its document lists, and a request that fits each."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_METHODS = ("get", "put", "post", "delete", "patch")
_SOME_ID = str(uuid.UUID(int=1))
_DEPTH_OF_A_REFERENCE = 3  # "#/components/schemas/Name"


@dataclass(frozen=True)
class Operation:
    """One operation of a document."""

    id: str
    method: str
    path: str
    secured: bool
    statuses: frozenset[str]
    parameters: tuple[Schema, ...]
    body: Schema | None
    schemas: Mapping[str, Schema]

    def resolved(self, schema: Schema) -> Schema:
        """`schema` without references, and without the null that it may also be."""
        if "$ref" in schema:
            return self.resolved(self.schemas[schema["$ref"].split("/")[_DEPTH_OF_A_REFERENCE]])
        for each in schema.get("anyOf", ()):
            if each.get("type") != "null":
                return self.resolved(each)
        return schema

    def url(self, known: Mapping[str, Any], **raw: str) -> str:
        """The path with its ids taken from `known`; `raw` stands in place of those, as it is."""
        named = {each["name"]: str(known.get(each["name"], _SOME_ID)) for each in self.parameters_in("path")}
        return self.path.format(**(named | raw))

    def query(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """The query parameters that must be sent."""
        return {
            each["name"]: known.get(each["name"], _SOME_ID)
            for each in self.parameters_in("query")
            if each.get("required")
        }

    def content(self, known: Mapping[str, Any]) -> Any:
        """A body that fits, with every property; its strings are taken from `known` where that names them."""
        return None if self.body is None else self._sample(self.body, "", known)

    def parameters_in(self, location: str) -> list[Schema]:
        """The parameters of the path, the query or the header."""
        return [each for each in self.parameters if each["in"] == location]

    def names_something(self) -> bool:
        """Whether a request says by its id what it is about."""
        return bool(self.parameters_in("path")) or any(
            str(where[-1]).endswith("_id") for where, _ in self.places(self.content({}))
        )

    def names(self, what: str) -> bool:
        """Whether a request says `what`, a parameter or a property of its body."""
        return any(each["name"] == what for each in self.parameters) or any(
            what in where for where, _ in self.places(self.content({}))
        )

    def places(self, content: Any) -> Iterator[tuple[tuple[str | int, ...], Schema]]:
        """Each value within a body that is no object, by its path, with its schema."""
        if self.body is not None:
            yield from self._places(content, self.body, ())

    def _places(
        self, value: Any, schema: Schema, where: tuple[str | int, ...]
    ) -> Iterator[tuple[tuple[str | int, ...], Schema]]:
        schema = self.resolved(schema)
        if isinstance(value, dict):
            for name, each in value.items():
                yield from self._places(each, schema["properties"][name], (*where, name))
            return
        yield where, schema
        if isinstance(value, list):
            for index, each in enumerate(value):
                yield from self._places(each, schema["items"], (*where, index))

    def _sample(self, schema: Schema, name: str, known: Mapping[str, Any]) -> Any:
        schema = self.resolved(schema)
        if name in known:
            return known[name]
        if "examples" in schema:
            return schema["examples"][0]
        if "enum" in schema:
            return schema["enum"][0]
        match schema["type"]:
            case "object":
                return {key: self._sample(each, key, known) for key, each in schema["properties"].items()}
            case "array":
                return [self._sample(schema["items"], name, known)]
            case "integer":
                return max(1, schema.get("minimum", 1))
            case "boolean":
                return True
        assert "pattern" not in schema, f"{self.id}: give {name} an example"
        return _SOME_ID if schema.get("format") == "uuid" else "Some words that fit"


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Every operation of `document`."""
    schemas = document["components"]["schemas"]
    return [
        Operation(
            id=each["operationId"],
            method=method.upper(),
            path=path,
            secured=bool(each.get("security")),
            statuses=frozenset(each["responses"]),
            parameters=tuple(each.get("parameters", ())),
            body=_schema_of_body(each),
            schemas=schemas,
        )
        for path, item in document["paths"].items()
        for method, each in item.items()
        if method in _METHODS
    ]


def _schema_of_body(operation: Mapping[str, Any]) -> Schema | None:
    if "requestBody" not in operation:
        return None
    schema: Schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return schema
