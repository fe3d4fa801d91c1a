"""Two values of a template, and where they differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from infra.difference.functions import is_function

# The names on the way to a value; those of a list's elements are in brackets.
Way = tuple[str, ...]

# The last name on the way to a list of which nothing changes but the order.
ORDER = "[order]"

# By which the elements of a list are told apart, whatever their order.
_IDENTITIES = ("Key", "Name", "Id", "Sid", "AttributeName", "IndexName", "LogicalId")


def diff(old: Any, new: Any, way: Way = ()) -> Iterator[tuple[Way, Any, Any]]:
    """Where two values differ, as deep as it can be told; a function is one value."""
    if _scalar(old) == _scalar(new):
        return
    if isinstance(old, list) and isinstance(new, list):
        yield from _diff_lists(old, new, way)
    elif isinstance(old, dict) and isinstance(new, dict) and not (is_function(old) or is_function(new)):
        for key in old | new:
            yield from diff(old.get(key), new.get(key), (*way, key))
    else:
        yield way, old, new


def _scalar(value: Any) -> Any:
    """CloudFormation takes "true" for true, and "5432" for 5432."""
    return json.dumps(value) if isinstance(value, bool | int | float) else value


def _diff_lists(old: list[Any], new: list[Any], way: Way) -> Iterator[tuple[Way, Any, Any]]:
    before, after = by_identity(old, new)
    if Counter(map(canonical, old)) == Counter(map(canonical, new)):
        yield (*way, ORDER), list(before) or old, list(after) or new
    elif before or after:
        for key in before | after:
            yield from diff(before.get(key), after.get(key), (*way, f"[{key}]"))
    elif len(old) == len(new):
        for index, (was, now) in enumerate(zip(old, new, strict=True)):
            yield from diff(was, now, (*way, f"[{index}]"))
    else:
        yield way, old, new


def by_identity(*lists: list[Any]) -> list[dict[str, Any]]:
    """The elements of each list by what tells them apart in all; nothing where nothing does."""
    for name in _IDENTITIES:
        found = [
            {f"{name}={each[name]}": each for each in elements if _is_named(each, name)} for elements in lists
        ]
        if list(map(len, found)) == list(map(len, lists)):
            return found
    return [{} for _ in lists]


def _is_named(element: Any, key: str) -> bool:
    return isinstance(element, dict) and isinstance(element.get(key), str) and element[key] != ""


def canonical(value: Any) -> str:
    """The same text for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def spelt(name: Any) -> str:
    """A name as it is, or what makes one."""
    return name if isinstance(name, str) else canonical(name)


def said(way: Way) -> str:
    """A way as a person writes it; that to all properties has no names."""
    return ".".join(way).replace(".[", "[") or "Properties"


def is_within(path: str, whole: str) -> bool:
    """Whether a way, as it is said, is `whole` or goes on from there."""
    return path == whole or path.startswith((f"{whole}.", f"{whole}["))
