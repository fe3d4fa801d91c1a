"""The order stack: the saga, which scales by how many messages wait for it."""

from __future__ import annotations

from infra.stacks.testing import (
    Step,
    Steps,
    Tracking,
    bounds,
    health,
    instance,
    routing,
    size,
    steps,
    trackings,
    variables,
)
from infra.testing import Deployment


def test_the_database_is_a_t3_small_that_grows_from_20_to_200_gib(anywhere: Deployment) -> None:
    """Backed up for 14 days, with Performance Insights: it is where a slow query costs most."""
    assert {
        "class": "db.t3.small",
        "storage": (20, 200),
        "backup days": 14,
        "performance insights": True,
    } == instance(anywhere["order"])


def test_there_are_three_tasks_at_first(anywhere: Deployment) -> None:
    """Half a vCPU and 1 GiB each: one in every zone."""
    assert ("512", "1024", 3) == size(anywhere["order"])


def test_it_answers_orders_at_priority_200(anywhere: Deployment) -> None:
    """After users."""
    assert (["/api/orders", "/api/orders/*"], 200) == routing(anywhere["order"])


def test_its_health_may_take_ten_seconds(anywhere: Deployment) -> None:
    """It asks others while it answers."""
    assert ("/health", 30, 10, 3) == health(anywhere["order"])


def test_it_scales_from_3_to_20_by_cpu(anywhere: Deployment) -> None:
    """At 60 %; in after five minutes, out after 30 seconds."""
    assert (3, 20) == bounds(anywhere["order"])
    assert {Tracking("ECSServiceAverageCPUUtilization", 60, 300, 30)} == trackings(anywhere["order"])


def test_it_scales_by_its_queue(anywhere: Deployment) -> None:
    """Below 10 messages +0, from 10 on +2, from 50 on +5, from 100 on +10; again after two minutes."""
    assert Steps(
        "${messaging:OrderProcessingQueue.QueueName}",
        120,
        (Step(10, 50, 2), Step(50, 100, 5), Step(100, None, 10)),
    ) == steps(anywhere["order"])


def test_it_calls_product_and_user_by_the_mesh(anywhere: Deployment) -> None:
    """At the names and the port that those have there."""
    said = variables(anywhere["order"], "order")
    assert ("http://product.microservices.local:8000", "http://user.microservices.local:8000") == (
        said["PRODUCT_URL"],
        said["USER_URL"],
    )
