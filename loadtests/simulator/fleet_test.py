"""Tasks, from when they are asked for until they are gone."""

from __future__ import annotations

from loadtests.simulator.fleet import DEREGISTERED_AFTER_S, HEALTH_INTERVAL_S, PROVISIONED_AFTER_S, Fleet

START_S = 7


def test_a_task_serves_when_it_runs_is_healthy_and_was_seen_to_be() -> None:
    """Provisioning, its own start, and the load balancer's first check."""
    fleet = Fleet(START_S, 2)
    fleet.want(100, 3)
    serves = 100 + PROVISIONED_AFTER_S + START_S + HEALTH_INTERVAL_S
    fleet.pass_to(serves - 1)
    assert 2 == fleet.serving
    fleet.pass_to(serves)
    assert 3 == fleet.serving


def test_a_task_is_paid_for_from_when_it_was_asked_for() -> None:
    """And not only while it serves."""
    fleet = Fleet(START_S, 2)
    fleet.want(0, 3)
    assert (2, 3) == (fleet.serving, fleet.paid)


def test_a_task_that_is_taken_away_gets_nothing_new_and_is_paid_for_until_it_is_gone() -> None:
    """The deregistration delay."""
    fleet = Fleet(START_S, 3)
    fleet.want(0, 2)
    assert (2, 3) == (fleet.serving, fleet.paid)
    fleet.pass_to(DEREGISTERED_AFTER_S)
    assert (2, 2) == (fleet.serving, fleet.paid)


def test_tasks_that_do_not_serve_yet_go_first() -> None:
    """Nobody is with them."""
    fleet = Fleet(START_S, 2)
    fleet.want(0, 5)
    fleet.want(20, 2)
    assert (2, 2) == (fleet.serving, fleet.paid)
    fleet.pass_to(1000)
    assert 2 == fleet.serving


def test_what_is_wanted_twice_is_started_once() -> None:
    """Those that come count."""
    fleet = Fleet(START_S, 2)
    fleet.want(0, 5)
    fleet.want(20, 5)
    assert 5 == fleet.paid
