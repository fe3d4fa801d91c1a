"""Real runs with several replicas of a service, and how far the simulator is from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tomlkit
from pydantic import Field

from loadtests import files
from loadtests.errors import LoadError
from loadtests.files import Part
from loadtests.profile import Measured, Positive, Spread
from loadtests.simulator.policies import Load
from loadtests.simulator.queueing import Queueing
from loadtests.simulator.run import Demand, simulate

QUANTILE = 0.95
_STEADY_S = 600
_CLOSE = 0.005


class Seen(Part):
    """What was seen at a rate that all replicas were offered together: p95 of all requests."""

    rate_per_s: Positive
    p95_ms: Spread


class Run(Part):
    """Rising rates, offered to so many replicas, each held to the size of a task.

    What they carry together is found as a single task's capacity is.
    """

    replicas: Annotated[int, Field(ge=1)]
    carried_per_s: Spread
    p95_ms: Annotated[Spread, Field(description="of all requests at rates up to what was usually carried")]
    seen: Annotated[tuple[Seen, ...], Field(min_length=2, strict=False)]


class RealRuns(Part):
    """All runs of a service."""

    service: str
    measured: Measured
    run: Annotated[tuple[Run, ...], Field(min_length=1, strict=False)]


def path_of(service: str, folder: Path) -> Path:
    """Where the runs of a service are."""
    return folder / f"{service}.toml"


def load(service: str, folder: Path) -> RealRuns:
    """The runs of `service`. Raises LoadError."""
    found = files.read(RealRuns, path_of(service, folder))
    if found.service != service:
        raise LoadError(f"{path_of(service, folder)} is of {found.service}.")
    return found


def save(runs: RealRuns, folder: Path) -> Path:
    """Write the runs of a service, and say where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    path = path_of(runs.service, folder)
    path.write_text(tomlkit.dumps(runs.model_dump(exclude_none=True)), "utf-8")
    return path


@dataclass(frozen=True)
class Fixed:
    """As many tasks as there are, whatever comes."""

    tasks: int

    def begin(self) -> int:
        """See Controller."""
        return self.tasks

    def desired(self, now_s: int) -> int:  # noqa: ARG002 -- as all controllers are asked
        """See Controller."""
        return self.tasks

    def feed(self, until_s: int, load: Load) -> None:
        """It needs to see nothing."""


@dataclass(frozen=True)
class Compared:
    """A run beside the simulator: errors as shares, above 0 where the simulator says more.

    `p95_error` is of all requests at rates that were carried, `p95_errors` of each such rate. `tasks_error`
    is of the tasks that carry what the replicas did. What was seen is the median of the repetitions.
    """

    replicas: int
    carried_per_s: float
    tasks_needed: float
    p95_error: float
    p95_errors: Sequence[float]

    @property
    def tasks_error(self) -> float:
        """Of as many as there were."""
        return self.tasks_needed / self.replicas - 1


def compare(runs: RealRuns, queueing: Queueing) -> Sequence[Compared]:
    """Each run beside what the simulator makes of its rates."""
    return [_compared(run, queueing) for run in runs.run]


def _compared(run: Run, queueing: Queueing) -> Compared:
    carried = run.carried_per_s.median
    seen = [each for each in run.seen if each.rate_per_s <= carried]

    def error(measured: Spread, rates_per_s: Sequence[float]) -> float:
        each = [rate / run.replicas for rate in rates_per_s]
        return queueing.latency_ms(QUANTILE, each) / measured.median - 1

    return Compared(
        run.replicas,
        carried,
        run.replicas * carried / _carried(queueing, run.replicas),
        error(run.p95_ms, [each.rate_per_s for each in seen]),
        [error(each.p95_ms, [each.rate_per_s]) for each in seen],
    )


def _carried(queueing: Queueing, tasks: int) -> float:
    """The highest steady rate of which so many simulated tasks miss nothing."""
    low, high = 0.0, 1.5 * tasks * queueing.requests_per_s
    while high - low > _CLOSE * high:
        rate = (low + high) / 2
        steady = Demand(np.full(_STEADY_S, rate), np.zeros(_STEADY_S))
        if simulate(queueing, steady, Fixed(tasks)).missed.sum():
            high = rate
        else:
            low = rate
    return low


def table(runs: Mapping[str, Sequence[Compared]]) -> str:
    """All of it in Markdown."""
    lines = [
        "| service | replicas | carried, requests/s | simulated tasks | error | p95: error | at each rate |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for service, compared in runs.items():
        for each in compared:
            low, high = min(each.p95_errors), max(each.p95_errors)
            lines.append(
                f"| {service} | {each.replicas} | {each.carried_per_s:.1f} | {each.tasks_needed:.2f} "
                f"| {each.tasks_error:+.0%} | {each.p95_error:+.0%} | {low:+.0%} to {high:+.0%} |"
            )
    return "\n".join(lines) + "\n"
