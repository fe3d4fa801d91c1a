"""The user stack: accounts, and the keys that sign everybody's tokens."""

from __future__ import annotations

from infra.stacks.testing import health, instance, routing, secrets
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


def test_it_answers_users_at_priority_100(anywhere: Deployment) -> None:
    """Before all others."""
    assert (["/api/users", "/api/users/*"], 100) == routing(anywhere["user"])


def test_its_health_is_asked_for_each_30_seconds(anywhere: Deployment) -> None:
    """For five at most; three failures end a task."""
    assert ("/health", 30, 5, 3) == health(anywhere["user"])


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
