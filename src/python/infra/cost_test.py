"""Everything in the templates is priced or free, and what costs is counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from contracts.services import SERVICES
from contracts.topology import SUBSCRIPTIONS
from infra import cost
from infra.cost import BY_USE, GROUPS, PRICED
from infra.deployment import Deployment, Place, Service
from infra.environment import NAMES
from infra.prices import PriceMissing, price_list
from infra.scaling import policy
from infra.template import Resource, Template


@pytest.fixture(scope="module")
def deployments(
    dev: dict[str, Template], staging: dict[str, Template], prod: dict[str, Template]
) -> Mapping[str, Deployment]:
    """All environments."""
    return {name: Deployment(name, made) for name, made in zip(NAMES, (dev, staging, prod), strict=True)}


def a_place(kind: str, stack: str = "order", **properties: Any) -> Place:
    return Place(stack, Resource("Thing", kind, properties, {}))


def quantities(deployment: Deployment, orders_per_s: float = 0) -> dict[str, float]:
    """How much of each price."""
    found: dict[str, float] = {}
    for line in cost.lines(cost.case(deployment, orders_per_s)):
        found[line.price] = found.get(line.price, 0) + line.quantity
    return found


def test_every_type_is_priced_or_free(deployments: Mapping[str, Deployment]) -> None:
    """What is added to a template costs something or nothing, and somebody has to say which.

    A new type belongs in PRICED or BY_USE of cost.py, or in [free] of prices.toml with its reason.
    """
    types = {place.type for deployment in deployments.values() for place in deployment.resources()}
    known = [*PRICED, *BY_USE, *price_list().free]
    assert set() == types - set(known)
    assert len(set(known)) == len(known)


def test_no_type_is_listed_that_is_not_there(deployments: Mapping[str, Deployment]) -> None:
    """What left the templates leaves the list."""
    types = {place.type for deployment in deployments.values() for place in deployment.resources()}
    assert set() == {*PRICED, *BY_USE, *price_list().free} - types


def test_what_costs_by_its_use_has_a_row(deployments: Mapping[str, Deployment]) -> None:
    """A type that names a row which nobody writes would be free by mistake."""
    rows = {line.row for line in cost.lines(cost.case(deployments["prod"], 1))}
    assert set() == set(BY_USE.values()) - rows
    assert set() == {line.group for line in cost.lines(cost.case(deployments["prod"], 1))} - set(GROUPS)


def test_every_price_of_the_list_is_used(deployments: Mapping[str, Deployment]) -> None:
    """A price that nothing has is one that nobody looks after."""
    used = {"experiment.minute"}  # said on the page
    for deployment in deployments.values():
        used |= set(quantities(deployment, 1)) | set(quantities(deployment))
    used |= {line.price for line in cost.lines(cost.account(deployments["prod"]))}
    assert set() == {price.name for price in price_list().price} - used


def test_what_is_there_is_counted(deployments: Mapping[str, Deployment]) -> None:
    """By hand, of production: two NAT gateways, three keys, tasks; no service that came after."""
    first = ("user", "product", "order", "payment", "notification")
    later = set(SERVICES) - set(first)
    prod = deployments["prod"].templates
    found = quantities(Deployment("prod", {name: prod[name] for name in prod.keys() - later}))
    hours = 730
    assert 2 * hours == found["nat.hour"]
    assert 2 * hours == found["ipv4.hour"]
    assert 3 == found["kms.key"]
    # Three that the templates have, and one of each database that RDS makes.
    assert 3 + 5 == found["secret"]
    policies = [policy.load(name) for name in first]
    vcpus = sum(each.bounds.desired * each.task.cpu / 1024 for each in policies)
    gigabytes = sum(each.bounds.desired * each.task.memory_mib / 1024 for each in policies)
    assert vcpus * hours == pytest.approx(found["fargate.vcpu"])
    assert gigabytes * hours == pytest.approx(found["fargate.gb"])
    assert 2 * hours == found["rds.db.t3.micro.multi"]
    assert 2 * hours == found["rds.db.t3.small.multi"]
    # Writer and reader, at the least.
    assert 2 * 0.5 * hours == found["aurora.acu"]
    assert 4 == found["firewall.rule"]


def test_a_public_load_balancer_has_an_address_in_each_zone(deployments: Mapping[str, Deployment]) -> None:
    """Dev's is public, beside the two addresses of the NAT gateways."""
    assert (2 + 3) * 730 == quantities(deployments["dev"])["ipv4.hour"]


