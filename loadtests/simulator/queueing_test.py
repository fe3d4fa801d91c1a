"""What requests and messages meet at a task."""

from __future__ import annotations

import numpy as np
import pytest

from loadtests import testing
from loadtests.objectives import Objective
from loadtests.simulator.queueing import Queueing
from loadtests.testing import MESSAGE_WITHIN_2_S, ROUTE, WITHIN_300_MS

CAPACITY = 20


def queueing(objective: Objective = WITHIN_300_MS, *, messages_per_s: float | None = None) -> Queueing:
    profile = testing.profile(capacity_per_s=CAPACITY, cpu_percent=81, messages_per_s=messages_per_s)
    return Queueing(profile, {ROUTE: objective}, MESSAGE_WITHIN_2_S if messages_per_s else None)


def slow(rate: float, objective: Objective = WITHIN_300_MS) -> float:
    return float(queueing(objective).slow(np.array([rate]))[0, 0])


def test_as_much_is_slow_as_was_measured() -> None:
    """At capacity one in a hundred is beyond 300 ms, which is the quantile that the profile has there."""
    assert 0.01 == pytest.approx(slow(CAPACITY), rel=1e-6)


def test_more_is_slow_the_more_is_asked() -> None:
    """Between the rates that were measured, too."""
    shares = [slow(rate) for rate in np.linspace(2, 22, 50)]
    assert shares == sorted(shares)


def test_the_objectives_are_kept_up_to_where_the_curve_crosses_what_may_be_slow() -> None:
    """At 20 a second as it was made; a tighter bound is crossed before, and one that is never is not."""
    assert CAPACITY == pytest.approx(queueing().kept_per_s)
    tighter = queueing(Objective(percentile=99, bound_ms=200))
    assert 0.01 == pytest.approx(float(tighter.slow(np.array([tighter.kept_per_s]))[0, 0]), rel=1e-6)
    assert 1.1 * CAPACITY == pytest.approx(queueing(Objective(percentile=60, bound_ms=9000)).kept_per_s)


def test_a_bound_between_two_quantiles_is_read_between_them() -> None:
    """More are beyond a tighter one than 1%, and fewer than the half that is beyond the median."""
    assert 0.01 < slow(CAPACITY, Objective(percentile=99, bound_ms=200)) < 0.5


def test_a_latency_is_the_quantile_that_was_measured() -> None:
    """It rises with the rate, and of several rates it is between theirs."""
    found = queueing()
    assert 300 == pytest.approx(found.latency_ms(0.99, [CAPACITY]), rel=0.005)
    assert found.latency_ms(0.95, [10]) < found.latency_ms(0.95, [10, 12]) < found.latency_ms(0.95, [12])


def test_a_latency_of_all_requests_weighs_routes_by_how_often_they_are_asked() -> None:
    """Where one in ten goes to a route of 800 to 900 ms, a tenth of all take that long, and no more."""
    made = testing.profile(capacity_per_s=CAPACITY)
    slow_one = (800.0, 820.0, 830.0, 850.0, 900.0)
    curve = tuple(
        point.model_copy(update={"routes": {**point.routes, "GET /api/slow": slow_one}})
        for point in made.requests.curve
    )
    requests = made.requests.model_copy(update={"curve": curve})
    both = made.model_copy(update={"requests": requests, "mix": {ROUTE: 0.9, "GET /api/slow": 0.1}})

    found = Queueing(both, {})

    assert 800 == pytest.approx(found.latency_ms(0.95, [2]), rel=0.01)
    assert found.latency_ms(0.85, [2]) < 100


def test_who_waits_for_longer_than_the_bound_is_slow() -> None:
    """Whatever comes after; who waits less may be."""
    waited = queueing().slow_after(np.array([0.0, 0.1, 0.3, 5.0]))[0]
    assert waited[0] < waited[1] < 1
    assert [1, 1] == waited[2:].tolist()


def test_messages_are_late_when_the_queue_takes_longer_than_their_bound() -> None:
    """The time in the queue and the time of the message itself count together."""
    late = queueing(messages_per_s=40).late(np.array([0.0, 1.0, 1.99, 2.0]))
    assert late[0] < 0.001
    assert 1 == late[3]
    assert sorted(late.tolist()) == late.tolist()


def test_the_cpu_is_what_requests_and_messages_take_of_the_tasks_size() -> None:
    """81% at capacity, 1% without load, and never more than there is."""
    found = queueing(messages_per_s=40)
    assert 1 == found.cpu_percent(0, 0)
    assert 81 == pytest.approx(found.cpu_percent(CAPACITY, 0))
    assert 96 == pytest.approx(found.cpu_percent(0, 40))
    assert 100 == found.cpu_percent(CAPACITY, 40)


def test_the_memory_is_between_idle_and_loaded() -> None:
    """120 and 250 of 1024 MiB."""
    assert [120 / 10.24, 250 / 10.24] == pytest.approx(
        [queueing().memory_percent(busy) for busy in (0.0, 1.5)]
    )
