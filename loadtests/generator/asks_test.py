"""What a service alone is asked, in front of a shop that answers as it should."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from loadtests import forecast, objectives
from loadtests.generator import asks, scenarios
from loadtests.generator.loopback import well
from loadtests.generator.market import Account, Market
from loadtests.generator.record import FAILED, REFUSED, Record
from loadtests.generator.target import Target
from loadtests.generator.testing import Session, Time, visitor

OBJECTIVES = Path(__file__).parents[1] / "objectives.toml"
SERVICES = tuple(asks.ASKS)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_asked_for_all_that_it_has_promised_and_no_more(service: str) -> None:
    """A profile is of the objectives: what is not asked for would not be measured."""
    assert objectives.load(OBJECTIVES).of(service).keys() == asks.ASKS[service].keys()


@pytest.mark.parametrize(
    ("service", "route"), [(service, route) for service, routes in asks.ASKS.items() for route in routes]
)
def test_each_asks_for_its_own_route_and_nothing_else(
    service: str, route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shares of the mix are those of the routes only then."""
    monkeypatch.setenv(asks.WEBHOOK_SECRET, "whsec_test")
    record, time = Record(1.0), Time()
    ask, _ = asks.ASKS[service][route]

    scenarios.play(ask, visitor(Session(time), time, record), _market())

    assert [route] == record.names
    assert 0 == record.count(None, FAILED) + record.count(None, REFUSED)


@pytest.mark.parametrize("service", SERVICES)
def test_a_few_seconds_have_the_same_shares_as_all_of_a_run(service: str) -> None:
    """A deck is dealt whole before it is shuffled again: whichever it is, its shares are those of the mix."""
    shares = asks.mix(service)
    of = {ask: route for route, (ask, _) in asks.ASKS[service].items()}
    size = round(1 / min(shares.values()))

    for seed, turn in ((1, 0), (1, 3), (2, 0)):
        dealt = Counter(of[asks.pick(service, seed, turn * size + number)] for number in range(size))
        assert {route: count / size for route, count in dealt.items()} == pytest.approx(shares)
    assert 1 == pytest.approx(sum(shares.values()))


@pytest.mark.parametrize("service", SERVICES)
def test_the_forecast_has_an_order_ask_as_much_as_visits_do(service: str) -> None:
    """What a profile is of is what the forecast counts."""
    said = forecast.load(OBJECTIVES.with_name("forecast.toml")).an_order[service].requests

    assert asks.an_order(service) == pytest.approx(said, abs=0.005)


def test_the_shares_are_about_those_of_the_visits() -> None:
    """A product is looked at five times as often as its price is asked for by an order."""
    shares = asks.mix("product")

    seen, priced = shares["GET /api/products/{product_id}"], shares["GET /api/products/quotes"]
    assert 132 / 28 == pytest.approx(seen / priced, rel=0.1)


def test_the_provider_signs_what_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the time and the body as it is sent, by the secret of the endpoint."""
    monkeypatch.setenv(asks.WEBHOOK_SECRET, "whsec_test")
    time = Time()
    session = Session(time)
    ask, _ = asks.ASKS["payment"]["POST /api/payments/webhook"]

    scenarios.play(ask, visitor(session, time, Record(1.0)), _market())

    ((_, _, event, headers),) = session.asked
    found = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["Stripe-Signature"])
    assert found
    signed = f"{found[1]}.{json.dumps(event)}".encode()
    assert hmac.new(b"whsec_test", signed, hashlib.sha256).hexdigest() == found[2]
    assert {"payment_id": "payment-1"} == event["data"]["object"]["metadata"]


def _market() -> Market:
    market = Market(None, Target("http://127.0.0.1:1", "admin@example.com", "secret"))  # type: ignore[arg-type]
    ada = Account("ada@example.com", "secret", token="token", address_id="home", method_id="card")
    market.customers = [ada]
    market.products = json.loads(well("GET /api/products?limit=20")[1])["items"]
    market.orders.append((ada, "order-1"))
    market.intents = [("pi_1", "payment-1")]
    return market
