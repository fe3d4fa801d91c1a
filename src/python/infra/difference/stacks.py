"""What a deployment changes in a stack, in those of two folders, and whether it is to be refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from infra.difference.change import Change, What
from infra.difference.consequences import follow, unsettled
from infra.difference.functions import arguments
from infra.difference.report import FORMS, Form, is_refused
from infra.difference.resources import changed, deleted, differences
from infra.difference.sections import elsewhere
from infra.difference.stateful import is_stateful
from infra.difference.templates import read, resources
from infra.difference.values import spelt
from infra.template import Template


def run(old: Path, new: Path, *, allow_stateful: bool = False, form: Form = "text") -> tuple[str, int]:
    """What to print of two folders of templates, and the exit status: 1 where it is refused, else 0.

    Raises DifferenceError where they cannot be compared.
    """
    stacks = compare_folders(old, new)
    return FORMS[form](stacks, allow_stateful), int(is_refused(stacks, allow_stateful))


def compare_folders(old: Path, new: Path) -> dict[str, list[Change]]:
    """What changes in the stacks of two folders that `cdk synth` wrote, by the names of those that change.

    Raises DifferenceError where a folder or a template cannot be read.
    """
    before, after = read(old), read(new)
    importers = defaultdict(set)
    for made in (*before.values(), *after.values()):  # as released or about to be: both are in the way
        for name, argument in arguments(made.body):
            if name == "Fn::ImportValue":
                importers[spelt(argument)].add(made.stack)
    found = {name: _of_stack(name, before.get(name), after.get(name)) for name in sorted(before | after)}
    return {name: [_noted(each, importers) for each in changes] for name, changes in found.items() if changes}


def _noted(change: Change, importers: Mapping[str, Iterable[str]]) -> Change:
    if change.export not in importers:
        return change
    return replace(change, note=f"{change.note}; imported by {', '.join(sorted(importers[change.export]))}")


def _of_stack(name: str, was: Template | None, now: Template | None) -> list[Change]:
    changes = compare(was or Template(name, {}), now or Template(name, {}))
    if was is None:
        changes.insert(0, Change(name, "Stack", What.ADDED))
    elif now is None:
        note = "with all that is in it, once it is destroyed"
        changes.insert(0, Change(name, "Stack", What.DELETED, note=note))
    return changes


def compare(old: Template, new: Template) -> list[Change]:
    """What changes when a stack of the template `old` becomes one of `new`; the dangerous things first."""
    before, after = resources(old), resources(new)
    doubts = unsettled(old, new)
    found = {name: list(differences(before[name], after[name], doubts)) for name in before if name in after}
    moved = follow(found, after, doubts)
    added = [each for name, each in after.items() if name not in before]
    changes = [
        *(deleted(each, added) for name, each in before.items() if name not in after),
        *(Change(each.id, each.type, What.ADDED, is_stateful(each.type)) for each in added),
        *(changed(before[name], after[name], each) for name, each in found.items() if each),
        *elsewhere(old, new, moved),
    ]
    return sorted(changes, key=lambda change: (change.rank, change.logical_id))
