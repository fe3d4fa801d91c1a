"""What a deployment would change: CloudFormation templates against the released ones, without an account.

What a changed property does to its resource is AWS' own word: the schemas of its resource providers, which
cfn-lint carries. A create-only property replaces the resource; one that is so under conditions may, and one
whose value only the deployment knows. What cannot be told counts as the worse.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from infra import difference_data as known

Template = Mapping[str, Any]
Form = Literal["text", "markdown", "json"]

FLAG = "--allow-stateful"

# It has all but some thirty types, and a type has the same schema wherever it is.
_REGION = "us-east-1"
_SUFFIX = ".template.json"
# Of a comment on GitHub, which has 65,536 characters; some are for what others write around it.
_COMMENT_CHARACTERS = 60_000
_VALUE_CHARACTERS = 60


class DifferenceError(Exception):
    """Templates that cannot be compared: what is wrong, where, and what to do."""


class What(StrEnum):
    """What becomes of something; the gravest first."""

    DELETED = "deleted"
    REPLACED = "replaced"
    MAY_BE_DELETED = "may be deleted"
    MAY_BE_REPLACED = "may be replaced"
    ORPHANED = "orphaned"
    LOOSENED = "loosened"
    UNEXPORTED = "no longer exported"
    MODIFIED = "modified"
    ADDED = "added"


_ORDER = {what: place for place, what in enumerate(What)}
_LOSSES = tuple(What)[: _ORDER[What.UNEXPORTED]]
_NEW_IDENTITY = (What.REPLACED, What.MAY_BE_REPLACED)
_SAID = {
    What.DELETED: "is deleted",
    What.REPLACED: "is replaced",
    What.ORPHANED: "leaves the stack and stays in the account",
    What.LOOSENED: "is protected less",
    What.UNEXPORTED: "is exported no more",
    What.MODIFIED: "is modified",
    What.ADDED: "is added",
}
_SAID_OF_PROPERTIES = {
    What.REPLACED: "replaces it",
    What.MAY_BE_REPLACED: "may replace it",
    What.MAY_BE_DELETED: "may delete it",
    What.LOOSENED: "protects it less",
}

# How well a policy keeps what it is about.
_STRENGTH = {"Delete": 0, "Snapshot": 1, "Retain": 2, "RetainExceptOnCreate": 2}
_POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")
_PROTECTIONS = ("DeletionProtection", "DeletionProtectionEnabled")

_SECTIONS = {
    "Conditions": "Condition",
    "Mappings": "Mapping",
    "Outputs": "Output",
    "Parameters": "Parameter",
    "Rules": "Rule",
    "Transform": "Transform",
}
# By which the elements of a list are told apart, whatever their order.
_IDENTITIES = ("Key", "Name", "Id", "Sid", "AttributeName", "IndexName", "LogicalId")
_ORDER_OF = "[order]"
_NOTHING = {"Ref": "AWS::NoValue"}
_NOISE = ("aws:cdk:", "aws:asset:")
_CDK_CONDITION = "CDKMetadataAvailable"
_CDK_TYPE = "AWS::CDK::Metadata"
_VARIABLE = re.compile(r"\$\{([^!.}]+)[^}]*\}")

# The names on the way to a property; those of a list's elements are in brackets.
_Way = tuple[str, ...]
_Resource = dict[str, Any]


@dataclass(frozen=True)
class PropertyChange:
    """One value of a resource. None is one that is not there.

    `effect` is what it does to the resource; `reason`, what it follows from when its template is as it was.
    """

    path: str
    old: Any
    new: Any
    effect: What = What.MODIFIED
    reason: str = ""


@dataclass(frozen=True)
class Change:
    """What becomes of a resource, or of another part of a stack, such as an output.

    `export` is the name that others import it by, if that or what it stands for changes.
    """

    logical_id: str
    type: str
    what: What
    stateful: bool = False
    properties: tuple[PropertyChange, ...] = ()
    note: str = ""
    export: str = ""

    @property
    def refused(self) -> bool:
        """Whether data, or the stack's hold on it, would be lost or be easier to lose."""
        return self.stateful and self.what in _LOSSES


Stacks = Mapping[str, Sequence[Change]]


