"""What of a scaling policy no service needs to have: metrics of 20 s, and what is done at saturation."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_ecs as ecs

from infra.constructs.scaling import scale
from infra.scaling.policy import ScalingPolicy
from infra.template import Template

TRACKING = {"metric": "cpu", "target_percent": 75, "scale_in_cooldown_s": 70, "scale_out_cooldown_s": 97}
SATURATION = {"from_percent": 85, "add_percent": 100, "cooldown_s": 97}


@pytest.fixture(scope="module")
def fast() -> Template:
    return deployed([{**TRACKING, "period_s": 20}], {**SATURATION, "period_s": 20})


@pytest.fixture(scope="module")
def usual() -> Template:
    return deployed([TRACKING], SATURATION)


def deployed(tracking: list[dict[str, Any]], saturation: dict[str, Any]) -> Template:
    """The template of a service that scales so."""
    policy = ScalingPolicy.model_validate(
        {
            "service": "order",
            "orders_per_s_and_task": 1,
            "provenance": {"kind": "by hand", "source": "a test"},
            "task": {"cpu": 256, "memory_mib": 512},
            "bounds": {"minimum": 2, "desired": 2, "maximum": 10},
            "target_tracking": tracking,
            "saturation": saturation,
        }
    )
    stack = cdk.Stack(cdk.App(), "test")
    task = ecs.FargateTaskDefinition(stack, "Task")
    task.add_container("app", image=ecs.ContainerImage.from_registry("nobody/app"))
    service = ecs.FargateService(
        stack, "Service", cluster=ecs.Cluster(stack, "Cluster"), task_definition=task
    )
    scale(service, policy, None)
    return Template("test", assertions.Template.from_stack(stack).to_json())


def by_type(template: Template, kind: str) -> dict[str, Any]:
    """The configuration of the one policy of a type."""
    (found,) = [
        each.properties
        for each in template.resources("AWS::ApplicationAutoScaling::ScalingPolicy")
        if each.properties["PolicyType"] == kind
    ]
    configuration: dict[str, Any] = found[f"{kind}PolicyConfiguration"]
    return configuration


def test_a_metric_of_20_seconds_is_tracked_and_published_so(fast: Template) -> None:
    """Both: without the second nobody publishes it."""
    (kind,) = by_type(fast, "TargetTrackingScaling")["PredefinedMetricSpecification"].values()
    assert "ECSServiceAverageCPUUtilizationHighResolution" == kind
    assert {
        "MetricConfigurations": [{"MetricNames": ["CPUUtilization"], "ResolutionSeconds": 20}]
    } == fast.only("AWS::ECS::Service").properties["Monitoring"]


def test_a_metric_of_a_minute_is_that_which_there_is_anyway(usual: Template) -> None:
    """Nothing is published besides."""
    (kind,) = by_type(usual, "TargetTrackingScaling")["PredefinedMetricSpecification"].values()
    assert "ECSServiceAverageCPUUtilization" == kind
    assert "Monitoring" not in usual.only("AWS::ECS::Service").properties


def test_at_saturation_a_share_of_the_tasks_is_added(usual: Template) -> None:
    """From the threshold on, without an end; below it nothing."""
    steps = by_type(usual, "StepScaling")
    assert ("PercentChangeInCapacity", 97, [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 100}]) == (
        steps["AdjustmentType"],
        steps["Cooldown"],
        steps["StepAdjustments"],
    )


@pytest.mark.parametrize("period_s", [20, 60])
def test_one_datapoint_of_the_cpu_sets_it_off(fast: Template, usual: Template, period_s: int) -> None:
    """Of the period that the policy says."""
    alarm = (fast if period_s == 20 else usual).only("AWS::CloudWatch::Alarm").properties
    assert ("CPUUtilization", "Average", period_s, 1, 85, "GreaterThanOrEqualToThreshold") == (
        alarm["MetricName"],
        alarm["Statistic"],
        alarm["Period"],
        alarm["EvaluationPeriods"],
        alarm["Threshold"],
        alarm["ComparisonOperator"],
    )
