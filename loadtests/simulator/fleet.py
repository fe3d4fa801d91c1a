"""ECS: the tasks of a service, from when one is asked for until it is gone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

# From the scaling activity until the task runs: AWS measured 386 s until new tasks were provisioned where
# scaling was triggered after 363, and 109 where it was after 86.
# https://aws.amazon.com/blogs/aws/amazon-ecs-introduces-new-high-resolution-metrics-for-faster-service-auto-scaling/
PROVISIONED_AFTER_S = 23

# "After your target is registered, it must pass one health check": the first comes within an interval, which
# infra sets.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
HEALTH_INTERVAL_S = 30

# A task that is taken away is given nothing new, and stops when this has passed; infra sets it.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
DEREGISTERED_AFTER_S = 30


@dataclass
class Fleet:
    """Tasks that serve, that come, and that go."""

    start_s: float
    serving: int
    _coming: deque[int] = field(default_factory=deque)
    _going: deque[int] = field(default_factory=deque)

    @property
    def serves_after_s(self) -> float:
        """How long a task takes from when it is asked for until requests reach it."""
        return PROVISIONED_AFTER_S + self.start_s + HEALTH_INTERVAL_S

    def want(self, now_s: int, desired: int) -> None:
        """Start tasks, or give some up, until as many are there or coming; those that come go first."""
        for _ in range(desired - self.serving - len(self._coming)):
            self._coming.append(int(now_s + self.serves_after_s))
        for _ in range(self.serving + len(self._coming) - desired):
            if self._coming:
                self._coming.pop()
            else:
                self.serving -= 1
                self._going.append(now_s + DEREGISTERED_AFTER_S)

    @property
    def paid(self) -> int:
        """All of them: a task is paid for from when its image is fetched until it is gone.

        https://aws.amazon.com/fargate/pricing/
        """
        return self.serving + len(self._coming) + len(self._going)

    def pass_to(self, now_s: int) -> None:
        """It is `now_s`: who was to come serves, who was to go is gone."""
        while self._coming and self._coming[0] <= now_s:
            self._coming.popleft()
            self.serving += 1
        while self._going and self._going[0] <= now_s:
            self._going.popleft()
