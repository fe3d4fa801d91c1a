"""What follows from what changes."""

from __future__ import annotations

from typing import Any

import pytest

from infra.difference.building import (
    DATABASE,
    KAFKA,
    NO_VALUE,
    QUEUE,
    SERVICE,
    SUBNETS,
    TASK,
    of,
    paths,
    stack,
    whats,
)
from infra.difference.change import What
from infra.difference.stacks import compare
from infra.template import Template

IN_PROD = {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}


def chain(name: str) -> Template:
    """A database in a group of subnets, a task that knows where it is, and a service that runs it."""
    where = {"Name": "DATABASE", "Value": {"Fn::Sub": "postgres://${Database.Endpoint.Address}/shop"}}
    return stack(
        Group=of(SUBNETS, DBSubnetGroupName=name),
        Database=of(DATABASE, DBSubnetGroupName={"Ref": "Group"}),
        Task=of(TASK, ContainerDefinitions=[{"Name": "web", "Environment": [where]}]),
        Service=of(SERVICE, TaskDefinition={"Ref": "Task"}),
        Alone=of(SERVICE, TaskDefinition="other"),
    )


def test_what_a_replaced_resource_is_part_of_may_be_replaced_in_turn() -> None:
    """CloudFormation finds out while it deploys: the name of the new one is another."""
    found = whats(compare(chain("one"), chain("other")))
    assert {
        "Group": What.REPLACED,
        "Database": What.MAY_BE_REPLACED,
        "Task": What.MAY_BE_REPLACED,
        "Service": What.MODIFIED,
    } == found


def test_what_follows_says_from_what() -> None:
    """The template of the database is as it was."""
    database, *_ = compare(chain("one"), chain("other"))
    [name] = database.properties
    assert ("Database", True) == (database.logical_id, database.refused)
    assert ("DBSubnetGroupName", "Group is replaced") == (name.path, name.reason)


def test_what_changes_and_would_follow_too_is_said_once() -> None:
    """A name that begins like another's is another's."""

    def template(name: str, engine: str) -> Template:
        group = {"Fn::Join": ["-", [{"Ref": "Group"}, engine]]}
        database = of(DATABASE, Engine=engine, EngineVersion={"Ref": "Group"}, DBSubnetGroupName=group)
        return stack(Group=of(SUBNETS, DBSubnetGroupName=name), Database=database)

    database, _ = compare(template("one", "postgres"), template("other", "mysql"))
    assert ["Engine", "DBSubnetGroupName", "EngineVersion"] == paths(database)


def test_a_function_around_what_is_create_only_carries_what_it_refers_to() -> None:
    """Though it cannot be seen where."""
    choice = {"Fn::If": ["InProd", {"EncryptionAtRest": {"DataVolumeKMSKeyId": {"Ref": "Queue"}}}, NO_VALUE]}
    old, new = (
        stack(Queue=of(QUEUE, QueueName=name), Kafka=of(KAFKA, EncryptionInfo=choice))
        for name in ("one", "other")
    )
    assert {"Queue": What.REPLACED, "Kafka": What.MAY_BE_REPLACED} == whats(compare(old, new))


def test_a_function_that_makes_all_properties_may_make_any() -> None:
    """CloudFormation lets it include them from elsewhere."""
    include = {
        "Type": QUEUE,
        "Properties": {"Fn::Transform": {"Name": "Include", "Parameters": {"Ref": "One"}}},
    }
    old, new = (stack(One=of(QUEUE, QueueName=name), Other=include) for name in ("one", "other"))
    assert {"One": What.REPLACED, "Other": What.MAY_BE_REPLACED} == whats(compare(old, new))


def test_a_circle_of_references_comes_to_an_end() -> None:
    """Though CloudFormation would refuse it."""

    def circle(name: str) -> Template:
        one = of(QUEUE, QueueName=name, KmsMasterKeyId={"Ref": "Other"})
        return stack(One=one, Other=of(QUEUE, QueueName={"Ref": "One"}))

    assert {"One": What.REPLACED, "Other": What.MAY_BE_REPLACED} == whats(compare(circle("a"), circle("b")))


@pytest.mark.parametrize(
    ("section", "old", "new", "name"),
    [
        (
            "Parameters",
            {"Name": {"Type": "String", "Default": "a"}},
            {"Name": {"Type": "String", "Default": "b"}},
            {"Ref": "Name"},
        ),
        (
            "Mappings",
            {"Names": {"eu": {"queue": "a"}}},
            {"Names": {"eu": {"queue": "b"}}},
            {"Fn::FindInMap": ["Names", "eu", "queue"]},
        ),
        (
            "Conditions",
            {"InProd": IN_PROD, "Named": {"Condition": "InProd"}},
            {"InProd": {"Fn::Not": [IN_PROD]}, "Named": {"Condition": "InProd"}},
            {"Fn::If": ["Named", "a", "b"]},
        ),
    ],
)
def test_what_refers_to_a_value_that_changes_may_be_replaced(
    section: str, old: dict[str, Any], new: dict[str, Any], name: dict[str, Any]
) -> None:
    """Its own template is as it was; the parameter, mapping or condition has a line of its own."""
    queue = of(QUEUE, QueueName=name, DelaySeconds=name)
    change, other = compare(stack({section: old}, Queue=queue), stack({section: new}, Queue=queue))
    assert (What.MAY_BE_REPLACED, ["QueueName"]) == (change.what, paths(change))
    assert (section.removesuffix("s"), What.MODIFIED, False) == (other.type, other.what, other.refused)


def test_a_condition_that_is_made_of_a_value_that_changes_may_come_to_another() -> None:
    """Though it has no line of its own, as has what it is made of."""
    conditions = {"InProd": IN_PROD, "Named": {"Fn::Not": [{"Condition": "InProd"}]}}
    old, new = (
        stack(
            {"Parameters": {"Stage": {"Type": "String", "Default": stage}}, "Conditions": conditions},
            Queue=of(QUEUE, {"Condition": "Named"}),
        )
        for stage in ("test", "prod")
    )
    assert {"Queue": What.MAY_BE_DELETED, "Stage": What.MODIFIED} == whats(compare(old, new))


def test_a_resource_under_a_condition_that_changes_may_be_deleted() -> None:
    """As may one that gets a condition; one that loses its own can only come to be."""
    unless, when = {"InProd": {"Fn::Not": [IN_PROD]}}, {"InProd": IN_PROD}
    bare, bound = of(QUEUE), of(QUEUE, {"Condition": "InProd"})
    cases = {
        "changes": compare(stack({"Conditions": unless}, It=bound), stack({"Conditions": when}, It=bound)),
        "comes": compare(stack({"Conditions": when}, It=bare), stack({"Conditions": when}, It=bound)),
        "goes": compare(stack({"Conditions": when}, It=bound), stack({"Conditions": when}, It=bare)),
    }
    assert {
        "changes": What.MAY_BE_DELETED,
        "comes": What.MAY_BE_DELETED,
        "goes": What.MODIFIED,
    } == {case: whats(changes)["It"] for case, changes in cases.items()}
