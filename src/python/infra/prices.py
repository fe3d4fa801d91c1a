"""The price list, and what the cost of an order rests on beside it: data, in two files beside this module."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_FOLDER = Path(__file__).parent


class PriceMissing(Exception):
    """Something in a template is not in the price list; the message says what and where it belongs."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Tier(_Part):
    """What a unit costs up to an amount in a month; the last tier has no end."""

    usd: Annotated[float, Field(gt=0)]
    upto: float | None = None


class Price(_Part):
    """What AWS asks for a unit of something. `seen` is who was read for it; see the file."""

    name: str
    unit: str
    usd: Annotated[float, Field(gt=0)] | None = None
    tiers: tuple[Tier, ...] = ()
    page: Annotated[str, Field(pattern=r"^https://aws\.amazon\.com/")]
    seen: str
    verified: bool = True

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.usd is None) != bool(self.tiers):
            raise ValueError(f"{self.name} has either usd or tiers")
        if self.tiers and [tier.upto is None for tier in self.tiers].index(True) != len(self.tiers) - 1:
            raise ValueError(f"{self.name}: the last tier, and no other, has no end")
        return self

    def cost(self, quantity: float) -> float:
        """What `quantity` units in a month cost."""
        if self.usd is not None:
            return quantity * self.usd
        total, below = 0.0, 0.0
        for tier in self.tiers:
            end = quantity if tier.upto is None else min(quantity, tier.upto)
            total += max(0.0, end - below) * tier.usd
            below = end
        return total

    @property
    def first_usd(self) -> float:
        """What the first unit costs."""
        return self.tiers[0].usd if self.usd is None else self.usd


class DatabaseClass(_Part):
    """What an instance class is: of each of its vCPUs it may always use the share `baseline`."""

    name: str
    vcpus: int
    baseline: Annotated[float, Field(gt=0, le=1)]


class PriceList(_Part):
    """All prices of a region, on a day."""

    region: str
    currency: str
    taken: dt.date
    price: tuple[Price, ...]
    free: Mapping[str, Annotated[str, Field(min_length=1)]]
    classes: Annotated[tuple[DatabaseClass, ...], Field(alias="class")]

    def of(self, name: str) -> Price:
        """The price `name`. Raises PriceMissing."""
        for price in self.price:
            if price.name == name:
                return price
        raise PriceMissing(f"{name} has no price: add it to infra/prices.toml, with the page that says it.")

    def database_class(self, name: str) -> DatabaseClass:
        """What the class `name` is. Raises PriceMissing."""
        for found in self.classes:
            if found.name == name:
                return found
        raise PriceMissing(f"{name} is not described: add it to infra/prices.toml, under [[class]].")


class Assumption(_Part):
    """A number that no template and no price list has, and why it is this one."""

    name: str
    value: float
    says: str
    because: str


class Work(_Part):
    """What an order takes of a service: milliseconds of CPU in task and database, and bytes that are kept."""

    service: str
    task_ms: float
    database_ms: float
    bytes: float


class Assumptions(_Part):
    """All of them; `assumptions["requests"]` is the value of one."""

    assumption: tuple[Assumption, ...]
    work: tuple[Work, ...]

    def __getitem__(self, name: str) -> float:
        return self._values()[name]

    def _values(self) -> Mapping[str, float]:
        return {each.name: each.value for each in self.assumption}

    def of(self, service: str) -> Work:
        """What an order takes of `service`."""
        (found,) = (work for work in self.work if work.service == service)
        return found


@cache
def price_list() -> PriceList:
    """The price list of this folder."""
    return PriceList(**_read("prices.toml"))


@cache
def assumptions() -> Assumptions:
    """The assumptions of this folder."""
    return Assumptions(**_read("assumptions.toml"))


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / name).read_text("utf-8"))