def compare(old: Template, new: Template) -> list[Change]:
    """What changes when a stack of the template `old` becomes one of `new`; the dangerous things first."""
    before, after = _resources(old), _resources(new)
    unsettled = _unsettled(old, new)
    common = [name for name in before if name in after]
    found = {name: list(_differences(before[name], after[name], unsettled)) for name in common}
    moved = _follow(found, after, unsettled)
    gone = {name: each for name, each in before.items() if name not in after}
    come = {name: each for name, each in after.items() if name not in before}
    changes = [
        *(_deleted(name, each, come) for name, each in gone.items()),
        *(Change(name, each["Type"], What.ADDED, _stateful(each["Type"])) for name, each in come.items()),
        *(_changed(name, before[name], after[name], each) for name, each in found.items() if each),
        *_elsewhere(old, new, moved),
    ]
    return sorted(changes, key=_rank)


def compare_folders(old: Path, new: Path) -> dict[str, list[Change]]:
    """What changes in the stacks of two folders that `cdk synth` wrote, by the names of those that change.

    Raises DifferenceError where a folder or a template cannot be read.
    """
    before, after = _templates(old), _templates(new)
    imports = _imports(before), _imports(after)
    changes = {name: _of_stack(name, before.get(name), after.get(name)) for name in sorted(before | after)}
    return {
        name: [_with_imports(each, *imports) for each in found] for name, found in changes.items() if found
    }


def refused(changes: Iterable[Change]) -> list[Change]:
    """Those that must not be deployed unless somebody says that they are meant."""
    return [each for each in changes if each.refused]


def report(stacks: Stacks, *, allow_stateful: bool = False) -> str:
    """As plain text: a line for each change, the dangerous ones first, and below it what of it changes."""
    lines = []
    for heading, found in _groups(stacks, allow_stateful):
        lines += [f"{heading}:", *(line for stack, change in found for line in _lines(stack, change)), ""]
    return "\n".join([*lines, _verdict(stacks, allow_stateful)]) + "\n"


def markdown(stacks: Stacks, *, allow_stateful: bool = False) -> str:
    """As a comment for a pull request: what is not dangerous is folded, what is too much for one is cut."""
    mark = "CAUTION" if _all_refused(stacks) and not allow_stateful else "NOTE"
    lines = ["### What deploying changes", "", f"> [!{mark}]", f"> {_verdict(stacks, allow_stateful)}", ""]
    for heading, found in _groups(stacks, allow_stateful):
        items = [line for stack, change in found for line in _items(stack, change)]
        if found[0][1].refused:
            lines += [f"**{heading}**", "", *items, ""]
        else:
            summary = f"<details><summary>{heading}: {len(found)}</summary>"
            lines += [summary, "", *items, "", "</details>", ""]
    return _cut(lines)


def serialisable(stacks: Stacks, *, allow_stateful: bool = False) -> dict[str, Any]:
    """As what `json.dumps` takes."""
    return {
        "refused": bool(_all_refused(stacks)) and not allow_stateful,
        "stacks": {name: [_fields(change) for change in changes] for name, changes in stacks.items()},
    }


def run(old: Path, new: Path, *, allow_stateful: bool = False, form: Form = "text") -> tuple[str, int]:
    """What to print of two folders of templates, and the exit status: 1 where it is refused, else 0.

    Raises DifferenceError where they cannot be compared.
    """
    stacks = compare_folders(old, new)
    status = 1 if _all_refused(stacks) and not allow_stateful else 0
    return _FORMS[form](stacks, allow_stateful), status


_FORMS: Mapping[str, Callable[[Stacks, bool], str]] = {
    "text": lambda stacks, allow: report(stacks, allow_stateful=allow),
    "markdown": lambda stacks, allow: markdown(stacks, allow_stateful=allow),
    "json": lambda stacks, allow: json.dumps(serialisable(stacks, allow_stateful=allow), indent=2) + "\n",
}


@cache
def _stateful_types() -> frozenset[str]:
    # Imported when something changes: it takes seconds, of which most runs need none.
    from cfnlint.data import AdditionalSpecs
    from cfnlint.helpers import load_resource

    listed = load_resource(AdditionalSpecs, "StatefulResources.json")["ResourceTypes"]
    return known.STATEFUL.union(listed)


def _stateful(resource_type: str) -> bool:
    return resource_type in _stateful_types()


