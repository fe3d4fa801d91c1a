"""What becomes of outputs and what they export."""

from __future__ import annotations

from typing import Any

import pytest

from infra.difference.building import QUEUE, of, output, stack, whats
from infra.difference.change import What
from infra.difference.stacks import compare


@pytest.mark.parametrize(
    ("old", "new", "what", "export"),
    [
        (output("a", "orders:Url"), {}, What.UNEXPORTED, "orders:Url"),
        (output("a", "orders:Url"), output("a", "sales:Url"), What.UNEXPORTED, "orders:Url"),
        (output("a", "orders:Url"), output("b", "orders:Url"), What.MODIFIED, "orders:Url"),
        (output("a"), {}, What.DELETED, ""),
        (output("a"), output("b"), What.MODIFIED, ""),
        ({}, output("a", "orders:Url"), What.ADDED, ""),
    ],
)
def test_an_export_that_goes_or_changes_is_said_to_be_one(
    old: dict[str, Any], new: dict[str, Any], what: What, export: str
) -> None:
    """CloudFormation refuses both while a stack imports it."""
    [change] = compare(stack(old), stack(new))
    assert ("Output", what, export, False) == (change.type, change.what, change.export, change.refused)


def test_an_export_of_what_is_replaced_changes_with_it() -> None:
    """Its own template is as it was."""
    exported = output({"Ref": "Queue"}, "orders:Url")
    old, new = (stack(exported, Queue=of(QUEUE, QueueName=name)) for name in ("one", "other"))
    assert {"Queue": What.REPLACED, "Url": What.MODIFIED} == whats(compare(old, new))
