"""Whether a run kept the objectives, and whether it is one that they can be judged by."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from loadtests.generator.record import FAILED, OK, ORDER, REFUSED, Record, quantile_ms, slower
from loadtests.objectives import Objective, Objectives, OrderToConfirmed, Route

LAG_BOUND_MS = 50.0
"""99% of all requests must leave no later than this after they are due, else the generator is measured."""

_REFUSED_AT_MOST = 0.01


@dataclass(frozen=True)
class Row:
    """One objective, and what became of it. `kept` is None where nothing of the kind was asked for."""

    name: str
    asked: int
    failed: int
    refused: int
    median_ms: float
    percentile: float
    measured_ms: float
    bound_ms: float
    slow: int
    availability: float
    available: float
    kept: bool | None


@dataclass(frozen=True)
class Verdict:
    """All of it. A run that is not valid is neither kept nor missed: it says nothing of the shop."""

    rows: tuple[Row, ...]
    invalid: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Valid, and every objective kept."""
        return not self.invalid and all(row.kept is not False for row in self.rows)

    @property
    def word(self) -> str:
        """The verdict in a word."""
        return "invalid" if self.invalid else "passed" if self.passed else "failed"


def judge(record: Record, objectives: Objectives, troubles: tuple[str, ...] = ()) -> Verdict:
    """Measure a record by the objectives. `troubles` are what else went wrong with the run itself."""
    rows = [_row(record, each.route, each, each.availability) for each in objectives.route]
    order = objectives.order_to_confirmed
    rows.append(_row(record, ORDER, order, order.availability))
    return Verdict(tuple(rows), (*troubles, *_doubts(record)))


def without_objective(record: Record, objectives: Objectives) -> tuple[str, ...]:
    """What was asked for and is measured by nothing."""
    known = {each.route for each in objectives.route} | {ORDER}
    return tuple(name for name in record.names if name not in known)


def _row(
    record: Record, name: str, objective: Objective | Route | OrderToConfirmed, availability: float
) -> Row:
    times = record.times(name)
    asked, failed, refused = (record.count(name, outcome) for outcome in (None, FAILED, REFUSED))
    slow = slower(times, objective.bound_ms)
    available = 100 * (1 - failed / asked) if asked else math.nan
    fast = objective.kept_with(slow, sum(times.values()))
    return Row(
        name=name,
        asked=asked,
        failed=failed,
        refused=refused,
        median_ms=quantile_ms(times, 50),
        percentile=objective.percentile,
        measured_ms=quantile_ms(times, objective.percentile),
        bound_ms=objective.bound_ms,
        slow=slow,
        availability=availability,
        available=available,
        kept=(fast and available >= availability) if asked else None,
    )


def _doubts(record: Record) -> Iterator[str]:
    lag = quantile_ms(record.lags(), 99)
    if lag > LAG_BOUND_MS:
        yield (
            f"1% of the requests left more than {lag:.0f} ms after they were due, and {LAG_BOUND_MS:.0f} ms "
            "are allowed: the generator could not keep up, so that it measured itself; give it more "
            "processes, or a machine of its own"
        )
    for name in record.names:
        refused, asked = record.count(name, REFUSED), record.count(name)
        if refused > max(1.0, _REFUSED_AT_MOST * asked):
            what = "cancelled by the shop" if name == ORDER else "refused (3xx, 4xx)"
            yield f"{name}: {refused} of {asked} were {what}, so that the load is not the one that was meant"
    for (what,) in record.puzzles:
        yield f"visits were broken off, as an answer was not understood: {what}"
    if not record.count(ORDER, OK):
        yield "no order was confirmed, so that nothing is known of how long that takes"
