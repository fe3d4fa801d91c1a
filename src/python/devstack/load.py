"""Open-loop load: customers who place orders at their due times, however slow the shop is.

A closed loop waits for an answer before it sends the next request, so that a shop that stalls is asked less
and looks fast. Here each order is due at a time that is set beforehand, and its latency counts from then.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import random
import secrets
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from devstack.client import Client, Refused

# What a gateway or a service says while something is being restarted: the same write is sent again.
_TRANSIENT = frozenset({429, 502, 503, 504})
_IN_FLIGHT = "idempotency-key-in-flight"
_PAUSE_S = 0.1


@dataclass(frozen=True)
class Customer:
    """Somebody who can order: signed in, with an address and a card."""

    client: Client
    address_id: str
    method_id: str


@dataclass
class Report:
    """What became of the orders of a run; latencies are in seconds, from the time an order was due."""

    latencies: list[float] = field(default_factory=list)
    placed: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    sent_again: int = 0
    answered_differently: int = 0


class Load:
    """Customers and products, and the orders that come of them."""

    def __init__(self, session: aiohttp.ClientSession, *, patience_s: float = 0.0, seed: int = 1) -> None:
        """With `patience_s` a customer sends an order that got no answer again for so long, under its key."""
        self._session = session
        self._patience_s = patience_s
        self._random = random.Random(seed)
        self.customers: list[Customer] = []
        self.products: list[str] = []

    async def prepare(self, customers: int) -> None:
        """Register `customers`, and find what can be bought."""
        self.customers = [await customer(self._session) for _ in range(customers)]
        page = await Client(self._session).get("/api/products", limit="100", in_stock="true")
        self.products = [product["id"] for product in page["items"]]

    async def run(
        self, per_s: float, seconds: float, *, cancelled: float = 0.0, repeated: float = 0.0
    ) -> Report:
        """Place `per_s` orders a second; a share of them is cancelled, a share is sent twice."""
        report = Report()
        loop = asyncio.get_running_loop()
        begin = loop.time()
        async with asyncio.TaskGroup() as group:
            for number in range(round(per_s * seconds)):
                due = begin + number / per_s
                await asyncio.sleep(max(0.0, due - loop.time()))
                group.create_task(self._order(report, due, cancelled=cancelled, repeated=repeated))
        return report

    async def _order(self, report: Report, due: float, *, cancelled: float, repeated: float) -> None:
        who = self._random.choice(self.customers)
        body = {
            "items": [{"product_id": each, "quantity": 1} for each in self._random.sample(self.products, 2)],
            "payment_method_id": who.method_id,
            "address_id": who.address_id,
        }
        key = uuid.uuid4().hex
        cancels, repeats = self._random.random() < cancelled, self._random.random() < repeated
        try:
            placed = await self._insist(report, who, "/api/orders", body, key)
            report.latencies.append(asyncio.get_running_loop().time() - due)
            report.placed.append(placed["id"])
            if repeats:
                again = await self._insist(report, who, "/api/orders", body, key)
                report.answered_differently += again != placed
            if cancels:
                await self._insist(report, who, f"/api/orders/{placed['id']}/cancel", None, f"{key}-c")
        except (Refused, aiohttp.ClientError, TimeoutError) as error:
            report.errors[f"{type(error).__name__}: {error}"] += 1

    async def _insist(
        self, report: Report, who: Customer, path: str, body: object, key: str
    ) -> dict[str, Any]:
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                answer: dict[str, Any] = await who.client.post(path, body, key=key)
                return answer
            except Refused as refused:
                transient = refused.status in _TRANSIENT or refused.slug == _IN_FLIGHT
                if not transient or time.monotonic() > deadline:
                    raise
            except (aiohttp.ClientError, TimeoutError):
                if time.monotonic() > deadline:
                    raise
            report.sent_again += 1
            await asyncio.sleep(_PAUSE_S)


def percentile(values: Sequence[float], per_cent: float) -> float:
    """The smallest value that `per_cent` of `values` do not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * per_cent / 100) - 1)] if ranked else math.nan


def timeline_s(timeline: str, first: str, last: str) -> float | None:
    """Seconds between two steps of an order's stored timeline; None where one is missing."""
    at = {step["what"]: dt.datetime.fromisoformat(step["at"]) for step in orjson.loads(timeline)}
    return (at[last] - at[first]).total_seconds() if first in at and last in at else None


async def customer(session: aiohttp.ClientSession) -> Customer:
    """Somebody new who can order."""
    client = Client(session)
    email, password = f"load-{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(12)
    await client.post("/api/users", {"email": email, "password": password, "display_name": "Load"})
    await client.sign_in(email, password)
    home = {
        "recipient": "L. Oad",
        "line1": "Dock 1",
        "city": "Rotterdam",
        "postal_code": "3011",
        "country": "NL",
    }
    address = await client.post("/api/users/me/addresses", home)
    card = await client.post("/api/payments/methods", {"provider_token": "pm_card_visa"})
    return Customer(client, address["id"], card["id"])
