"""A service's scaling policy as Application Auto Scaling has it."""

from __future__ import annotations

from typing import TypeVar

from aws_cdk import CfnResource, Duration, TimeZone
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sqs as sqs
from constructs import IConstruct

from infra.scaling.policy import QueueSteps, Saturation, ScalingPolicy, TargetTracking

_NAMES = {"cpu": "CPUUtilization", "memory": "MemoryUtilization"}
# What ECS publishes when nobody asks for more.
_USUAL_PERIOD_S = 60


class UnknownQueue(Exception):
    """A policy scales by a queue, and its service reads none."""


def scale(service: ecs.FargateService, policy: ScalingPolicy, queue: sqs.IQueue | None) -> None:
    """Have `service` scaled as `policy` says; `queue` is the one that the service reads."""
    count = service.auto_scale_task_count(
        min_capacity=policy.bounds.minimum, max_capacity=policy.bounds.maximum
    )
    for tracking in policy.target_tracking:
        _track(count, tracking)
    if policy.saturation is not None:
        _saturate(service, count, policy.saturation)
    _publish(service, policy)
    if policy.queue is not None:
        if queue is None:
            raise UnknownQueue(f"{policy.service}.toml scales by a queue, and the service reads none.")
        _step(count, policy.queue, queue)
    for scheduled in policy.scheduled:
        count.scale_on_schedule(
            scheduled.name,
            schedule=autoscaling.Schedule.expression(scheduled.cron),
            time_zone=TimeZone.of(scheduled.timezone),
            min_capacity=scheduled.minimum,
            max_capacity=scheduled.maximum,
        )


def _track(count: ecs.ScalableTaskCount, tracking: TargetTracking) -> None:
    by = {"cpu": count.scale_on_cpu_utilization, "memory": count.scale_on_memory_utilization}
    by[tracking.metric](
        tracking.metric.title(),
        target_utilization_percent=tracking.target_percent,
        scale_in_cooldown=Duration.seconds(tracking.scale_in_cooldown_s),
        scale_out_cooldown=Duration.seconds(tracking.scale_out_cooldown_s),
    )
    if tracking.period_s != _USUAL_PERIOD_S:
        # CDK does not know these metrics yet.
        _latest(count, autoscaling.CfnScalingPolicy).add_property_override(
            "TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification.PredefinedMetricType",
            f"ECSServiceAverage{_NAMES[tracking.metric]}HighResolution",
        )


def _saturate(service: ecs.FargateService, count: ecs.ScalableTaskCount, saturation: Saturation) -> None:
    count.scale_on_metric(
        "Saturation",
        metric=service.metric_cpu_utilization(period=Duration.minutes(1), statistic="Average"),
        scaling_steps=[
            autoscaling.ScalingInterval(lower=0, upper=saturation.from_percent, change=0),
            autoscaling.ScalingInterval(lower=saturation.from_percent, change=saturation.add_percent),
        ],
        adjustment_type=autoscaling.AdjustmentType.PERCENT_CHANGE_IN_CAPACITY,
        cooldown=Duration.seconds(saturation.cooldown_s),
    )
    if saturation.period_s != _USUAL_PERIOD_S:
        # CDK refuses a period that CloudWatch takes.
        _latest(count, cloudwatch.CfnAlarm).add_property_override("Period", saturation.period_s)


def _publish(service: ecs.FargateService, policy: ScalingPolicy) -> None:
    """Have ECS publish the metrics as often as the policy looks at them.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/target-tracking-faster-auto-scaling.html
    """
    periods: dict[str, int] = {_NAMES[each.metric]: each.period_s for each in policy.target_tracking}
    if policy.saturation is not None:
        name = _NAMES["cpu"]
        periods[name] = min(policy.saturation.period_s, periods.get(name, _USUAL_PERIOD_S))
    fast = {name: period_s for name, period_s in periods.items() if period_s != _USUAL_PERIOD_S}
    if not fast:
        return
    resource = service.node.default_child
    assert isinstance(resource, ecs.CfnService)
    resource.monitoring = ecs.CfnService.MonitoringConfigurationProperty(
        metric_configurations=[
            ecs.CfnService.MetricConfigurationProperty(metric_names=[name], resolution_seconds=period_s)
            for name, period_s in sorted(fast.items())
        ]
    )


_Found = TypeVar("_Found", bound=CfnResource)


def _latest(scope: IConstruct, kind: type[_Found]) -> _Found:
    """The resource of a kind that was made last below `scope`."""
    return [each for each in scope.node.find_all() if isinstance(each, kind)][-1]


def _step(count: ecs.ScalableTaskCount, queue_steps: QueueSteps, queue: sqs.IQueue) -> None:
    ends = [step.from_messages for step in queue_steps.steps[1:]] + [None]
    count.scale_on_metric(
        "Queue",
        metric=queue.metric_approximate_number_of_messages_visible(
            period=Duration.minutes(1), statistic="Maximum"
        ),
        scaling_steps=[
            autoscaling.ScalingInterval(lower=step.from_messages, upper=end, change=step.add_tasks)
            for step, end in zip(queue_steps.steps, ends, strict=True)
        ],
        adjustment_type=autoscaling.AdjustmentType.CHANGE_IN_CAPACITY,
        cooldown=Duration.seconds(queue_steps.cooldown_s),
    )
