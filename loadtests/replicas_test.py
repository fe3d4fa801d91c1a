"""How far the simulator is from real runs: of runs that are as it says, and of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests import replicas
from loadtests.errors import LoadError
from loadtests.replicas import RealRuns, Run, Seen
from loadtests.simulator.queueing import Queueing
from loadtests.testing import ROUTE, WITHIN_300_MS, profile

# A task of it carries 20 requests a second within 300 ms.
TASK = profile(capacity_per_s=20)
SIMULATED = Queueing(TASK, {ROUTE: WITHIN_300_MS})


def test_runs_that_are_as_the_simulator_says_have_no_error() -> None:
    """Three replicas carry what three simulated tasks do, and are as fast."""
    (found,) = replicas.compare(_runs(3, slower=1.0), SIMULATED)

    assert (3, 60) == (found.replicas, found.carried_per_s)
    assert 3 == pytest.approx(found.tasks_needed, rel=0.02)
    assert 0 == pytest.approx(found.tasks_error, abs=0.02)
    assert [0, 0] == pytest.approx(found.p95, abs=1e-6)


def test_what_is_slower_in_truth_is_an_error_below_zero() -> None:
    """The simulator said half of it."""
    (found,) = replicas.compare(_runs(2, slower=2.0), SIMULATED)

    assert [-0.5, -0.5] == pytest.approx(found.p95)
    assert 0.5 == pytest.approx(found.p95_error)


def test_replicas_that_carry_more_in_truth_need_more_simulated_tasks() -> None:
    """80 requests a second are what four simulated tasks carry, and three did."""
    (found,) = replicas.compare(_runs(3, each=80 / 3), SIMULATED)

    assert 4 == pytest.approx(found.tasks_needed, rel=0.02)
    assert 1 / 3 == pytest.approx(found.tasks_error, abs=0.03)


def test_what_was_not_carried_is_not_compared() -> None:
    """Beyond it, how slow they are depends on how long one looks; what is kept beyond a miss was luck."""
    missed = (_seen(20, kept=False), _seen(30, kept=False), _seen(40, kept=True))

    assert 10 == Run(replicas=1, seen=(_seen(10, kept=True), *missed)).carried_per_s
    with pytest.raises(LoadError, match="2 replicas of order carried nothing"):
        replicas.compare(_of(Run(replicas=2, seen=missed)), SIMULATED)


def test_runs_are_read_as_they_were_written(tmp_path: Path) -> None:
    """And those of another service are refused."""
    written = _runs(2)
    path = replicas.save(written, tmp_path)

    assert written == replicas.load("order", tmp_path)
    path.rename(tmp_path / "user.toml")
    with pytest.raises(LoadError, match=r"user\.toml is of order"):
        replicas.load("user", tmp_path)


def test_the_table_has_a_row_for_each_number_of_replicas() -> None:
    """With errors in percent."""
    rows = replicas.table({"order": replicas.compare(_runs(3), SIMULATED)}).splitlines()

    assert 3 == len(rows)
    assert rows[-1].startswith("| order | 3 | 60.0 | 3.0")
    assert rows[-1].endswith("| 0% | 2 of 2 |")


def _runs(count: int, *, slower: float = 1.0, each: float = 20) -> RealRuns:
    carried = (_seen(count * 10, count, slower), _seen(count * each, count, slower))
    return _of(Run(replicas=count, seen=(*carried, _seen(count * each * 1.2, count, kept=False))))


def _of(run: Run) -> RealRuns:
    return RealRuns(service="order", measured=TASK.measured, run=(run,))


def _seen(rate: float, count: int = 1, slower: float = 1.0, *, kept: bool = True) -> Seen:
    p95 = SIMULATED.latency_ms(ROUTE, replicas.QUANTILE, rate / count) * slower
    return Seen(rate_per_s=rate, kept=kept, p95_ms={ROUTE: p95})
