"""What visitors of the shop do: one function is one visit, and `WEIGHTS` says how often each comes."""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent

from loadtests.generator.market import CARD, HOME, Account, Market, new_account, order_of, registration
from loadtests.generator.record import FAILED, OK, ORDER, REFUSED
from loadtests.generator.shop import Refused, Visitor

Scenario = Callable[[Visitor, Market], None]

_FIRST_LOOK_S, _NEXT_LOOK_S, _PATIENCE_S = 0.5, 1.0, 30.0
_ENDS = frozenset({"CONFIRMED", "CANCELLED"})


def browse(visitor: Visitor, market: Market) -> None:
    """Looks around: what kinds of things there are, one of them, a search, two of what it finds."""
    visitor.get("/api/products/categories")
    visitor.think()
    kind = market.product(visitor.draw)["category"]
    visitor.get("/api/products", query={"category": kind, "sort": "price", "limit": 20})
    visitor.think()
    found = _search(visitor, market)
    for product in visitor.draw.sample(found, min(2, len(found))):
        visitor.think()
        visitor.get("/api/products/{product_id}", product_id=product["id"])


def register(visitor: Visitor, market: Market) -> None:  # noqa: ARG001 -- as all are called
    """Becomes a customer: an account, an address and a card."""
    account = new_account()
    visitor.post("/api/users", registration(account))
    visitor.think()
    _sign_in(visitor, account)
    visitor.get("/api/users/me", token=account.token)
    visitor.think()
    visitor.post("/api/users/me/addresses", HOME, token=account.token)
    visitor.think()
    visitor.post("/api/payments/methods", CARD, token=account.token)


def order(visitor: Visitor, market: Market) -> None:
    """Searches, looks at something, orders it with something else, and waits until that is confirmed."""
    _order(visitor, market)


def cancel(visitor: Visitor, market: Market) -> None:
    """Orders, and thinks better of it once it is confirmed."""
    account, placed = _order(visitor, market)
    visitor.think()
    visitor.post("/api/orders/{order_id}/cancel", token=account.token, order_id=placed["id"])
    visitor.think()
    visitor.get("/api/orders/{order_id}", token=account.token, order_id=placed["id"])


def look_back(visitor: Visitor, market: Market) -> None:
    """Looks at earlier orders, the payment of the last one, and what the shop had to say."""
    account = _known(visitor, market.customer(visitor.draw))
    orders = visitor.get("/api/orders", token=account.token, query={"limit": 20})["items"]
    visitor.think()
    # One that is paid: of another there may be no payment yet.
    last = next((each["id"] for each in orders if each["status"] == "CONFIRMED"), None)
    if last is not None:
        visitor.get("/api/orders/{order_id}", token=account.token, order_id=last)
        visitor.think()
        visitor.get("/api/payments/by-order/{order_id}", token=account.token, order_id=last)
        visitor.think()
    visitor.get("/api/notifications", token=account.token)


def restock(visitor: Visitor, market: Market) -> None:
    """An admin puts as many pieces on the shelf as were sold of what sold best, so that the stock lasts."""
    admin = _known(visitor, market.admin)
    product, pieces = market.most_sold() or (market.product(visitor.draw)["id"], 1)
    visitor.get("/api/products/{product_id}/stock", token=admin.token, product_id=product)
    visitor.think()
    received = {"quantity": pieces}
    visitor.post("/api/products/{product_id}/stock", received, token=admin.token, product_id=product)


# Of a hundred visits. More of them order than in a real shop, where few in a hundred do: what is measured is
# what orders take, with some looking around. Rates are orders a second everywhere; all else is in proportion.
WEIGHTS: Mapping[Scenario, int] = {browse: 52, register: 6, order: 26, cancel: 2, look_back: 11, restock: 3}
ORDERING: frozenset[Scenario] = frozenset({order, cancel})
ORDERS_PER_VISIT = sum(WEIGHTS[each] for each in ORDERING) / sum(WEIGHTS.values())


