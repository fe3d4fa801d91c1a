"""A resource as it was and as it is to be: where it differs, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infra.difference.change import NEW_IDENTITY, Change, PropertyChange, What
from infra.difference.rules import effect
from infra.difference.stateful import is_stateful
from infra.difference.values import diff, said
from infra.template import Resource

_POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")
# How well a policy keeps what it is about.
_STRENGTH = {"Delete": 0, "Snapshot": 1, "Retain": 2, "RetainExceptOnCreate": 2}


def differences(old: Resource, new: Resource, unsettled: Mapping[str, str]) -> Iterator[PropertyChange]:
    """Where a resource differs, and by the condition it is under if that is `unsettled`."""
    if old.type != new.type:
        yield PropertyChange("Type", old.type, new.type, What.REPLACED)
        return
    for way, was, now in diff(old.properties, new.properties):
        what = effect(new.type, way, was, now) if way else What.MAY_BE_REPLACED
        yield PropertyChange(said(way), was, now, what)
    yield from _policy_differences(old, new)
    was, now = old.attributes.get("Condition"), new.attributes.get("Condition")
    if was != now:
        yield PropertyChange("Condition", was, now, What.MAY_BE_DELETED if now else What.MODIFIED)
    elif reason := unsettled.get(f"condition {now}"):
        yield PropertyChange("Condition", was, now, What.MAY_BE_DELETED, reason)
    for way, was, now in diff(_rest(old), _rest(new)):
        yield PropertyChange(said(way), was, now)


def _rest(resource: Resource) -> dict[str, Any]:
    return {key: each for key, each in resource.attributes.items() if key not in ("Condition", *_POLICIES)}


def _policy_differences(old: Resource, new: Resource) -> Iterator[PropertyChange]:
    for name in _POLICIES:
        was, now = _policy(old, name), _policy(new, name)
        if was != now:
            loosens = _STRENGTH.get(now, 0) < _STRENGTH.get(was, 0)
            what = What.LOOSENED if loosens else What.MODIFIED
            yield PropertyChange(name, old.attributes.get(name), new.attributes.get(name), what)


def _policy(resource: Resource, name: str) -> str:
    """The one that counts, whether it is written down or not."""
    given = resource.attributes.get(name)
    if given is not None:
        return str(given)
    alone = resource.type == "AWS::RDS::DBInstance" and "DBClusterIdentifier" not in resource.properties
    leaves_snapshot = alone or resource.type == "AWS::RDS::DBCluster"
    return "Snapshot" if leaves_snapshot and name == "DeletionPolicy" else "Delete"


def deleted(resource: Resource, added: Iterable[Resource]) -> Change:
    """What becomes of one that its stack has no more; among those that are `added` may be its like."""
    policy = _policy(resource, "DeletionPolicy")
    notes = ["a snapshot of it stays"] if policy == "Snapshot" else []
    same = (resource.type, resource.properties)
    twin = next((each.id for each in added if (each.type, each.properties) == same), None)
    if twin:
        notes.append(f"if it is meant to be {twin}, which is added with the same properties, keep its id")
    what = What.ORPHANED if policy.startswith("Retain") else What.DELETED
    return Change(resource.id, resource.type, what, is_stateful(resource.type), note="; ".join(notes))


def changed(old: Resource, new: Resource, found: Iterable[PropertyChange]) -> Change:
    """What becomes of one, by all that changes of it; the gravest of that first."""
    properties = tuple(sorted(found, key=lambda each: each.effect.place))
    what = properties[0].effect
    stateful = is_stateful(old.type) or is_stateful(new.type)
    if old.type != new.type:
        note = "CloudFormation refuses another type under the same logical id: give the new one its own"
        return Change(new.id, f"{old.type} -> {new.type}", what, stateful, properties, note)
    note = _fate(new) if what in NEW_IDENTITY else ""
    return Change(new.id, new.type, what, stateful, properties, note)


def _fate(replaced: Resource) -> str:
    policy = _policy(replaced, "UpdateReplacePolicy")
    if policy.startswith("Retain"):
        return "the old one stays in the account"
    return "a snapshot of the old one stays" if policy == "Snapshot" else "the old one is deleted"
