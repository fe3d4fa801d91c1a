"""Application Auto Scaling's policies: what each wants when a datapoint of its metric comes.

https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from infra.scaling.policy import QueueSteps, Saturation, TargetTracking
from loadtests.simulator.alarms import PUBLISHED_AFTER_S, Alarm, Metric

# The alarms that target tracking makes: above the target for 3 minutes, below nine tenths of it for 15. AWS'
# pages say no more than that it is slower to scale in ("usually more than 10% lower"); its workshop of ECS
# shows both alarms (target 30: > 30 for 3 datapoints within 3 minutes, < 27 for 15 within 15). For metrics of
# 20 s nobody was found who says them: 3 datapoints fit the 86 s that AWS measured, and scaling in is taken to
# need 15 minutes there, too.
HIGH_DATAPOINTS = 3
LOW_AFTER_S = 15 * 60
LOW_SHARE = 0.9

# SQS has metrics of a minute, and CDK makes the step policy's alarm over one datapoint.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
QUEUE_PERIOD_S = 60
QUEUE_PUBLISHED_AFTER_S = 60
STEP_DATAPOINTS = 1


@dataclass
class Cooldown:
    """Of scaling out: during it, what was added before counts as part of what is wanted next.

    "The capacity added by the initiating scale-out activity is calculated as part of the desired capacity for
    the next": so a larger one goes through, and adds the difference.
    """

    seconds: int
    _before: int = 0
    _until_s: int = -1

    def base(self, now_s: int, desired: int) -> int:
        """From what to reckon: the capacity before the activity that cools down, or the present one."""
        return self._before if now_s < self._until_s else desired

    def begin(self, now_s: int, before: int) -> None:
        """An activity of the policy has gone through, reckoned from `before` tasks."""
        self._before, self._until_s = before, now_s + self.seconds


class Policy(Protocol):
    """What a scalable target asks of each of its policies."""

    cooldown: Cooldown
    scale_in_cooldown_s: int

    def feed(self, until_s: int, load: Load) -> None:
        """What the service was like in a tick."""

    def judge(self, now_s: int) -> bool:
        """Whether a datapoint has come; the alarms have then seen it."""

    def wanted_out(self, base: int) -> int | None:
        """How many tasks it wants while its high alarm is on, starting from `base`."""

    def wanted_in(self, desired: int) -> int | None:
        """How many would do while its low alarm is on; None is no, and `desired` whatever others say."""


@dataclass(frozen=True)
class Load:
    """What metrics see of a service: of its tasks on average, and of its queue."""

    cpu_percent: float
    memory_percent: float
    waiting_messages: float


@dataclass
class Tracker:
    """Target tracking: out in proportion once the high alarm is on, in when the low one has been for long."""

    tracked: TargetTracking
    _metric: Metric = field(init=False)
    _high: Alarm = field(init=False)
    _low: Alarm = field(init=False)
    _recent: deque[float] = field(init=False)
    _is_high: bool = False
    _is_low: bool = False

    def __post_init__(self) -> None:
        period_s = self.tracked.period_s
        self._metric = Metric(period_s, PUBLISHED_AFTER_S[period_s])
        self._high = Alarm(HIGH_DATAPOINTS)
        self._low = Alarm(LOW_AFTER_S // period_s)
        self._recent = deque(maxlen=self._low.datapoints)
        self.cooldown = Cooldown(self.tracked.scale_out_cooldown_s)
        self.scale_in_cooldown_s = self.tracked.scale_in_cooldown_s

    def feed(self, until_s: int, load: Load) -> None:
        """See Policy."""
        self._metric.feed(until_s, load.cpu_percent if self.tracked.metric == "cpu" else load.memory_percent)

    def judge(self, now_s: int) -> bool:
        """See Policy."""
        value = self._metric.datapoint(now_s)
        if value is None:
            return False
        self._recent.append(value)
        self._is_high = self._high.see(value > self.tracked.target_percent)
        self._is_low = self._low.see(value < LOW_SHARE * self.tracked.target_percent)
        return True

    def wanted_out(self, base: int) -> int | None:
        """In proportion to the metric, rounded up: "if adding 1.5 would do, we round up and add two"."""
        return self._tasks_for(base, self._recent[-1]) if self._is_high else None

    def wanted_in(self, desired: int) -> int | None:
        """As many as would bring the metric to the target, by the highest that the alarm saw.

        AWS says that it scales in "more gradually", and not if "removing a minimum unit of capacity would
        likely bring the metric back above the target value"; by how much at a time it does not say.
        """
        return min(desired, self._tasks_for(desired, max(self._recent))) if self._is_low else None

    def _tasks_for(self, tasks: int, metric: float) -> int:
        # What floats add to a whole number is no task.
        return math.ceil(tasks * metric / self.tracked.target_percent - 1e-9)


@dataclass
class QueueStepper:
    """Step scaling on a queue: so many more tasks by how many messages wait. It never takes any away."""

    steps: QueueSteps
    _metric: Metric = field(
        default_factory=lambda: Metric(QUEUE_PERIOD_S, QUEUE_PUBLISHED_AFTER_S, highest=True)
    )
    _alarm: Alarm = field(default_factory=lambda: Alarm(STEP_DATAPOINTS))
    _waiting: float = 0.0
    _is_high: bool = False
    scale_in_cooldown_s: int = 0

    def __post_init__(self) -> None:
        self.cooldown = Cooldown(self.steps.cooldown_s)
        # CDK lets the alarm begin where the first step that adds something does.
        self._threshold = min(
            (step.from_messages for step in self.steps.steps if step.add_tasks), default=math.inf
        )

    def feed(self, until_s: int, load: Load) -> None:
        """See Policy."""
        self._metric.feed(until_s, load.waiting_messages)

    def judge(self, now_s: int) -> bool:
        """See Policy."""
        value = self._metric.datapoint(now_s)
        if value is None:
            return False
        self._waiting = value
        self._is_high = self._alarm.see(value >= self._threshold)
        return True

    def wanted_out(self, base: int) -> int | None:
        """By the metric's step: "the lower bound is inclusive and the upper bound is exclusive"."""
        if not self._is_high:
            return None
        return base + [step.add_tasks for step in self.steps.steps if step.from_messages <= self._waiting][-1]

    def wanted_in(self, desired: int) -> int | None:
        """It has no part that scales in, and blocks none."""
        return desired


