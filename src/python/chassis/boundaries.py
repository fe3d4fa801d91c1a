"""For tests: values at the bounds of what JSON, SQL and URLs can hold, in every place of every operation.

Drawing values at random meets these too seldom to rely on.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from chassis.operations import Operation, operations
from chassis.problems import MEDIA_TYPE

_LONG = 100_000
_DEEP = 50_000
# In the place of a value while a body is written, because Python's JSON does not write all of these.
_MARK = "@here@"

# By what they are, as they stand in JSON. What a field of this type must refuse, whatever else it takes:
NO_INTEGERS = {
    "a bool": "true",
    "a number in quotes": '"1"',
    "a fraction": "1.5",
    "more than 64 bits": str(2**64),
    "one more than 63 bits": str(2**63),
    "less than 64 bits": str(-(2**63) - 1),
    "more than a double": "1e400",
    "not a number": "NaN",
}
NO_STRINGS = {"a number": "1", "a list": "[]", "an object": "{}", "a bool": "true"}
# What a field may take or refuse, and must not break at:
TEXTS = {
    "NUL": r'"a\u0000b"',
    "an escape": r'"\u001b[31m"',
    "half a surrogate pair": r'"a\ud800b"',
    "blanks": '"   "',
    "nothing": '""',
    "a very long text": f'"{"a" * _LONG}"',
    "other digits": '"١٢٣"',
}
NUMBERS = {"32 bits": str(2**31), "53 bits": str(2**53), "0": "0", "-1": "-1", "a whole float": "1.0"}
ANYTHING = {"null": "null", "deep nesting": "[" * _DEEP + "]" * _DEEP, "deep objects": '{"a":' * _DEEP}
# In a path or a query, percent-encoded where it must be.
IN_A_URL = {
    "NUL": "%00",
    "malformed UTF-8": "%FF%FE",
    "a surrogate": "%ED%A0%80",
    "a slash": "%2F",
    "31 bits and one": str(2**31),
    "53 bits and one": str(2**53),
    "63 bits and one": str(2**63),
    "a bool": "true",
    "a very long text": "a" * 3000,
    "nothing": "",
    "an id in braces": f"%7B{uuid.UUID(int=2)}%7D",
}
IN_A_HEADER = {"a very long text": b"a" * 3000, "no ASCII": b"\xff\xfe", "nothing": b"", "a blank": b"a b"}
BODIES = {
    "malformed UTF-8": b'{"a": "\xff\xfe"}',
    "no JSON": b"{",
    "nothing": b"",
    "a text": b'"a"',
    "a list": b"[]",
    "null": b"null",
    "half a surrogate pair as a name": rb'{"\ud800": 1}',
    "NUL as a name": rb'{"a\u0000": 1}',
    "deep nesting": b"[" * _DEEP + b"]" * _DEEP,
    "deep objects": b'{"a":' * _DEEP,
    "another encoding": '{"a": 1}'.encode("utf-16"),
}


@dataclass(frozen=True)
class Probe:
    """A request that fits, or does but in one place."""

    what: str
    operation: Operation
    url: str
    fits: bool = False
    refused: bool = False  # it must be
    headers: Mapping[str, bytes] = field(default_factory=dict)
    content: bytes | None = None


async def broken(
    client: httpx.AsyncClient,
    document: Mapping[str, Any],
    known: Mapping[str, Any],
    headers: Callable[[], Mapping[str, str]],
) -> list[str]:
    """What each operation answers wrongly, of all that is at a bound.

    An answer is wrong that the document does not list, that is not the caller's fault, that refuses other
    than by a problem document, that takes what is of another type, or refuses what fits. `known` names
    things that exist, by parameter or property; `headers` sign in anew for each request.
    """
    return [wrong for probe in probes(document, known) async for wrong in _wrong(client, probe, headers())]


async def broken_by_a_body(
    client: httpx.AsyncClient,
    operation: Operation,
    example: Callable[[], Awaitable[Any]],
    headers: Callable[[bytes], Mapping[str, str]],
    *,
    refused: bool = False,
) -> list[str]:
    """The same of bodies that the document does not tell of, because one sender alone makes and signs them.

    `example` makes one that fits, anew for each request, since what is told a second time has no effect;
    every text and every number in it is one that is read. `headers` sign a body. `refused` says that each is.
    """
    return [
        wrong
        async for probe in _of_a_body(operation, example, refused=refused)
        async for wrong in _wrong(client, probe, headers(probe.content or b""))
    ]


async def _wrong(client: httpx.AsyncClient, probe: Probe, headers: Mapping[str, str]) -> AsyncIterator[str]:
    """Send the request; yields what is wrong with its answer."""
    sent = {name: value.encode() for name, value in headers.items()} | dict(probe.headers)
    if probe.content is not None:
        sent["Content-Type"] = b"application/json"
    answer = await client.request(
        probe.operation.method,
        probe.url,
        content=probe.content,
        headers=[(name.encode(), value) for name, value in sent.items()],
    )
    if (why := _why_wrong(probe, answer)) is not None:
        yield f"{probe.operation.method} {probe.operation.path}, {probe.what}: {why}"


def probes(document: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Probe]:
    """Every request to be made."""
    for operation in operations(document):
        # Else what comes after would be refused for something else, and prove nothing.
        yield _fitting(operation, known)
        yield from _in_the_path(operation, known)
        yield from _in_the_query(operation, known)
        yield from _in_a_header(operation, known)
        yield from _in_the_body(operation, known)


def _fitting(operation: Operation, known: Mapping[str, Any]) -> Probe:
    query = "&".join(f"{name}={value}" for name, value in operation.query(known).items())
    content = _json(operation.content(known))
    return Probe("what fits", operation, f"{operation.url(known)}?{query}", fits=True, content=content)


def _in_the_path(operation: Operation, known: Mapping[str, Any]) -> Iterator[Probe]:
    content = _json(operation.content(known))
    for parameter in operation.parameters_in("path"):
        for what, raw in IN_A_URL.items():
            url = operation.url(known, **{parameter["name"]: raw})
            yield Probe(f"{what} in {parameter['name']}", operation, url, content=content)


def _in_the_query(operation: Operation, known: Mapping[str, Any]) -> Iterator[Probe]:
    required = operation.query(known)
    for parameter in operation.parameters_in("query"):
        name, kind = parameter["name"], operation.resolved(parameter["schema"]).get("type")
        rest = "".join(f"&{key}={value}" for key, value in required.items() if key != name)
        for what, raw in IN_A_URL.items():
            yield Probe(
                f"{what} in {name}",
                operation,
                f"{operation.url(known)}?{name}={raw}{rest}",
                refused=kind == "integer" and not raw.isdecimal(),
            )


def _in_a_header(operation: Operation, known: Mapping[str, Any]) -> Iterator[Probe]:
    content = _json(operation.content(known))
    for parameter in operation.parameters_in("header"):
        for what, raw in IN_A_HEADER.items():
            yield Probe(
                f"{what} in {parameter['name']}",
                operation,
                operation.url(known),
                refused=True,
                headers={parameter["name"]: raw},
                content=content,
            )


def _in_the_body(operation: Operation, known: Mapping[str, Any]) -> Iterator[Probe]:
    if operation.body is None:
        return
    url, fitting = operation.url(known), operation.content(known)
    yield from _whole_bodies(operation, url)
    for where, schema in operation.places(fitting):
        for what, text, refused in _values(schema):
            yield _with_value(operation, url, fitting, where, what, text, refused=refused)


async def _of_a_body(
    operation: Operation, example: Callable[[], Awaitable[Any]], *, refused: bool
) -> AsyncIterator[Probe]:
    url, shape = operation.url({}), await example()
    yield Probe("what fits", operation, url, fits=not refused, refused=refused, content=_json(shape))
    for each in _whole_bodies(operation, url):
        yield each
    for where, kind in _places(shape, ()):
        for what, text, misfit in _values({"type": kind}):
            fitting = await example()
            yield _with_value(operation, url, fitting, where, what, text, refused=refused or misfit)


def _whole_bodies(operation: Operation, url: str) -> Iterator[Probe]:
    for what, raw in BODIES.items():
        yield Probe(f"{what} as the body", operation, url, refused=True, content=raw)


def _with_value(
    operation: Operation,
    url: str,
    fitting: Any,
    where: tuple[str | int, ...],
    what: str,
    text: str,
    *,
    refused: bool,
) -> Probe:
    body = json.dumps(_with(fitting, where, _MARK)).replace(f'"{_MARK}"', text).encode()
    place = "/".join(map(str, where))
    return Probe(f"{what} in /{place}", operation, url, refused=refused, content=body)


def _places(value: Any, where: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Each value within an object, by its path, with its type as JSON Schema calls it."""
    if where:
        yield where, {str: "string", int: "integer", dict: "object"}[type(value)]
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _places(each, (*where, name))


