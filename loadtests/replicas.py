"""Real runs with several replicas of a service, and how far the simulator is from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
_NEAR = 0.2


class Seen(Part):
    """What was seen at a rate that all replicas were offered together: p95 of all requests."""

    rate_per_s: Positive
    p95_ms: Spread


class Run(Part):
    """Rising rates, offered to so many replicas, each held to the size of a task.

    They carry all together what a single task's capacity is found by.
    """

    replicas: Annotated[int, Field(ge=1)]
    carried_per_s: Spread
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

    `p95` are those at each rate that was carried. `tasks` is of the tasks that carry what the replicas did.
    What was seen is the median of the repetitions.
    """

    replicas: int
    carried_per_s: float
    tasks_needed: float
    p95: Sequence[float]

    @property
    def tasks_error(self) -> float:
        """Of as many as there were."""
        return self.tasks_needed / self.replicas - 1

    @property
    def p95_error(self) -> float:
        """The median, without its sign."""
        return float(np.median(np.abs(self.p95)))


def compare(runs: RealRuns, queueing: Queueing) -> Sequence[Compared]:
    """Each run beside what the simulator makes of its rates."""
    found = []
    for run in runs.run:
        carried = run.carried_per_s.median
        one = _carried(queueing, run.replicas) / run.replicas
        found.append(Compared(run.replicas, carried, carried / one, list(_p95_errors(run, queueing))))
    return found


def _p95_errors(run: Run, queueing: Queueing) -> Iterator[float]:
    for seen in run.seen:
        if seen.rate_per_s <= run.carried_per_s.median:
            yield queueing.latency_ms(QUANTILE, seen.rate_per_s / run.replicas) / seen.p95_ms.median - 1


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
        "| service | replicas | carried, requests/s | simulated tasks | error | p95: error | within 20% |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for service, compared in runs.items():
        for each in compared:
            near = f"{sum(abs(error) <= _NEAR for error in each.p95)} of {len(each.p95)}"
            lines.append(
                f"| {service} | {each.replicas} | {each.carried_per_s:.1f} | {each.tasks_needed:.2f} "
                f"| {100 * each.tasks_error:+.0f}% | {100 * each.p95_error:.0f}% | {near} |"
            )
    return "\n".join(lines) + "\n"
