"""Profiles that nobody measured, for tests: a task that shares one processor among its requests."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tomlkit

from infra.scaling.policy import Task
from loadtests.checkout import Checkout
from loadtests.forecast import Asked, Day, Forecast, Peak
from loadtests.objectives import Objective
from loadtests.profile import Measured, Messages, Point, Profile, Requests, Spread, save

ROUTE = "GET /api/things"
WITHIN_300_MS = Objective(percentile=99, bound_ms=300)
MESSAGE_WITHIN_2_S = Objective(percentile=99, bound_ms=2000)
QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
DIGEST = "sha256:" + "0" * 64

# How far beyond what it carries within the objectives a task still completes what it is asked.
_SATURATED = 1.15


def spread(median: float, share: float = 0.0) -> Spread:
    """Repetitions that lie `share` to both sides."""
    return Spread(lowest=median * (1 - share), median=median, highest=median * (1 + share))


def profile(
    service: str = "order",
    *,
    capacity_per_s: float = 20,
    cpu_percent: float = 85,
    messages_per_s: float | None = None,
    light_ms: float = 12,
    start_s: float = 4,
    task: tuple[int, int] = (512, 1024),
    loaded_memory_mib: float = 250,
    vary: float = 0.0,
) -> Profile:
    """A task that carries `capacity_per_s` within WITHIN_300_MS, and then uses `cpu_percent`.

    Times grow as those of a shared processor, as 1 / (1 - utilisation), with an exponential tail, so that 99%
    are within 300 ms at capacity and not beyond.
    """
    vcpus = task[0] / 1024
    shares = (0.1, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0, 1.1)
    points = [
        Point(
            rate_per_s=capacity_per_s * share,
            completed_per_s=capacity_per_s * share,
            cpu_percent=min(100.0, cpu_percent * share),
            memory_mib=loaded_memory_mib,
            concurrency=1.0,
            routes={ROUTE: _times(light_ms, share)},
        )
        for share in shares
    ]
    return Profile(
        service=service,
        measured=Measured(
            at=datetime(2026, 11, 25, 12, tzinfo=UTC),
            machine="nobody's",
            cores=2,
            commit="0123456789ab",
            content="sha256:" + "1" * 64,
            held_by="cgroup",
            repetitions=3,
        ),
        task=Task(cpu=task[0], memory_mib=task[1]),
        mix={ROUTE: 1.0},
        objectives={ROUTE: WITHIN_300_MS},
        requests=Requests(
            capacity_per_s=spread(capacity_per_s, vary),
            saturated_per_s=capacity_per_s * _SATURATED,
            cpu_ms=(cpu_percent - 1) * 10 * vcpus / capacity_per_s,
            quantiles=QUANTILES,
            curve=tuple(points),
        ),
        messages=None
        if messages_per_s is None
        else Messages(
            drain_per_s=spread(messages_per_s, vary),
            cpu_ms=950 * vcpus / messages_per_s,
            light_ms=(10, 20, 30, 50, 90),
        ),
        idle_cpu_percent=1,
        idle_memory_mib=120,
        loaded_memory_mib=loaded_memory_mib,
        start_s=spread(start_s),
    )


def _times(light_ms: float, share: float) -> tuple[float, ...]:
    at_capacity = light_ms / (1 - 1 / _SATURATED)
    stretch = WITHIN_300_MS.bound_ms / at_capacity - 1
    base = light_ms / (1 - share / _SATURATED)
    return tuple(float(base * (1 + stretch * np.log1p(-quantile) / np.log(0.01))) for quantile in QUANTILES)


def forecast(
    *,
    lowest: float = 4,
    highest: float = 40,
    surge: float = 1.1,
    spike: float = 2,
    peaks: tuple[Peak, ...] = (),
    growth: float = 1,
    requests: float = 1,
    messages: float = 0,
    service: str = "order",
) -> Forecast:
    """A week of one service."""
    return Forecast(
        source="nobody",
        timezone="UTC",
        growth=growth,
        surge=surge,
        spike=spike,
        day=Day(
            lowest_orders_per_s=lowest,
            highest_orders_per_s=highest,
            lowest_hour=4,
            highest_hour=20,
            weekend=1.2,
        ),
        peak=peaks,
        an_order={service: Asked(requests=requests, messages=messages)},
    )


def sale(orders_per_s: float = 100) -> Peak:
    """Friday from 18:00 to 18:30."""
    return Peak(name="sale", day="FRI", hour=18, minutes=30, orders_per_s=orders_per_s)


def checkout(root: Path) -> Checkout:
    """A checkout with the scaling files of this one, and all that those of order follow from."""
    here, made = Checkout(), Checkout(root)
    made.profiles.mkdir(parents=True)
    shutil.copytree(here.scaling, made.scaling)
    shutil.copytree(here.root / "loadtests/hand_set", root / "loadtests/hand_set")
    promised = {
        "route": [
            {"service": "order", "route": ROUTE, "availability": 99.9, **WITHIN_300_MS.model_dump()},
        ],
        "order_to_confirmed": {
            "availability": 99.9,
            "stages": [["order"]],
            **MESSAGE_WITHIN_2_S.model_dump(),
        },
    }
    (root / "loadtests/objectives.toml").write_text(tomlkit.dumps(promised), "utf-8")
    expected = forecast(lowest=2, highest=20, messages=3, peaks=(sale(50),)).model_dump()
    (root / "loadtests/forecast.toml").write_text(tomlkit.dumps(expected), "utf-8")
    save(profile(messages_per_s=60), made.profiles)
    return made
