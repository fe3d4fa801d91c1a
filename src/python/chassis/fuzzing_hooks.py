"""What schemathesis has to know of the shop. It loads this into its own process by name."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import (
    EnsureResourceAvailability,
    RejectedPositiveData,
    UnsupportedMethodResponse,
)

from chassis.openapi import PROBLEMS
from chassis.text import PATTERN

NOT_THERE_YET = ("POST /api/users", "POST /api/products/{product_id}/images")
KEY = "Idempotency-Key"
# Of all addresses that the format allows, those that a mail server on the internet can have.
_WORD = st.from_regex(r"[a-z][a-z0-9]{0,20}", fullmatch=True)
_EMAILS = st.builds("{}.{}@{}.com".format, _WORD, _WORD, _WORD)

schemathesis.openapi.format("email", _EMAILS)

_used: set[str] = set()
# The operations, and the types of problems by which they may refuse what fits.
_explained: set[tuple[str, object]] = set()


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: Any) -> None:  # noqa: ARG001
    """What texts may hold is in the document under a name of its own: `chassis.text` says why.

    So are the refusals of what fits: `chassis.openapi`.
    """
    _restate(raw_schema)
    _explained.update(_refusals(raw_schema))


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:  # noqa: ARG001
    """Each write has a key of its own: one that comes again is another request's, and refused for that."""
    key = case.headers.get(KEY)
    if key is None or (case.meta is not None and case.meta.is_negative_at(ParameterLocation.HEADER)):
        return
    if key in _used:
        case.headers[KEY] = key = uuid.uuid4().hex
    _used.add(key)


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:  # noqa: ARG001
    """Whether it is one.

    A well-formed request may be refused for what the shop knows: a password that is guessed soon, a product
    that nobody sells. Such a refusal is a problem with a name of its own, which the document has at that
    operation.

    QUERY without a Content-Type is malformed wherever it is sent, says its specification, and so says Envoy.

    Not all that was created is there for whoever created it: another account is its owner's, and an image
    that was announced is none until it is uploaded.
    """
    if isinstance(failure, RejectedPositiveData):
        return (failure.operation, _problem_type(response)) not in _explained
    if isinstance(failure, UnsupportedMethodResponse):
        return (failure.method, failure.status_code) != ("QUERY", 400)
    return not (isinstance(failure, EnsureResourceAvailability) and failure.created_with in NOT_THERE_YET)


def _refusals(schema: Any) -> Iterator[tuple[str, str]]:
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            for response in operation["responses"].values():
                yield from ((f"{method.upper()} {path}", problem) for problem in response.get(PROBLEMS, ()))


def _restate(schema: Any) -> None:
    if isinstance(schema, dict):
        if PATTERN in schema:
            schema["pattern"] = schema[PATTERN]
        if schema.get("format") == "email":
            # An address of just this length is sought in vain for seconds; `boundaries` sends long ones.
            schema.pop("maxLength", None)
        for each in schema.values():
            _restate(each)
    elif isinstance(schema, list):
        for each in schema:
            _restate(each)


def _problem_type(response: Response) -> object:
    try:
        document = json.loads(response.content)
    except ValueError:
        return None
    return document.get("type") if isinstance(document, dict) else None
