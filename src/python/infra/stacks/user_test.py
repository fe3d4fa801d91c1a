"""The user stack: accounts, and the keys that sign everybody's tokens."""

from __future__ import annotations

from infra.stacks.testing import Tracking, bounds, health, instance, routing, secrets, size, trackings
from infra.testing import Deployment, named


def test_the_database_is_a_t3_micro_that_grows_from_20_to_100_gib(anywhere: Deployment) -> None:
    """PostgreSQL, backed up for seven days."""
    assert {
        "class": "db.t3.micro",
        "storage": (20, 100),
        "backup days": 7,
        "performance insights": False,
    } == instance(anywhere["user"])
    assert "postgres" == named(anywhere["user"], "DatabaseInstance").properties["Engine"]


def test_there_are_two_small_tasks_at_first(anywhere: Deployment) -> None:
    """A quarter of a vCPU and 512 MiB each."""
    assert ("256", "512", 2) == size(anywhere["user"])


def test_it_answers_users_at_priority_100(anywhere: Deployment) -> None:
    """Before all others."""
    assert (["/api/users", "/api/users/*"], 100) == routing(anywhere["user"])


def test_its_health_is_asked_for_each_30_seconds(anywhere: Deployment) -> None:
    """For five at most; three failures end a task."""
    assert ("/health", 30, 5, 3) == health(anywhere["user"])


def test_it_scales_from_2_to_10_by_cpu_and_memory(anywhere: Deployment) -> None:
    """CPU at 70 %, memory at 80 %; in after three minutes, out after one."""
    assert (2, 10) == bounds(anywhere["user"])
    assert {
        Tracking("ECSServiceAverageCPUUtilization", 70, 180, 60),
        Tracking("ECSServiceAverageMemoryUtilization", 80, 180, 60),
    } == trackings(anywhere["user"])


def test_the_signing_keys_are_given_to_it_alone(anywhere: Deployment) -> None:
    """Whoever has them is anybody."""
    assert {"SIGNING_KEYS": "${shared:SigningKeys}"} == secrets(anywhere["user"], "user")
    others = ("order", "product", "payment", "notification")
    assert set() == {
        source
        for service in others
        for source in secrets(anywhere[service], service).values()
        if "SigningKeys" in source
    }
