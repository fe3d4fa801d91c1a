"""The changes of what is no resource: parameters, mappings, outputs with what they export."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

from infra.difference.change import Change, PropertyChange, What
from infra.difference.functions import used
from infra.difference.templates import SECTIONS, entries
from infra.difference.values import diff, is_within, said, spelt
from infra.template import Template


def elsewhere(old: Template, new: Template, moved: Mapping[str, str]) -> Iterator[Change]:
    """What changes beside the resources; the exports of those that `moved` change with them."""
    exports = {_export(each) for each in entries(new, "Outputs").values()}
    for section, kind in SECTIONS.items():
        before, after = entries(old, section), entries(new, section)
        for name in before | after:
            was, now = before.get(name), after.get(name)
            if section == "Outputs":
                yield from _output_changes(name, was, now, exports, moved)
            elif was != now:
                yield Change(name, kind, _came_or_went(was, now), properties=_parts(was, now))


def _came_or_went(was: Any, now: Any) -> What:
    if was is None:
        return What.ADDED
    return What.DELETED if now is None else What.MODIFIED


def _parts(was: Any, now: Any) -> tuple[PropertyChange, ...]:
    """What differs of something that was there and still is."""
    if was is None or now is None:
        return ()
    return tuple(PropertyChange(said(way) if way else "", *values) for way, *values in diff(was, now))


def _output_changes(
    name: str, was: Any, now: Any, exports: Container[str], moved: Mapping[str, str]
) -> Iterator[Change]:
    export, what, parts = _export(was), _came_or_went(was, now), _parts(was, now)
    if export and was == now:
        value = now.get("Value")
        reasons = [moved[each] for each in used(value) if each in moved]
        parts = tuple(PropertyChange("Value", value, value, reason=reason) for reason in reasons[:1])
    if was == now and not parts:
        return
    if export and export not in exports:
        what = What.UNEXPORTED
    elif not any(is_within(each.path, "Value") for each in parts):
        export = ""
    note = f"CloudFormation refuses that while a stack imports {export}" if export else ""
    yield Change(name, "Output", what, properties=parts, note=note, export=export)


def _export(output: Any) -> str:
    """The name that others import it by; empty where it has none."""
    export = output.get("Export") if output else None
    name = export.get("Name") if isinstance(export, dict) else None
    return spelt(name) if name else ""
