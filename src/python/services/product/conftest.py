"""The product service in a test: on a real database, without cache and broker unless the test brings them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from backing.fixtures import Databases
from chassis import migrations
from chassis.access import Ground
from chassis.database import Database
from chassis.testing import TokenIssuer, running
from contracts.events.order import Address, OrderCancelled, OrderConfirmed, OrderCreated, OrderLine
from contracts.money import Money
from services.product import app as product_app
from services.product import store
from services.product.domain import Image
from services.product.images import ImageStore, StoredObject
from services.product.settings import Settings

NOWHERE = "127.0.0.1:9"
PRICE = Money(amount=500, currency="EUR")
HOME = Address(recipient="Ada", line1="Allee 1", city="Berlin", postal_code="10115", country="DE")
CUSTOMER = uuid.uuid4()


class NoImages(ImageStore):
    """An object store in which nothing was uploaded, and that always answers."""

    async def look(self, image: Image) -> StoredObject | None:  # noqa: ARG002 - as its own
        return None

    async def delete(self, image: Image) -> None:  # noqa: ARG002 - as its own
        return None


@dataclass
class Shop:
    """The running product service, an admin and a customer of it."""

    app: FastAPI
    client: httpx.AsyncClient
    issuer: TokenIssuer
    database: Database
    admin: uuid.UUID
    customer: uuid.UUID

    def as_admin(self, *, key: str | None = None) -> dict[str, str]:
        """Headers of the admin, with a fresh Idempotency-Key unless one is given."""
        return self.issuer.headers(self.admin, "admin", key=key)

    def as_customer(self) -> dict[str, str]:
        """Headers of the customer."""
        return self.issuer.headers(self.customer)

    async def create(self, *, stock: int = 0, **said: Any) -> dict[str, Any]:
        """Put a product into the catalogue, with so many pieces, and return it as the service showed it."""
        answer = await self.client.post("/api/products", json=body(**said), headers=self.as_admin())
        assert answer.status_code == 201, answer.text
        product: dict[str, Any] = answer.json()
        if stock:
            await self.receive(product["id"], stock)
        return product

    async def receive(self, product_id: str, quantity: int) -> None:
        """Put pieces on the shelf."""
        where = f"/api/products/{product_id}/stock"
        answer = await self.client.post(where, json={"quantity": quantity}, headers=self.as_admin())
        assert answer.status_code == 200, answer.text

    async def rows(self, table: sa.Table) -> int:
        """How many rows the table has."""
        async with self.database.reading() as connection:
            return int(await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


def body(**said: Any) -> dict[str, Any]:
    """A request that describes a product."""
    return {
        "name": "Green tea",
        "description": "Leaves from the first harvest.",
        "category": "Tea",
        "price": {"amount": 500, "currency": "EUR"},
    } | said


def settings(database_url: str, **changes: Any) -> Settings:
    """Settings that reach nothing but the database."""
    values: dict[str, Any] = {
        "environment": "test",
        "port": 1,
        "database_url": database_url,
        "database_pool_size": 5,
        "jwks_url": f"http://{NOWHERE}",
        "inventory_events_topic_arn": "arn:aws:sns:us-east-1:000000000000:inventory-events",
        "inventory_update_queue_url": f"http://{NOWHERE}/queue",
        "queue_wait_s": 1,
        "images_bucket": "images",
        "redis_url": f"redis://{NOWHERE}/0",
    }
    return Settings(**(values | changes))


@pytest.fixture
async def migrated_url(databases: Databases) -> str:
    """A database with the service's tables, which are empty."""
    return await databases.clean(product_app.NAME, partial(migrations.upgrade_async, product_app.MIGRATIONS))


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """The service's database."""
    opened = Database(migrated_url, pool_size=5)
    yield opened
    await opened.close()


@asynccontextmanager
async def serving(database: Database) -> AsyncIterator[Shop]:
    """The service as it runs, with an empty catalogue, while the cache is away."""
    issuer = TokenIssuer()
    app = product_app.build(settings(database.url))
    async with running(app, issuer) as client:
        yield Shop(app, client, issuer, database, uuid.uuid4(), uuid.uuid4())


@pytest.fixture
async def shop(database: Database, aws_nowhere: None) -> AsyncIterator[Shop]:  # noqa: ARG001
    """The running service."""
    async with serving(database) as shop:
        yield shop


async def add_product(
    database: Database, *, on_hand: int = 0, retired: bool = False, product_id: uuid.UUID | None = None
) -> uuid.UUID:
    """Write a product with so many pieces on the shelf straight into the database."""
    product_id, now = product_id or uuid.uuid4(), sa.func.now()
    row = {"id": product_id, "name": "Tea", "description": "", "category": "Tea", "price": 500}
    row |= {"currency": "EUR", "created_at": now, "updated_at": now, "retired_at": now if retired else None}
    async with database.transaction() as tx:
        await tx.execute(store.PRODUCTS.insert().values(row))
        await tx.execute(
            store.STOCK.insert().values(product_id=product_id, on_hand=on_hand, received=on_hand)
        )
    return product_id


def created(order_id: uuid.UUID, *lines: tuple[uuid.UUID, int]) -> OrderCreated:
    """News of an order of so many of each product."""
    return OrderCreated(
        order_id=order_id,
        customer_id=CUSTOMER,
        lines=tuple(
            OrderLine(product_id=each, name="Tea", quantity=quantity, unit_price=PRICE)
            for each, quantity in lines
        ),
        total=PRICE,
        payment_method_id=uuid.uuid4(),
        shipping_address=HOME,
        expires_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )


def confirmed(order_id: uuid.UUID) -> OrderConfirmed:
    """News that the order is confirmed."""
    return OrderConfirmed(order_id=order_id, customer_id=CUSTOMER, total=PRICE)


def cancelled(order_id: uuid.UUID) -> OrderCancelled:
    """News that the order is cancelled."""
    return OrderCancelled(order_id=order_id, customer_id=CUSTOMER, reason="requested")


async def ground(shop: Shop) -> Ground:
    """A product with an image that is awaited."""
    product_id = (await shop.create(stock=5))["id"]
    where, image = f"/api/products/{product_id}/images", {"content_type": "image/png", "size": 1}
    added = await shop.client.post(where, json=image, headers=shop.as_admin())
    known = {"product_id": product_id, "image_id": added.json()["id"], "ids": product_id}
    return Ground(shop.client, shop.database, shop.app.openapi(), known)
