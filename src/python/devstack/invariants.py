"""The invariants of the shop, checked over the databases and the provider of a running one.

1. An order ends CONFIRMED or CANCELLED; none stays PENDING past its deadline.
2. Stock on hand + reserved + sold = stock received; none is negative, and what is sold was confirmed.
3. Captured money = sum of confirmed orders minus refunds; one order is charged at most once.
4. An event that was committed is delivered; one delivered twice has the effect of one.

The fifth, that a write repeated with its Idempotency-Key answers as the first did, is seen by whoever writes:
`devstack.load` repeats writes and compares.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Self

import aiohttp
import asyncpg
import orjson

from devstack.environment import LOCAL_STRIPE_KEY
from devstack.state import Running

# How long an order may stay PENDING past its deadline: the look-out for it runs once a second.
_GRACE_S = 5
_PAGE = 100  # as many as the provider lists at once

_WAITING = {
    "order": "SELECT (SELECT count(*) FROM orders WHERE status = 'PENDING') AS orders, "
    "(SELECT count(*) FROM outbox WHERE state = 'pending') AS order_events",
    "product": "SELECT count(*) AS inventory_events, "
    "(SELECT count(*) FROM reservations WHERE state = 'RESERVED') AS reservations "
    "FROM outbox WHERE state = 'pending'",
    "payment": "SELECT count(*) AS payment_events, "
    "(SELECT count(*) FROM provider_call WHERE state = 'pending') AS provider_calls, "
    "(SELECT count(*) FROM payments WHERE status IN "
    "('EXPECTED', 'AUTHORIZING', 'AUTHORIZED', 'CAPTURING', 'REFUNDING', 'VOIDING') "
    "AND NOT (status = 'EXPECTED' AND cancel_wanted)) AS payments "
    "FROM outbox WHERE state = 'pending'",
    "user": "SELECT count(*) AS user_events FROM outbox WHERE state = 'pending'",
    "notification": "SELECT count(*) AS mails FROM mail WHERE state = 'pending'",
}
_DEAD = {
    "order": ["outbox"],
    "product": ["outbox"],
    "payment": ["outbox", "provider_call"],
    "user": ["outbox"],
    "notification": ["mail"],
}
_LATE = "SELECT id FROM orders WHERE status = 'PENDING' AND expires_at < now() - $1 * interval '1 s'"
_STOCK = "SELECT product_id, on_hand, reserved, sold, received FROM stock"
_ORDERS = "SELECT id, status, total, payment, lines FROM orders"
_PAYMENTS = "SELECT order_id, status, amount, refunded FROM payments"


class Ledgers:
    """Connections to the services' databases, for one who looks at all of them."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = urls
        self._connections: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        for service, url in self._urls.items():
            self._connections[service] = await asyncpg.connect(url, timeout=10)
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections.values():
            await connection.close()

    async def fetch(self, service: str, query: str, *args: object) -> list[Any]:
        """The rows of a query on the database of `service`."""
        rows: list[Any] = await self._connections[service].fetch(query, *args)
        return rows

    async def waiting(self) -> dict[str, int]:
        """How many orders, events, calls, mails and so on are not finished yet."""
        found: dict[str, int] = {}
        for service, query in _WAITING.items():
            found.update(dict((await self.fetch(service, query))[0]))
        return found

    async def rest(self, *, within_s: float) -> None:
        """Return once nothing is waiting; AssertionError, saying what still is, if that takes too long."""
        deadline = time.monotonic() + within_s
        while any((waiting := await self.waiting()).values()):
            left = {name: count for name, count in waiting.items() if count}
            assert time.monotonic() < deadline, f"after {within_s:g} s there still wait {left}"
            await asyncio.sleep(0.1)


async def breaches(running: Running) -> list[str]:
    """Every breach of an invariant, in a sentence each. The shop must be at rest."""
    async with Ledgers(running.database_urls) as ledgers:
        orders = await ledgers.fetch("order", _ORDERS)
        payments = await ledgers.fetch("payment", _PAYMENTS)
        late = await ledgers.fetch("order", _LATE, _GRACE_S)
        stock = await ledgers.fetch("product", _STOCK)
        dead = await _dead(ledgers)
    intents = await _intents(running.stripe_url) if running.stripe_url else None
    return [
        *(f"1: order {row['id']} is PENDING past its deadline" for row in late),
        *_stock_breaches(stock, orders),
        *_money_breaches(orders, payments),
        *([] if intents is None else _provider_breaches(orders, intents)),
        *dead,
    ]


