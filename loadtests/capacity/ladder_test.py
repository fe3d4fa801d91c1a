"""What steps are made of, and what follows from them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadtests.capacity import ladder
from loadtests.capacity.ladder import Ladder, Step, Used
from loadtests.errors import LoadError
from loadtests.generator.record import FAILED, OK, REFUSED, Record
from loadtests.objectives import Objective

ROUTE = "GET /api/things"
WITHIN_100_MS = {ROUTE: Objective(percentile=90, bound_ms=100)}


def test_a_step_counts_from_when_what_was_before_has_settled() -> None:
    """The first second of each step is left out, of what was due in it and of what was done in it."""
    record = Record(1.0)
    for second in range(6):
        for _ in range(second + 1):
            record.end(second + 0.5, ROUTE, 20, OK)

    first, then = _steps(Ladder((2, 4), 3), record)

    assert (5, 11) == (first.asked, then.asked)
    assert (2.5, 5.5) == (first.completed_per_s, then.completed_per_s)


def test_a_task_is_warm_before_the_first_step() -> None:
    """For two seconds it has the most that it will have, for two nothing; neither counts."""
    climbed = Ladder((2, 4), 3, warming_s=4)
    record = Record(1.0)
    for second in range(10):
        record.end(second + 0.5, ROUTE, 20, FAILED if second < 4 else OK)

    first, then = _steps(climbed, record)

    assert [4, 4, 0, 0, 2, 2, 2, 4, 4, 4] == list(climbed.offered)
    assert (range(5, 7), range(8, 10)) == (climbed.span(0), climbed.span(1))
    assert (2, 2) == (first.asked, then.asked)
    assert (0, 0) == (first.failed, then.failed)


def test_a_failure_is_of_its_step() -> None:
    """Be it in the second that does not count otherwise."""
    record = Record(1.0)
    record.end(3.5, ROUTE, 20, FAILED)

    assert [0, 1] == [step.failed for step in _steps(Ladder((2, 4), 3), record)]


def test_what_was_done_late_was_not_completed_in_its_step() -> None:
    """Beyond saturation as much is completed as can be, whatever is offered."""
    record = Record(1.0)
    for _ in range(10):
        record.end(1.5, ROUTE, 2000, OK)

    (step,) = _steps(Ladder((10,), 3), record)

    assert 10 == step.asked
    assert 0 == step.completed_per_s


def test_an_objective_is_kept_where_no_more_are_slow_than_may_be() -> None:
    """Of 20 two may be; of 5 one slow one shows nothing."""
    assert _step(slow=2, fast=18).keeps(WITHIN_100_MS)
    assert not _step(slow=3, fast=17).keeps(WITHIN_100_MS)
    assert _step(slow=1, fast=4).keeps(WITHIN_100_MS)


def test_what_comes_and_is_not_done_keeps_no_objective() -> None:
    """It is not slow yet, and will be: a bound of seconds hides for seconds that a task is overrun."""
    overrun = _step(fast=100, completed=45)

    assert not overrun.keeps(WITHIN_100_MS)
    assert _step(fast=100, completed=49).keeps(WITHIN_100_MS)
    assert 45 == ladder.saturated_per_s([_step(fast=100, completed=60), overrun])
    assert 60 == ladder.saturated_per_s([_step(fast=100, completed=60)])


def test_what_fails_keeps_no_objective() -> None:
    """However fast it does."""
    assert not _step(fast=100, failed=1).keeps(WITHIN_100_MS)


def test_a_task_that_is_reckoned_is_as_much_slower_as_it_has_less_of_a_core() -> None:
    """40 ms on a core are 160 on a quarter of it, and miss a bound of 100 ms; as busy it is the same."""
    step = _step(fast=20, fast_ms=40, stretch=4.0, cpu_share=0.5)

    assert not step.keeps(WITHIN_100_MS)
    assert 160 == pytest.approx(step.quantile_ms(ROUTE, 0.5), rel=0.02)
    assert 50 == step.cpu_percent(0.25)
    assert (8.0, 8.0) == Ladder((2,), 2, 4.0).offered


@pytest.mark.parametrize(
    ("kept", "carried"),
    [("yyyy", 4), ("yynn", 2), ("ynyn", 3), ("yynny", 2), ("nyy", 3), ("nnyy", 0), ("n", 0)],
)
def test_the_capacity_is_the_highest_rate_before_two_in_a_row_are_missed(kept: str, carried: float) -> None:
    """One missed between others met something else; what is kept beyond two was luck."""
    climbed = [
        _step(rate=rate, **({"fast": 10} if each == "y" else {"slow": 10}))
        for rate, each in enumerate(kept, start=1)
    ]

    assert carried == ladder.capacity(climbed, WITHIN_100_MS)


def test_concurrency_is_how_long_they_take_by_how_many_come() -> None:
    """Little's law: ten a second, of 50 ms each."""
    assert 0.5 == pytest.approx(_step(fast=10, fast_ms=50, completed=10).concurrency, rel=0.02)


