"""What becomes of a resource."""

from __future__ import annotations

from typing import Any

import pytest

from infra.difference.building import CACHE, DATABASE, FUNCTION, QUEUE, SERVICE, TOPIC, of, only, paths, stack
from infra.difference.change import What
from infra.difference.stacks import compare


def test_what_replaces_is_the_first_of_what_changes() -> None:
    """It is what one looks for."""
    change = only(of(QUEUE, DelaySeconds=1, QueueName="one"), of(QUEUE, DelaySeconds=2, QueueName="other"))
    assert ["QueueName", "DelaySeconds"] == paths(change)


def test_another_type_is_another_resource() -> None:
    """CloudFormation refuses it under the same id; whichever of the two holds data counts."""
    change = only(of(QUEUE), of(FUNCTION))
    assert (What.REPLACED, True) == (change.what, change.refused)
    assert f"{QUEUE} -> {FUNCTION}" == change.type


@pytest.mark.parametrize(
    ("resource", "what", "note"),
    [
        (of(QUEUE), What.DELETED, ""),
        (of(QUEUE, {"DeletionPolicy": "Retain"}), What.ORPHANED, ""),
        (of(QUEUE, {"DeletionPolicy": "RetainExceptOnCreate"}), What.ORPHANED, ""),
        (of(CACHE, {"DeletionPolicy": "Snapshot"}), What.DELETED, "a snapshot of it stays"),
        (of("AWS::RDS::DBCluster"), What.DELETED, "a snapshot of it stays"),
        (of(DATABASE), What.DELETED, "a snapshot of it stays"),
        (of(DATABASE, DBClusterIdentifier="cluster"), What.DELETED, ""),
    ],
)
def test_what_holds_data_is_not_deleted_unasked_even_if_it_stays(
    resource: dict[str, Any], what: What, note: str
) -> None:
    """The stack loses its hold on it, and the next deployment makes an empty one."""
    [change] = compare(stack(It=resource), stack())
    assert (what, note, True) == (change.what, change.note, change.refused)


def test_what_holds_none_is() -> None:
    """A service is started again."""
    [change] = compare(stack(It=of(SERVICE)), stack())
    assert (What.DELETED, False) == (change.what, change.refused)


def test_another_logical_id_is_a_deletion_and_an_addition() -> None:
    """CloudFormation does not know them for one; who meant a renaming is told."""
    queue = of(QUEUE, VisibilityTimeout=30)
    gone, come = compare(stack(Old=queue, Other=of(TOPIC)), stack(New=queue, Other=of(TOPIC)))
    assert ("Old", What.DELETED, True) == (gone.logical_id, gone.what, gone.refused)
    assert "meant to be New" in gone.note
    assert ("New", What.ADDED, False) == (come.logical_id, come.what, come.refused)


@pytest.mark.parametrize(
    ("policy", "fate"),
    [
        ({}, "the old one is deleted"),
        ({"UpdateReplacePolicy": "Retain"}, "the old one stays in the account"),
        ({"UpdateReplacePolicy": "Snapshot"}, "a snapshot of the old one stays"),
    ],
)
def test_what_is_replaced_says_what_becomes_of_the_old_one(policy: dict[str, str], fate: str) -> None:
    """By the policy of replacing, which is not that of deleting."""
    change = only(of(CACHE, policy, Port=1), of(CACHE, policy, Port=2))
    assert (fate, True) == (change.note, change.refused)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ({"DeletionPolicy": "Retain"}, {"DeletionPolicy": "Delete"}, What.LOOSENED),
        ({"DeletionPolicy": "Retain"}, {}, What.LOOSENED),
        ({"UpdateReplacePolicy": "Retain"}, {"UpdateReplacePolicy": "Snapshot"}, What.LOOSENED),
        ({}, {"DeletionPolicy": "Retain"}, What.MODIFIED),
        ({"DeletionPolicy": "Retain"}, {"DeletionPolicy": "RetainExceptOnCreate"}, What.MODIFIED),
    ],
)
def test_a_policy_that_keeps_less_counts_as_a_loss(
    old: dict[str, str], new: dict[str, str], what: What
) -> None:
    """Nothing is lost yet, and nothing will be in the way of the next who loses it."""
    change = only(of(QUEUE, old), of(QUEUE, new))
    assert (what, what is What.LOOSENED) == (change.what, change.refused)


def test_a_policy_that_says_what_goes_without_saying_is_no_change() -> None:
    """Of a queue, to be deleted; of a database, to leave a snapshot."""
    assert [] == compare(stack(It=of(QUEUE)), stack(It=of(QUEUE, {"DeletionPolicy": "Delete"})))
    assert [] == compare(stack(It=of(DATABASE)), stack(It=of(DATABASE, {"DeletionPolicy": "Snapshot"})))


def test_what_is_no_property_modifies() -> None:
    """An order of dependencies is none."""
    old = {"DependsOn": ["A", "B"], "Metadata": {"cdk_nag": {"rules": 1}}}
    new = {"DependsOn": ["B", "A"], "Metadata": {"cdk_nag": {"rules": 2}}}
    assert ["Metadata.cdk_nag.rules"] == paths(only(of(QUEUE, old), of(QUEUE, new)))
    assert ["DependsOn[0]"] == paths(only(of(QUEUE, {"DependsOn": "A"}), of(QUEUE, {"DependsOn": "B"})))