def pick(draw: random.Random) -> Scenario:
    """What somebody comes for."""
    return draw.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]


def play(scenario: Scenario, visitor: Visitor, market: Market) -> None:
    """A visit, until it is over or the shop does not do as it is asked."""
    with contextlib.suppress(Refused):  # It was taken down with its reason, where it was met.
        scenario(visitor, market)


def _order(visitor: Visitor, market: Market) -> tuple[Account, Mapping[str, Any]]:
    account = _known(visitor, market.customer(visitor.draw))
    found = _search(visitor, market)
    visitor.think()
    wanted = visitor.draw.choice(found) if found else market.product(visitor.draw)
    visitor.get("/api/products/{product_id}", product_id=wanted["id"])
    visitor.think()
    pieces = {each["id"]: visitor.draw.randint(1, 2) for each in (wanted, market.product(visitor.draw))}
    due_s = visitor.due_s
    placed = visitor.post(
        "/api/orders",
        order_of(account, pieces),
        token=account.token,
    )
    market.sold.update(pieces)
    _follow(visitor, account, placed["id"], due_s)
    return account, placed


def _follow(visitor: Visitor, account: Account, order_id: str, due_s: float) -> None:
    """Look until the order has ended, and note how long that took. Raises Refused unless it is confirmed.

    That is the time of the request, from when it was due, and then the order's own, from the first to the
    last step of its timeline: one service's clock, and it does not matter how often somebody looks.
    """
    placed_ms = (visitor.due_s - due_s) * 1000
    visitor.wait(_FIRST_LOOK_S)
    waited_s = _FIRST_LOOK_S
    try:
        found = visitor.get("/api/orders/{order_id}", token=account.token, order_id=order_id)
        while found["status"] not in _ENDS and waited_s < _PATIENCE_S:
            visitor.wait(_NEXT_LOOK_S)
            waited_s += _NEXT_LOOK_S
            found = visitor.get("/api/orders/{order_id}", token=account.token, order_id=order_id)
    except (Refused, gevent.GreenletExit):
        visitor.ended(ORDER, due_s, placed_ms + waited_s * 1000, FAILED, "orders lost sight of")
        raise
    if found["status"] == "CONFIRMED":
        visitor.ended(ORDER, due_s, placed_ms + _took_ms(found["timeline"]), OK)
        return
    if found["status"] == "CANCELLED":
        visitor.ended(ORDER, due_s, placed_ms + waited_s * 1000, REFUSED, "orders cancelled by the shop")
    else:
        reason = f"orders neither confirmed nor cancelled after {_PATIENCE_S:.0f} s"
        visitor.ended(ORDER, due_s, placed_ms + waited_s * 1000, FAILED, reason)
    raise Refused(f"order {order_id} is {found['status']}")


def _took_ms(timeline: list[Mapping[str, str]]) -> float:
    at = {step["what"]: dt.datetime.fromisoformat(step["at"]) for step in timeline}
    return (at["ORDER_CONFIRMED"] - at["ORDER_CREATED"]) / dt.timedelta(milliseconds=1)


def _search(visitor: Visitor, market: Market) -> list[Mapping[str, Any]]:
    word = market.product(visitor.draw)["name"].partition(",")[0]
    found: list[Mapping[str, Any]] = visitor.get(
        "/api/products", query={"q": word, "in_stock": "true", "limit": 20}
    )["items"]
    return found


def _known(visitor: Visitor, account: Account) -> Account:
    """Somebody who comes back: signed in still, or again."""
    if account.until < time.monotonic():
        _sign_in(visitor, account)
    return account


def _sign_in(visitor: Visitor, account: Account) -> None:
    sign_in = {"email": account.email, "password": account.password}
    account.sign_in(visitor.post("/api/users/login", sign_in), time.monotonic())
    visitor.think()
