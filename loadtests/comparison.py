"""The derived policy, the one set by hand and somebody who knows the future, on the same hard days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from infra.prices import PriceList
from infra.scaling.policy import ScalingPolicy, Task
from loadtests.derivation import REDUNDANT, Derivation
from loadtests.shapes import HOUR_S, Shape
from loadtests.simulator import oracle
from loadtests.simulator.run import MONDAY, Autoscaling, Demand, Outcome, simulate

DERIVED, BY_HAND, ORACLE = "derived", "by hand", "oracle"
WHO = (DERIVED, BY_HAND, ORACLE)

# Each begins as it would have come from an hour like the first second; that hour does not count.
WARM_S = HOUR_S


@dataclass(frozen=True)
class Replay:
    """What became of a shape, for a service."""

    service: str
    shape: Shape
    outcomes: Mapping[str, Outcome]
    tasks: Mapping[str, Task]


def replay(derived: Derivation, policy: ScalingPolicy, by_hand: ScalingPolicy, shape: Shape) -> Replay:
    """Play a shape of orders a second with each; tasks are of the size that was measured, for all of them."""
    demand = _demand(derived, shape)
    seconds = len(demand.requests_per_s)
    outcomes = {
        who: simulate(derived.queueing, demand, Autoscaling(each, demand.starts, seconds)).after(WARM_S)
        for who, each in ((DERIVED, policy), (BY_HAND, by_hand))
    }
    missed = float(outcomes[DERIVED].missed.sum())
    outcomes[ORACLE] = oracle.best(derived.queueing, demand, REDUNDANT, missed, WARM_S)
    size = derived.profile.task
    return Replay(derived.service, shape, outcomes, dict.fromkeys(WHO, size))


def _demand(derived: Derivation, shape: Shape) -> Demand:
    orders = np.concatenate([np.full(WARM_S, shape.rates[0]), shape.rates])
    # Weeks of load begin on Monday, 00:00, by the clock of those who order.
    monday = MONDAY.replace(tzinfo=ZoneInfo(derived.forecast.timezone)).astimezone(UTC)
    starts = monday + timedelta(seconds=shape.starts_s - WARM_S)
    return Demand(orders * derived.asked.requests, orders * derived.asked.messages, starts)


@dataclass(frozen=True)
class Sum:
    """Of several replays, what one of them came to."""

    missed: float
    missed_minutes: int
    asked: float
    task_seconds: float
    usd: float

    @property
    def missed_percent(self) -> float:
        """Of all requests and messages."""
        return 100 * self.missed / self.asked if self.asked else 0.0


def summed(replays: Iterable[Replay], who: str, prices: PriceList) -> Sum:
    """All that `who` missed and was paid for."""
    found = [(each.outcomes[who], each.tasks[who]) for each in replays]
    return Sum(
        sum(float(outcome.missed.sum()) for outcome, _ in found),
        sum(outcome.missed_minutes for outcome, _ in found),
        sum(outcome.asked for outcome, _ in found),
        sum(outcome.task_seconds for outcome, _ in found),
        sum(outcome.task_seconds / HOUR_S * hourly_usd(task, prices) for outcome, task in found),
    )


def hourly_usd(task: Task, prices: PriceList) -> float:
    """What an hour of a task costs, by infra's price list."""
    vcpus, gigabytes = task.cpu / 1024, task.memory_mib / 1024
    return prices.of("fargate.vcpu").cost(vcpus) + prices.of("fargate.gb").cost(gigabytes)


@dataclass(frozen=True)
class Ratios:
    """How the derived policy compares; None where there is nothing to compare with."""

    missed_of_by_hand: float | None
    task_seconds_of_by_hand: float
    task_seconds_of_oracle: float


def ratios(replays: Sequence[Replay], prices: PriceList) -> Ratios:
    """Over all replays together."""
    derived, by_hand, best = (summed(replays, who, prices) for who in WHO)
    return Ratios(
        derived.missed / by_hand.missed if by_hand.missed else None,
        derived.task_seconds / by_hand.task_seconds,
        derived.task_seconds / best.task_seconds,
    )


def table(replays: Sequence[Replay], prices: PriceList) -> str:
    """All of it in Markdown: a row for each service and shape, the sum of each service, and of all."""
    lines = [
        "| service | load | " + " | ".join(f"{who}: missed | min | tasks | USD" for who in WHO) + " |",
        "| --- | --- |" + " ---: | ---: | ---: | ---: |" * len(WHO),
    ]
    services = list(dict.fromkeys(each.service for each in replays))
    for service in services:
        of_service = [each for each in replays if each.service == service]
        lines += [_row(service, each.shape.name, [each], prices) for each in of_service]
        lines.append(_row(f"**{service}**", "**all**", of_service, prices))
    if len(services) > 1:
        lines.append(_row("**all**", "**all**", replays, prices))
    return "\n".join(lines) + "\n"


def _row(service: str, shape: str, replays: Sequence[Replay], prices: PriceList) -> str:
    cells = [service, shape]
    for who in WHO:
        found = summed(replays, who, prices)
        seconds = sum(each.shape.seconds for each in replays)
        cells += [
            f"{found.missed_percent:.3f}%",
            f"{found.missed_minutes}",
            f"{found.task_seconds / seconds:.2f}",
            f"{found.usd:.2f}",
        ]
    return "| " + " | ".join(cells) + " |"


def verdict(replays: Sequence[Replay], prices: PriceList) -> str:
    """What the derived policy comes to beside the others, in a sentence for each."""
    found = ratios(replays, prices)
    missed = (
        "Nothing was missed by hand."
        if found.missed_of_by_hand is None
        else f"Missed objectives: {found.missed_of_by_hand:.3f} of the requests and messages by hand."
    )
    return (
        f"{missed}\nTask-seconds: {found.task_seconds_of_by_hand:.2f} of those by hand, "
        f"{found.task_seconds_of_oracle:.2f} of those of an oracle that misses no more.\n"
    )
