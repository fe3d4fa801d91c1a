"""A day of a service: the load comes, the tasks do what they can, and the policy sees it late and acts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from infra.scaling.policy import ScalingPolicy
from loadtests.simulator.fleet import Fleet
from loadtests.simulator.policies import (
    Load,
    Policy,
    QueueStepper,
    SaturationStepper,
    ScalableTarget,
    Tracker,
)
from loadtests.simulator.queueing import Floats, Queueing
from loadtests.simulator.schedule import Bounds, bounds_at, changes

# What both periods of metrics are made of. Tasks come and go, and alarms are judged, at its ends.
TICK_S = 20
MINUTE_S = 60
# A Monday, at which weeks of load begin.
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)

# As much of what a task can do is taken to be below saturation; beyond, seconds are looked at one by one.
_CALM = 0.97


@dataclass(frozen=True)
class Demand:
    """What is asked of a service, for each second, from `starts` on."""

    requests_per_s: Floats
    messages_per_s: Floats
    starts: datetime = MONDAY

    @property
    def ticks(self) -> int:
        """Whole ticks of it."""
        return len(self.requests_per_s) // TICK_S


@dataclass
class Outcome:
    """What became of a day, tick by tick; `requests` and `messages` are numbers of a tick."""

    queueing: Queueing
    requests: Floats
    messages: Floats
    serving: Floats
    desired: Floats
    cpu_percent: Floats
    waiting_messages: Floats
    slow: Floats
    late: Floats
    paid: Floats

    def after(self, seconds: int) -> Outcome:
        """Without what was before."""
        tick = seconds // TICK_S
        cut = {
            each.name: getattr(self, each.name)[..., tick:]
            for each in fields(self)
            if each.name != "queueing"
        }
        return replace(self, **cut)

    @property
    def task_seconds(self) -> float:
        """What is paid for."""
        return float(self.paid.sum() * TICK_S)

    @property
    def asked(self) -> float:
        """Requests and messages."""
        return float(self.requests.sum() + self.messages.sum())

    @property
    def missed(self) -> Floats:
        """Requests and messages beyond their bound, minute by minute, where the minute missed its objective.

        An objective allows a share to be slow, so a slow request alone breaks none; where more are, all that
        are count.
        """
        asked = _by_minute(self.requests)
        slow = _by_minute(self.slow)
        allowed = self.queueing.allowed[:, None] * self.queueing.weights[:, None] * asked
        missed: Floats = np.where(slow > allowed + 1e-9, slow, 0).sum(axis=0)
        if self.queueing.message is not None:
            late, told = _by_minute(self.late), _by_minute(self.messages)
            missed = missed + np.where(late > self.queueing.message.allowed * told + 1e-9, late, 0)
        return missed

    @property
    def missed_minutes(self) -> int:
        """Minutes that missed an objective."""
        return int((self.missed > 0).sum())

    @property
    def missed_share(self) -> float:
        """Of all requests and messages."""
        return float(self.missed.sum() / max(1.0, self.asked))


def _by_minute(ticks: Floats) -> Floats:
    whole = ticks.shape[-1] // (MINUTE_S // TICK_S) * (MINUTE_S // TICK_S)
    summed: Floats = ticks[..., :whole].reshape(*ticks.shape[:-1], -1, MINUTE_S // TICK_S).sum(axis=-1)
    return summed


class Controller(Protocol):
    """Who says how many tasks there are to be: a policy, or somebody who knows the future."""

    def begin(self) -> int:
        """The tasks that serve at the start."""

    def desired(self, now_s: int) -> int:
        """The tasks that are wanted from now on."""

    def feed(self, until_s: int, load: Load) -> None:
        """What the service was like in the tick that ends now."""


class Autoscaling:
    """A scaling policy under Application Auto Scaling, with its scheduled actions."""

    def __init__(self, policy: ScalingPolicy, starts: datetime, seconds: int) -> None:
        bounds = bounds_at(policy, starts)
        policies: list[Policy] = [Tracker(tracked) for tracked in policy.target_tracking]
        if policy.queue is not None:
            policies.append(QueueStepper(policy.queue))
        if policy.saturation is not None:
            policies.append(SaturationStepper(policy.saturation))
        first = min(max(policy.bounds.desired, bounds.minimum), bounds.maximum)
        self._target = ScalableTarget(bounds.minimum, bounds.maximum, first, policies)
        self._changes: Iterator[tuple[int, Bounds]] = changes(policy, starts, seconds)
        self._next = next(self._changes, None)

    def begin(self) -> int:
        """See Controller."""
        return self._target.desired

    def desired(self, now_s: int) -> int:
        """See Controller."""
        while self._next is not None and self._next[0] <= now_s:
            self._target.bound(self._next[1].minimum, self._next[1].maximum)
            self._next = next(self._changes, None)
        return self._target.judge(now_s)

    def feed(self, until_s: int, load: Load) -> None:
        """See Controller."""
        self._target.feed(until_s, load)


def simulate(queueing: Queueing, demand: Demand, controller: Controller) -> Outcome:
    """Play `demand` against tasks of a profile, as many as `controller` says, once they can be there."""
    day = _Day(queueing, demand, controller)
    for tick in range(demand.ticks):
        day.play(tick)
    return day.outcome()


@dataclass
class _Day:
    queueing: Queueing
    demand: Demand
    controller: Controller
    waiting_requests: float = 0.0
    waiting_messages: float = 0.0
    fleet: Fleet = field(init=False)

    def __post_init__(self) -> None:
        ticks = self.demand.ticks
        requests = self.demand.requests_per_s[: ticks * TICK_S].reshape(ticks, TICK_S)
        messages = self.demand.messages_per_s[: ticks * TICK_S].reshape(ticks, TICK_S)
        # Numbers of Python's own, which single steps are faster with.
        self.seconds = [requests, messages]
        self.requests, self.messages = requests.mean(axis=1).tolist(), messages.mean(axis=1).tolist()
        busiest = requests / self.queueing.requests_per_s + messages / self.queueing.messages_per_s
        self.busiest = busiest.max(axis=1).tolist()
        self.fleet = Fleet(self.queueing.profile.start_s.median, self.controller.begin())
        self.serving, self.wanted, self.cpu, self.waiting, self.paid = ([0.0] * ticks for _ in range(5))
        # Of seconds looked at one by one: tick, new requests, what is asked of what can be done, how long
        # requests wait; new messages, and how long these wait.
        self.rough: list[tuple[int, float, float, float, float, float]] = []

    def play(self, tick: int) -> None:
        now_s = tick * TICK_S
        desired = self.controller.desired(now_s)
        self.fleet.want(now_s, desired)
        serving = self.fleet.serving
        self.serving[tick], self.wanted[tick], self.paid[tick] = serving, desired, self.fleet.paid
        if (
            serving
            and self.busiest[tick] < _CALM * serving
            and not self.waiting_requests + self.waiting_messages
        ):
            done = self.requests[tick], self.messages[tick]
        else:
            done = self._second_by_second(tick, serving)
        per_task = max(serving, 1)
        requests, messages = done[0] / per_task, done[1] / per_task
        cpu = self.queueing.cpu_percent(requests, messages)
        busy = requests / self.queueing.requests_per_s + messages / self.queueing.messages_per_s
        self.cpu[tick], self.waiting[tick] = cpu, self.waiting_messages
        self.fleet.pass_to(now_s + TICK_S)
        load = Load(cpu, self.queueing.memory_percent(busy), self.waiting_messages)
        self.controller.feed(now_s + TICK_S, load)

    def _second_by_second(self, tick: int, serving: int) -> tuple[float, float]:
        """What is done in a tick in which something waits, or more comes than can be done."""
        queueing, all_requests, all_messages = self.queueing, 0.0, 0.0
        most_requests = serving * queueing.requests_per_s
        most_messages = serving * queueing.messages_per_s
        for new_requests, new_messages in zip(*(each[tick].tolist() for each in self.seconds), strict=True):
            requests, messages = self.waiting_requests + new_requests, self.waiting_messages + new_messages
            at_once = min(messages, most_messages)
            asked = requests / most_requests + at_once / most_messages if serving else math.inf
            done_requests, done_messages = requests / max(1.0, asked), at_once / max(1.0, asked)
            self.waiting_requests, self.waiting_messages = requests - done_requests, messages - done_messages
            # Who has waited for as long as a client does is not there any more.
            self.waiting_requests = min(self.waiting_requests, done_requests * queueing.patience_s)
            waits = self.waiting_requests / done_requests if done_requests else queueing.patience_s
            queued = self.waiting_messages / done_messages if done_messages else math.inf
            self.rough.append((tick, new_requests, asked, waits, new_messages, queued))
            all_requests += done_requests
            all_messages += done_messages
        # What is left of a queue that is emptied in no time is nothing.
        self.waiting_requests = self.waiting_requests if self.waiting_requests > 1e-6 else 0.0
        self.waiting_messages = self.waiting_messages if self.waiting_messages > 1e-6 else 0.0
        return all_requests / TICK_S, all_messages / TICK_S

    def outcome(self) -> Outcome:
        requests, messages = np.array(self.requests), np.array(self.messages)
        serving = np.array(self.serving)
        slow = self._slow_when_calm(requests, messages, serving)
        late = messages * TICK_S * self.queueing.late(np.zeros(1))
        if self.rough:
            self._put_rough(slow, late)
        return Outcome(
            self.queueing,
            requests * TICK_S,
            messages * TICK_S,
            serving,
            np.array(self.wanted),
            np.array(self.cpu),
            np.array(self.waiting),
            slow,
            late,
            np.array(self.paid, dtype=np.float64),
        )

    def _slow_when_calm(self, requests: Floats, messages: Floats, serving: Floats) -> Floats:
        # A message takes as much of a task as so many requests do.
        alike = self.queueing.requests_per_s / self.queueing.messages_per_s
        rate = (requests + messages * alike) / np.maximum(serving, 1)
        return requests * TICK_S * self.queueing.weights[:, None] * self.queueing.slow(rate)

    def _put_rough(self, slow: Floats, late: Floats) -> None:
        """Replace what is not so in ticks that were looked at second by second."""
        columns = (np.array(column) for column in zip(*self.rough, strict=True))
        ticks, requests, asked, waits, messages, queued = columns
        ticks = ticks.astype(np.int64)
        slow[:, ticks], late[ticks] = 0.0, 0.0
        below = self.queueing.slow(asked * self.queueing.requests_per_s)
        shares = np.where(asked < 1, below, self.queueing.slow_after(waits))
        each = requests * self.queueing.weights[:, None] * shares
        for route, of_route in zip(slow, each, strict=True):
            np.add.at(route, ticks, of_route)
        np.add.at(late, ticks, messages * self.queueing.late(queued))