@cache
def _create_only(resource_type: str) -> tuple[tuple[_Way, What], ...]:
    """The ways of the properties that replace a resource of the type, or may; the surer first.

    Of a type that nobody knows, every property may.
    """
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(_REGION, resource_type).schema
    except ResourceNotFoundError:
        return (((), What.MAY_BE_REPLACED),)
    listed = (
        ("createOnlyProperties", What.REPLACED),
        ("conditionalCreateOnlyProperties", What.MAY_BE_REPLACED),
    )
    return tuple(
        (tuple(pointer.split("/")[2:]), what)
        for keyword, what in listed
        for pointer in schema.get(keyword, ())
    )


@cache
def _known_better(resource_type: str) -> tuple[tuple[_Way, What], ...]:
    tables = (
        (known.REPLACES, What.REPLACED),
        (known.MAY_REPLACE, What.MAY_BE_REPLACED),
        (known.IN_PLACE, What.MODIFIED),
    )
    return tuple(
        (tuple(pointer.split("/")), what)
        for table, what in tables
        for pointer in table.get(resource_type, ())
    )


def _effect(resource_type: str, way: _Way, old: Any, new: Any) -> What:
    """What it does to a resource that its property comes from `old` to `new`.

    Of two that are the same it is asked where what they refer to becomes something else.
    """
    if len(way) == 1 and way[0] in _PROTECTIONS:
        return What.LOOSENED if _is_on(old) and not _is_on(new) else What.MODIFIED
    for create_only, what in _known_better(resource_type):
        if _rest(create_only, way) == ():
            return _as_sure(what, way, old, new)
    effects = [_effect_by(pointer, way, old, new) for pointer in _create_only(resource_type)]
    return min(effects, key=_ORDER.__getitem__, default=What.MODIFIED)


def _effect_by(pointer: tuple[_Way, What], way: _Way, old: Any, new: Any) -> What:
    create_only, what = pointer
    rest = _rest(create_only, tuple(name for name in way if name != _ORDER_OF))
    if rest is None:
        return What.MODIFIED
    if not rest:
        return _as_sure(what, way, old, new)
    was, now = list(_at(rest, old)), list(_at(rest, new))
    if was == now and (old != new or not was):  # the same on both sides is what another resource moves
        return What.MODIFIED
    # Whether an element may come or go that could not be changed is the provider's secret.
    in_list = "*" in rest or way[-1].startswith("[")
    return What.MAY_BE_REPLACED if in_list or _unsure(was) or _unsure(now) else what


def _as_sure(what: What, way: _Way, old: Any, new: Any) -> What:
    """`what`, or that it may, where the deployment could find the same value or order on both sides."""
    if what is not What.REPLACED:
        return what
    if way[-1] == "Engine" and _is_upgrade(old, new):
        return What.MODIFIED
    if way[-1] == _ORDER_OF:
        return What.MAY_BE_REPLACED
    if old is None or new is None:  # whatever is there, it is something; but a choice may be of nothing
        given = new if old is None else old
        return What.MAY_BE_REPLACED if _is_function(given) and "Fn::If" in given else what
    return What.MAY_BE_REPLACED if _unsure(old) or _unsure(new) else what


def _is_upgrade(old: Any, new: Any) -> bool:
    return isinstance(old, str) and isinstance(new, str) and (old, new) in known.UPGRADES


def _rest(pointer: _Way, way: _Way) -> _Way | None:
    """What remains of `pointer` where `way` ends; nothing where it is within; None where they part."""
    if not pointer or not way:
        return pointer
    return _rest(pointer[1:], way[1:]) if pointer[0] in ("*", way[0]) else None


def _at(pointer: _Way, value: Any) -> Iterator[Any]:
    """What is there; functions on the way to it stand for themselves."""
    if value is None:
        return
    if not pointer or _is_function(value):
        yield value
    elif isinstance(value, dict | list):
        for each in _inside(value, pointer[0]):
            yield from _at(pointer[1:], each)


def _inside(value: dict[str, Any] | list[Any], name: str) -> Sequence[Any]:
    if isinstance(value, list):
        return value if name == "*" else ()
    return list(value.values()) if name == "*" else [value.get(name)]


def _is_on(value: Any) -> bool:
    return str(value).lower() in ("true", "active")


def _is_function(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) != 1:
        return False
    [(name, argument)] = value.items()
    return name.startswith("Fn::") or (name in ("Ref", "Condition") and isinstance(argument, str))


