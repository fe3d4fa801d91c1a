"""CloudWatch: metrics that come in periods and late, and alarms over so many of their datapoints."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

# How long after the end of its period a datapoint is there to be judged. AWS measured 363 s from load to
# scaling out by metrics of 60 s and 86 s by those of 20 s, which are published in another way; three
# datapoints take 180 and 60 s of that, and the load began at any time of the first period. The rest is what
# publishing takes.
# https://aws.amazon.com/blogs/aws/amazon-ecs-introduces-new-high-resolution-metrics-for-faster-service-auto-scaling/
PUBLISHED_AFTER_S = {60: 140, 20: 20}


@dataclass
class Metric:
    """A datapoint for each period, seen when it is published: the average, or the highest, of its ticks."""

    period_s: int
    published_after_s: int
    highest: bool = False
    _seen: list[float] = field(default_factory=list)
    _published: deque[tuple[int, float]] = field(default_factory=deque)

    def feed(self, until_s: int, value: float) -> None:
        """What was seen in the tick that ends at `until_s`."""
        self._seen.append(value)
        if until_s % self.period_s == 0:
            datapoint = max(self._seen) if self.highest else sum(self._seen) / len(self._seen)
            self._published.append((until_s + self.published_after_s, datapoint))
            self._seen.clear()

    def datapoint(self, now_s: int) -> float | None:
        """The datapoint that is published by now and was not seen yet, or None."""
        if self._published and self._published[0][0] <= now_s:
            return self._published.popleft()[1]
        return None


@dataclass
class Alarm:
    """In ALARM while the last `datapoints` all breach: M of M, as those of target tracking are."""

    datapoints: int
    breached: int = 0

    def see(self, breaches: bool) -> bool:
        """Whether it is in ALARM after a datapoint that breaches, or does not."""
        self.breached = self.breached + 1 if breaches else 0
        return self.breached >= self.datapoints
