"""The derived policy beside the one set by hand and an oracle."""

from __future__ import annotations

from functools import cache

import pytest

from infra.prices import price_list
from infra.scaling.policy import Task
from loadtests import comparison, scaling_file, shapes, testing
from loadtests.checkout import Checkout
from loadtests.comparison import BY_HAND, DERIVED, ORACLE, Replay
from loadtests.derivation import Derivation
from loadtests.testing import DIGEST, MESSAGE_WITHIN_2_S, ROUTE, WITHIN_300_MS

HERE = Checkout()

# For each service, a task of the size that it has: how many requests and messages one carries a second. They
# were not measured, but chosen so that an order takes about the CPU that infra assumes.
CARRIES = {
    "product": ((256, 512), 45, 50),
    "user": ((256, 512), 12, None),
    "order": ((512, 1024), 40, 45),
    "payment": ((256, 512), 30, 14),
    "notification": ((256, 512), 40, 22),
}


@cache
def replays(service: str) -> tuple[Replay, ...]:
    """All hard days of the forecast of this checkout."""
    task, requests, messages = CARRIES[service]
    profile = testing.profile(service, capacity_per_s=requests, messages_per_s=messages, task=task, vary=0.03)
    owed = MESSAGE_WITHIN_2_S if messages else None
    derived = Derivation(profile, {ROUTE: WITHIN_300_MS}, owed, HERE.forecast)
    policy = scaling_file.policy(derived, DIGEST)
    days = shapes.days_of(HERE.forecast, seed=1)
    return tuple(comparison.replay(derived, policy, HERE.by_hand(service), day) for day in days)


def everything() -> list[Replay]:
    return [replay for service in CARRIES for replay in replays(service)]


@pytest.mark.parametrize("service", CARRIES)
def test_a_derived_policy_is_near_what_somebody_who_knows_the_future_would_do(service: str) -> None:
    """At most 1.3 times the task-seconds of an oracle that misses no more."""
    assert comparison.ratios(replays(service), price_list()).task_seconds_of_oracle <= 1.3


def test_a_derived_policy_misses_far_less_than_the_one_set_by_hand() -> None:
    """Over all services and days; one of them alone may miss more of it."""
    missed = comparison.ratios(everything(), price_list()).missed_of_by_hand
    assert missed is not None
    assert missed <= 0.1


def test_a_derived_policy_needs_fewer_tasks_than_the_one_set_by_hand() -> None:
    """Over all services and days."""
    assert comparison.ratios(everything(), price_list()).task_seconds_of_by_hand < 1


@pytest.mark.parametrize("service", CARRIES)
def test_a_known_peak_misses_nothing(service: str) -> None:
    """Its tasks serve when it begins, by the clock of those who order."""
    (sale,) = (replay for replay in replays(service) if replay.shape.name == "flash sale")
    assert 0 == sale.outcomes[DERIVED].missed_minutes


@pytest.mark.parametrize("service", CARRIES)
def test_an_oracle_misses_no_more_than_the_derived_policy(service: str) -> None:
    """So that their tasks can be compared."""
    for replay in replays(service):
        missed = {who: float(outcome.missed.sum()) for who, outcome in replay.outcomes.items()}
        assert missed[ORACLE] <= missed[DERIVED]


def test_an_hour_of_a_task_costs_what_infras_price_list_says() -> None:
    """Half a vCPU and a GiB."""
    prices = price_list()
    vcpu, gigabyte = prices.of("fargate.vcpu").first_usd, prices.of("fargate.gb").first_usd
    assert vcpu / 2 + gigabyte == pytest.approx(comparison.hourly_usd(Task(cpu=512, memory_mib=1024), prices))


def test_the_table_has_a_row_for_each_day_and_a_sum() -> None:
    """With what was missed, minutes, tasks and money of each."""
    found = replays("user")
    rows = comparison.table(found, price_list()).splitlines()
    assert 2 + len(found) + 1 == len(rows)
    assert {14} == {row.count("|") - 1 for row in rows}
    assert rows[-1].startswith("| **user** | **all** |")


def test_the_sum_is_that_of_the_days() -> None:
    """Of what was missed and of what is paid."""
    found = replays("user")
    each = [comparison.summed([replay], BY_HAND, price_list()) for replay in found]
    of_all = comparison.summed(found, BY_HAND, price_list())
    assert (sum(one.missed for one in each), sum(one.usd for one in each)) == pytest.approx(
        (of_all.missed, of_all.usd)
    )