def test_an_alarm_costs_by_what_it_looks_at() -> None:
    """An expression over two metrics is two, and itself none."""
    one = a_place("AWS::CloudWatch::Alarm", MetricName="CPUUtilization")
    two = a_place(
        "AWS::CloudWatch::Alarm",
        Metrics=[{"Expression": "a / b"}, {"MetricStat": {}}, {"MetricStat": {}}],
    )
    case = cost.case(Deployment("dev", {}))
    assert [1, 2] == [line.quantity for place in (one, two) for line in cost._alarm(place, case)]


def test_what_looks_more_often_than_each_minute_costs_more() -> None:
    """An alarm, those that tracking makes of its own, and the metrics themselves."""
    case = cost.case(Deployment("dev", {}))

    def tracking(metric: str) -> Place:
        specified = {"PredefinedMetricSpecification": {"PredefinedMetricType": metric}}
        kind = "AWS::ApplicationAutoScaling::ScalingPolicy"
        return a_place(kind, TargetTrackingScalingPolicyConfiguration=specified)

    usual, fast = "ECSServiceAverageCPUUtilization", "ECSServiceAverageCPUUtilizationHighResolution"
    alarms = [a_place("AWS::CloudWatch::Alarm", MetricName="x", Period=period) for period in (60, 20)]
    assert ["alarm.metric", "alarm.fast"] == [
        line.price for each in alarms for line in cost._alarm(each, case)
    ]
    lines = [line for metric in (usual, fast) for line in cost._scaling(tracking(metric), case)]
    assert [("alarm.metric", 2), ("alarm.fast", 2)] == [(line.price, line.quantity) for line in lines]


def test_an_order_makes_as_many_messages_as_the_topology_says() -> None:
    """Six events, which three services hear of: measured at the broker, there were nine."""
    assert (6, 9) == (len(cost.EVENTS), cost.MESSAGES)
    assert cost.MESSAGES == sum(event in each.delivered for event in cost.EVENTS for each in SUBSCRIPTIONS)


def test_what_orders_cause_grows_with_them(deployments: Mapping[str, Deployment]) -> None:
    """Twice as many orders are twice as many mails, and no more load balancers."""
    once, twice = (quantities(deployments["prod"], rate) for rate in (10, 20))
    for name in ("ses.mail", "sns.request", "sqs.request", "api.request", "aurora.io"):
        assert 2 * once[name] == pytest.approx(twice[name])
    assert once["nat.hour"] == twice["nat.hour"]


def test_missing_tasks_have_a_price_of_their_own(deployments: Mapping[str, Deployment]) -> None:
    """They are not in the total: they cannot be there."""
    prod = deployments["prod"]
    assert 0 == cost.missing_tasks(cost.case(prod, 50))
    assert 0 < cost.missing_tasks(cost.case(prod, 1000))
    assert quantities(prod, 1000)["fargate.vcpu"] == quantities(prod, 5000)["fargate.vcpu"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, 1.0),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0.0),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}, 0.1),
    ],
    ids=["as OpenTelemetry does by itself", "none", "a tenth"],
)
def test_the_share_of_traces_is_that_of_the_environment(variables: dict[str, str], expected: float) -> None:
    """What is recorded is decided where it is made."""
    assert expected == cost.kept(a_service(variables))


def test_a_sampler_that_is_not_known_is_refused() -> None:
    """Whether it keeps much or little, the page would be wrong."""
    with pytest.raises(PriceMissing, match="what the sampler jaeger_remote of order keeps is not known"):
        cost.kept(a_service({"OTEL_TRACES_SAMPLER": "jaeger_remote"}))


def a_service(variables: Mapping[str, str]) -> Service:
    environment = [{"Name": name, "Value": value} for name, value in variables.items()]
    body = {
        "Resources": {
            "Task": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {"ContainerDefinitions": [{"Environment": environment}]},
            }
        }
    }
    service = a_place("AWS::ECS::Service", ServiceName="order", TaskDefinition={"Ref": "Task"})
    return Service(Deployment("dev", {"order": Template("order", body)}), service)


def test_a_type_that_costs_more_than_it_did_is_seen_in_the_sum(deployments: Mapping[str, Deployment]) -> None:
    """The rows are the prices times what was counted, and nothing is lost on the way."""
    case = cost.case(deployments["prod"])
    prices = price_list()
    expected = sum(prices.of(name).cost(count) for name, count in quantities(deployments["prod"]).items())
    assert expected == pytest.approx(sum(cost.costs(case).values()))
