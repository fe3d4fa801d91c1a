"""A day of a service."""

from __future__ import annotations

import time

import numpy as np
import pytest

from infra.scaling.policy import ScalingPolicy
from loadtests import shapes, testing
from loadtests.checkout import Checkout
from loadtests.simulator.fleet import DEREGISTERED_AFTER_S
from loadtests.simulator.policies import Load
from loadtests.simulator.queueing import Floats, Queueing
from loadtests.simulator.run import Autoscaling, Demand, Outcome, simulate
from loadtests.testing import MESSAGE_WITHIN_2_S, ROUTE, WITHIN_300_MS

CAPACITY, DRAIN = 20.0, 40.0
QUEUEING = Queueing(
    testing.profile(capacity_per_s=CAPACITY, messages_per_s=DRAIN), {ROUTE: WITHIN_300_MS}, MESSAGE_WITHIN_2_S
)


class Always:
    """So many tasks, and from a time on so many others."""

    def __init__(self, tasks: int, then: int | None = None, from_s: int = 0) -> None:
        self.tasks, self.then, self.from_s = tasks, then, from_s
        self.seen: list[Load] = []

    def begin(self) -> int:
        return self.tasks

    def desired(self, now_s: int) -> int:
        return self.tasks if self.then is None or now_s < self.from_s else self.then

    def feed(self, until_s: int, load: Load) -> None:
        assert until_s == 20 * (len(self.seen) + 1)
        self.seen.append(load)


def steady(rate: float, seconds: int = 600) -> Floats:
    return np.full(seconds, float(rate))


def played(requests: Floats, tasks: Always, messages: Floats | None = None) -> Outcome:
    return simulate(
        QUEUEING, Demand(requests, np.zeros(len(requests)) if messages is None else messages), tasks
    )


def test_nothing_misses_its_objective_at_what_the_tasks_carry() -> None:
    """Slow requests there are, as many as may be."""
    outcome = played(steady(3 * CAPACITY), Always(3))
    assert 0 == outcome.missed_minutes
    assert 0.01 == pytest.approx(float(outcome.slow.sum() / outcome.requests.sum()))


def test_every_minute_misses_it_at_a_little_more() -> None:
    """And then all that is slow counts, not only what is too much."""
    outcome = played(steady(3.1 * CAPACITY), Always(3))
    assert 10 == outcome.missed_minutes
    assert outcome.slow.sum() == pytest.approx(outcome.missed.sum())


def test_what_cannot_be_done_waits_until_its_clients_give_up() -> None:
    """Twice of what is completed at most: soon everybody is slow, and nobody waits for ever."""
    outcome = played(steady(6 * CAPACITY), Always(2))
    assert outcome.slow[0, -1] == pytest.approx(20 * 6 * CAPACITY)
    after = played(np.concatenate([steady(6 * CAPACITY), steady(CAPACITY)]), Always(2))
    # 15 s of waiting are worked off at half of what is there within a minute.
    assert after.slow[0, 30 + 3] < 0.01 * 20 * CAPACITY


def test_a_tick_in_which_only_seconds_are_too_much_is_looked_at_second_by_second() -> None:
    """On average there is enough, and for a second there is not: who came then is slow, and few others."""
    rates = steady(0.5 * CAPACITY)
    rates[300] = 4 * CAPACITY
    slow = played(rates, Always(1)).slow.sum()
    # What is too much is worked off in five seconds.
    assert 4 * CAPACITY < slow < (4 + 0.5 * 6) * CAPACITY


def test_messages_wait_in_the_queue_for_as_long_as_it_takes() -> None:
    """A minute at three times the drain leaves two minutes' work, which is done after them."""
    messages = np.concatenate([steady(3 * DRAIN, 60), steady(0, 240)])
    outcome = played(steady(0, 300), Always(1), messages)
    assert 120 * DRAIN == pytest.approx(outcome.waiting_messages[2])
    assert 0 < outcome.waiting_messages[7]
    assert 0 == outcome.waiting_messages[9]
    assert outcome.missed.sum() > 2.5 * 60 * DRAIN


def test_requests_and_messages_share_a_task() -> None:
    """Half of what it completes of each is all of it."""
    just = played(steady(0.45 * QUEUEING.requests_per_s), Always(1), steady(0.5 * DRAIN))
    assert 0 == just.waiting_messages.max()
    more = played(steady(0.6 * QUEUEING.requests_per_s), Always(1), steady(0.6 * DRAIN))
    assert 0 < more.waiting_messages.max()


def test_metrics_see_the_average_of_the_tasks_and_what_waits() -> None:
    """What is done counts, not what is asked: the CPU does not tell how much too much there is."""
    some, much, more = Always(2), Always(2), Always(2)
    played(steady(CAPACITY), some)
    played(steady(4 * CAPACITY), much)
    played(steady(8 * CAPACITY), more)
    assert QUEUEING.cpu_percent(CAPACITY / 2, 0) == pytest.approx(some.seen[0].cpu_percent)
    assert much.seen[-1].cpu_percent == pytest.approx(more.seen[-1].cpu_percent)


def test_a_task_that_comes_serves_later_and_is_paid_for_at_once() -> None:
    """In ticks of 20 s."""
    outcome = played(steady(CAPACITY), Always(2, then=3, from_s=200))
    assert [2, 2, 3] == outcome.serving[[9, 12, 13]].tolist()
    assert [2, 3] == outcome.paid[[9, 10]].tolist()
    assert 20 * (10 * 2 + 20 * 3) == outcome.task_seconds


def test_a_task_that_goes_is_paid_for_until_it_is_gone() -> None:
    """In ticks, too."""
    outcome = played(steady(CAPACITY), Always(3, then=2, from_s=200))
    assert [3, 2] == outcome.serving[[9, 10]].tolist()
    assert 200 * 3 + 400 * 2 + 40 == outcome.task_seconds
    assert 20 < DEREGISTERED_AFTER_S <= 40


def test_what_was_before_can_be_left_out() -> None:
    """An hour of warming up is no part of the day."""
    outcome = played(np.concatenate([steady(9 * CAPACITY, 300), steady(CAPACITY, 300)]), Always(2))
    assert outcome.missed_minutes > outcome.after(400).missed_minutes == 0
    assert 2 * 200 == outcome.after(400).task_seconds


def policy(service: str = "order") -> ScalingPolicy:
    return Checkout().by_hand(service)


def test_a_policy_follows_a_day() -> None:
    """More tasks at its height than at night, and never fewer than the floor nor more than the ceiling."""
    day = testing.forecast(lowest=10, highest=150).day
    rates = shapes.diurnal(day, 1, seed=1)
    demand = Demand(rates, rates)
    outcome = simulate(QUEUEING, demand, Autoscaling(policy(), demand.starts, len(rates)))
    night, evening = outcome.serving[3 * 180 : 5 * 180].mean(), outcome.serving[19 * 180 : 21 * 180].mean()
    assert 3 <= night < 5 < 9 < evening <= 20


def test_a_week_is_simulated_in_two_seconds() -> None:
    """The best of three: the machine may be busy."""
    rates = shapes.diurnal(testing.forecast(lowest=10, highest=150).day, 7, seed=1)
    demand = Demand(rates, rates)

    def seconds() -> float:
        begun = time.process_time()
        simulate(QUEUEING, demand, Autoscaling(policy(), demand.starts, len(rates)))
        return time.process_time() - begun

    assert min(seconds() for _ in range(3)) < 2
