"""What changes in a stack, and in those of two folders."""

from __future__ import annotations

from pathlib import Path

from infra.difference.building import FUNCTION, QUEUE, SERVICE, of, output, stack, whats, write
from infra.difference.change import What
from infra.difference.stacks import compare, compare_folders


def test_a_stack_that_stays_changes_nothing() -> None:
    """And is not in the way of those that do."""
    assert [] == compare(stack(Queue=of(QUEUE)), stack(Queue=of(QUEUE)))


def test_who_imports_what_is_exported_no_more_is_named(tmp_path: Path) -> None:
    """Be it as released, which must be deployed first, or still."""
    orders = stack(output("a", "orders:Url"))
    user = stack(It=of(FUNCTION, Description={"Fn::ImportValue": "orders:Url"}))
    old = write(tmp_path / "old", orders=orders, user=user)
    new = write(tmp_path / "new", orders=stack(), user=stack(It=of(FUNCTION)))
    [change] = compare_folders(old, new)["orders"]
    assert change.note.endswith("imports orders:Url; imported by user")


def test_a_stack_that_goes_takes_all_with_it(tmp_path: Path) -> None:
    """And one that comes brings all of it."""
    old, new = (
        write(tmp_path / "old", orders=stack(Queue=of(QUEUE))),
        write(tmp_path / "new", sales=stack(It=of(QUEUE))),
    )
    found = compare_folders(old, new)
    assert ["orders", "sales"] == list(found)
    assert [("orders", What.DELETED), ("Queue", What.DELETED)] == list(whats(found["orders"]).items())
    assert {"sales": What.ADDED, "It": What.ADDED} == whats(found["sales"])
    assert ["Queue"] == [each.logical_id for each in found["orders"] if each.refused]


def test_what_loses_data_comes_first_and_the_sooner_the_graver() -> None:
    """Whatever it is called."""
    old = stack(
        output("a"),
        A=of(SERVICE, DesiredCount=1),
        B=of(SERVICE, Cluster="one"),
        C=of(QUEUE, {"DeletionPolicy": "Retain"}),
        D=of(QUEUE, QueueName="one"),
        E=of(QUEUE),
        F=of(QUEUE, {"DeletionPolicy": "Retain"}),
    )
    new = stack(
        A=of(SERVICE, DesiredCount=2),
        B=of(SERVICE, Cluster="other"),
        C=of(QUEUE),
        D=of(QUEUE, QueueName="other"),
    )
    assert ["E", "D", "F", "C", "B", "A", "Url"] == [change.logical_id for change in compare(old, new)]


def test_a_large_stack_is_compared_in_full() -> None:
    """As large as CloudFormation takes them to be: 500 resources."""
    old, new = (
        stack(
            First=of(QUEUE, QueueName=name),
            **{f"Next{at}": of(QUEUE, QueueName={"Fn::GetAtt": ["First", "QueueName"]}) for at in range(499)},
        )
        for name in ("one", "other")
    )
    assert 500 == sum(change.refused for change in compare(old, new))
