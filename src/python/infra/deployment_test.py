"""What templates refer to is found in whichever stack it is."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.services import SERVICES
from infra.deployment import Deployment, UnknownExport, read
from infra.scaling.policy import load
from infra.template import Template


def a_deployment(**bodies: dict[str, Any]) -> Deployment:
    return read("dev", {f"mercato-dev-{name}": Template(name, body) for name, body in bodies.items()})


TOPIC = {
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "mercato-dev-news"}}},
    "Outputs": {"Out": {"Value": {"Ref": "Topic"}, "Export": {"Name": "messaging:Topic"}}},
}
NOTHING: dict[str, Any] = {"Resources": {}}


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::ImportValue": "messaging:Topic"},
        {"Fn::Join": ["", ["x", {"Fn::ImportValue": "messaging:Topic"}]]},
    ],
    ids=["as it is", "within a text"],
)
def test_a_value_refers_to_what_another_stack_exports(value: object) -> None:
    """The way from an import leads over the export to the resource, however deep the import is."""
    deployment = a_deployment(messaging=TOPIC, order=NOTHING)
    (place,) = deployment.referred("order", value)
    assert ("messaging", "Topic") == place.key


@pytest.mark.parametrize("value", [{"Ref": "Topic"}, {"Fn::GetAtt": ["Topic", "Arn"]}], ids=["Ref", "GetAtt"])
def test_a_value_refers_to_its_own_stack(value: object) -> None:
    """What stands in the same template needs no export, and is not looked for in another."""
    deployment = a_deployment(messaging=TOPIC, order=NOTHING)
    assert [("messaging", "Topic")] == [place.key for place in deployment.referred("messaging", value)]
    assert [] == list(deployment.referred("order", value))


def test_what_is_no_resource_is_passed_over() -> None:
    """Parameters and what AWS knows of itself are referred to in the same form."""
    deployment = a_deployment(order=NOTHING)
    assert [] == list(deployment.referred("order", [{"Ref": "AWS::Region"}, {"Ref": "Parameter"}]))


def test_only_what_is_of_the_types_is_found() -> None:
    """A policy names keys and queues side by side, and who draws queues asks for those."""
    deployment = a_deployment(messaging=TOPIC)
    assert [] == list(deployment.referred("messaging", {"Ref": "Topic"}, "AWS::SQS::Queue"))


def test_an_import_that_nobody_exports_is_refused() -> None:
    """Templates of two syntheses would make half a picture, without a word."""
    deployment = a_deployment(order=NOTHING)
    with pytest.raises(UnknownExport, match="order imports messaging:Topic, and no stack exports that"):
        list(deployment.referred("order", {"Fn::ImportValue": "messaging:Topic"}))


def test_who_imports_is_deployed_after() -> None:
    """An import is all that orders stacks."""
    properties = {"Topic": {"Fn::ImportValue": "messaging:Topic"}}
    reader = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": properties}}}
    assert {("messaging", "order")} == a_deployment(messaging=TOPIC, order=reader, user=NOTHING).imports()


def test_a_name_is_shown_without_what_all_begin_with() -> None:
    """Names of resources and of secrets begin in two ways."""
    deployment = a_deployment(order=NOTHING)
    assert "order-events" == deployment.named("mercato-dev-order-events")
    assert "stripe" == deployment.named("mercato/dev/stripe")


def test_no_service_needs_another(prod: dict[str, Template]) -> None:
    """Each is deployed alone: none imports what another exports."""
    pairs = Deployment("prod", prod).imports()
    assert set() == {pair for pair in pairs if set(pair) <= set(SERVICES)}


def test_every_service_is_found_with_what_it_is_given(prod: dict[str, Template]) -> None:
    """The database of its own stack is given by the environment, topics by the role."""
    services = {service.name: service for service in Deployment("prod", prod).services()}
    assert set(SERVICES) == set(services)
    order = services["order"]
    bounds = load("order").bounds
    assert (bounds.minimum, bounds.maximum) == order.bounds
    assert ["order"] == [place.stack for place in order.given("AWS::RDS::DBInstance")][:1]
    topics = {place.properties["TopicName"] for place in order.granted("sns:Publish", "AWS::SNS::Topic")}
    assert {"mercato-prod-order-events", "mercato-prod-notification-events"} == topics
