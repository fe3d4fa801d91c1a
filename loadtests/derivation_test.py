"""From a profile, objectives and a forecast to a policy: each number, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from loadtests import testing
from loadtests.derivation import Derivation, OutOfReach
from loadtests.errors import LoadError
from loadtests.forecast import Forecast
from loadtests.objectives import Objective
from loadtests.profile import Profile
from loadtests.simulator.fleet import HEALTH_INTERVAL_S, PROVISIONED_AFTER_S
from loadtests.testing import MESSAGE_WITHIN_2_S, ROUTE, WITHIN_300_MS

# A usual week rises by about a hundredth while scaling reacts; a tenth may come at once.
HEADROOM = pytest.approx(1.1, rel=0.02)


def derived(
    profile: Profile | None = None,
    forecast: Forecast | None = None,
    message: Objective | None = None,
    routes: dict[str, Objective] | None = None,
) -> Derivation:
    return Derivation(
        profile or testing.profile(),
        routes or {ROUTE: WITHIN_300_MS},
        message,
        forecast or testing.forecast(),
    )


def with_queue(**forecast: Any) -> Derivation:
    return derived(
        testing.profile(capacity_per_s=20, messages_per_s=60),
        testing.forecast(messages=3, **forecast),
        MESSAGE_WITHIN_2_S,
    )


def test_a_task_carries_what_the_lowest_of_its_measurements_says() -> None:
    """2 requests for an order, and 20 ± 10% a second."""
    assert 9 == pytest.approx(derived(testing.profile(vary=0.1), testing.forecast(requests=2)).orders_per_s)


def test_a_task_carries_no_more_than_the_curve_of_its_repetitions_keeps() -> None:
    """Each alone is judged by a few seconds, and may have been lucky: 22 each, and 20 by the curve."""
    measured = testing.profile(capacity_per_s=20)
    requests = measured.requests.model_copy(update={"capacity_per_s": testing.spread(22)})
    found = derived(measured.model_copy(update={"requests": requests}), testing.forecast(requests=2))

    assert 10 == pytest.approx(found.orders_per_s)
    assert (
        "20 requests a second within the objectives, by the curve of 3 measurements" in found.carried.because
    )


def test_messages_take_their_part_of_what_a_task_carries() -> None:
    """A request takes a 20th of a second, three messages take three 60ths of one."""
    assert 10 == pytest.approx(with_queue().orders_per_s)


def test_the_target_is_the_cpu_of_a_task_at_its_capacity_without_the_headroom() -> None:
    """85% at 20 requests a second."""
    found = derived()
    assert HEADROOM == found.headroom
    assert int(85 / found.headroom) == found.tracking["target_percent"].value


def test_more_that_may_come_at_once_is_a_lower_target() -> None:
    """And more tasks on a usual day."""
    assert 55 < derived(forecast=testing.forecast(surge=1.5)).tracking["target_percent"].value < 57


def test_the_floor_is_what_the_night_needs_and_two_at_least() -> None:
    """One may fail, however little is asked."""
    assert 2 == derived(forecast=testing.forecast(lowest=0.1)).bounds["minimum"].value
    assert 5 == derived(forecast=testing.forecast(lowest=80, highest=100)).bounds["minimum"].value


def test_the_ceiling_is_what_the_highest_needs_that_is_expected() -> None:
    """Twice the busiest hour of a weekend; or a known peak with its headroom, if that is more."""
    assert 5 == derived(forecast=testing.forecast(highest=40, spike=2)).bounds["maximum"].value
    sale = testing.forecast(highest=40, spike=2, peaks=(testing.sale(200),))
    assert 11 == derived(forecast=sale).bounds["maximum"].value
    assert 22 == derived(forecast=sale.model_copy(update={"growth": 2.0})).bounds["maximum"].value


def test_the_cooldown_follows_the_slowest_start_that_was_measured() -> None:
    """Until it runs, is healthy and is seen to be; then a datapoint of the metric."""
    found = derived(testing.profile(start_s=10))
    assert PROVISIONED_AFTER_S + 10 + HEALTH_INTERVAL_S + 40 == found.tracking["scale_out_cooldown_s"].value


def test_where_the_cpu_is_used_up_as_much_is_added_as_a_spike_brings() -> None:
    """From what a task carries on; nothing where no spike is expected."""
    found = derived(forecast=testing.forecast(spike=2.5)).saturation
    assert (85, 150) == (found["from_percent"].value, found["add_percent"].value)
    assert {} == derived(forecast=testing.forecast(spike=1)).saturation


def test_steps_begin_where_the_floor_takes_longer_than_a_message_may() -> None:
    """2 tasks take 60 messages a second each, and a message may take 2 s."""
    found = with_queue()
    start, added = found.steps[1]
    assert (240, 1) == (start, added)


def test_a_step_adds_as_many_tasks_as_empty_the_queue_within_the_cooldown() -> None:
    """At its beginning, one task fewer would do; no step adds less than the one before."""
    found = with_queue()
    a_task = 60 * found.cooldown_s
    assert [(0, 0), (240, 1), (a_task, 2), (3 * a_task, 4), (7 * a_task, 8)] == list(found.steps)


def test_a_service_without_a_queue_has_no_steps() -> None:
    """Nor has one whose orders make no messages."""
    assert () == derived().steps


def test_before_a_known_peak_there_are_the_tasks_that_it_needs_and_afterwards_the_floor() -> None:
    """100 orders a second and a tenth more; two minutes early where a task takes longer than one to serve."""
    slow = testing.profile(start_s=20)
    before, after = derived(slow, testing.forecast(peaks=(testing.sale(100),))).actions
    assert ("sale-before", "cron(58 17 ? * FRI *)", 6) == (before.name, before.cron, before.minimum)
    assert ("sale-after", "cron(30 18 ? * FRI *)", 2) == (after.name, after.cron, after.minimum)


def test_a_peak_at_the_beginning_of_the_week_is_prepared_at_its_end() -> None:
    """Monday, 00:00."""
    peak = testing.sale().model_copy(update={"day": "MON", "hour": 0})
    before, _ = derived(forecast=testing.forecast(peaks=(peak,))).actions
    assert "cron(59 23 ? * SUN *)" == before.cron


def test_a_peak_that_ends_leaves_the_tasks_of_one_that_goes_on() -> None:
    """One until 19:00, another from 18:30 on: the first's end is not the second's."""
    first = testing.sale(100).model_copy(update={"minutes": 60})
    second = testing.sale(60).model_copy(update={"name": "late", "minute": 30})
    found = {
        action.name: action.minimum
        for action in derived(forecast=testing.forecast(peaks=(first, second))).actions
    }
    assert {"sale-before": 6, "late-before": 6, "sale-after": 2, "late-after": 2} == found
    longer = second.model_copy(update={"minutes": 60})
    found = {
        action.name: action.minimum
        for action in derived(forecast=testing.forecast(peaks=(first, longer))).actions
    }
    assert {"sale-before": 6, "late-before": 6, "sale-after": 4, "late-after": 2} == found


def test_a_task_that_uses_all_its_cpu_is_used_up_a_little_below() -> None:
    """On average a metric is not at 100%."""
    assert 95 == derived(testing.profile(cpu_percent=100)).saturation["from_percent"].value


# --- refusals


def test_an_objective_that_one_request_alone_misses_is_out_of_reach() -> None:
    """More tasks would make none of them faster."""
    tight = Objective(percentile=99, bound_ms=20)
    profile = testing.profile().model_copy(update={"objectives": {ROUTE: tight}})
    with pytest.raises(OutOfReach) as caught:
        derived(profile, routes={ROUTE: tight})
    said = str(caught.value)
    assert said.startswith(
        f"{ROUTE}: 99% within 20 ms is asked, and a task of order that has only 2 requests a second"
    )
    assert said.endswith("no number of tasks meets that.")


def test_an_objective_of_messages_that_an_empty_queue_misses_is_out_of_reach() -> None:
    """A message takes longer by itself."""
    with pytest.raises(OutOfReach, match="a message of order: 99% within 40 ms is asked"):
        derived(
            testing.profile(messages_per_s=60),
            testing.forecast(messages=3),
            Objective(percentile=99, bound_ms=40),
        )


def test_a_task_that_needs_more_memory_is_not_helped_by_more_tasks() -> None:
    """The kernel would end it."""
    with pytest.raises(OutOfReach, match="a task of order took 900 of its 1024 MiB"):
        derived(testing.profile(loaded_memory_mib=900))


def test_a_profile_of_other_objectives_is_refused() -> None:
    """What it carries within them says nothing of these."""
    other = {ROUTE: Objective(percentile=99, bound_ms=400)}
    with pytest.raises(LoadError, match="measured for other objectives than there are: measure it again"):
        derived(routes=other)


def test_a_forecast_that_does_not_know_the_service_is_refused() -> None:
    """Nobody says how much it is asked."""
    with pytest.raises(LoadError, match="does not say what an order asks of order"):
        derived(forecast=testing.forecast(service="user"))


def test_messages_that_nobody_measured_are_refused() -> None:
    """They take part of every task."""
    with pytest.raises(LoadError, match="an order makes messages for order, of which the profile"):
        derived(forecast=testing.forecast(messages=1))
