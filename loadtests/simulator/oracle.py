"""The limit of any policy: somebody who knows the day beforehand, and starts each task just in time.

How many tasks a moment needs is known from its load alone. The k-th task is needed whenever more than k - 1
are, and it is kept over a gap that is shorter than what stopping and starting it would be paid for: so each
task is there for as few seconds as can be, and all of them are the fewest task-seconds that carry the day. It
keeps the floor that availability asks for, as every policy does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loadtests.simulator.fleet import DEREGISTERED_AFTER_S, Fleet
from loadtests.simulator.policies import Load
from loadtests.simulator.queueing import Floats, Queueing
from loadtests.simulator.run import TICK_S, Demand, Outcome, simulate

Counts = NDArray[np.int64]

# What a task may carry at most and at last, as multiples of what it carries within the objectives.
_HOTTEST, _CLOSE = 4.0, 0.02


class Oracle:
    """Has each task asked for so early that it serves when it is needed."""

    def __init__(self, needed: Counts, start_s: float) -> None:
        early = int(np.ceil(Fleet(start_s, 0).serves_after_s / TICK_S))
        self._first = int(needed[0])
        self._wanted: list[int] = _kept(needed, early).tolist()

    def begin(self) -> int:
        """See Controller."""
        return self._first

    def desired(self, now_s: int) -> int:
        """See Controller."""
        return self._wanted[now_s // TICK_S]

    def feed(self, until_s: int, load: Load) -> None:
        """It needs to see nothing."""


def needed(queueing: Queueing, demand: Demand, floor: int, hot: float = 1.0) -> Counts:
    """The fewest tasks of each tick, when each carries `hot` times what it does within the objectives."""
    ticks = demand.ticks
    shape = (ticks, TICK_S)
    capacity = min(queueing.profile.requests.capacity_per_s.median, queueing.kept_per_s) * hot
    alike = queueing.requests_per_s / queueing.messages_per_s
    requests = demand.requests_per_s[: ticks * TICK_S].reshape(shape)
    messages = demand.messages_per_s[: ticks * TICK_S].reshape(shape)
    busiest: Floats = (requests + messages * alike).max(axis=1) / capacity
    return np.maximum(np.ceil(busiest - 1e-9), floor).astype(np.int64)


def best(queueing: Queueing, demand: Demand, floor: int, missed: float, warm_s: int = 0) -> Outcome:
    """The fewest task-seconds that miss no more than `missed` requests and messages, after `warm_s`."""

    def play(hot: float) -> Outcome:
        controller = Oracle(needed(queueing, demand, floor, hot), queueing.profile.start_s.median)
        return simulate(queueing, demand, controller).after(warm_s)

    found = play(1.0)
    if found.missed.sum() >= missed:
        return found
    # As hot as its tasks may run; what is missed rises with it.
    low, high = 1.0, _HOTTEST
    while high - low > _CLOSE:
        hot = (low + high) / 2
        tried = play(hot)
        if tried.missed.sum() <= missed:
            low, found = hot, tried
        else:
            high = hot
    return found


def _kept(needed: Counts, early: int) -> Counts:
    """What is to be wanted in each tick so that what is needed serves: early, and kept over short gaps."""
    going = int(np.ceil(DEREGISTERED_AFTER_S / TICK_S))
    wanted = np.zeros_like(needed)
    for level in range(1, int(needed.max()) + 1):
        there = needed >= level
        edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
        starts, ends = edges[::2], edges[1::2]
        if not len(starts):
            continue
        # A gap costs its own length; a stop and a start cost what both take.
        split = np.flatnonzero(starts[1:] - ends[:-1] > early + going)
        begins = np.concatenate([starts[:1], starts[1:][split]])
        finishes = np.concatenate([ends[:-1][split], ends[-1:]])
        for begin, finish in zip(begins, finishes, strict=True):
            wanted[max(0, begin - early) : finish] += 1
    return wanted
