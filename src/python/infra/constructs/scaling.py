"""A service's scaling policy as Application Auto Scaling has it."""

from __future__ import annotations

from aws_cdk import Duration, TimeZone
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sqs as sqs

from infra.scaling.policy import QueueSteps, ScalingPolicy, TargetTracking


class UnknownQueue(Exception):
    """A policy scales by a queue, and its service reads none."""


def scale(service: ecs.FargateService, policy: ScalingPolicy, queue: sqs.IQueue | None) -> None:
    """Have `service` scaled as `policy` says; `queue` is the one that the service reads."""
    count = service.auto_scale_task_count(
        min_capacity=policy.bounds.minimum, max_capacity=policy.bounds.maximum
    )
    for tracking in policy.target_tracking:
        _track(count, tracking)
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
