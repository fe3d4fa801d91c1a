"""Each service is scaled as its scaling file says."""

from __future__ import annotations

import pytest

from contracts.services import SERVICES
from infra.scaling.policy import ScalingPolicy, load
from infra.stacks.testing import Step, Tracking, bounds, size, steps, trackings
from infra.template import Template
from infra.testing import Deployment

_TRACKED = {"cpu": "ECSServiceAverageCPUUtilization", "memory": "ECSServiceAverageMemoryUtilization"}
_FAST = {20: "HighResolution", 60: ""}


@pytest.fixture(params=SERVICES)
def policy(request: pytest.FixtureRequest) -> ScalingPolicy:
    """Each of the files."""
    name: str = request.param
    return load(name)


@pytest.fixture
def template(anywhere: Deployment, policy: ScalingPolicy) -> Template:
    """The stack of its service."""
    return anywhere[policy.service]


def test_tasks_are_of_the_size_and_as_many_at_first(policy: ScalingPolicy, template: Template) -> None:
    """CPU units, MiB, and with how many it begins."""
    task = policy.task
    assert (str(task.cpu), str(task.memory_mib), policy.bounds.desired) == size(template)


def test_there_are_no_fewer_and_no_more(policy: ScalingPolicy, template: Template) -> None:
    """Floor and ceiling."""
    assert (policy.bounds.minimum, policy.bounds.maximum) == bounds(template)


def test_targets_are_kept(policy: ScalingPolicy, template: Template) -> None:
    """By the metric of their period, with both cooldowns."""
    assert {
        Tracking(
            _TRACKED[each.metric] + _FAST[each.period_s],
            each.target_percent,
            each.scale_in_cooldown_s,
            each.scale_out_cooldown_s,
        )
        for each in policy.target_tracking
    } == trackings(template)


def test_a_queue_adds_what_its_steps_say(policy: ScalingPolicy, template: Template) -> None:
    """Of its own service's queue; nothing below the first that adds."""
    found = steps(template)
    if policy.queue is None:
        assert found is None
        return
    ends = [each.from_messages for each in policy.queue.steps[1:]] + [None]
    assert found is not None
    assert (policy.queue.cooldown_s, [*found.steps]) == (
        found.cooldown_s,
        [
            Step(step.from_messages, end, step.add_tasks)
            for step, end in zip(policy.queue.steps, ends, strict=True)
            if step.add_tasks
        ],
    )
    assert found.queue.startswith("${messaging:")


def test_a_cpu_that_is_used_up_adds_a_share(policy: ScalingPolicy, template: Template) -> None:
    """From the threshold of its alarm on, which looks as often as the file says."""
    found = [
        (each, each.properties["StepScalingPolicyConfiguration"])
        for each in template.resources("AWS::ApplicationAutoScaling::ScalingPolicy")
        if each.properties["PolicyType"] == "StepScaling"
        and each.properties["StepScalingPolicyConfiguration"]["AdjustmentType"] == "PercentChangeInCapacity"
    ]
    if policy.saturation is None:
        assert not found
        return
    ((resource, said),) = found
    (alarm,) = [
        each.properties
        for each in template.resources("AWS::CloudWatch::Alarm")
        if f"${{{resource.id}}}" in each.properties.get("AlarmActions", [])
    ]
    saturation = policy.saturation
    assert (saturation.add_percent, saturation.cooldown_s) == (
        said["StepAdjustments"][0]["ScalingAdjustment"],
        said["Cooldown"],
    )
    assert (saturation.from_percent, saturation.period_s) == (alarm["Threshold"], alarm["Period"])


def test_known_peaks_have_their_bounds(policy: ScalingPolicy, template: Template) -> None:
    """At the hour of their own time zone."""
    target = template.only("AWS::ApplicationAutoScaling::ScalableTarget").properties
    assert [
        (each.name, each.cron, each.timezone, each.minimum, each.maximum) for each in policy.scheduled
    ] == [
        (
            each["ScheduledActionName"],
            each["Schedule"],
            each["Timezone"],
            each["ScalableTargetAction"]["MinCapacity"],
            each["ScalableTargetAction"]["MaxCapacity"],
        )
        for each in target.get("ScheduledActions", [])
    ]
