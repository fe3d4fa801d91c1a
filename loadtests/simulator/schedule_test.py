"""When scheduled actions come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.scaling.policy import ScalingPolicy
from loadtests.errors import LoadError
from loadtests.simulator.run import MONDAY
from loadtests.simulator.schedule import Bounds, bounds_at, changes

HOUR_S, DAY_S = 3600, 86_400


def policy(*scheduled: dict[str, Any]) -> ScalingPolicy:
    return ScalingPolicy.model_validate(
        {
            "service": "order",
            "orders_per_s_and_task": 1,
            "provenance": {"kind": "by hand", "source": "a test"},
            "task": {"cpu": 256, "memory_mib": 512},
            "bounds": {"minimum": 2, "desired": 2, "maximum": 10},
            "target_tracking": [
                {"metric": "cpu", "target_percent": 70, "scale_in_cooldown_s": 0, "scale_out_cooldown_s": 0}
            ],
            "scheduled": list(scheduled),
        }
    )


def action(cron: str, minimum: int = 5, timezone: str = "UTC") -> dict[str, Any]:
    return {
        "name": f"from-{minimum}",
        "cron": f"cron({cron})",
        "timezone": timezone,
        "minimum": minimum,
        "maximum": 20,
    }


def seconds(cron: str, timezone: str = "UTC", starts: datetime = MONDAY) -> list[int]:
    """When it comes in the week after."""
    found = policy(action(cron, timezone=timezone))
    return [second for second, _ in changes(found, starts, 7 * DAY_S)]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("30 17 ? * FRI *", [4 * DAY_S + 17 * HOUR_S + 1800]),
        # EventBridge's week begins on Sunday, with 1.
        ("0 8 ? * 2 *", [8 * HOUR_S]),
        ("0 8 ? * 1,7 *", [5 * DAY_S + 8 * HOUR_S, 6 * DAY_S + 8 * HOUR_S]),
        ("0 8 * * ? *", [day * DAY_S + 8 * HOUR_S for day in range(7)]),
    ],
)
def test_an_action_comes_when_its_cron_says(cron: str, expected: list[int]) -> None:
    """Of EventBridge's kind, in UTC."""
    assert expected == seconds(cron)


def test_an_action_comes_by_the_clock_of_its_time_zone() -> None:
    """In winter 8 o'clock in Berlin is 7 in UTC, in summer 6."""
    assert 7 * HOUR_S == seconds("0 8 * * ? *", "Europe/Berlin")[0]
    assert 6 * HOUR_S == seconds("0 8 * * ? *", "Europe/Berlin", datetime(2026, 7, 6, tzinfo=UTC))[0]


def test_the_bounds_of_a_time_are_those_of_the_last_action_before() -> None:
    """Also of last week; without one, the policy's own."""
    found = policy(action("0 18 ? * FRI *", 7), action("0 20 ? * FRI *", 3))
    friday = MONDAY + timedelta(days=4)
    assert Bounds(3, 20) == bounds_at(found, friday)
    assert Bounds(7, 20) == bounds_at(found, friday + timedelta(hours=18))
    assert Bounds(3, 20) == bounds_at(found, friday + timedelta(hours=20))
    assert Bounds(2, 10) == bounds_at(policy(), friday)


@pytest.mark.parametrize("cron", ["0 8 * * ? 2027", "0 8 * *", "0 99 * * ? *"])
def test_a_cron_that_is_not_understood_is_refused(cron: str) -> None:
    """By file, action and expression."""
    with pytest.raises(LoadError, match=r"order\.toml: from-5: cron\(.*\) is not understood: "):
        seconds(cron)