def _values(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    kind = schema.get("type")
    yield from ((what, text, False) for what, text in (TEXTS | NUMBERS | ANYTHING).items())
    if kind == "integer":
        yield from ((what, text, True) for what, text in NO_INTEGERS.items())
    if kind == "string":
        yield from ((what, text, True) for what, text in NO_STRINGS.items())


def _why_wrong(probe: Probe, answer: httpx.Response) -> str | None:
    status = answer.status_code
    # An id may hold what ends its path: then it is another path, at which there is nothing.
    if status >= 500 or (str(status) not in probe.operation.statuses and status not in (404, 405)):
        return f"answered {status}"
    if status >= 400 and answer.headers.get("Content-Type") != MEDIA_TYPE:
        return f"{status} without a problem document"
    if probe.refused and status < 400:
        return f"was taken ({status})"
    if probe.fits and status >= 400 and answer.json().get("type") == "/problems/invalid":
        return f"was refused: {answer.text}"
    return None


def _with(content: Any, where: tuple[str | int, ...], value: Any) -> Any:
    changed = copy.deepcopy(content)
    place = changed
    for step in where[:-1]:
        place = place[step]
    place[where[-1]] = value
    return changed


def _json(content: Any) -> bytes | None:
    return None if content is None else json.dumps(content).encode()