def test_the_curve_is_what_usually_becomes_of_rates_that_a_task_keeps_up_with() -> None:
    """Of three repetitions the middle one; beyond saturation, what is seen depends on how long one looks."""
    repeated = [[_step(rate=1, fast=10, fast_ms=ms), _step(rate=5, slow=10)] for ms in (10, 400, 30)]

    (point,) = ladder.curve(repeated, saturated_per_s=4, vcpus=0.25)

    assert 1 == point.rate_per_s
    assert (30, 30) == pytest.approx((point.routes[ROUTE][0], point.routes[ROUTE][-1]), rel=0.02)


def test_a_route_that_nobody_asked_in_a_repetition_is_known_by_the_others() -> None:
    """Rare ones are not asked in each step; of one that nobody asked at all, nothing is said."""
    asked, not_asked = _step(rate=1, fast=10, fast_ms=40), _step(rate=1)

    (point,) = ladder.curve([[asked], [not_asked]], saturated_per_s=4, vcpus=0.25)

    assert 40 == pytest.approx(point.routes[ROUTE][0], rel=0.02)
    assert () == ladder.curve([[not_asked], [not_asked]], saturated_per_s=4, vcpus=0.25)


def test_a_quantile_of_all_requests_is_of_all_routes_and_steps_together() -> None:
    """Of 99 fast ones of a route and one slow one of another, 95% are as fast as the fast ones; of two such
    steps likewise.
    """
    step = _step(fast=99, fast_ms=20)
    together = replace(step, routes={**step.routes, "GET /api/others": _step(slow=1).routes[ROUTE]})

    assert 20 == pytest.approx(ladder.overall_ms([together], 0.95), rel=0.02)
    assert 500 == pytest.approx(ladder.overall_ms([together], 0.999), rel=0.02)
    assert 20 == pytest.approx(ladder.overall_ms([step, together], 0.99), rel=0.02)


def test_what_is_refused_was_not_measured() -> None:
    """A run in which customers are refused is another one than was meant."""
    record = Record(1.0)
    for _ in range(20):
        record.end(1.5, ROUTE, 5, REFUSED, "GET /api/things: 404")

    with pytest.raises(LoadError, match=r"20 of 20 requests were refused.*404"):
        _steps(Ladder((10,), 3), record)


def _steps(climbed: Ladder, record: Record) -> list[Step]:
    used = [Used(cpu_share=0.1, memory_mib=100)] * len(climbed.rates)
    return ladder.steps(climbed, record, used, [ROUTE])


def _step(
    *,
    rate: float = 1,
    fast: int = 0,
    slow: int = 0,
    failed: int = 0,
    fast_ms: float = 20,
    completed: float | None = None,
    cpu_share: float = 0.1,
    stretch: float = 1.0,
) -> Step:
    record = Record(1.0)
    for count, ms, outcome in ((fast, fast_ms, OK), (slow, 500, OK), (failed, 5, FAILED)):
        for _ in range(count):
            record.end(1.5, ROUTE, ms, outcome)
    done = (fast + slow) / 2 / stretch if completed is None else completed
    return Step(rate, done, cpu_share, 100, {ROUTE: record.times(ROUTE)}, failed, 2, stretch)
