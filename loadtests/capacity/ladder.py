"""Rates that rise step by step, and what of that a task carried: pure reckoning on what was taken down."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from loadtests.errors import LoadError
from loadtests.generator.record import FAILED, REFUSED, Histogram, Record, quantile_ms, slower, upper_ms
from loadtests.objectives import Objective
from loadtests.profile import Point

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
# After a step begins, what was there before is still under way.
SETTLING_S = 1
_REFUSED_AT_MOST = 0.01
# At the end of a step some are under way, be there a queue or not.
_UNDER_WAY, _BEHIND = 5.0, 0.03


@dataclass(frozen=True)
class Ladder:
    """So many requests a second of the task in each step, each for so many seconds of the machine.

    `stretch` is how many seconds of the task one of the machine is. Before the first step come `warming_s`,
    half of them at the highest rate, half without anything: a task opens its connections when it first has
    much to do at once, and what that takes would be taken for the fault of a rate.
    """

    rates: Sequence[float]
    seconds: int
    stretch: float = 1.0
    warming_s: int = 0

    @property
    def offered(self) -> tuple[float, ...]:
        """By the machine's clock, second by second."""
        busy = self.warming_s // 2
        warming = [max(self.rates)] * busy + [0.0] * (self.warming_s - busy)
        steps = [rate for rate in self.rates for _ in range(self.seconds)]
        return tuple(rate * self.stretch for rate in warming + steps)

    def whole(self, step: int) -> range:
        """The seconds of a step."""
        starts = self.warming_s + step * self.seconds
        return range(starts, starts + self.seconds)

    def span(self, step: int) -> range:
        """The seconds of a step that count."""
        return self.whole(step)[SETTLING_S:]


@dataclass(frozen=True)
class Used:
    """What the process took in a span: seconds of CPU for each second, and memory at its most."""

    cpu_share: float
    memory_mib: float


@dataclass(frozen=True)
class Step:
    """What became of a step: times as the task would have taken them, in ms, rates likewise."""

    rate_per_s: float
    completed_per_s: float
    cpu_share: float
    memory_mib: float
    routes: Mapping[str, Histogram]
    failed: int
    span_s: int
    stretch: float = 1.0

    @property
    def asked(self) -> int:
        """How many requests count."""
        return sum(sum(times.values()) for times in self.routes.values())

    def quantile_ms(self, route: str, share: float) -> float:
        """A quantile of a route."""
        return quantile_ms(self.routes[route], 100 * share) * self.stretch

    def cpu_percent(self, vcpus: float) -> float:
        """Of the CPU of a task that has so many. One that is slower is as busy with what comes as slowly."""
        return min(100.0, 100 * self.cpu_share / (vcpus * self.stretch))

    def keeps(self, objectives: Mapping[str, Objective]) -> bool:
        """Whether all that came was done, without a failure, and within every objective."""
        return self.keeps_up and self.failed == 0 and all(self._fast(*each) for each in objectives.items())

    @property
    def keeps_up(self) -> bool:
        """Whether as many were done as came: else it would be slow sooner or later, if it is not yet."""
        came, done = self.asked, self.completed_per_s * self.stretch * self.span_s
        return came - done <= max(_UNDER_WAY, _BEHIND * came)

    def _fast(self, route: str, objective: Objective) -> bool:
        times = self.routes.get(route, {})
        slow = slower(times, objective.bound_ms / self.stretch)
        return objective.kept_with(slow, sum(times.values()))

    @property
    def concurrency(self) -> float:
        """Requests in the task on average, by Little's law (Operations Research 9, 1961)."""
        ms = sum(
            count * upper_ms(number) for times in self.routes.values() for number, count in times.items()
        )
        return ms * self.stretch / 1000 / max(1, self.asked) * self.completed_per_s


