"""How fast a task empties its queue, and how long a message takes that is alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.capacity.process import Meter, Started
from loadtests.capacity.queue import Queue
from loadtests.errors import LoadError

_LOOK_EVERY_S = 0.05
_EMPTY_WITHIN_S = 120.0
# The first are fetched while the service is still new, and at the end pollers find little.
_PARTS = 10
# Fewer say nothing of a rate.
FEWEST = 40


@dataclass(frozen=True)
class Drained:
    """So many messages, in so many seconds of the machine and so many of CPU."""

    messages: float
    seconds: float
    cpu_s: float
    memory_mib: float


def drain(queue: Queue, held: Started, waiting: int) -> Drained:
    """Watch `held` empty the queue, in which so many wait. Raises LoadError where it does not get done.

    What counts is between the first tenth and the last.
    """
    seen: list[tuple[float, int]] = []
    until = time.monotonic() + _EMPTY_WITHIN_S
    with Meter(held) as meter:
        while not seen or seen[-1][1]:
            if time.monotonic() > until:
                raise LoadError(
                    f"{seen[-1][1]} of {waiting} messages were left after {_EMPTY_WITHIN_S:.0f} s."
                )
            left = queue.waiting().all
            seen.append((time.perf_counter(), left))
            time.sleep(_LOOK_EVERY_S)
    start = next(each for each in seen if each[1] * _PARTS <= waiting * (_PARTS - 1))
    end = next(each for each in seen if each[1] * _PARTS <= waiting)
    if end[0] - start[0] < 3 * _LOOK_EVERY_S:
        raise LoadError(f"{waiting} messages were gone at once: too few to tell a rate.")
    used = meter.used(start[0], end[0])
    seconds = end[0] - start[0]
    return Drained(start[1] - end[1], seconds, used.cpu_share * seconds, used.memory_mib)


@dataclass(frozen=True)
class Sum:
    """What several kinds of messages come to together, as many of each as there were."""

    drain_per_s: float
    cpu_ms: float
    memory_mib: float


def summed(parts: Sequence[tuple[int, Drained]]) -> Sum:
    """Of each part, so many messages at the rate at which some of them were seen to be drained."""
    count = sum(waiting for waiting, _ in parts)
    seconds = sum(waiting * each.seconds / each.messages for waiting, each in parts)
    cpu_s = sum(waiting * each.cpu_s / each.messages for waiting, each in parts)
    return Sum(count / seconds, 1000 * cpu_s / count, max(each.memory_mib for _, each in parts))