def _unsure(value: Any) -> bool:
    """Whether only the deployment knows the value, or part of it."""
    if isinstance(value, dict):
        return _is_function(value) or any(_unsure(each) for each in value.values())
    if isinstance(value, list):
        return any(_unsure(each) for each in value)
    return isinstance(value, str) and "{{resolve:" in value


def _differences(old: _Resource, new: _Resource, unsettled: Mapping[str, str]) -> Iterator[PropertyChange]:
    was, now = old["Type"], new["Type"]
    if was != now:
        yield PropertyChange("Type", was, now, What.REPLACED)
        return
    for way, before, after in _diff(old["Properties"], new["Properties"], ()):
        effect = _effect(now, way, before, after) if way else What.MAY_BE_REPLACED
        yield PropertyChange(_said_way(way), before, after, effect)
    yield from _policy_differences(old, new)
    yield from _condition_differences(old, new, unsettled)
    rest = ("Type", "Properties", "Condition", *_POLICIES)
    for way, before, after in _diff(_without(old, rest), _without(new, rest), ()):
        yield PropertyChange(_said_way(way), before, after)


def _policy_differences(old: _Resource, new: _Resource) -> Iterator[PropertyChange]:
    for name in _POLICIES:
        was, now = _policy(old, name), _policy(new, name)
        if was != now:
            loosens = _STRENGTH.get(now, 0) < _STRENGTH.get(was, 0)
            yield PropertyChange(
                name, old.get(name), new.get(name), What.LOOSENED if loosens else What.MODIFIED
            )


def _condition_differences(
    old: _Resource, new: _Resource, unsettled: Mapping[str, str]
) -> Iterator[PropertyChange]:
    was, now = old.get("Condition"), new.get("Condition")
    reason = unsettled.get(f"condition {now}")
    if was != now:
        yield PropertyChange("Condition", was, now, What.MAY_BE_DELETED if now else What.MODIFIED)
    elif reason:
        yield PropertyChange("Condition", was, now, What.MAY_BE_DELETED, f"{reason} changes")


def _policy(resource: _Resource, name: str) -> str:
    """The one that counts, whether it is written down or not."""
    given = resource.get(name)
    if given is None and name == "DeletionPolicy" and _snapshot_unless_told(resource):
        return "Snapshot"
    return "Delete" if given is None else str(given)


def _snapshot_unless_told(resource: _Resource) -> bool:
    alone = "DBClusterIdentifier" not in resource["Properties"]
    return resource["Type"] == "AWS::RDS::DBCluster" or (resource["Type"] == "AWS::RDS::DBInstance" and alone)


def _diff(old: Any, new: Any, way: _Way) -> Iterator[tuple[_Way, Any, Any]]:
    """Where two values differ, as deep as it can be told; a function is one value."""
    if _same(old, new):
        return
    if isinstance(old, list) and isinstance(new, list):
        yield from _diff_lists(old, new, way)
    elif _is_object(old) and _is_object(new):
        for key in _in_turn(old, new):
            yield from _diff(old.get(key), new.get(key), (*way, key))
    else:
        yield way, old, new


def _diff_lists(old: list[Any], new: list[Any], way: _Way) -> Iterator[tuple[_Way, Any, Any]]:
    before, after = _by_identity(old, new)
    if Counter(map(_canonical, old)) == Counter(map(_canonical, new)):
        yield (*way, _ORDER_OF), list(before) or old, list(after) or new
    elif before or after:
        for key in _in_turn(before, after):
            yield from _diff(before.get(key), after.get(key), (*way, f"[{key}]"))
    elif len(old) == len(new):
        for index, (was, now) in enumerate(zip(old, new, strict=True)):
            yield from _diff(was, now, (*way, f"[{index}]"))
    else:
        yield way, old, new


