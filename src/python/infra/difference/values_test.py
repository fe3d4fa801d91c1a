"""What counts as a difference of two values."""

from __future__ import annotations

from typing import Any

import pytest

from infra.difference.building import CACHE, NO_VALUE, QUEUE, SUBNETS, of, only, paths, stack
from infra.difference.change import What
from infra.difference.stacks import compare


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"FifoQueue": True}, {"FifoQueue": "true"}),
        ({"DelaySeconds": 5}, {"DelaySeconds": "5"}),
        ({"QueueName": NO_VALUE}, {}),
        ({"KmsMasterKeyId": {"Fn::GetAtt": "Key.Arn"}}, {"KmsMasterKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}),
    ],
)
def test_one_value_written_in_two_ways_is_no_change(old: dict[str, Any], new: dict[str, Any]) -> None:
    """CloudFormation takes one for the other."""
    assert [] == compare(stack(Queue=of(QUEUE, **old)), stack(Queue=of(QUEUE, **new)))


def test_elements_with_a_name_are_compared_by_it() -> None:
    """Wherever they stand: the first that comes does not change all the others."""
    old = [{"Key": "team", "Value": "shop"}, {"Key": "stage", "Value": "prod"}]
    new = [{"Key": "cost", "Value": "1"}, {"Key": "stage", "Value": "test"}, {"Key": "team", "Value": "shop"}]
    change = only(of(QUEUE, Tags=old), of(QUEUE, Tags=new))
    assert ["Tags[Key=stage].Value", "Tags[Key=cost]"] == paths(change)


def test_elements_without_a_name_are_compared_by_their_place() -> None:
    """Where one comes or goes, places say nothing, and the lists are shown."""

    def group(*subnets: str) -> dict[str, Any]:
        return of(SUBNETS, SubnetIds=list(subnets))

    assert ["SubnetIds[1]"] == paths(only(group("a", "b"), group("a", "c")))
    assert ["SubnetIds"] == paths(only(group("a", "b"), group("a")))
    twice = [{"Key": "team", "Value": "shop"}, {"Key": "team", "Value": "user"}]
    assert ["Tags[0].Value"] == paths(
        only(of(QUEUE, Tags=twice), of(QUEUE, Tags=[twice[0] | {"Value": "order"}, twice[1]]))
    )


def test_another_order_is_said_and_may_replace() -> None:
    """Not every provider looks at the order, and none says whether it does."""
    change = only(
        of(CACHE, PreferredCacheClusterAZs=["a", "b"]), of(CACHE, PreferredCacheClusterAZs=["b", "a"])
    )
    assert (What.MAY_BE_REPLACED, ["PreferredCacheClusterAZs[order]"]) == (change.what, paths(change))
