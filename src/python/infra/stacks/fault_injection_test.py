"""Experiments: what is broken, of whom, for how long, and when it is stopped."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.services import SERVICES
from infra.testing import Deployment


def experiments(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """The templates of experiments by their names."""
    prefix = f"mercato-{deployment.name}-"
    return {
        template.properties["Tags"]["Name"].removeprefix(prefix): dict(template.properties)
        for template in deployment["fault-injection"].resources("AWS::FIS::ExperimentTemplate")
    }


def action(experiment: dict[str, Any]) -> tuple[str, dict[str, str], dict[str, Any]]:
    """The one thing that an experiment does: which action, how, to what."""
    ((_, done),) = experiment["Actions"].items()
    ((_, reference),) = done["Targets"].items()
    return done["ActionId"], done["Parameters"], experiment["Targets"][reference]


def test_tasks_are_stopped_a_zone_is_cut_off_and_in_staging_answers_come_late(anywhere: Deployment) -> None:
    """Latency needs the agent in the tasks, which only staging has."""
    stopped = {f"kill-{service}" for service in SERVICES}
    slowed = {f"slow-{service}" for service in SERVICES} if anywhere.name == "staging" else set()
    assert stopped | slowed | {"cut-off-zone"} == set(experiments(anywhere))


def test_an_action_is_called_as_its_experiment(anywhere: Deployment) -> None:
    """Whoever reads a log of one finds the other."""
    for name, experiment in experiments(anywhere).items():
        assert [name] == list(experiment["Actions"])


@pytest.mark.parametrize("service", SERVICES)
def test_half_of_the_tasks_of_a_service_are_stopped(anywhere: Deployment, service: str) -> None:
    """The others have to do; ECS starts new ones."""
    name, parameters, target = action(experiments(anywhere)[f"kill-{service}"])
    assert ("aws:ecs:stop-task", {}) == (name, parameters)
    assert {
        "ResourceType": "aws:ecs:task",
        "SelectionMode": "PERCENT(50)",
        "Parameters": {"cluster": f"mercato-{anywhere.name}", "service": service},
    } == target


@pytest.mark.parametrize("service", SERVICES)
def test_half_of_the_tasks_of_a_service_answer_200_ms_later(in_staging: Deployment, service: str) -> None:
    """For five minutes, by ECS' own way into a task of Fargate."""
    name, parameters, target = action(experiments(in_staging)[f"slow-{service}"])
    assert "aws:ecs:task-network-latency" == name
    assert ("PT5M", "200", "true") == (
        parameters["duration"],
        parameters["delayMilliseconds"],
        parameters["useEcsFaultInjectionEndpoints"],
    )
    assert {"cluster": "mercato-staging", "service": service} == target["Parameters"]
    assert "PERCENT(50)" == target["SelectionMode"]


def test_a_zone_is_cut_off_for_five_minutes(anywhere: Deployment) -> None:
    """Nothing comes and nothing goes in its private subnet, where a third of all tasks is."""
    name, parameters, target = action(experiments(anywhere)["cut-off-zone"])
    assert ("aws:network:disrupt-connectivity", {"duration": "PT5M", "scope": "all"}) == (name, parameters)
    subnet = (
        "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:subnet/${shared:VpcprivateSubnet1Subnet}"
    )
    assert ("aws:ec2:subnet", [subnet], "ALL") == (
        target["ResourceType"],
        target["ResourceArns"],
        target["SelectionMode"],
    )


def test_every_experiment_stops_when_customers_notice(anywhere: Deployment) -> None:
    """By the alarm on errors of the gateway, whoever watches or does not."""
    stop = [{"Source": "aws:cloudwatch:alarm", "Value": "${observability:GatewayErrors.Arn}"}]
    assert all(stop == experiment["StopConditions"] for experiment in experiments(anywhere).values())


def test_an_experiment_that_finds_nothing_to_break_fails(anywhere: Deployment) -> None:
    """Else it would seem to have been survived."""
    assert {"fail"} == {
        experiment["ExperimentOptions"]["EmptyTargetResolutionMode"]
        for experiment in experiments(anywhere).values()
    }


def test_experiments_are_made_by_a_role_that_only_they_can_take(anywhere: Deployment) -> None:
    """Those of this account."""
    role = anywhere["fault-injection"].only("AWS::IAM::Role")
    assert {f"${{{role.id}.Arn}}"} == {each["RoleArn"] for each in experiments(anywhere).values()}
    (trust,) = role.properties["AssumeRolePolicyDocument"]["Statement"]
    assert (
        {"Service": "fis.amazonaws.com"},
        {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}},
    ) == (
        trust["Principal"],
        trust["Condition"],
    )
