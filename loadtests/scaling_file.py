"""The scaling file that a derivation comes to, as text: each number under the sentence that explains it."""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import tomlkit
from tomlkit.container import Container
from tomlkit.items import AoT, Item, Table

from infra.scaling.policy import ScalingPolicy
from loadtests.derivation import Derivation, Numbers, Said

FIRST_LINE = "Written by ./pants load derive. A change by hand is lost, and fails a test."
_WIDTH = 118


def text(derived: Derivation, digest: str) -> str:
    """The file; `digest` is that of the profile's file. The same every time."""
    document = tomlkit.document()
    document.add(tomlkit.comment(FIRST_LINE))
    document.add("service", tomlkit.item(derived.service))
    _say(document, {"orders_per_s_and_task": derived.carried})
    document.add("provenance", _provenance(derived, digest))
    document.add("task", _table(derived.task))
    document.add("bounds", _table(derived.bounds))
    document.add("target_tracking", _tables([_table(derived.tracking, metric="cpu")]))
    if derived.saturation:
        document.add("saturation", _table(derived.saturation))
    if derived.steps:
        document.add("queue", _queue(derived))
    if derived.actions:
        document.add("scheduled", _tables(_action(asdict(action)) for action in derived.actions))
    return tomlkit.dumps(document)


def policy(derived: Derivation, digest: str) -> ScalingPolicy:
    """The policy that infra reads from that file."""
    return ScalingPolicy(**tomllib.loads(text(derived, digest)))


def _provenance(derived: Derivation, digest: str) -> Table:
    measured = derived.profile.measured
    source = f"loadtests/profiles/{derived.service}.toml, of {measured.at:%Y-%m-%d} at {measured.commit[:12]}"
    return _table({}, kind="measured", source=source, profile=digest)


def _queue(derived: Derivation) -> Table:
    assert derived.profile.messages is not None
    assert derived.message is not None
    table = _table({"cooldown_s": Said(derived.cooldown_s, "As for scaling out by the target.")})
    drain, first = derived.profile.messages.drain_per_s.lowest, derived.steps[1][0]
    _explain(
        table,
        f"A task takes {drain:g} messages a second. From {first} on those of the floor need longer than "
        f"the {derived.message.bound_ms:.0f} ms that a message may take; each step adds as many as empty "
        "its queue within the cooldown.",
    )
    steps = tomlkit.array()
    for start, added in derived.steps:
        step = tomlkit.inline_table()
        step.update({"from_messages": start, "add_tasks": added})
        steps.append(step)
    table.add("steps", steps.multiline(True))
    return table


def _action(action: Mapping[str, Any]) -> Table:
    table = tomlkit.table()
    _explain(table, action["because"])
    for name, value in action.items():
        if name != "because":
            table.add(name, value)
    return table


def _table(numbers: Numbers, **plain: str) -> Table:
    table = tomlkit.table()
    for name, value in plain.items():
        table.add(name, value)
    _say(table, numbers)
    return table


def _tables(tables: Iterable[Table]) -> AoT:
    array = tomlkit.aot()
    for table in tables:
        array.append(table)
    return array


def _say(table: Table | Container, numbers: Numbers) -> None:
    for name, said in numbers.items():
        _explain(table, said.because)
        value: Item = tomlkit.item(said.value)
        table.add(name, value)


def _explain(table: Table | Container, because: str) -> None:
    for line in textwrap.wrap(because, _WIDTH, break_long_words=False, break_on_hyphens=False):
        table.add(tomlkit.comment(line))
