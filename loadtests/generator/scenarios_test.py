"""What visitors do, in front of a shop that answers as a test wants."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from loadtests import objectives
from loadtests.generator import scenarios
from loadtests.generator.loopback import well
from loadtests.generator.market import Account, Market
from loadtests.generator.record import FAILED, OK, ORDER, REFUSED, Record, quantile_ms
from loadtests.generator.scenarios import Scenario
from loadtests.generator.target import Target
from loadtests.generator.testing import Answer, Session, Time, visitor

REGISTRY = Path(__file__).parents[2] / "src/python/contracts/registry/openapi"
OBJECTIVES = Path(__file__).parents[1] / "objectives.toml"


@pytest.mark.parametrize("scenario", scenarios.WEIGHTS)
def test_a_visit_to_a_shop_that_works_goes_well_and_asks_for_what_exists(
    scenario: Scenario,
) -> None:
    """Each request is one of the published documents: no name has an id in it, none is of another shop."""
    record = _played(scenario)

    assert set(record.names) - {ORDER} <= _operations()
    assert 0 == record.count(None, FAILED) + record.count(None, REFUSED)
    assert 2 <= record.count()


@pytest.mark.parametrize("scenario", scenarios.WEIGHTS)
def test_whatever_a_visit_asks_for_has_an_objective(scenario: Scenario) -> None:
    """What nobody judges could get slower unseen."""
    promised = {each.route for each in objectives.load(OBJECTIVES).route}

    assert set(_played(scenario).names) - {ORDER} <= promised


def test_visits_come_as_often_as_their_weights_say() -> None:
    """In ten thousand draws, within five standard errors."""
    draw = random.Random(1)
    counted = Counter(scenarios.pick(draw) for _ in range(10_000))

    for scenario, weight in scenarios.WEIGHTS.items():
        share = weight / sum(scenarios.WEIGHTS.values())
        assert share * 10_000 == pytest.approx(
            counted[scenario], abs=5 * (share * (1 - share) * 10_000) ** 0.5
        )


def test_rates_in_orders_are_rates_of_visits_of_which_some_order() -> None:
    """So that a forecast in orders a second can be offered."""
    assert 0.28 == pytest.approx(scenarios.ORDERS_PER_VISIT)


def test_an_order_takes_its_request_and_then_what_its_timeline_says() -> None:
    """It does not matter when its customer looks: 20 ms for the request, 100 ms from created to confirmed."""
    record = _played(scenarios.order, takes_s=0.02)

    assert 1 == record.count(ORDER, OK)
    assert 120 == pytest.approx(quantile_ms(record.times(ORDER), 50), rel=0.01)


def test_an_order_is_followed_until_it_is_confirmed() -> None:
    """While it is pending its customer looks again each second."""
    pending = iter([True, True, False])

    def slowly(asked: str) -> tuple[int, bytes]:
        if asked.startswith("GET /api/orders/"):
            return _order("PENDING" if next(pending) else "CONFIRMED")
        return well(asked)

    record = _played(scenarios.order, slowly)

    assert 3 == record.count("GET /api/orders/{order_id}", OK)
    assert 1 == record.count(ORDER, OK)


def test_an_order_that_stays_pending_has_failed_after_half_a_minute() -> None:
    """The promise is that it ends, and its customer has left; it took at least as long as they waited."""
    record = _played(scenarios.order, _always("PENDING"))

    assert 1 == record.count(ORDER, FAILED)
    assert quantile_ms(record.times(ORDER), 50) >= 30_000
    assert {("orders neither confirmed nor cancelled after 30 s",): 1} == record.reasons


def test_an_order_that_the_shop_cancels_is_refused() -> None:
    """It has ended, as is promised, but is not what was to be measured."""
    record = _played(scenarios.order, _always("CANCELLED"))

    assert 1 == record.count(ORDER, REFUSED)
    assert not record.times(ORDER)


def test_an_order_of_which_nothing_is_known_any_more_has_failed() -> None:
    """Its customer gets no answer to how it stands."""
    record = _played(
        scenarios.order, lambda asked: (503, b"") if asked.startswith("GET /api/orders/") else well(asked)
    )

    assert 1 == record.count(ORDER, FAILED)


def test_who_comes_back_soon_is_signed_in_still() -> None:
    """Signing in costs the user service most, and nobody does it for each order."""
    market, time, record = _market(), Time(), Record(1.0)
    session = Session(time)

    for _ in range(3):
        scenarios.play(scenarios.look_back, visitor(session, time, record), market)

    assert 1 == record.count("POST /api/users/login")


def test_an_admin_brings_back_what_was_sold_of_what_sold_best() -> None:
    """However long load lasts, the shelves are as full as before."""
    market, time = _market(), Time()
    market.sold.update({"few": 2, "many": 7})
    session = Session(time)

    scenarios.play(scenarios.restock, visitor(session, time, Record(1.0)), market)

    assert (
        "POST /api/products/{product_id}/stock",
        "/api/products/many/stock",
        {"quantity": 7},
    ) == session.asked[-1][:3]
    assert {"few": 2} == market.sold


def _played(scenario: Scenario, answer: Answer = well, takes_s: float = 0.0) -> Record:
    time, record = Time(), Record(1.0)
    scenarios.play(scenario, visitor(Session(time, answer, takes_s), time, record), _market())
    return record


def _market() -> Market:
    market = Market(None, Target("http://127.0.0.1:1", "admin@example.com", "secret"))  # type: ignore[arg-type]
    market.customers = [Account("ada@example.com", "secret", address_id="home", method_id="card")]
    market.products = json.loads(well("GET /api/products?limit=20")[1])["items"]
    return market


def _always(status: str) -> Answer:
    return lambda asked: _order(status) if asked.startswith("GET /api/orders/") else well(asked)


def _order(status: str) -> tuple[int, bytes]:
    confirmed: Mapping[str, Any] = json.loads(well("GET /api/orders/1")[1])
    return 200, json.dumps({**confirmed, "status": status}).encode()


def _operations() -> set[str]:
    documents = [json.loads(path.read_text("utf-8")) for path in REGISTRY.glob("*.json")]
    assert documents
    return {
        f"{method.upper()} {path}"
        for document in documents
        for path, operations in document["paths"].items()
        for method in operations
    }
