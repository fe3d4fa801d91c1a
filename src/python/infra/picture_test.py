"""The pictures show what the templates say, and nothing else."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from contracts.routes import path_of
from contracts.services import SERVICES
from contracts.topology import QUEUES, SUBSCRIPTIONS, TOPICS
from infra import picture
from infra.deployment import Deployment
from infra.template import Template


@pytest.fixture(scope="module")
def of_prod(prod: dict[str, Template]) -> Deployment:
    """Production, as one."""
    return Deployment("prod", prod)


def arrows(chart: str) -> list[tuple[str, str, str]]:
    found = re.findall(r"^    (\w+) (?:-->|==>|-\.->)(?:\|\"(.*)\"\|)? (\w+)$", chart, re.MULTILINE)
    return [(source, label, target) for source, label, target in found]


def test_every_service_is_reached_by_its_path(of_prod: Deployment) -> None:
    """The load balancer has a rule for each service, named by what it takes of the API."""
    reached = {label for _, label, _ in arrows(picture.requests(of_prod)) if label.startswith("/api/")}
    assert {f"{path_of(service)}/*" for service in SERVICES} == reached


def test_a_request_goes_from_the_client_to_a_service(of_prod: Deployment) -> None:
    """The way through gateway, link and both load balancers is whole."""
    ways = {(source, target) for source, _, target in arrows(picture.requests(of_prod))}
    way = [
        "client",
        "gateway_api",
        "gateway_link",
        "shared_load_balancer",
        "order_service_fargate_service",
        "order_database_instance",
    ]
    assert [] == [step for step in pairwise(way) if step not in ways]


def test_a_public_load_balancer_is_reached_beside_the_gateway(
    of_prod: Deployment, dev: dict[str, Template]
) -> None:
    """Only where it has public addresses does an arrow pass the gateway by."""
    past = ("client", "", "shared_load_balancer")
    assert past in arrows(picture.requests(Deployment("dev", dev)))
    assert past not in arrows(picture.requests(of_prod))


def test_a_service_has_the_secrets_that_it_is_given_alone(of_prod: Deployment) -> None:
    """Whose keys they are is what a reader looks for first."""
    given = {
        (source.partition("_")[0], target)
        for source, _, target in arrows(picture.requests(of_prod))
        if "service" in source and target.startswith(("shared_", "messaging_"))
    }
    assert {
        ("user", "shared_signing_keys"),
        ("payment", "shared_stripe"),
        ("product", "messaging_cache"),
        ("product", "messaging_cache_token"),
    } == given


def test_what_all_others_ask_has_one_arrow(of_prod: Deployment) -> None:
    """Every service asks user for keys: four arrows that say the same would hide the others."""
    keys = [arrow for arrow in arrows(picture.requests(of_prod)) if arrow[1] == "jwks"]
    assert [("JWKS_URL", "jwks", "user_service_fargate_service")] == keys


def test_every_subscription_is_an_arrow_with_what_passes(of_prod: Deployment) -> None:
    """As many as the contracts have, each with its types, or `all` where nothing is filtered."""
    chart = picture.events(of_prod)
    labels = [label for _, label, _ in arrows(chart) if label]
    expected = [
        "all"
        if subscription.filter_policy is None
        else ",<br/>".join(name.partition("_")[2] for name in subscription.filter_policy["event_type"])
        for subscription in SUBSCRIPTIONS
    ]
    assert sorted(expected) == sorted(labels)
    assert [] == [each.name for each in (*TOPICS, *QUEUES) if f'"{each.name}' not in chart]


def test_dead_letters_are_part_of_their_queue(of_prod: Deployment) -> None:
    """Twice as many boxes would say no more than the number of tries does."""
    chart = picture.events(of_prod)
    assert "notification-queue<br/>dead letters after 5 tries" in chart
    assert "-dlq" not in chart


def test_types_of_several_kinds_keep_their_names() -> None:
    """The word that all begin with is left out, so it must be that of all."""
    assert "CREATED,<br/>UPDATED" == picture._filter({"event_type": ["ORDER_CREATED", "ORDER_UPDATED"]})
    assert "ORDER_CREATED,<br/>STOCK_LOW" == picture._filter({"event_type": ["ORDER_CREATED", "STOCK_LOW"]})


def test_alarms_are_counted_by_their_stack(of_prod: Deployment) -> None:
    """Those that only make up another, or scale a service, are left out: nobody hears of them."""
    heard = {
        stack: sum(
            "Alerts" in str(alarm.properties.get("AlarmActions"))
            for alarm in of_prod.in_stack(stack, *picture._ALARMS)
        )
        for stack in of_prod.templates
    }
    chart = picture.watching(of_prod)
    expected = {f"{stack}: {count} alarms" for stack, count in heard.items() if count}
    assert expected == set(re.findall(r'"([\w-]+: \d+ alarms)"', chart))


def test_who_is_on_duty_is_shown_where_an_address_is_known(
    of_prod: Deployment, dev: dict[str, Template]
) -> None:
    """Without an address nobody hears of anything, and no picture may pretend so."""
    assert "who is on duty" in picture.watching(of_prod)
    assert "who is on duty" not in picture.watching(Deployment("dev", dev))


def test_services_are_deployed_side_by_side(of_prod: Deployment) -> None:
    """What needs the same and is needed by the same is drawn as one, with one arrow for all."""
    chart = picture.stacks(of_prod)
    found = re.findall(r'subgraph (\w+)\["side by side, each alone"\](.*?)    end', chart, re.DOTALL)
    groups = {frozenset(re.findall(r"<b>(\w+)</b>", inside)): name for name, inside in found}
    # A plain service needs no topic, and so stands elsewhere.
    told = frozenset(stack for needed, stack in of_prod.imports() if needed == "messaging") & set(SERVICES)
    assert {"user", "order"} <= told
    before = {source for source, _, target in arrows(chart) if target == groups[told]}
    assert {"messaging", "mercato_ci", "observability"} == before


def test_an_arrow_that_follows_from_others_is_left_out(of_prod: Deployment) -> None:
    """Services need shared, but messaging needs it before them."""
    assert {("a", "b"), ("b", "c")} == picture._reduced({("a", "b"), ("b", "c"), ("a", "c")})


@pytest.mark.parametrize("draw", [picture.requests, picture.events, picture.watching, picture.stacks])
def test_every_arrow_leads_from_a_node_to_a_node(draw: object, of_prod: Deployment) -> None:
    """Mermaid would draw a box with an id in it, and no error."""
    chart = draw(of_prod)  # type: ignore[operator]
    nodes = set(re.findall(r"^ +(\w+)[\[{(]", chart, re.MULTILINE))
    groups = set(re.findall(r"subgraph (\w+)", chart))
    ends = {end for source, _, target in arrows(chart) for end in (source, target)}
    assert set() == ends - nodes - groups