def _by_identity(old: list[Any], new: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The elements by what tells them apart in both lists; nothing where nothing does."""
    for name in _IDENTITIES:
        before, after = ({f"{name}={_name(each, name)}": each for each in side} for side in (old, new))
        named = all(_name(each, name) for each in (*old, *new))
        if named and len(before) == len(old) and len(after) == len(new):
            return before, after
    return {}, {}


def _name(element: Any, key: str) -> str | None:
    name = element.get(key) if isinstance(element, dict) else None
    return name if isinstance(name, str) else None


def _same(old: Any, new: Any) -> bool:
    """CloudFormation takes "true" for true, and "5432" for 5432."""
    return bool(old == new and type(old) is type(new)) or _scalar(old) == _scalar(new)


def _scalar(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, bool | int | float) else value


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_function(value)


def _in_turn(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, None]:
    return dict.fromkeys([*old, *new])


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _said_way(way: _Way) -> str:
    return ".".join(way).replace(".[", "[") or "Properties"


def _unsettled(old: Template, new: Template) -> dict[str, str]:
    """Parameters, mappings and conditions that may come to another value: how each is used, and called."""
    parameters = {name for name, (was, now) in _pairs(old, new, "Parameters") if _value(was) != _value(now)}
    mappings = {name for name, (was, now) in _pairs(old, new, "Mappings") if was != now}
    conditions = dict(_pairs(old, new, "Conditions"))
    found = {name: f"parameter {name}" for name in parameters} | _themselves("mapping", mappings)
    found |= _themselves("condition", [name for name, (was, now) in conditions.items() if was != now])
    grown = True
    while grown:  # a condition may be made of others
        more = [name for name, (_, now) in conditions.items() if not found.keys().isdisjoint(_used(now))]
        grown = any(f"condition {name}" not in found for name in more)
        found |= _themselves("condition", more)
    return found


def _themselves(kind: str, names: Iterable[str]) -> dict[str, str]:
    return {f"{kind} {name}": f"{kind} {name}" for name in names}


def _value(parameter: Mapping[str, Any]) -> tuple[Any, Any]:
    return parameter.get("Type"), parameter.get("Default")


def _pairs(old: Template, new: Template, section: str) -> Iterator[tuple[str, tuple[Any, Any]]]:
    before, after = _entries(old, section), _entries(new, section)
    return ((name, (before[name], after[name])) for name in before if name in after)


def _follow(
    found: Mapping[str, list[PropertyChange]],
    resources: Mapping[str, _Resource],
    unsettled: Mapping[str, str],
) -> dict[str, str]:
    """Add what follows from resources that become others, and from what is `unsettled`.

    Returns the resources that do or may, with what is said of them.
    """
    users = _users(found, resources)
    moved = {name: said for name, changes in found.items() if (said := _other(name, changes))}
    waiting = deque([*moved, *unsettled])
    while waiting:
        used = waiting.popleft()
        reason = moved.get(used) or f"{unsettled[used]} changes"
        for name, way, value in users[used]:
            effect = _effect(resources[name]["Type"], way, value, value)
            if any(_within(_said_way(way), each.path) for each in found[name]):
                continue
            if effect is What.MODIFIED and used in unsettled:  # what the parameter's own line says is enough
                continue
            found[name].append(PropertyChange(_said_way(way), value, value, effect, reason))
            if name not in moved and _other(name, found[name]):
                moved[name] = _other(name, found[name])
                waiting.append(name)
    return moved


def _other(name: str, changes: Sequence[PropertyChange]) -> str:
    """That another takes the place of the resource `name`, or may; empty where none does."""
    effects = {each.effect for each in changes}
    return next((f"{name} {_said(what)}" for what in _NEW_IDENTITY if what in effects), "")


def _users(
    names: Iterable[str], resources: Mapping[str, _Resource]
) -> defaultdict[str, list[tuple[str, _Way, Any]]]:
    """Who refers to something, where and how, by what it refers to."""
    users = defaultdict(list)
    for name in names:
        for way, function in _functions(resources[name]["Properties"], ()):
            for used in dict.fromkeys(_used(function)):
                users[used].append((name, way, function))
    return users


def _functions(value: Any, way: _Way) -> Iterator[tuple[_Way, Any]]:
    if _is_function(value):
        yield way, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _functions(each, (*way, key))
    elif isinstance(value, list):
        named, _ = _by_identity(value, value)
        for key, each in named.items() or enumerate(value):
            yield from _functions(each, (*way, f"[{key}]"))


def _used(value: Any) -> Iterator[str]:
    """What the functions in a value refer to."""
    if isinstance(value, list):
        for each in value:
            yield from _used(each)
    elif isinstance(value, dict):
        for name, argument in value.items():
            yield from _used_by(name, argument)
            yield from _used(argument)


def _used_by(name: str, argument: Any) -> Iterator[str]:
    first = argument[0] if isinstance(argument, list) and argument else argument
    if not isinstance(first, str):
        return
    if name in ("Ref", "Fn::GetAtt"):
        yield first
    elif name == "Fn::Sub":
        yield from _VARIABLE.findall(first)
    elif name in ("Condition", "Fn::If"):
        yield f"condition {first}"
    elif name == "Fn::FindInMap":
        yield f"mapping {first}"


def _within(path: str, whole: str) -> bool:
    return path == whole or path.startswith((f"{whole}.", f"{whole}["))


def _deleted(name: str, resource: _Resource, come: Mapping[str, _Resource]) -> Change:
    policy = _policy(resource, "DeletionPolicy")
    notes = ["a snapshot of it stays"] if policy == "Snapshot" else []
    twins = [twin for twin, each in come.items() if _alike(each, resource)]
    if twins:
        notes.append(f"if it is meant to be {twins[0]}, which is added with the same properties, keep its id")
    what = What.ORPHANED if policy.startswith("Retain") else What.DELETED
    return Change(name, resource["Type"], what, _stateful(resource["Type"]), note="; ".join(notes))


def _alike(one: _Resource, other: _Resource) -> bool:
    return bool(one["Type"] == other["Type"] and one["Properties"] == other["Properties"])


def _changed(name: str, old: _Resource, new: _Resource, found: Sequence[PropertyChange]) -> Change:
    was, now = old["Type"], new["Type"]
    what = min((each.effect for each in found), key=_ORDER.__getitem__)
    properties = tuple(sorted(found, key=lambda each: _ORDER[each.effect]))
    stateful = _stateful(was) or _stateful(now)
    if was != now:
        note = "CloudFormation refuses another type under the same logical id: give the new one its own"
        return Change(name, f"{was} -> {now}", what, stateful, properties, note)
    return Change(name, now, what, stateful, properties, _fate(new) if what in _NEW_IDENTITY else "")


def _fate(replaced: _Resource) -> str:
    policy = _policy(replaced, "UpdateReplacePolicy")
    if policy.startswith("Retain"):
        return "the old one stays in the account"
    return "a snapshot of the old one stays" if policy == "Snapshot" else "the old one is deleted"


def _elsewhere(old: Template, new: Template, moved: Mapping[str, str]) -> Iterator[Change]:
    """The changes of what is no resource."""
    for section, kind in _SECTIONS.items():
        before, after = _entries(old, section), _entries(new, section)
        for name in _in_turn(before, after):
            was, now = before.get(name), after.get(name)
            if section == "Outputs":
                yield from _output_changes(name, was, now, {_export(each) for each in after.values()}, moved)
            elif was != now:
                yield Change(name, kind, _came_or_went(was, now), properties=_parts(was, now))


def _output_changes(
    name: str, was: Any, now: Any, exports: set[str], moved: Mapping[str, str]
) -> Iterator[Change]:
    export = _export(was)
    note = f"CloudFormation refuses that while a stack imports {export}"
    if export and export not in exports:
        yield Change(name, "Output", What.UNEXPORTED, properties=_parts(was, now), note=note, export=export)
        return
    parts = _parts(was, now)
    if export and was == now:
        value = now.get("Value")
        parts = tuple(
            PropertyChange("Value", value, value, reason=moved[used])
            for used in _used(value)
            if used in moved
        )[:1]
    if was == now and not parts:
        return
    change = Change(name, "Output", _came_or_went(was, now), properties=parts)
    is_import = export and any(_within(each.path, "Value") for each in parts)
    yield replace(change, note=note, export=export) if is_import else change


def _came_or_went(was: Any, now: Any) -> What:
    if was is None:
        return What.ADDED
    return What.DELETED if now is None else What.MODIFIED


def _parts(was: Any, now: Any) -> tuple[PropertyChange, ...]:
    """What differs of something that was there and still is."""
    if was is None or now is None:
        return ()
    return tuple(
        PropertyChange(_said_way(way) if way else "", *values) for way, *values in _diff(was, now, ())
    )


def _export(output: Any) -> str:
    export = output.get("Export") if output else None
    name = export.get("Name") if isinstance(export, dict) else None
    return name if isinstance(name, str) else _canonical(name) if name else ""


def _imports(templates: Mapping[str, Template]) -> dict[str, list[str]]:
    """Who imports an export, by its name."""
    found = defaultdict(list)
    for stack, template in templates.items():
        for name in dict.fromkeys(_imported(template)):
            found[name].append(stack)
    return found


def _imported(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _imported(each)
    elif isinstance(value, dict):
        for name, argument in value.items():
            if name == "Fn::ImportValue":
                yield argument if isinstance(argument, str) else _canonical(argument)
            yield from _imported(argument)


def _with_imports(change: Change, *imports: Mapping[str, list[str]]) -> Change:
    """With who imports it, as released or as it is about to be, because that is who is in the way."""
    stacks = sorted({stack for each in imports for stack in each.get(change.export, ())})
    if not change.export or not stacks:
        return change
    return replace(change, note=f"{change.note}; imported by {', '.join(stacks)}")


def _of_stack(name: str, was: Template | None, now: Template | None) -> list[Change]:
    changes = compare(was or {}, now or {})
    if was is None:
        return [Change(name, "Stack", What.ADDED), *changes]
    if now is None:
        return [
            Change(name, "Stack", What.DELETED, note="with all that is in it, once it is destroyed"),
            *changes,
        ]
    return changes


def _rank(change: Change) -> tuple[bool, int, bool, str]:
    aside = change.type in _SECTIONS.values()
    what = What.MODIFIED if aside and change.what is What.DELETED else change.what
    return not change.refused, _ORDER[what], aside, change.logical_id


def _resources(template: Template) -> dict[str, _Resource]:
    """Without what the CDK writes for itself, and said in one way where there are two."""
    found = _entries(template, "Resources")
    return {name: _plain(each) for name, each in found.items() if each["Type"] != _CDK_TYPE}


def _plain(resource: Mapping[str, Any]) -> _Resource:
    plain: _Resource = {"Properties": {}} | _tidy(resource)
    depends_on = plain.pop("DependsOn", [])
    plain["DependsOn"] = sorted([depends_on] if isinstance(depends_on, str) else depends_on, key=str)
    metadata = plain.pop("Metadata", {})
    plain["Metadata"] = {key: each for key, each in metadata.items() if not key.startswith(_NOISE)}
    return plain


def _tidy(value: Any) -> Any:
    if isinstance(value, list):
        return [_tidy(each) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("Fn::GetAtt"), str):
        return {"Fn::GetAtt": value["Fn::GetAtt"].split(".", 1)}
    return {key: _tidy(each) for key, each in value.items() if each != _NOTHING}


def _entries(template: Template, section: str) -> Mapping[str, Any]:
    found = template.get(section, {})
    entries: Mapping[str, Any] = found if isinstance(found, dict) else {section: found}
    return _without(entries, [_CDK_CONDITION])


def _without(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {key: each for key, each in values.items() if key not in names}


def _templates(folder: Path) -> dict[str, Template]:
    """The templates below a folder, by the names of their stacks; a stage's have its folder before theirs."""
    if not folder.is_dir():
        raise DifferenceError(f"there is no folder {folder}: name one that cdk synth wrote")
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob(f"*{_SUFFIX}"))}
    # What is deployed by a stack is not a stack.
    found = {
        name: path for name, path in paths.items() if not name.startswith("asset.") and "/asset." not in name
    }
    if not found:
        raise DifferenceError(f"{folder} has no *{_SUFFIX}: name a folder that cdk synth wrote")
    return {name.removesuffix(_SUFFIX): _template(path) for name, path in found.items()}


