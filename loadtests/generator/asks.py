"""What one service alone is asked: single requests, as often as visits to the whole shop make them.

Of a hundred visits as `scenarios.WEIGHTS` has them, each by a customer of its own who signs in; what services
ask each other for is asked for, too. The provider tells of each order twice, held and taken.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from functools import cache

from loadtests.generator.market import CARD, HOME, Account, Market, new_account, order_of, registration
from loadtests.generator.scenarios import ORDERS_PER_VISIT, Scenario
from loadtests.generator.shop import Visitor

WEBHOOK_SECRET = "MERCATO_LOAD_WEBHOOK_SECRET"  # noqa: S105 -- the name of a variable
# What a customer may have of them is bounded; beyond, a service would refuse and not work.
CUSTOMERS: Mapping[str, int] = {"payment": 60, "user": 30}
_USUAL_CUSTOMERS = 20


def customers(service: str) -> int:
    """How many are made to ask a service."""
    return CUSTOMERS.get(service, _USUAL_CUSTOMERS)


def _list_products(visitor: Visitor, market: Market) -> None:
    word = market.product(visitor.draw)["name"].partition(",")[0]
    kind = market.product(visitor.draw)["category"]
    search = {"q": word, "in_stock": "true", "limit": 20}
    look = {"category": kind, "sort": "price", "limit": 20}
    visitor.get("/api/products", query=visitor.draw.choice([search, look]))


def _see_product(visitor: Visitor, market: Market) -> None:
    visitor.get("/api/products/{product_id}", product_id=market.product(visitor.draw)["id"])


def _see_categories(visitor: Visitor, market: Market) -> None:  # noqa: ARG001 -- as all are called
    visitor.get("/api/products/categories")


def _ask_prices(visitor: Visitor, market: Market) -> None:
    ids = {market.product(visitor.draw)["id"] for _ in range(2)}
    visitor.get("/api/products/quotes", query={"ids": ",".join(sorted(ids))})


def _see_stock(visitor: Visitor, market: Market) -> None:
    token, product = market.admin.token, market.product(visitor.draw)["id"]
    visitor.get("/api/products/{product_id}/stock", token=token, product_id=product)


def _receive_stock(visitor: Visitor, market: Market) -> None:
    token, product = market.admin.token, market.product(visitor.draw)["id"]
    visitor.post("/api/products/{product_id}/stock", {"quantity": 3}, token=token, product_id=product)


def _register(visitor: Visitor, market: Market) -> None:  # noqa: ARG001
    visitor.post("/api/users", registration(new_account()))


def _sign_in(visitor: Visitor, market: Market) -> None:
    account = market.customer(visitor.draw)
    visitor.post("/api/users/login", {"email": account.email, "password": account.password})


def _see_oneself(visitor: Visitor, market: Market) -> None:
    visitor.get("/api/users/me", token=market.customer(visitor.draw).token)


def _add_address(visitor: Visitor, market: Market) -> None:
    visitor.post("/api/users/me/addresses", HOME, token=market.customer(visitor.draw).token)


def _see_address(visitor: Visitor, market: Market) -> None:
    account = market.customer(visitor.draw)
    route = "/api/users/me/addresses/{address_id}"
    visitor.get(route, token=account.token, address_id=account.address_id)


def _place_order(visitor: Visitor, market: Market) -> None:
    account = market.customer(visitor.draw)
    pieces = {market.product(visitor.draw)["id"]: visitor.draw.randint(1, 2) for _ in range(2)}
    placed = visitor.post("/api/orders", order_of(account, pieces), token=account.token)
    market.orders.append((account, placed["id"]))


def _list_orders(visitor: Visitor, market: Market) -> None:
    visitor.get("/api/orders", token=market.customer(visitor.draw).token, query={"limit": 20})


def _see_order(visitor: Visitor, market: Market) -> None:
    account, order_id = _one_order(visitor, market)
    visitor.get("/api/orders/{order_id}", token=account.token, order_id=order_id)


def _cancel_order(visitor: Visitor, market: Market) -> None:
    account, order_id = _one_order(visitor, market)
    visitor.post("/api/orders/{order_id}/cancel", token=account.token, order_id=order_id)


def _one_order(visitor: Visitor, market: Market) -> tuple[Account, str]:
    return market.orders[visitor.draw.randrange(len(market.orders))]


def _add_card(visitor: Visitor, market: Market) -> None:
    visitor.post("/api/payments/methods", CARD, token=market.customer(visitor.draw).token)


def _see_payment(visitor: Visitor, market: Market) -> None:
    account, order_id = _one_order(visitor, market)
    visitor.get("/api/payments/by-order/{order_id}", token=account.token, order_id=order_id)


def _hear_of_payment(visitor: Visitor, market: Market) -> None:
    intent, payment = visitor.draw.choice(market.intents)
    event = {
        "id": f"evt_{uuid.uuid4().hex}",
        "object": "event",
        "type": visitor.draw.choice(["payment_intent.amount_capturable_updated", "payment_intent.succeeded"]),
        "data": {"object": {"id": intent, "object": "payment_intent", "metadata": {"payment_id": payment}}},
    }
    visitor.ask("POST", "/api/payments/webhook", event, signature=_signature(event))


def _signature(event: object) -> Mapping[str, str]:
    """As Stripe signs what it sends: https://docs.stripe.com/webhooks#verify-manually."""
    at, body = int(time.time()), json.dumps(event)
    made = hmac.new(os.environ[WEBHOOK_SECRET].encode(), f"{at}.{body}".encode(), hashlib.sha256)
    return {"Stripe-Signature": f"t={at},v1={made.hexdigest()}"}


