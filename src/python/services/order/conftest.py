"""The order service in a test: on a real database, with catalogue and addresses as fakes of its own ports."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from joserfc.jws import extract_compact

from backing.fixtures import Databases
from chassis import migrations
from chassis.access import Ground
from chassis.database import Database
from chassis.outbox import Outbox
from chassis.testing import TokenIssuer, running
from contracts.events.envelope import Event
from contracts.events.order import Address, OrderLine
from contracts.money import Money
from services.order import app as order_app
from services.order import store
from services.order.clients import Quote
from services.order.consumers import Consumers
from services.order.domain import Order
from services.order.settings import Settings

HOME = Address(recipient="Ada", line1="Allee 1", city="Berlin", postal_code="10115", country="DE")


@dataclass
class FakeProducts:
    """A catalogue in memory."""

    prices: dict[uuid.UUID, Money] = field(default_factory=dict)

    async def quotes(self, product_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Quote]:
        return {
            each: Quote(product_id=each, name="Tea", unit_price=self.prices[each])
            for each in product_ids
            if each in self.prices
        }


@dataclass
class FakeAddresses:
    """Addresses in memory, each given out to its owner alone: to whoever signs in as that, by the token."""

    known: dict[tuple[uuid.UUID, uuid.UUID], Address] = field(default_factory=dict)

    def add(self, owner: uuid.UUID, address: Address = HOME) -> uuid.UUID:
        """Keep an address of `owner`, and return its id."""
        address_id = uuid.uuid4()
        self.known[owner, address_id] = address
        return address_id

    async def address(self, address_id: uuid.UUID, token: str) -> Address | None:
        owner = uuid.UUID(json.loads(extract_compact(token.encode()).payload)["sub"])
        return self.known.get((owner, address_id))


@dataclass
class Shop:
    """The running order service, and what it sees of the others."""

    app: FastAPI
    client: httpx.AsyncClient
    issuer: TokenIssuer
    database: Database
    products: FakeProducts
    addresses: FakeAddresses
    customer: uuid.UUID
    product: uuid.UUID
    home: uuid.UUID

    def body(self, **changes: Any) -> dict[str, Any]:
        """A request that places an order."""
        return {
            "items": [{"product_id": str(self.product), "quantity": 2}],
            "payment_method_id": str(uuid.uuid4()),
            "address_id": str(self.home),
        } | changes

    async def place(self, *, key: str | None = None, **changes: Any) -> httpx.Response:
        """Place an order as the customer."""
        headers = self.issuer.headers(self.customer, key=key)
        return await self.client.post("/api/orders", json=self.body(**changes), headers=headers)


def settings(database_url: str, **changes: Any) -> Settings:
    """Settings that reach nothing but the database."""
    nowhere = "http://127.0.0.1:9"
    topic = "arn:aws:sns:eu-central-1:000000000000:"
    values: dict[str, Any] = {
        "environment": "test",
        "port": 1,
        "database_url": database_url,
        "database_pool_size": 5,
        "jwks_url": nowhere,
        "order_events_topic_arn": topic + "order-events",
        "notification_events_topic_arn": topic + "notification-events",
        "order_processing_queue_url": nowhere + "/queue",
        "queue_wait_s": 1,
        "product_url": nowhere,
        "user_url": nowhere,
    }
    return Settings(**(values | changes))


@pytest.fixture
async def migrated_url(databases: Databases) -> str:
    """A database with the service's tables, which are empty."""
    return await databases.clean(order_app.NAME, partial(migrations.upgrade_async, order_app.MIGRATIONS))


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """The service's database."""
    opened = Database(migrated_url, pool_size=5)
    yield opened
    await opened.close()


@asynccontextmanager
async def serving(database: Database, **changes: Any) -> AsyncIterator[Shop]:
    """The service as it runs, with a product at 5.00 EUR and an address; `changes` are of its settings."""
    issuer, customer, product = TokenIssuer(), uuid.uuid4(), uuid.uuid4()
    products = FakeProducts({product: Money(amount=500, currency="EUR")})
    addresses = FakeAddresses()
    home = addresses.add(customer)
    app = order_app.build(settings(database.url, **changes))
    async with running(app, issuer) as client:
        app.state.parts = replace(app.state.parts, products=products, addresses=addresses)
        yield Shop(app, client, issuer, database, products, addresses, customer, product, home)


@pytest.fixture
async def shop(database: Database, aws_nowhere: None) -> AsyncIterator[Shop]:  # noqa: ARG001
    """The running service."""
    async with serving(database) as shop:
        yield shop


async def hear(database: Database, *events: Event) -> None:
    """Handle `events`, each in a transaction of its own."""
    handlers = Consumers(Outbox("order", store.OUTBOX)).handlers
    for event in events:
        async with database.transaction() as tx:
            await handlers[type(event)](tx, event)


def order(*, expires_in_s: float = 120) -> Order:
    """A new order of two teas."""
    now = dt.datetime.now(dt.UTC)
    price = Money(amount=500, currency="EUR")
    return Order(
        id=uuid.uuid4(),
        customer_id=uuid.uuid4(),
        lines=(OrderLine(product_id=uuid.uuid4(), name="Tea", quantity=2, unit_price=price),),
        total=Money(amount=1000, currency="EUR"),
        payment_method_id=uuid.uuid4(),
        shipping_address=HOME,
        placed_at=now,
        expires_at=now + dt.timedelta(seconds=expires_in_s),
    )


async def ground(shop: Shop) -> Ground:
    """An order of the customer."""
    order = (await shop.place()).json()
    known = {"order_id": order["id"], "product_id": str(shop.product), "address_id": str(shop.home)}
    return Ground(shop.client, shop.database, shop.app.openapi(), known)
