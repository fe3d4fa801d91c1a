"""Passed, failed, or no run to judge by."""

from __future__ import annotations

import pytest

from loadtests.generator.record import FAILED, OK, ORDER, REFUSED, Record
from loadtests.generator.verdict import Verdict, judge, without_objective
from loadtests.objectives import Objectives, OrderToConfirmed, Route

ROUTE = "GET /api/products"


def test_a_run_within_its_objectives_passes() -> None:
    """All rows are kept, and nothing is to be said of the run."""
    verdict = _judged(_record())

    assert "passed" == verdict.word
    assert {ROUTE: True, ORDER: True} == {row.name: row.kept for row in verdict.rows}


@pytest.mark.parametrize(("slow", "kept"), [(0, True), (1, True), (10, True), (11, False)])
def test_more_slow_requests_than_the_percentile_allows_are_a_miss(slow: int, kept: bool) -> None:
    """Of a thousand, ten may be slower where 99% are to be within the bound."""
    record = _record(requests=0)
    for number in range(1000):
        record.end(0.0, ROUTE, 900.0 if number < slow else 10.0, OK)

    assert kept == _row(record, ROUTE)


def test_a_single_slow_request_of_few_is_no_miss_and_two_are() -> None:
    """One of thirty does not show that more than one in a hundred are slow: a smoke test must not fail so."""
    record = _record(requests=29)
    record.end(0.0, ROUTE, 900.0, OK)
    assert _row(record, ROUTE)

    record.end(0.0, ROUTE, 900.0, OK)
    assert _row(record, ROUTE) is False


def test_a_failure_beyond_the_availability_is_a_miss_however_few_there_are() -> None:
    """A request that fails after a deployment is no chance."""
    record = _record(requests=29)
    record.end(0.0, ROUTE, 5.0, FAILED, f"{ROUTE}: 503")

    verdict = _judged(record)

    assert "failed" == verdict.word
    assert _row(record, ROUTE) is False


def test_what_nobody_asked_for_is_neither_kept_nor_missed() -> None:
    """A run without logins says nothing of logins."""
    record = _record(requests=0)

    assert _row(record, ROUTE) is None
    assert _judged(record).passed


def test_a_generator_that_lagged_makes_the_run_invalid() -> None:
    """Then it measured itself; slow answers of its own making are no miss of the shop's."""
    record = _record()
    for number in range(100):
        record.sent(0.0, 200.0 if number < 2 else 1.0)

    assert "invalid" == _judged(record).word
    assert "the generator could not keep up" in _judged(record).invalid[0]


def test_a_shop_that_refuses_makes_the_run_invalid() -> None:
    """What was throttled or forbidden is not the load that was meant; quick refusals are no success."""
    record = _record()
    for _ in range(5):
        record.end(0.0, ROUTE, 1.0, REFUSED, f"{ROUTE}: 429")

    (reason,) = _judged(record).invalid

    assert (
        f"{ROUTE}: 5 of 105 were refused (3xx, 4xx), so that the load is not the one that was meant" == reason
    )


def test_orders_that_the_shop_cancels_make_the_run_invalid() -> None:
    """An empty shelf is quick to answer."""
    record = _record()
    for _ in range(5):
        record.end(0.0, ORDER, 500.0, REFUSED)

    (reason,) = _judged(record).invalid

    assert reason.startswith("order to confirmed: 5 of 55 were cancelled by the shop")


def test_a_run_without_a_confirmed_order_is_invalid() -> None:
    """Nothing is known of the shop's main promise."""
    record = Record(1.0)
    record.end(0.0, ROUTE, 10.0, OK)

    assert ("no order was confirmed, so that nothing is known of how long that takes",) == _judged(
        record
    ).invalid


def test_an_answer_that_was_not_understood_makes_the_run_invalid() -> None:
    """The scenario fits another shop."""
    record = _record()
    record.puzzle("browse, KeyError('items')")

    assert "invalid" == _judged(record).word


def test_trouble_with_the_run_is_part_of_the_verdict() -> None:
    """A run that was cut short has measured only its beginning."""
    assert "invalid" == judge(_record(), _objectives(), ("it was ended before it was over",)).word


def test_what_has_no_objective_is_named() -> None:
    """Nobody shall believe that it was judged."""
    record = _record()
    record.end(0.0, "GET /api/new", 10.0, OK)

    assert ("GET /api/new",) == without_objective(record, _objectives())


def _record(requests: int = 100) -> Record:
    record = Record(1.0)
    for _ in range(requests):
        record.end(0.0, ROUTE, 10.0, OK)
    for _ in range(50):
        record.end(0.0, ORDER, 200.0, OK)
    return record


def _objectives() -> Objectives:
    return Objectives(
        route=(Route(service="product", route=ROUTE, percentile=99, bound_ms=300, availability=99.9),),
        order_to_confirmed=OrderToConfirmed(
            percentile=99, bound_ms=5000, availability=99.9, stages=(("payment", "product"), ("order",))
        ),
    )


def _judged(record: Record) -> Verdict:
    return judge(record, _objectives())


def _row(record: Record, name: str) -> bool | None:
    return next(row.kept for row in _judged(record).rows if row.name == name)
