"""The limit of any policy."""

from __future__ import annotations

import numpy as np
import pytest

from loadtests import testing
from loadtests.simulator import oracle
from loadtests.simulator.queueing import Queueing
from loadtests.simulator.run import Demand
from loadtests.testing import ROUTE, WITHIN_300_MS

CAPACITY = 20.0
QUEUEING = Queueing(testing.profile(capacity_per_s=CAPACITY), {ROUTE: WITHIN_300_MS})


def demand(*parts: tuple[float, int]) -> Demand:
    """So much for so many seconds, each."""
    rates = np.concatenate([np.full(seconds, rate * CAPACITY) for rate, seconds in parts])
    return Demand(rates, np.zeros(len(rates)))


def test_it_has_as_many_tasks_as_each_moment_needs_and_misses_nothing() -> None:
    """Also where the load jumps: it has asked for them before."""
    outcome = oracle.best(QUEUEING, demand((2, 600), (7, 600), (2, 600)), floor=2, missed=0)
    assert 0 == outcome.missed_minutes
    assert [2, 7, 7, 2] == outcome.serving[[15, 30, 59, 60]].tolist()


def test_it_keeps_the_floor() -> None:
    """What availability asks for is no matter of load."""
    outcome = oracle.best(QUEUEING, demand((0.1, 600)), floor=2, missed=0)
    assert 2 * 600 == outcome.task_seconds


def test_it_pays_for_tasks_until_they_serve_and_until_they_are_gone() -> None:
    """57 s before and 30 s after, in ticks; nothing else."""
    outcome = oracle.best(QUEUEING, demand((1, 600), (3, 600), (1, 600)), floor=1, missed=0)
    assert 1800 + 2 * (600 + 60 + 40) == outcome.task_seconds


@pytest.mark.parametrize(("gap_s", "kept"), [(100, True), (120, False)])
def test_it_keeps_a_task_over_a_gap_that_costs_less_than_starting_anew(gap_s: int, kept: bool) -> None:
    """60 s and 40 s."""
    outcome = oracle.best(
        QUEUEING, demand((1, 600), (2, 600), (1, gap_s), (2, 600), (1, 600)), floor=1, missed=0
    )
    lowest = outcome.serving[60 : 60 + gap_s // 20].min()
    assert (2 if kept else 1) == lowest
    assert 0 == outcome.missed_minutes


def test_it_may_miss_as_much_as_another_did_and_is_cheaper_for_it() -> None:
    """At equal violations."""
    day = demand((2, 1800), (2.2, 600), (2, 1800))
    strict = oracle.best(QUEUEING, day, floor=1, missed=0)
    alike = oracle.best(QUEUEING, day, floor=1, missed=0.9 * 2.2 * CAPACITY * 600)
    assert 0 == strict.missed.sum() < alike.missed.sum() <= 0.9 * 2.2 * CAPACITY * 600
    assert alike.task_seconds < strict.task_seconds
