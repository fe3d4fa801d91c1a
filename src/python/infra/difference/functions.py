"""The functions in a template's values: what they refer to, and what nobody knows before they are run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_VARIABLE = re.compile(r"\$\{([^!.}]+)[^}]*\}")


def is_function(value: Any) -> bool:
    """Whether the deployment puts something else in the place of `value`."""
    if not isinstance(value, dict) or len(value) != 1:
        return False
    [(name, argument)] = value.items()
    return name.startswith("Fn::") or (name in ("Ref", "Condition") and isinstance(argument, str))


def is_unsure(value: Any) -> bool:
    """Whether only the deployment knows the value, or part of it."""
    if isinstance(value, dict):
        return is_function(value) or any(is_unsure(each) for each in value.values())
    if isinstance(value, list):
        return any(is_unsure(each) for each in value)
    return isinstance(value, str) and "{{resolve:" in value


def arguments(value: Any) -> Iterator[tuple[str, Any]]:
    """Every name in a value, however deep, with what stands under it."""
    if isinstance(value, list):
        for each in value:
            yield from arguments(each)
    elif isinstance(value, dict):
        for name, argument in value.items():
            yield name, argument
            yield from arguments(argument)


def used(value: Any) -> Iterator[str]:
    """What the functions in a value refer to: resources and parameters by name, else by kind and name."""
    for name, argument in arguments(value):
        first = argument[0] if isinstance(argument, list) and argument else argument
        if not isinstance(first, str):
            continue
        if name in ("Ref", "Fn::GetAtt"):
            yield first
        elif name == "Fn::Sub":
            yield from _VARIABLE.findall(first)
        elif name in ("Condition", "Fn::If"):
            yield f"condition {first}"
        elif name == "Fn::FindInMap":
            yield f"mapping {first}"
