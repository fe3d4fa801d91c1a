"""Whether what is deployed carries a rate: tasks, databases and the gateway, each by its own bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from infra.deployment import Deployment, Place, Service
from infra.prices import Assumptions, PriceList
from infra.scaling import policy

_DAY_S = 86_400


@dataclass(frozen=True)
class Tasks:
    """How many tasks of a service a rate needs, and how many there are: no more than it may be scaled to."""

    needed: int
    deployed: int
    carries_per_s: float

    @property
    def suffice(self) -> bool:
        """Whether there are as many as are needed."""
        return self.needed <= self.deployed


def tasks_at(service: Service, orders_per_s: float) -> Tasks:
    """The tasks of `service` at a rate, by its scaling file; without orders, those that it begins with."""
    each = policy.load(service.name).orders_per_s_and_task
    least, most = service.bounds
    needed = max(math.ceil(orders_per_s / each), least)
    start = service.place.properties.get("DesiredCount", least)
    return Tasks(needed, start if orders_per_s == 0 else min(needed, most), most * each)


def carried_by_tasks(deployment: Deployment) -> tuple[float, str]:
    """The most orders a second for which there are tasks, and the service that ends it."""
    return min((tasks_at(service, 0).carries_per_s, service.name) for service in deployment.services())


@dataclass(frozen=True)
class Database:
    """A service's database at a rate: what of it the orders need, and what it has."""

    service: str
    size: str
    vcpus_needed: float
    vcpus: float
    vcpus_always: float
    full_after_days: float

    @property
    def problems(self) -> Iterator[str]:
        """What does not suffice, each in a few words."""
        if self.vcpus_needed > self.vcpus:
            yield f"needs {self.vcpus_needed:.1f} vCPUs of {self.vcpus:g}"
        elif self.vcpus_needed > self.vcpus_always:
            yield f"needs {self.vcpus_needed:.2f} vCPUs: beyond {self.vcpus_always:g} it runs on credits"
        if self.full_after_days < 365:
            yield f"is full after {_span(self.full_after_days)}"


def databases_at(
    deployment: Deployment, orders_per_s: float, assumed: Assumptions, prices: PriceList
) -> Iterator[Database]:
    """The databases of all services at a rate."""
    for service in deployment.services():
        work = assumed.of(service.name)
        needed = orders_per_s * work.database_ms / 1000
        grown = orders_per_s * work.bytes * _DAY_S
        for place in deployment.in_stack(service.stack, "AWS::RDS::DBInstance", "AWS::RDS::DBCluster"):
            if "DBClusterIdentifier" not in place.properties:
                size, vcpus, always, most_bytes = _size(place, assumed, prices)
                days = most_bytes / grown if grown else math.inf
                yield Database(service.name, size, needed, vcpus, always, days)


def _size(place: Place, assumed: Assumptions, prices: PriceList) -> tuple[str, float, float, float]:
    """Its name, vCPUs, those that it always has, and bytes that it holds at most."""
    properties = place.properties
    if place.type == "AWS::RDS::DBCluster":
        most = properties["ServerlessV2ScalingConfiguration"]["MaxCapacity"]
        vcpus = most * assumed["acu_vcpus"]
        return f"Aurora, {most:g} ACU", vcpus, vcpus, math.inf
    kind = prices.database_class(properties["DBInstanceClass"])
    size = properties["MaxAllocatedStorage"]
    return f"{kind.name}, {size} GB", kind.vcpus, kind.vcpus * kind.baseline, size * 1e9


def gateway_problems(deployment: Deployment, requests_per_s: float, of_keys_per_s: float) -> Iterator[str]:
    """What of the gateway's limits a rate of requests exceeds, of which so many come with a key."""
    for plan in deployment.resources("AWS::ApiGateway::UsagePlan"):
        rate, quota = plan.properties["Throttle"]["RateLimit"], plan.properties["Quota"]
        if requests_per_s > rate:
            yield f"takes {rate:,} requests a second of {requests_per_s:,.0f}; the others are answered 429"
        if quota["Period"] == "DAY" and of_keys_per_s * _DAY_S > quota["Limit"]:
            days = quota["Limit"] / of_keys_per_s / _DAY_S
            yield (
                f"lets a key make {quota['Limit']:,} requests a day: one key for all is used up after "
                f"{_span(days)}, and then everybody is answered 429 until the next day"
            )


def _span(days: float) -> str:
    """A time in the unit that it is best said in."""
    for unit, length in (("days", 1.0), ("hours", 1 / 24), ("minutes", 1 / 1440)):
        if days >= 2 * length:
            return f"{days / length:.0f} {unit}"
    return f"{days * _DAY_S:.0f} seconds"
