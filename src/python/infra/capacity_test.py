"""What does not carry a rate says so, by the bounds that the templates have."""

from __future__ import annotations

import dataclasses

import pytest

from contracts.services import SERVICES
from infra import capacity
from infra.capacity import Database
from infra.deployment import Deployment
from infra.prices import assumptions, price_list
from infra.scaling import policy
from infra.template import Template

SUFFICES = Database(
    "order",
    "db.t3.small",
    vcpus_needed=0.1,
    vcpus=2,
    vcpus_always=0.4,
    full_after_days=400,
)


@pytest.fixture(scope="module")
def of_prod(prod: dict[str, Template]) -> Deployment:
    """Production, as one."""
    return Deployment("prod", prod)


def test_at_rest_there_are_the_tasks_that_it_begins_with(of_prod: Deployment) -> None:
    """Nobody orders, and yet each service is there."""
    expected = {service: policy.load(service).bounds.desired for service in SERVICES}
    found = {service.name: capacity.tasks_at(service, 0).deployed for service in of_prod.services()}
    assert expected == found


def test_tasks_follow_the_rate_by_the_scaling_file(of_prod: Deployment) -> None:
    """A task more than what is carried by one less."""
    for service in of_prod.services():
        scaling = policy.load(service.name)
        rate = scaling.orders_per_s_and_task * scaling.bounds.minimum
        assert scaling.bounds.minimum == capacity.tasks_at(service, rate).deployed
        assert scaling.bounds.minimum + 1 == capacity.tasks_at(service, rate + 0.1).deployed


def test_there_are_no_more_tasks_than_there_may_be(of_prod: Deployment) -> None:
    """What is needed beyond is told, and not there."""
    for service in of_prod.services():
        tasks = capacity.tasks_at(service, 100_000)
        assert policy.load(service.name).bounds.maximum == tasks.deployed
        assert not tasks.suffice


def test_the_service_with_the_fewest_tasks_ends_the_rate(of_prod: Deployment) -> None:
    """An order needs all of them."""
    carried, service = capacity.carried_by_tasks(of_prod)
    most = {
        name: scaling.bounds.maximum * scaling.orders_per_s_and_task
        for name, scaling in ((name, policy.load(name)) for name in SERVICES)
    }
    assert (min(most.values()), min(most, key=lambda name: most[name])) == (carried, service)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"vcpus_needed": 2.5}, ["needs 2.5 vCPUs of 2"]),
        ({"vcpus_needed": 0.5}, ["needs 0.50 vCPUs: beyond 0.4 it runs on credits"]),
        ({"full_after_days": 6}, ["is full after 6 days"]),
        ({"full_after_days": 0.5}, ["is full after 12 hours"]),
    ],
    ids=["nothing", "too little CPU", "credits", "storage", "storage soon"],
)
def test_a_database_says_what_does_not_suffice(change: dict[str, float], expected: list[str]) -> None:
    """Each bound by itself; what lasts a year is no problem of today."""
    assert expected == list(dataclasses.replace(SUFFICES, **change).problems)  # type: ignore[arg-type]


def test_every_service_has_one_database_to_be_judged(of_prod: Deployment) -> None:
    """The instances of a cluster are parts of one."""
    found = capacity.databases_at(of_prod, 1, assumptions(), price_list())
    assert sorted(SERVICES) == sorted(database.service for database in found)


def test_databases_suffice_for_some_orders(of_prod: Deployment) -> None:
    """The page must be able to say yes."""
    found = capacity.databases_at(of_prod, 1, assumptions(), price_list())
    assert [] == [problem for database in found for problem in database.problems]


@pytest.mark.parametrize(
    ("per_s", "expected"),
    [
        (1, []),
        (10, ["lets a key make 100,000 requests a day: one key for all is used up after 3 hours"]),
        (
            2500,
            [
                "takes 2,000 requests a second of 2,500; the others are answered 429",
                "lets a key make 100,000 requests a day: one key for all is used up after 40 seconds",
            ],
        ),
    ],
)
def test_the_gateway_says_what_of_its_limits_is_exceeded(
    of_prod: Deployment, per_s: float, expected: list[str]
) -> None:
    """A quota of a day is used up long before a limit of a second is met."""
    found = [
        problem.partition(", and then")[0] for problem in capacity.gateway_problems(of_prod, per_s, per_s)
    ]
    assert expected == found
