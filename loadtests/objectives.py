"""What the shop promises: how fast each route and an order are, and what of that each service owes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from loadtests import files
from loadtests.errors import LoadError
from loadtests.files import Part

Percentile = Annotated[float, Field(gt=50, lt=100)]
Milliseconds = Annotated[float, Field(gt=0)]
Stage = Annotated[tuple[str, ...], Field(min_length=1, strict=False)]


class Objective(Part):
    """`percentile` percent of all are done within `bound_ms`."""

    percentile: Percentile
    bound_ms: Milliseconds

    @property
    def allowed(self) -> float:
        """The share that may be slower."""
        return 1 - self.percentile / 100

    def kept_with(self, slow: int, asked: int) -> bool:
        """Whether no more are slow than may be. Of a hundred, one does not show that more than one are."""
        return slow <= max(1.0, self.allowed * asked + 1e-9)

    def __str__(self) -> str:
        return f"{self.percentile:g}% within {self.bound_ms:g} ms"


class Route(Objective):
    """The objective of a route, named as load tests name its requests."""

    service: str
    route: Annotated[str, Field(pattern=r"^(GET|POST|PUT|PATCH|DELETE) /api/\S+$")]
    availability: Annotated[
        float, Field(gt=0, le=100, description="percent that are answered, and not with 5xx")
    ]

    @property
    def objective(self) -> Objective:
        """Its percentile and bound alone."""
        return Objective(percentile=self.percentile, bound_ms=self.bound_ms)


class OrderToConfirmed(Objective):
    """From an order to its confirmation: messages pass `stages` in turn, services of a stage side by side."""

    availability: Annotated[float, Field(gt=0, le=100, description="percent that are confirmed or cancelled")]
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, strict=False)]


class Objectives(Part):
    """All of them."""

    route: Annotated[tuple[Route, ...], Field(min_length=1, strict=False)]
    order_to_confirmed: OrderToConfirmed
    message: Annotated[
        Mapping[str, Objective], Field(description="of messages that no order waits for, by service")
    ] = {}

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [each.route for each in self.route]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} has two objectives")
        return self

    def of(self, service: str) -> Mapping[str, Objective]:
        """The objectives of a service's routes, by route."""
        return {each.route: each.objective for each in self.route if each.service == service}


def load(path: Path) -> Objectives:
    """The objectives in `path`. Raises LoadError."""
    return files.read(Objectives, path)


def split(order: OrderToConfirmed, light_ms: Mapping[str, float]) -> Mapping[str, Objective]:
    """What of order-to-confirmed each service owes for a message: all of theirs kept, the order's is.

    The share that may be slow is divided evenly over all visits, since one slow visit makes an order slow and
    the sum bounds how often that is; the time is divided over the stages as `light_ms`, the median time of a
    message without load, and within a stage all have the whole of it. This is the bound by which Ursa splits
    an end-to-end objective (Zhang and others, HPCA 2024: percentiles whose residuals add up), with equal
    residuals instead of a search. A service that is visited twice owes the tighter of both.
    """
    missing = sorted({name for stage in order.stages for name in stage} - light_ms.keys())
    if missing:
        raise LoadError(
            f"order-to-confirmed passes {', '.join(missing)}, of which no profile tells how long a message "
            "takes: measure it by ./pants load capacity."
        )
    visits = sum(len(stage) for stage in order.stages)
    percentile = 100 * (1 - order.allowed / visits)
    slowest = [max(light_ms[name] for name in stage) for stage in order.stages]
    owed: dict[str, Objective] = {}
    for stage, light in zip(order.stages, slowest, strict=True):
        bound = order.bound_ms * light / sum(slowest)
        for name in stage:
            if name not in owed or bound < owed[name].bound_ms:
                owed[name] = Objective(percentile=percentile, bound_ms=bound)
    return owed
