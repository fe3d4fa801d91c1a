"""What tests ask of a service's stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from infra.template import Template
from infra.testing import dimensions, named


@dataclass(frozen=True)
class Tracking:
    """What a policy keeps, at how many percent, and after how long it acts again: in seconds."""

    metric: str
    percent: float
    in_s: int
    out_s: int


@dataclass(frozen=True)
class Step:
    """From so many messages on, and below so many, tasks are added."""

    from_messages: float
    below: float | None
    add: int


@dataclass(frozen=True)
class Steps:
    """Scaling by the queue, and after how many seconds it may act again."""

    queue: str
    cooldown_s: int
    steps: tuple[Step, ...]


def container(template: Template, name: str, task: str = "ServiceTask") -> dict[str, Any]:
    """The definition of a container in a task."""
    (found,) = [
        each for each in named(template, task).properties["ContainerDefinitions"] if each["Name"] == name
    ]
    return dict(found)


def variables(template: Template, name: str) -> dict[str, str]:
    """The environment of a container, without secrets."""
    return {pair["Name"]: pair["Value"] for pair in container(template, name)["Environment"]}


def secrets(template: Template, name: str) -> dict[str, str]:
    """Where the secrets of a container come from."""
    return {pair["Name"]: pair["ValueFrom"] for pair in container(template, name).get("Secrets", [])}


def size(template: Template) -> tuple[str, str, int]:
    """CPU units and MiB of a task, and how many tasks there are at first."""
    task = named(template, "ServiceTask").properties
    return task["Cpu"], task["Memory"], template.only("AWS::ECS::Service").properties["DesiredCount"]


def routing(template: Template) -> tuple[list[str], int]:
    """The paths that a service answers, and the priority of its rule."""
    rule = template.only("AWS::ElasticLoadBalancingV2::ListenerRule").properties
    assert [{"Type": "forward", "TargetGroupArn": "${ServiceTargets}"}] == rule["Actions"]
    (condition,) = rule["Conditions"]
    assert "path-pattern" == condition["Field"]
    return condition["PathPatternConfig"]["Values"], rule["Priority"]


def health(template: Template) -> tuple[str, int, int, int]:
    """Path, interval and timeout in seconds, and how many failures make a task unhealthy."""
    group = named(template, "ServiceTargets").properties
    return (
        group["HealthCheckPath"],
        group["HealthCheckIntervalSeconds"],
        group["HealthCheckTimeoutSeconds"],
        group["UnhealthyThresholdCount"],
    )


def bounds(template: Template) -> tuple[int, int]:
    """Fewest and most tasks."""
    target = template.only("AWS::ApplicationAutoScaling::ScalableTarget").properties
    return target["MinCapacity"], target["MaxCapacity"]


def trackings(template: Template) -> set[Tracking]:
    """What the service's scaling keeps."""
    found = [
        policy.properties["TargetTrackingScalingPolicyConfiguration"]
        for policy in template.resources("AWS::ApplicationAutoScaling::ScalingPolicy")
        if policy.properties["PolicyType"] == "TargetTrackingScaling"
    ]
    return {
        Tracking(
            each["PredefinedMetricSpecification"]["PredefinedMetricType"],
            each["TargetValue"],
            each["ScaleInCooldown"],
            each["ScaleOutCooldown"],
        )
        for each in found
    }


def steps(template: Template) -> Steps | None:
    """How the service scales by its queue, if it does: by the alarm's threshold and distances from it."""
    found = [
        policy
        for policy in template.resources("AWS::ApplicationAutoScaling::ScalingPolicy")
        if policy.properties["PolicyType"] == "StepScaling"
        and policy.properties["StepScalingPolicyConfiguration"]["AdjustmentType"] == "ChangeInCapacity"
    ]
    if not found:
        return None
    (policy,) = found
    said = policy.properties["StepScalingPolicyConfiguration"]
    assert "Maximum" == said["MetricAggregationType"]
    (alarm,) = [
        alarm.properties
        for alarm in template.resources("AWS::CloudWatch::Alarm")
        if f"${{{policy.id}}}" in alarm.properties.get("AlarmActions", [])
    ]
    assert ("ApproximateNumberOfMessagesVisible", "Maximum", 60, 1, "GreaterThanOrEqualToThreshold") == (
        alarm["MetricName"],
        alarm["Statistic"],
        alarm["Period"],
        alarm["EvaluationPeriods"],
        alarm["ComparisonOperator"],
    )
    threshold = alarm["Threshold"]
    return Steps(
        dimensions(alarm)["QueueName"],
        said["Cooldown"],
        tuple(
            Step(
                threshold + each["MetricIntervalLowerBound"],
                threshold + each["MetricIntervalUpperBound"] if "MetricIntervalUpperBound" in each else None,
                each["ScalingAdjustment"],
            )
            for each in said["StepAdjustments"]
        ),
    )


def instance(template: Template) -> dict[str, Any]:
    """What is promised of an RDS instance, under the names of INFRA's rows."""
    database = named(template, "DatabaseInstance").properties
    return {
        "class": database["DBInstanceClass"],
        "storage": (int(database["AllocatedStorage"]), database["MaxAllocatedStorage"]),
        "backup days": database["BackupRetentionPeriod"],
        "performance insights": database["EnablePerformanceInsights"],
    }
