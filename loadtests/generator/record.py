"""What a run measured: for each kind of request and each interval, how many came to what end, and how fast.

Times are kept in buckets that are 1% wide, and read back as the upper end of their bucket: at most 1% too
high. So a record is as small after an hour as after a minute, and those of several workers add up.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

OK, REFUSED, FAILED = "ok", "refused", "failed"
ORDER = "order to confirmed"
"""The name of what is no request: an order, from when it was due to be placed until it is confirmed."""

_WIDTH = math.log(1.01)
_LEAST_MS = 0.01
_MOST_REASONS = 20

Histogram = Mapping[int, int]


def bucket(ms: float) -> int:
    """The bucket of a time."""
    return math.ceil(math.log(max(ms, _LEAST_MS)) / _WIDTH - 1e-9)


def upper_ms(number: int) -> float:
    """The longest time in a bucket."""
    return math.exp(number * _WIDTH)


def quantile_ms(histogram: Histogram, percent: float) -> float:
    """The time that `percent` percent do not exceed (nearest rank); NaN of none."""
    rank = math.ceil(sum(histogram.values()) * percent / 100)
    seen = 0
    for number in sorted(histogram):
        seen += histogram[number]
        if seen >= rank:
            return upper_ms(number)
    return math.nan


def slower(histogram: Histogram, bound_ms: float) -> int:
    """How many took longer than `bound_ms`."""
    within = bucket(bound_ms)
    return sum(count for number, count in histogram.items() if number > within)


@dataclass
class Record:
    """All of it. The keys of the counters begin with the number of an interval: that in which something was
    due, and of `done` that in which it was done.
    """

    interval_s: float
    offered: Counter[tuple[int]] = field(default_factory=Counter)
    ended: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    took: Counter[tuple[int, str, int]] = field(default_factory=Counter)
    done: Counter[tuple[int]] = field(default_factory=Counter)
    lag: Counter[tuple[int, int]] = field(default_factory=Counter)
    reasons: Counter[tuple[str]] = field(default_factory=Counter)
    puzzles: Counter[tuple[str]] = field(default_factory=Counter)

    def arrive(self, due_s: float) -> None:
        """A customer was due."""
        self.offered[(self._interval(due_s),)] += 1

    def sent(self, due_s: float, lag_ms: float) -> None:
        """A request left so much later than it was due: the generator's own fault."""
        self.lag[self._interval(due_s), bucket(lag_ms)] += 1

    def end(self, due_s: float, name: str, ms: float, outcome: str, reason: str = "") -> None:
        """Something came to its end, `ms` after it was due. What was refused has no time: it was not done."""
        interval = self._interval(due_s)
        self.ended[interval, name, outcome] += 1
        if outcome != REFUSED:
            self.took[interval, name, bucket(ms)] += 1
        if outcome == OK:
            self.done[(self._interval(due_s + ms / 1000),)] += 1
        _note(self.reasons, reason)

    def puzzle(self, what: str) -> None:
        """A visit was broken off, as it did not understand an answer."""
        _note(self.puzzles, what)

    def drain(self) -> dict[str, Any]:
        """Everything since the last time, in the words of a message, and nothing is left."""
        said = {}
        for name, counter in self._counters().items():
            said[name] = [[*key, count] for key, count in counter.items()]
            counter.clear()
        return said

    def add(self, said: Mapping[str, Any]) -> None:
        """What another's `drain` said."""
        for name, counter in self._counters().items():
            for *key, count in said[name]:
                counter[tuple(key)] += count

    @property
    def names(self) -> list[str]:
        """What was measured."""
        return sorted({name for _, name, _ in self.ended})

    def count(self, name: str | None = None, outcome: str | None = None) -> int:
        """How many ended so; of all requests, where no name is said."""
        return sum(
            count
            for (_, each, end), count in self.ended.items()
            if (each == name if name else each != ORDER) and outcome in (None, end)
        )

    def times(self, name: str) -> Histogram:
        """How long it took, over the whole run."""
        return _sum((number, count) for (_, each, number), count in self.took.items() if each == name)

    def lags(self) -> Histogram:
        """How late requests left, over the whole run."""
        return _sum((number, count) for (_, number), count in self.lag.items())

    def by_interval(self, wanted: Callable[[str], bool]) -> Mapping[int, Histogram]:
        """How long those took whose name is wanted, in each interval."""
        found: dict[int, Counter[int]] = {}
        for (interval, name, number), count in self.took.items():
            if wanted(name):
                found.setdefault(interval, Counter())[number] += count
        return found

    def lag_by_interval(self) -> Mapping[int, Histogram]:
        """How late requests left, in each interval."""
        found: dict[int, Counter[int]] = {}
        for (interval, number), count in self.lag.items():
            found.setdefault(interval, Counter())[number] += count
        return found

    def _interval(self, due_s: float) -> int:
        return int(due_s / self.interval_s)

    def _counters(self) -> dict[str, Counter[Any]]:
        return {name: each for name, each in vars(self).items() if isinstance(each, Counter)}


def _note(counter: Counter[tuple[str]], text: str) -> None:
    if text and ((text,) in counter or len(counter) < _MOST_REASONS):
        counter[(text,)] += 1


def _sum(counted: Iterable[tuple[int, int]]) -> Histogram:
    found: Counter[int] = Counter()
    for number, count in counted:
        found[number] += count
    return found
