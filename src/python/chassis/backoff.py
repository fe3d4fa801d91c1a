"""How long to wait before trying again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Exponential, capped, with full jitter, so that those who failed together do not return together.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    first_s: float = 0.5
    cap_s: float = 30.0

    def delay_s(self, attempt: int) -> float:
        """Seconds between the `attempt`-th try (from 1) and the next: a tenth of the bound to all of it."""
        bound = min(self.cap_s, self.first_s * 2 ** min(attempt - 1, 32))
        return random.uniform(bound / 10, bound)
