"""How soon to fetch the next batch, so that under load there is more in it."""

from __future__ import annotations

import time
from collections.abc import Callable


class Spacing:
    """Keeps fetches apart by `each_s` for each thing the last one found, `most_s` at most.

    What comes alone is fetched at once and alone. What comes often makes its fetches come apart until each
    finds many, which costs a few milliseconds of patience and saves a transaction and a call for each. A full
    batch, behind which there is more, is followed at once.
    """

    def __init__(
        self,
        batch: int,
        *,
        each_s: float = 0.008,
        most_s: float = 0.04,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._batch = batch
        self._each_s = each_s
        self._most_s = most_s
        self._clock = clock
        self._next_at = float("-inf")

    def found(self, count: int) -> None:
        """Note that a fetch has just found so many."""
        full = count >= self._batch
        self._next_at = self._clock() + (0.0 if full else min(self._most_s, count * self._each_s))

    @property
    def pause_s(self) -> float:
        """Seconds from now to the next fetch."""
        return max(0.0, self._next_at - self._clock())