def steps(ladder: Ladder, record: Record, used: Sequence[Used], routes: Sequence[str]) -> list[Step]:
    """What became of each step. Raises LoadError where what was asked for was refused."""
    refused = sum(count for (_, _, outcome), count in record.ended.items() if outcome == REFUSED)
    if refused > max(1.0, _REFUSED_AT_MOST * record.count()):
        raise LoadError(
            f"{refused} of {record.count()} requests were refused: what was measured is not what was meant. "
            + "; ".join(text for (text,) in record.reasons)
        )
    by_name = {route: record.by_interval(partial(operator.eq, route)) for route in routes}
    failed = Counter[int]()
    for (interval, _, outcome), count in record.ended.items():
        if outcome == FAILED:
            failed[interval] += count
    found = []
    for number, rate in enumerate(ladder.rates):
        span = ladder.span(number)
        completed = sum(record.done[(second,)] for second in span)
        found.append(
            Step(
                rate_per_s=rate,
                completed_per_s=completed / len(span) / ladder.stretch,
                cpu_share=used[number].cpu_share,
                memory_mib=used[number].memory_mib,
                routes={route: _added(by_name[route], span) for route in routes},
                failed=sum(failed[second] for second in ladder.whole(number)),
                span_s=len(span),
                stretch=ladder.stretch,
            )
        )
    return found


def _added(by_interval: Mapping[int, Histogram], span: range) -> Histogram:
    found = Counter[int]()
    for second in span:
        found.update(by_interval.get(second, {}))
    return found


def overall_ms(climbed: Sequence[Step], share: float) -> float:
    """A quantile of all requests of these steps together."""
    together = Counter[int]()
    for step in climbed:
        for times in step.routes.values():
            together.update(times)
    return quantile_ms(together, 100 * share) * climbed[0].stretch


def capacity(climbed: Sequence[Step], objectives: Mapping[str, Objective]) -> float:
    """What was carried within the objectives: see `highest`."""
    return highest((step.rate_per_s, step.keeps(objectives)) for step in climbed)


def highest(steps: Iterable[tuple[float, bool]]) -> float:
    """Of rates that rise, and whether each was carried: the highest before two in a row that were not; or 0.

    Steps are short: one that is missed between two that are not met something else than its rate.
    """
    carried, missed_before = 0.0, False
    for rate, kept in steps:
        if kept:
            carried = rate
        elif missed_before:
            break
        missed_before = not kept
    return carried


def saturated_per_s(climbed: Sequence[Step]) -> float:
    """What is completed where more comes than can be; where that was never so, the most that was."""
    beyond = [step.completed_per_s for step in climbed if not step.keeps_up]
    return sum(beyond) / len(beyond) if beyond else max(step.completed_per_s for step in climbed)


def curve(repetitions: Sequence[Sequence[Step]], saturated_per_s: float, vcpus: float) -> tuple[Point, ...]:
    """How the task usually fares at each rate that it keeps up with: the median of the repetitions.

    Not all of them together: what befalls one of them for a second would be a tenth of all that is slow.
    It is the lowest capacity that answers for it.
    """
    return tuple(
        _point(repeated, vcpus)
        for repeated in zip(*repetitions, strict=True)
        if repeated[0].rate_per_s <= saturated_per_s
        and all(any(step.routes[route] for step in repeated) for route in repeated[0].routes)
    )


def _point(repeated: Sequence[Step], vcpus: float) -> Point:
    return Point(
        rate_per_s=round(repeated[0].rate_per_s, 3),
        completed_per_s=round(median(step.completed_per_s for step in repeated), 3),
        cpu_percent=round(median(step.cpu_percent(vcpus) for step in repeated), 1),
        memory_mib=round(max(step.memory_mib for step in repeated), 1),
        concurrency=round(median(step.concurrency for step in repeated), 3),
        routes={route: _times(repeated, route) for route in repeated[0].routes},
    )


def _times(repeated: Sequence[Step], route: str) -> tuple[float, ...]:
    asked = [step for step in repeated if step.routes[route]]
    return tuple(round(median(step.quantile_ms(route, share) for step in asked), 2) for share in QUANTILES)
