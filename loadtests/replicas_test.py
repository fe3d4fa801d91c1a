"""How far the simulator is from real runs: of runs that are as it says, and of others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from loadtests import replicas
from loadtests.errors import LoadError
from loadtests.profile import Spread
from loadtests.replicas import RealRuns, Run, Seen
from loadtests.simulator.queueing import Queueing
from loadtests.testing import ROUTE, WITHIN_300_MS, profile, spread

# A task of it carries 20 requests a second within 300 ms.
TASK = profile(capacity_per_s=20)
SIMULATED = Queueing(TASK, {ROUTE: WITHIN_300_MS})


def test_runs_that_are_as_the_simulator_says_have_no_error() -> None:
    """Three replicas carry what three simulated tasks do, and are as fast."""
    (found,) = replicas.compare(_runs(3, slower=1.0), SIMULATED)

    assert (3, 60) == (found.replicas, found.carried_per_s)
    assert 3 == pytest.approx(found.tasks_needed, rel=0.02)
    assert 0 == pytest.approx(found.tasks_error, abs=0.02)
    assert 0 == pytest.approx(found.p95_error, abs=1e-6)
    assert [0, 0] == pytest.approx(found.p95_errors, abs=1e-6)


def test_what_is_slower_in_truth_is_an_error_below_zero() -> None:
    """The simulator said half of it."""
    (found,) = replicas.compare(_runs(2, slower=2.0), SIMULATED)

    assert -0.5 == pytest.approx(found.p95_error)
    assert [-0.5, -0.5] == pytest.approx(found.p95_errors)


def test_replicas_that_carry_more_in_truth_need_more_simulated_tasks() -> None:
    """80 requests a second are what four simulated tasks carry, and three did."""
    (found,) = replicas.compare(_runs(3, each=80 / 3), SIMULATED)

    assert 4 == pytest.approx(found.tasks_needed, rel=0.02)
    assert 1 / 3 == pytest.approx(found.tasks_error, abs=0.03)


def test_what_was_not_carried_is_not_compared() -> None:
    """Beyond it, how slow they are depends on how long one looks."""
    (run,) = _runs(3).run

    assert 3 == len(run.seen)
    assert run.seen[-1].rate_per_s > run.carried_per_s.median
    assert 2 == len(replicas.compare(_of(run), SIMULATED)[0].p95_errors)


def test_it_is_the_median_that_is_compared() -> None:
    """One repetition that fared badly is seen in the file, and says nothing of the simulator."""
    (run,) = _runs(3).run
    uneven = Spread(lowest=run.seen[0].p95_ms.median / 2, median=run.seen[0].p95_ms.median, highest=2000)
    seen = (Seen(rate_per_s=run.seen[0].rate_per_s, p95_ms=uneven), *run.seen[1:])

    uneven_run = run.model_copy(update={"carried_per_s": spread(60, 0.2), "seen": seen})
    (found,) = replicas.compare(_of(uneven_run), SIMULATED)

    assert 0 == pytest.approx(found.p95_error, abs=1e-6)
    assert [0, 0] == pytest.approx(found.p95_errors, abs=1e-6)
    assert 0 == pytest.approx(found.tasks_error, abs=0.02)


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
    assert rows[-1].endswith(" | +0% | +0% to +0% |")


def _runs(count: int, *, slower: float = 1.0, each: float = 20) -> RealRuns:
    rates = (10.0, each, each * 1.2)
    seen = tuple(Seen(rate_per_s=count * rate, p95_ms=_p95([rate], slower)) for rate in rates)
    made = Run(replicas=count, carried_per_s=spread(count * each), p95_ms=_p95(rates[:2], slower), seen=seen)
    return _of(made)


def _of(run: Run) -> RealRuns:
    return RealRuns(service="order", measured=TASK.measured, run=(run,))


def _p95(rates_of_a_task: Sequence[float], slower: float) -> Spread:
    return spread(SIMULATED.latency_ms(replicas.QUANTILE, rates_of_a_task) * slower)
