"""When visitors come: due times that follow the rates of a shape, and which of them a worker plays."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import chain, islice, repeat

POISSON, EVEN = "poisson", "even"


def poisson(seed: int) -> Iterator[float]:
    """Gaps between people who know nothing of each other, at a rate of 1."""
    draw = random.Random(seed)
    while True:
        yield draw.expovariate(1.0)


def even() -> Iterator[float]:
    """The same gap always, half of it before the first: as many come in each second as its rate says."""
    return chain([0.5], repeat(1.0))


def gaps(spread: str, seed: int) -> Iterator[float]:
    """Those that a command names."""
    return poisson(seed) if spread == POISSON else even()


def times(rates: Sequence[float], gaps: Iterator[float]) -> Iterator[float]:
    """Seconds after the start at which visitors are due. `rates` are a second's each, `gaps` those at 1.

    A gap is used up as fast as the rate is high, so that gaps of a Poisson process stay one at any rate.
    """
    left = next(gaps)
    for second, rate in enumerate(rates):
        at = 0.0
        while left <= (1.0 - at) * rate:
            at += left / rate
            yield second + at
            left = next(gaps)
        left -= (1.0 - at) * rate


def share(all_of_them: Iterator[float], worker: int, workers: int) -> Iterator[tuple[int, float]]:
    """Every so-manieth with its number, so that workers together play what one would play alone."""
    return islice(enumerate(all_of_them), worker, None, workers)