def _template(path: Path) -> Template:
    try:
        template: Template = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DifferenceError(f"{path} cannot be read ({error}): write it again with cdk synth") from error
    fault = _fault(template)
    if fault:
        raise DifferenceError(f"{path} is no template, {fault}: write it again with cdk synth")
    return template


def _fault(template: Any) -> str:
    """What a template lacks that all have, of what is relied on here; empty where nothing is."""
    if not isinstance(template, dict) or template.keys().isdisjoint({"Resources", *_SECTIONS}):
        return "it has no Resources"
    for section in ("Resources", "Outputs", "Parameters", "Conditions", "Mappings"):
        entries = template.get(section, {})
        if not isinstance(entries, dict):
            return f"its {section} are no object"
        broken = [name for name, each in entries.items() if not isinstance(each, dict)]
        if broken:
            return f"{broken[0]} of its {section} is no object"
    resources = template.get("Resources", {})
    broken = [name for name, each in resources.items() if not _is_resource(each)]
    return f"its resource {broken[0]} has no Type, or no object of Properties" if broken else ""


def _is_resource(value: Mapping[str, Any]) -> bool:
    objects = all(isinstance(value.get(name, {}), dict) for name in ("Properties", "Metadata"))
    return objects and isinstance(value.get("Type"), str)


