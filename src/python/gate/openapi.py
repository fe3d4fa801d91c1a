"""The OpenAPI documents of the services, and what a client would trip over in the next one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from specshift.differ import diff_specs
from specshift.models import Change, Severity

from contracts.services import SERVICES
from gate.registry import Document, Kind

_NULL = {"type": "null"}
_NO_FORMAT = "none"
# A refusal that comes no more is one that no client waits for, and what is deprecated still answers.
_HARMLESS = ("Response '4", "Response '5", "Operation has been marked as deprecated")


def document_of(service: str) -> Document:
    """The OpenAPI 3.1 document that `service` serves. It depends on no setting, so that none is needed."""
    program = import_module(f"services.{service}.app").PROGRAM
    document: Document = program.build(program.settings.model_construct()).openapi()
    # A version is no promise: it would make the document stale at every release.
    return document | {"info": {key: value for key, value in document["info"].items() if key != "version"}}


def current() -> dict[str, Document]:
    """The document of each service, by its name."""
    return {service: document_of(service) for service in SERVICES}


def breaches(old: Document, new: Document) -> list[str]:
    """What clients written for `old` would trip over in `new`; empty where there is nothing.

    Raises ValueError where one of them is no OpenAPI document.
    """
    if not old.get("paths"):  # without any, nothing would be missing in the new one
        raise ValueError("it is no OpenAPI document: it has no paths")
    try:
        changes = diff_specs(_opened(old), _opened(new)).changes
    except (AttributeError, KeyError, TypeError) as error:  # it takes the shape for granted
        raise ValueError(f"it is no OpenAPI document ({error})") from error
    return [_said(change) for change in changes if _breaks(change)]


KIND = Kind("openapi", current, breaches)


def _opened(document: Document) -> Document:
    """The same, said so that specshift sees all of it.

    Of an `anyOf` it only counts the variants, though all but one may be null; and it overlooks a format that
    comes or goes.
    """
    opened: Document = _opened_node(document, document.get("components", {}).get("schemas", {}))
    return opened


def _opened_node(node: Any, schemas: Document) -> Any:
    if isinstance(node, list):
        return [_opened_node(each, schemas) for each in node]
    if not isinstance(node, dict):
        return node
    opened = {key: _opened_node(value, schemas) for key, value in node.items()}
    if opened.get("type") == "string":
        opened.setdefault("format", _NO_FORMAT)
    there = [each for each in opened.get("anyOf", ()) if each != _NULL]
    if len(there) != 1:
        return opened
    meant: Document = schemas.get(there[0].get("$ref", "").rpartition("/")[2], there[0])
    # Of an `allOf` it looks at the fields alone.
    return opened | {"allOf": there} if "properties" in meant else meant | opened


def _breaks(change: Change) -> bool:
    is_answer = "> response " in change.location
    if change.severity is Severity.INFO:
        # A client that tells values apart would meet one that it does not know.
        return is_answer and change.message.startswith("New enum values")
    if _NO_FORMAT in (change.old_value, change.new_value):
        # Fewer answers than promised, and more requests than before, are all understood.
        return is_answer == bool(change.new_value == _NO_FORMAT)
    return not change.message.startswith(_HARMLESS)


def _said(change: Change) -> str:
    return f"{change.location}: {change.message}"
