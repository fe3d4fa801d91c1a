"""What follows from a resource that becomes another, and from a value that changes under others."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.difference.change import NEW_IDENTITY, PropertyChange, What
from infra.difference.functions import is_function, used
from infra.difference.rules import effect
from infra.difference.templates import entries
from infra.difference.values import Way, by_identity, is_within, said
from infra.template import Resource, Template


def unsettled(old: Template, new: Template) -> dict[str, str]:
    """What may come to another value, by how it is used, and what is said of it."""
    parameters, mappings, conditions = (
        _common(old, new, section) for section in ("Parameters", "Mappings", "Conditions")
    )
    found = {
        name: f"parameter {name} changes"
        for name, (was, now) in parameters.items()
        if any(was.get(key) != now.get(key) for key in ("Type", "Default"))
    }
    for kind, common in (("mapping", mappings), ("condition", conditions)):
        found |= _named(kind, [name for name, (was, now) in common.items() if was != now])
    while more := [  # a condition may be made of others
        name
        for name, (_, now) in conditions.items()
        if f"condition {name}" not in found and not found.keys().isdisjoint(used(now))
    ]:
        found |= _named("condition", more)
    return found


def _named(kind: str, names: Sequence[str]) -> dict[str, str]:
    return {f"{kind} {name}": f"{kind} {name} changes" for name in names}


def _common(old: Template, new: Template, section: str) -> dict[str, tuple[Any, Any]]:
    before, after = entries(old, section), entries(new, section)
    return {name: (before[name], after[name]) for name in before if name in after}


def follow(
    found: Mapping[str, list[PropertyChange]],
    resources: Mapping[str, Resource],
    unsettled: Mapping[str, str],
) -> dict[str, str]:
    """Add what follows from resources that become others, and from what is `unsettled`.

    Returns the resources that do or may, with what is said of them.
    """
    users = _users([resources[name] for name in found])
    moved = {name: other for name, changes in found.items() if (other := _other(name, changes))}
    waiting = deque([*moved, *unsettled])
    while waiting:
        cause = waiting.popleft()
        for user, way, value in users[cause]:
            changes, path = found[user.id], said(way)
            what = effect(user.type, way, value, value)
            if what is What.MODIFIED and cause in unsettled:  # what the parameter's own line says is enough
                continue
            if any(is_within(path, each.path) for each in changes):
                continue
            changes.append(PropertyChange(path, value, value, what, moved.get(cause) or unsettled[cause]))
            if user.id not in moved and (other := _other(user.id, changes)):
                moved[user.id] = other
                waiting.append(user.id)
    return moved


def _other(name: str, changes: Sequence[PropertyChange]) -> str:
    """That another takes the place of the resource `name`, or may; empty where none does."""
    effects = {each.effect for each in changes}
    return next((f"{name} {what.said}" for what in NEW_IDENTITY if what in effects), "")


def _users(resources: Sequence[Resource]) -> defaultdict[str, list[tuple[Resource, Way, Any]]]:
    """Who refers to something, where and how, by what it refers to."""
    users = defaultdict(list)
    for resource in resources:
        for way, function in _functions(resource.properties, ()):
            for name in dict.fromkeys(used(function)):
                users[name].append((resource, way, function))
    return users


def _functions(value: Any, way: Way) -> Iterator[tuple[Way, Any]]:
    if is_function(value):
        yield way, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _functions(each, (*way, key))
    elif isinstance(value, list):
        [named] = by_identity(value)
        for key, each in named.items() or enumerate(value):
            yield from _functions(each, (*way, f"[{key}]"))