def _all_refused(stacks: Stacks) -> list[Change]:
    return refused(change for changes in stacks.values() for change in changes)


def _groups(stacks: Stacks, allow_stateful: bool) -> Iterator[tuple[str, list[tuple[str, Change]]]]:
    """The changes with their stacks, by how much they matter; no group is empty."""
    found = [(stack, change) for stack, changes in stacks.items() for change in changes]
    found.sort(key=lambda each: _rank(each[1])[:-1])
    grave = [each for each in found if not each[1].refused and _rank(each[1])[1] < _ORDER[What.MODIFIED]]
    rest = [each for each in found if not each[1].refused and _rank(each[1])[1] >= _ORDER[What.MODIFIED]]
    allowed = "allowed by" if allow_stateful else "refused without"
    groups = (
        (f"Stateful, {allowed} {FLAG}", [each for each in found if each[1].refused]),
        ("Replaced, deleted, protected less or exported no more", grave),
        ("Modified or added", rest),
    )
    return ((heading, group) for heading, group in groups if group)


def _verdict(stacks: Stacks, allow_stateful: bool) -> str:
    changes = [change for found in stacks.values() for change in found]
    lost = refused(changes)
    if lost:
        said = f"{len(lost)} of {len(changes)} changes would lose what is kept, or guard it less."
        return f"Allowed: {said}" if allow_stateful else f"Refused: {said} If that is meant, say {FLAG}."
    return f"None of {len(changes)} changes would lose what is kept." if changes else "Nothing changes."


