"""The order stack: the saga, which scales by how many messages wait for it."""

from __future__ import annotations

from infra.stacks.testing import health, instance, routing, variables
from infra.testing import Deployment


def test_the_database_is_a_t3_small_that_grows_from_20_to_200_gib(anywhere: Deployment) -> None:
    """Backed up for 14 days, with Performance Insights: it is where a slow query costs most."""
    assert {
        "class": "db.t3.small",
        "storage": (20, 200),
        "backup days": 14,
        "performance insights": True,
    } == instance(anywhere["order"])


def test_it_answers_orders_at_priority_200(anywhere: Deployment) -> None:
    """After users."""
    assert (["/api/orders", "/api/orders/*"], 200) == routing(anywhere["order"])


def test_its_health_may_take_ten_seconds(anywhere: Deployment) -> None:
    """It asks others while it answers."""
    assert ("/health", 30, 10, 3) == health(anywhere["order"])


def test_it_calls_product_and_user_by_the_mesh(anywhere: Deployment) -> None:
    """At the names and the port that those have there."""
    said = variables(anywhere["order"], "order")
    assert ("http://product.microservices.local:8000", "http://user.microservices.local:8000") == (
        said["PRODUCT_URL"],
        said["USER_URL"],
    )
