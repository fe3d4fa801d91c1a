"""What a changed property does to its resource, by AWS' own word.

That is the schemas of its resource providers, which cfn-lint carries. A create-only property replaces the
resource; one that is so under conditions may, and one whose value only the deployment knows. What cannot be
told counts as the worse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from infra.difference.change import What
from infra.difference.functions import is_function, is_unsure
from infra.difference.values import ORDER, Way

# It has all but some thirty types, and a type has the same schema wherever it is.
_REGION = "us-east-1"

_PROTECTIONS = ("DeletionProtection", "DeletionProtectionEnabled")

# Properties of which AWS says more than in its schemas: in what handles RDS, which decides by what changes
# (aws-cloudformation-resource-providers-rds, ImmutabilityHelper.java), and in the user guide.
KNOWN_BETTER: Mapping[str, Mapping[str, What]] = {
    "AWS::DynamoDB::Table": {
        # "Replacement if you edit an existing AttributeDefinition".
        "AttributeDefinitions/*/AttributeType": What.MAY_BE_REPLACED,
        # A local index comes with its table or never.
        "LocalSecondaryIndexes": What.MAY_BE_REPLACED,
    },
    # Unless UseOnlineResharding is set.
    "AWS::ElastiCache::ReplicationGroup": {"NumNodeGroups": What.MAY_BE_REPLACED},
    "AWS::RDS::DBCluster": {"Engine": What.REPLACED},
    "AWS::RDS::DBInstance": {
        "AutoMinorVersionUpgrade": What.MODIFIED,
        "BackupRetentionPeriod": What.MODIFIED,
        "DBParameterGroupName": What.MODIFIED,
        "Engine": What.REPLACED,
        "MultiAZ": What.MODIFIED,
        "PreferredMaintenanceWindow": What.MODIFIED,
    },
}

# What RDS changes an engine into, in place.
_UPGRADES = (
    ("aurora", "aurora-mysql"),
    ("oracle-ee", "oracle-ee-cdb"),
    ("oracle-se", "oracle-se2"),
    ("oracle-se1", "oracle-se2"),
    ("oracle-se2", "oracle-se2-cdb"),
)


def effect(resource_type: str, way: Way, old: Any, new: Any) -> What:
    """What it does to a resource that what is at `way` of its properties comes from `old` to `new`.

    Of two that are the same it is asked where what they refer to becomes something else.
    """
    if len(way) == 1 and way[0] in _PROTECTIONS:
        on = [str(value).lower() in ("true", "active") for value in (old, new)]
        return What.LOOSENED if on == [True, False] else What.MODIFIED
    for pointer, what in KNOWN_BETTER.get(resource_type, {}).items():
        if _rest(tuple(pointer.split("/")), way) == ():
            return _as_sure(what, way, old, new)
    effects = [_effect_by(create_only, what, way, old, new) for create_only, what in _rules(resource_type)]
    return min(effects, key=lambda each: each.place, default=What.MODIFIED)


@cache
def _rules(resource_type: str) -> tuple[tuple[Way, What], ...]:
    """The ways of the properties that replace a resource of the type, or may.

    Of a type that nobody knows, every property may.
    """
    # Imported when something changes: it takes seconds, of which most runs need none.
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(_REGION, resource_type).schema
    except ResourceNotFoundError:
        return (((), What.MAY_BE_REPLACED),)
    listed = {
        "createOnlyProperties": What.REPLACED,
        "conditionalCreateOnlyProperties": What.MAY_BE_REPLACED,
    }
    return tuple(
        (tuple(pointer.removeprefix("/properties/").split("/")), what)
        for keyword, what in listed.items()
        for pointer in schema.get(keyword, ())
    )


def _effect_by(create_only: Way, what: What, way: Way, old: Any, new: Any) -> What:
    rest = _rest(create_only, tuple(name for name in way if name != ORDER))
    if rest is None:
        return What.MODIFIED
    if not rest:
        return _as_sure(what, way, old, new)
    was, now = list(_at(rest, old)), list(_at(rest, new))
    if was == now and (old != new or not was):  # the same on both sides is what another resource moves
        return What.MODIFIED
    if is_unsure(was) or is_unsure(now):
        return What.MAY_BE_REPLACED
    # Whether an element may come or go that could not be changed is the provider's secret.
    return What.MAY_BE_REPLACED if "*" in rest or way[-1].startswith("[") else what


def _as_sure(what: What, way: Way, old: Any, new: Any) -> What:
    """`what`, or that it may, where the deployment could find the same value or order on both sides."""
    if what is not What.REPLACED:
        return what
    if way[-1] == "Engine" and (old, new) in _UPGRADES:
        return What.MODIFIED
    if way[-1] == ORDER:
        return What.MAY_BE_REPLACED
    if old is None or new is None:  # whatever is there, it is something; but a choice may be of nothing
        given = new if old is None else old
        return What.MAY_BE_REPLACED if is_function(given) and "Fn::If" in given else what
    return What.MAY_BE_REPLACED if is_unsure(old) or is_unsure(new) else what


def _rest(pointer: Way, way: Way) -> Way | None:
    """What remains of `pointer` where `way` ends; nothing where it is within; None where they part."""
    if not pointer or not way:
        return pointer
    return _rest(pointer[1:], way[1:]) if pointer[0] in ("*", way[0]) else None


def _at(pointer: Way, value: Any) -> Iterator[Any]:
    """What is there; functions on the way to it stand for themselves."""
    if value is None:
        return
    if not pointer or is_function(value):
        yield value
    elif isinstance(value, dict | list):
        items = value if isinstance(value, dict) else dict(enumerate(value))
        for name, each in items.items():
            if pointer[0] in ("*", name):
                yield from _at(pointer[1:], each)
