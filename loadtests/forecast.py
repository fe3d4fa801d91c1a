"""How much is expected: orders a second over a week, how that grows, and peaks that are known beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from loadtests import files
from loadtests.files import Part

Positive = Annotated[float, Field(gt=0)]
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


class Day(Part):
    """A usual day, in the time zone of the forecast: lowest at `lowest_hour`, highest at `highest_hour`."""

    lowest_orders_per_s: Positive
    highest_orders_per_s: Positive
    lowest_hour: Annotated[int, Field(ge=0, le=23)]
    highest_hour: Annotated[int, Field(ge=0, le=23)]
    weekend: Annotated[float, Field(gt=0, description="a day of the weekend as a multiple of another")]

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.lowest_orders_per_s > self.highest_orders_per_s:
            raise ValueError("the lowest is above the highest")
        if self.lowest_hour == self.highest_hour:
            raise ValueError("it is lowest and highest at the same hour")
        return self

    @property
    def busiest_orders_per_s(self) -> float:
        """The highest of the week."""
        return self.highest_orders_per_s * max(1.0, self.weekend)


class Peak(Part):
    """Known beforehand: so many orders a second from a time of the week on, for so long."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    day: str
    hour: Annotated[int, Field(ge=0, le=23)]
    minute: Annotated[int, Field(ge=0, le=59)] = 0
    minutes: Annotated[int, Field(ge=1, le=24 * 60)]
    orders_per_s: Positive

    @field_validator("day")
    @classmethod
    def _exists(cls, day: str) -> str:
        if day not in DAYS:
            raise ValueError(f"a day is one of {', '.join(DAYS)}")
        return day

    @property
    def starts_s(self) -> int:
        """Seconds after Monday, 00:00."""
        return ((DAYS.index(self.day) * 24 + self.hour) * 60 + self.minute) * 60


class Asked(Part):
    """What an order asks of a service, looking around included."""

    requests: Annotated[float, Field(ge=0)]
    messages: Annotated[float, Field(ge=0)] = 0.0


class Forecast(Part):
    """All of it. What was assumed, and why, stands in the file beside the numbers."""

    source: Annotated[str, Field(min_length=1, description="who expects that, and from what")]
    timezone: str
    growth: Annotated[float, Field(gt=0, description="how much more of everything until it is derived again")]
    surge: Annotated[
        float,
        Field(ge=1, description="as a multiple: so much may come at once, and is within the objectives"),
    ]
    spike: Annotated[
        float,
        Field(
            ge=1, description="as a multiple: so much comes at times, and there are to be tasks for it soon"
        ),
    ]
    day: Day
    peak: Annotated[tuple[Peak, ...], Field(strict=False)] = ()
    an_order: Mapping[str, Asked]

    @field_validator("timezone")
    @classmethod
    def _known(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"there is no time zone {timezone}") from None
        return timezone

    @property
    def busiest_orders_per_s(self) -> float:
        """The highest of a usual week, grown."""
        return self.day.busiest_orders_per_s * self.growth


def load(path: Path) -> Forecast:
    """The forecast in `path`. Raises LoadError."""
    return files.read(Forecast, path)
