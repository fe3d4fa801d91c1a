"""Scheduled actions: which bounds hold from when on.

https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import CroniterBadCronError, croniter

from infra.scaling.policy import ScalingPolicy, Scheduled
from loadtests.errors import LoadError

# EventBridge counts days of the week from Sunday on, as 1; cron as 0.
_DAYS = {"1": "SUN", "2": "MON", "3": "TUE", "4": "WED", "5": "THU", "6": "FRI", "7": "SAT"}
# An action repeats once a week at the least often; what came before that is forgotten.
_LOOK_BACK = timedelta(days=8)


@dataclass(frozen=True)
class Bounds:
    """Between how many tasks a service is scaled."""

    minimum: int
    maximum: int


def bounds_at(policy: ScalingPolicy, now: datetime) -> Bounds:
    """The bounds that hold at a time: those of the last action before, else the policy's own."""
    bounds = Bounds(policy.bounds.minimum, policy.bounds.maximum)
    for _, bounds in _actions(policy, now - _LOOK_BACK, now):  # noqa: B007 - the last is what is wanted
        pass
    return bounds


def changes(policy: ScalingPolicy, starts: datetime, seconds: int) -> Iterator[tuple[int, Bounds]]:
    """Each action in the time after `starts`: its second, and the bounds from then on."""
    for moment, bounds in _actions(policy, starts, starts + timedelta(seconds=seconds)):
        yield int((moment - starts).total_seconds()), bounds


def _actions(policy: ScalingPolicy, after: datetime, until: datetime) -> list[tuple[datetime, Bounds]]:
    found = [
        (moment, Bounds(scheduled.minimum, scheduled.maximum))
        for scheduled in policy.scheduled
        for moment in _moments(policy.service, scheduled, after, until)
    ]
    return sorted(found, key=lambda action: action[0])


def _moments(service: str, scheduled: Scheduled, after: datetime, until: datetime) -> Iterator[datetime]:
    zone = ZoneInfo(scheduled.timezone)
    try:
        times = croniter(_as_cron(scheduled.cron), after.astimezone(zone), ret_type=datetime)
    except (CroniterBadCronError, ValueError) as error:
        raise LoadError(
            f"{service}.toml: {scheduled.name}: {scheduled.cron} is not understood: {error}."
        ) from None
    while (moment := times.get_next()) <= until:
        yield moment


def _as_cron(expression: str) -> str:
    """EventBridge's six fields (minute, hour, day, month, day of week, year) as those of cron."""
    minute, hour, day, month, weekday, year = expression.removeprefix("cron(").removesuffix(")").split()
    if year != "*":
        raise ValueError("a year is not simulated")
    weekday = ",".join(_DAYS.get(each, each) for each in weekday.split(","))
    return f"{minute} {hour} {day} {month} {weekday}".replace("?", "*")