def _see_notifications(visitor: Visitor, market: Market) -> None:
    visitor.get("/api/notifications", token=market.customer(visitor.draw).token)


ASKS: Mapping[str, Mapping[str, tuple[Scenario, int]]] = {
    "product": {
        "GET /api/products": (_list_products, 132),
        "GET /api/products/{product_id}": (_see_product, 132),
        "GET /api/products/categories": (_see_categories, 52),
        "GET /api/products/quotes": (_ask_prices, 28),
        "GET /api/products/{product_id}/stock": (_see_stock, 3),
        "POST /api/products/{product_id}/stock": (_receive_stock, 3),
    },
    "user": {
        "POST /api/users/login": (_sign_in, 48),
        "GET /api/users/me/addresses/{address_id}": (_see_address, 28),
        "POST /api/users": (_register, 6),
        "GET /api/users/me": (_see_oneself, 6),
        "POST /api/users/me/addresses": (_add_address, 6),
    },
    "order": {
        "GET /api/orders/{order_id}": (_see_order, 41),
        "POST /api/orders": (_place_order, 28),
        "GET /api/orders": (_list_orders, 11),
        "POST /api/orders/{order_id}/cancel": (_cancel_order, 2),
    },
    "payment": {
        "POST /api/payments/webhook": (_hear_of_payment, 56),
        "GET /api/payments/by-order/{order_id}": (_see_payment, 11),
        "POST /api/payments/methods": (_add_card, 6),
    },
    "notification": {"GET /api/notifications": (_see_notifications, 11)},
}
"""Of each service, by route, what is asked and how often in a hundred visits."""


def an_order(service: str) -> float:
    """How many requests the service is asked for each order, looking around included."""
    return sum(weight for _, weight in ASKS[service].values()) / (100 * ORDERS_PER_VISIT)


PLACING = "orders placed"
"""Nothing but orders, which make messages for all services."""

_DECKS = {**ASKS, PLACING: {"POST /api/orders": (_place_order, 1)}}


def mix(service: str) -> Mapping[str, float]:
    """Each route's share of the requests."""
    dealt = _dealt(service)
    return {route: dealt.count(ask) / len(dealt) for route, (ask, _) in ASKS[service].items()}


def pick(service: str, seed: int, number: int) -> Scenario:
    """What the visitor of that number asks.

    Drawn from a deck that is shuffled anew when it is used up: the shares of a few seconds are those of all.
    """
    deck = _dealt(service)
    turn, place = divmod(number, len(deck))
    return random.Random(f"{seed} {turn}").sample(deck, len(deck))[place]


@cache
def _dealt(service: str) -> Sequence[Scenario]:
    """As small a deck as has each of them at least once."""
    least = min(weight for _, weight in _DECKS[service].values())
    return [ask for ask, weight in _DECKS[service].values() for _ in range(max(1, round(weight / least)))]
