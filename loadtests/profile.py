"""What one task of a service was measured to carry: one reviewed file per service in `profiles`."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Literal, Self

import tomlkit
from pydantic import Field, model_validator

from infra.scaling.policy import Task
from loadtests import files
from loadtests.errors import LoadError
from loadtests.files import Part
from loadtests.objectives import Objective

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Spread(Part):
    """The median of the repetitions, and the outermost of them."""

    lowest: Positive
    median: Positive
    highest: Positive

    @classmethod
    def of(cls, values: Sequence[float], digits: int) -> Self:
        """That of repetitions, rounded."""
        low, middle, high = (round(each, digits) for each in (min(values), median(values), max(values)))
        return cls(lowest=low, median=middle, highest=high)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.lowest <= self.median <= self.highest:
            raise ValueError("lowest <= median <= highest is not so")
        return self


class Measured(Part):
    """On what, of what and how it was measured."""

    at: dt.datetime
    machine: Annotated[str, Field(min_length=1)]
    cores: Annotated[int, Field(ge=1)]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,40}$")]
    content: Annotated[
        str,
        Field(pattern=r"^sha256:[0-9a-f]{64}$", description="of what was packaged: it tells a stale profile"),
    ]
    held_by: Annotated[
        Literal["cgroup", "accounting"],
        Field(description="who held the task to its CPU: the kernel, or a reckoning by the CPU time it took"),
    ]
    repetitions: Annotated[int, Field(ge=2, description="one has no spread")]


class Point(Part):
    """What was seen at a rate that was offered in an open loop: of each route, quantiles in ms."""

    rate_per_s: Positive
    completed_per_s: Positive
    cpu_percent: Annotated[float, Field(ge=0, le=100)]
    memory_mib: Positive
    concurrency: Annotated[float, Field(ge=0, description="requests in the task, on average")]
    routes: Mapping[str, Annotated[tuple[float, ...], Field(strict=False)]]


class Requests(Part):
    """HTTP: what a task carries within the objectives, and how it fares below and beyond."""

    capacity_per_s: Annotated[Spread, Field(description="the highest rate that keeps every objective")]
    saturated_per_s: Annotated[float, Field(gt=0, description="the most it completes, whatever is offered")]
    cpu_ms: Positive
    quantiles: Annotated[tuple[Share, ...], Field(min_length=2, strict=False)]
    curve: Annotated[tuple[Point, ...], Field(min_length=2, strict=False)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        rates = [point.rate_per_s for point in self.curve]
        if rates != sorted(set(rates)):
            raise ValueError("the rates of the curve do not rise")
        if (
            list(self.quantiles) != sorted(set(self.quantiles))
            or self.quantiles[0] != 0.5
            or self.quantiles[-1] >= 1
        ):
            raise ValueError("the quantiles do not rise from 0.5 on to below 1")
        if self.capacity_per_s.lowest > self.saturated_per_s:
            raise ValueError("it carries more within its objectives than it completes at all")
        return self

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for point in self.curve:
            for route, times in point.routes.items():
                if len(times) != len(self.quantiles) or list(times) != sorted(times) or times[0] <= 0:
                    raise ValueError(
                        f"{route} at {point.rate_per_s:g}/s needs a time above 0 for each quantile, none "
                        "below the last"
                    )
        return self


class Messages(Part):
    """The service's queue: how fast a task empties it, and how long a message takes alone."""

    drain_per_s: Spread
    cpu_ms: Positive
    light_ms: Annotated[
        tuple[float, ...], Field(strict=False, description="at the quantiles of the requests")
    ]


class Profile(Part):
    """All of it. `mix` is each route's share of the requests, `objectives` what the capacity is of."""

    service: str
    measured: Measured
    task: Task
    mix: Annotated[Mapping[str, Share], Field(min_length=1)]
    objectives: Mapping[str, Objective]
    requests: Requests
    messages: Messages | None = None
    idle_cpu_percent: Annotated[float, Field(ge=0, lt=100)]
    idle_memory_mib: Positive
    loaded_memory_mib: Positive
    start_s: Annotated[Spread, Field(description="from the start of the process to its first healthy answer")]

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if abs(sum(self.mix.values()) - 1) > 1e-6:
            raise ValueError("the shares of the mix do not add up to 1")
        for point in self.requests.curve:
            if point.routes.keys() != self.mix.keys():
                raise ValueError(f"at {point.rate_per_s:g}/s the curve has not the routes of the mix")
        if self.objectives.keys() != self.mix.keys():
            raise ValueError("the objectives are not those of the routes of the mix")
        if self.messages and len(self.messages.light_ms) != len(self.requests.quantiles):
            raise ValueError("messages.light_ms needs a time for each quantile")
        if self.loaded_memory_mib > self.task.memory_mib:
            raise ValueError("it took more memory than the task has")
        return self

    @property
    def vcpus(self) -> float:
        """What of a vCPU the task has."""
        return self.task.cpu / 1024


def path_of(service: str, folder: Path) -> Path:
    """Where the profile of a service is."""
    return folder / f"{service}.toml"


def load(service: str, folder: Path) -> Profile:
    """The profile of `service`. Raises LoadError."""
    path = path_of(service, folder)
    if not path.exists():
        raise LoadError(f"{path} is missing: measure it by ./pants load capacity --service {service}.")
    profile = files.read(Profile, path)
    if profile.service != service:
        raise LoadError(f"{path} is of {profile.service}.")
    return profile


def save(profile: Profile, folder: Path) -> Path:
    """Write the file of a profile, and say where it is; the one that was there before is replaced whole."""
    path = path_of(profile.service, folder)
    whole = path.with_suffix(".new")
    whole.write_text(tomlkit.dumps(profile.model_dump(exclude_none=True)), "utf-8")
    return whole.replace(path)


def digest(service: str, folder: Path) -> str:
    """The hash of the profile's file, which a policy that was derived from it names."""
    return "sha256:" + hashlib.sha256(path_of(service, folder).read_bytes()).hexdigest()
