"""What AsyncAPI 3.0.0 asks of a document: its own JSON Schema, and the rules that no schema can say.

The schema is AsyncAPI's, bindings included; `asyncapi_spec/README.md` says where it is from. The rules are
those of `@asyncapi/parser` for what our document has, which is neither servers nor parameters. They are
stricter in that all is in one document, and its operations are written out.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs

from gate.registry import Document

_SCHEMA = Path(__file__).with_name("asyncapi_spec") / "3.0.0.json"
# Wherever the schema allows a reference as well, it complains of what is wrong with a part and of this.
_NO_REFERENCE = '"$ref" is a required property'


def faults(document: Document) -> list[str]:
    """Why `document` is no AsyncAPI 3.0.0 document, each with its place in it; empty where it is one."""
    found = list(_misshapen(document)) or [*_dangling(document), *_misplaced(document)]
    return list(dict.fromkeys(found))


def _misshapen(document: Document) -> Iterator[str]:
    for error in _validator().iter_errors(document):
        causes = list(_causes(error))
        told = [cause for cause in causes if cause.message != _NO_REFERENCE] or causes
        for cause in told:
            yield f"{_place(cause.instance_path)}: {cause.message}"


@functools.cache
def _validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads(_SCHEMA.read_text(encoding="utf-8")))


def _causes(error: jsonschema_rs.ValidationError) -> Iterator[jsonschema_rs.ValidationError]:
    """What is wrong at the bottom, where `error` says that none of several alternatives fits."""
    alternatives = getattr(error.kind, "context", ())
    if not alternatives:
        yield error
    for alternative in alternatives:
        for each in alternative:
            yield from _causes(each)


def _dangling(document: Document) -> Iterator[str]:
    resolver = jsonschema_rs.Registry([("urn:document", document)]).resolver("urn:document")
    for path, reference in _references(document, ()):
        if not reference.startswith("#/"):
            yield f"{_place(path)}: {reference} is outside of the document, which is read without a network"
            continue
        try:
            resolver.lookup(reference)
        except jsonschema_rs.ReferencingError:
            yield f"{_place(path)}: {reference} leads nowhere"


def _references(node: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every reference at or below `node`, with its path."""
    if isinstance(node, list):
        for index, each in enumerate(node):
            yield from _references(each, (*path, index))
    elif isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield path, node["$ref"]
        for key, each in node.items():
            yield from _references(each, (*path, key))


def _misplaced(document: Document) -> Iterator[str]:
    for name, operation in document.get("operations", {}).items():
        path = ("operations", name)
        if "$ref" in operation:
            yield f"{_place(path)}: is a reference; write the operation out, where it can be judged"
            continue
        channel = operation["channel"]["$ref"]
        if not channel.startswith("#/channels/"):
            yield f"{_place((*path, 'channel'))}: {channel} is not among the channels of the document"
        for index, message in enumerate(operation.get("messages", ())):
            if not message["$ref"].startswith(f"{channel}/messages/"):
                yield f"{_place((*path, 'messages', index))}: {message['$ref']} is not of {channel}"


def _place(path: tuple[str | int, ...] | list[str | int]) -> str:
    return "/".join(map(str, path)) or "the document"