def _stock_breaches(stock: Sequence[Any], orders: Sequence[Any]) -> list[str]:
    sold: Counter[str] = Counter()
    for order in orders:
        if order["status"] == "CONFIRMED":
            for line in orjson.loads(order["lines"]):
                sold[line["product_id"]] += line["quantity"]
    found = []
    for row in stock:
        product, amounts = str(row["product_id"]), (row["on_hand"], row["reserved"], row["sold"])
        if min(amounts) < 0 or sum(amounts) != row["received"]:
            found.append(f"2: product {product} has {amounts} of {row['received']} received")
        if row["sold"] != sold[product]:
            found.append(
                f"2: product {product} sold {row['sold']}, but {sold[product]} are in confirmed orders"
            )
    return found


def _money_breaches(orders: Sequence[Any], payments: Sequence[Any]) -> list[str]:
    paid = {row["order_id"]: row for row in payments}
    found = []
    for order in orders:
        payment = paid.get(order["id"])
        if order["status"] == "CONFIRMED":
            kept = ("CAPTURED", "PARTLY_REFUNDED", "REFUNDED")
            if payment is None or payment["status"] not in kept or payment["amount"] != order["total"]:
                found.append(f"3: order {order['id']} is CONFIRMED, its payment is {_said(payment)}")
        elif payment is not None and payment["status"] not in ("VOIDED", "FAILED", "REFUNDED", "EXPECTED"):
            found.append(f"3: order {order['id']} is {order['status']}, its payment is {_said(payment)}")
    return found


def _provider_breaches(orders: Sequence[Any], intents: Sequence[Any]) -> list[str]:
    """The provider's own books: what it took for each order, and what it still holds."""
    totals = {str(row["id"]): row["total"] for row in orders if row["status"] == "CONFIRMED"}
    charges = Counter(i["metadata"]["order_id"] for i in intents if i["status"] == "succeeded")
    taken: Counter[str] = Counter()
    for intent in intents:
        taken[intent["metadata"]["order_id"]] += intent["amount_received"] - intent["amount_refunded"]
    return [
        *(f"3: the provider charged order {order} {n} times" for order, n in charges.items() if n > 1),
        *(
            f"3: the provider has {taken[order]} of order {order}, which comes to {totals.get(order, 0)}"
            for order in {*taken, *totals}
            if taken[order] != totals.get(order, 0)
        ),
        *(
            f"3: the provider still holds money of order {intent['metadata']['order_id']}"
            for intent in intents
            if intent["status"] == "requires_capture"
        ),
    ]


async def _intents(stripe_url: str) -> list[Any]:
    """Every payment of the shop as the provider knows it, with what it gave back."""
    headers = {"Authorization": f"Bearer {LOCAL_STRIPE_KEY}"}
    async with aiohttp.ClientSession(stripe_url, headers=headers) as session:
        refunds = await _all(session, "/v1/refunds")
        intents = await _all(session, "/v1/payment_intents")
    back: Counter[str] = Counter()
    for refund in refunds:
        back[refund["payment_intent"]] += refund["amount"]
    ours = [intent for intent in intents if "order_id" in intent["metadata"]]
    return [{**intent, "amount_refunded": back[intent["id"]]} for intent in ours]


async def _all(session: aiohttp.ClientSession, path: str) -> list[Any]:
    found: list[Any] = []
    more = True
    while more:
        params = {"limit": str(_PAGE)} | ({"starting_after": found[-1]["id"]} if found else {})
        async with session.get(path, params=params) as response:
            response.raise_for_status()
            page = await response.json()
        found += page["data"]
        more = page["has_more"]
    return found


async def _dead(ledgers: Ledgers) -> list[str]:
    found = []
    for service, tables in _DEAD.items():
        for table in tables:
            query = f"SELECT id, kind, last_error FROM {table} WHERE state = 'dead'"  # noqa: S608 - our names
            rows = await ledgers.fetch(service, query)
            found += [f"4: {service}.{table} {row['kind']} is dead: {row['last_error']}" for row in rows]
    return found


def _said(payment: Any) -> str:
    return "missing" if payment is None else f"{payment['status']} of {payment['amount']}"