def _said(what: What) -> str:
    return _SAID.get(what, what.value)


def _sentence(change: Change) -> str:
    return _said(change.what) + (f": {change.note}" if change.note else "")


def _effect_said(change: PropertyChange) -> str:
    said = [_SAID_OF_PROPERTIES.get(change.effect, ""), f"as {change.reason}" if change.reason else ""]
    return f" ({', '.join(filter(None, said))})" if any(said) else ""


def _lines(stack: str, change: Change) -> Iterator[str]:
    yield f"  {stack}: {change.logical_id} ({change.type}) {_sentence(change)}"
    for each in change.properties:
        path = f"{each.path}: " if each.path else ""
        yield f"      {path}{' -> '.join(_brief(each))}{_effect_said(each)}"


def _items(stack: str, change: Change) -> Iterator[str]:
    yield f"- {_code(stack)}: {_code(change.logical_id)} ({_code(change.type)}) {_sentence(change)}"
    for each in change.properties:
        path = f"{_code(each.path)}: " if each.path else ""
        yield f"  - {path}{' → '.join(map(_code, _brief(each)))}{_effect_said(each)}"


def _code(text: str) -> str:
    """As code in Markdown, whatever it holds."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"{fence}{text}{fence}"


def _brief(change: PropertyChange) -> list[str]:
    """The old and the new value, or what both are, cut to where they differ."""
    texts = ["nothing" if each is None else _canonical(each) for each in (change.old, change.new)]
    if change.reason:
        return [_short(texts[0])]
    shared = next((place for place, pair in enumerate(zip(*texts, strict=False)) if pair[0] != pair[1]), 0)
    start = max(0, shared - _VALUE_CHARACTERS // 3) if max(map(len, texts)) > _VALUE_CHARACTERS else 0
    return [("…" if start else "") + _short(text[start:]) for text in texts]


def _short(text: str) -> str:
    return text if len(text) <= _VALUE_CHARACTERS else text[: _VALUE_CHARACTERS - 1] + "…"


def _cut(lines: Sequence[str]) -> str:
    sizes = accumulate(len(line) + 1 for line in lines)
    kept = [line for line, size in zip(lines, sizes, strict=True) if size <= _COMMENT_CHARACTERS]
    if len(kept) < len(lines):
        opened = sum(line.startswith("<details>") for line in kept) > kept.count("</details>")
        end = ["", "</details>"] if opened else []
        kept += [*end, "", f"{len(lines) - len(kept)} lines more are not shown here."]
    return "\n".join(kept) + "\n"


def _fields(change: Change) -> dict[str, Any]:
    return asdict(change) | {"refused": change.refused}