@dataclass
class SaturationStepper:
    """Step scaling by a share of the tasks, where the CPU is used up."""

    saturation: Saturation
    _metric: Metric = field(init=False)
    _alarm: Alarm = field(default_factory=lambda: Alarm(STEP_DATAPOINTS))
    _is_high: bool = False
    scale_in_cooldown_s: int = 0

    def __post_init__(self) -> None:
        period_s = self.saturation.period_s
        self._metric = Metric(period_s, PUBLISHED_AFTER_S[period_s])
        self.cooldown = Cooldown(self.saturation.cooldown_s)

    def feed(self, until_s: int, load: Load) -> None:
        """See Policy."""
        self._metric.feed(until_s, load.cpu_percent)

    def judge(self, now_s: int) -> bool:
        """See Policy."""
        value = self._metric.datapoint(now_s)
        if value is None:
            return False
        self._is_high = self._alarm.see(value >= self.saturation.from_percent)
        return True

    def wanted_out(self, base: int) -> int | None:
        """PercentChangeInCapacity: "values greater than 1 are rounded down, between 0 and 1 to 1"."""
        return base + max(1, base * self.saturation.add_percent // 100) if self._is_high else None

    def wanted_in(self, desired: int) -> int | None:
        """It has no part that scales in, and blocks none."""
        return desired


@dataclass
class ScalableTarget:
    """The number of tasks that is wanted, between bounds, by all policies together."""

    minimum: int
    maximum: int
    desired: int
    policies: Sequence[Policy]
    _no_scale_in_before_s: int = -1

    def bound(self, minimum: int, maximum: int) -> None:
        """New bounds, of a scheduled action: they act at once, whatever cools down.

        https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-policy-overview.html
        """
        self.minimum, self.maximum = minimum, maximum
        self.desired = min(max(self.desired, minimum), maximum)

    def feed(self, until_s: int, load: Load) -> None:
        """What the service was like in a tick, for the metrics of all policies."""
        for policy in self.policies:
            policy.feed(until_s, load)

    def judge(self, now_s: int) -> int:
        """How many are wanted now: out if any policy wants it, by the largest; in only if all trackers do."""
        came = [policy for policy in self.policies if policy.judge(now_s)]
        self._scale_out(now_s, came)
        # Whoever wants more, though it may have it already, keeps others from taking away.
        if came and all(policy.wanted_out(self.desired) is None for policy in self.policies):
            self._scale_in(now_s)
        return self.desired

    def _scale_out(self, now_s: int, came: Sequence[Policy]) -> None:
        """By the policy that provides the largest capacity, of those whose datapoint has come."""
        largest, by, base = self.desired, None, 0
        for policy in came:
            reckoned = policy.cooldown.base(now_s, self.desired)
            wanted = policy.wanted_out(reckoned)
            if wanted is not None and min(wanted, self.maximum) > largest:
                largest, by, base = min(wanted, self.maximum), policy, reckoned
        if by is not None:
            by.cooldown.begin(now_s, base)
            self.desired = largest
            # "In this case, the scale-in cooldown period stops and doesn't complete."
            self._no_scale_in_before_s = -1

    def _scale_in(self, now_s: int) -> None:
        wishes = [policy.wanted_in(self.desired) for policy in self.policies]
        trackers = [
            wish for wish, policy in zip(wishes, self.policies, strict=True) if isinstance(policy, Tracker)
        ]
        if now_s < self._no_scale_in_before_s or not trackers or None in trackers:
            return
        wanted = max(wish for wish in trackers if wish is not None)
        wanted = max(wanted, self.minimum)
        if wanted < self.desired:
            self.desired = wanted
            cooldowns = [policy.scale_in_cooldown_s for policy in self.policies]
            self._no_scale_in_before_s = now_s + max(cooldowns)
