"""The states in which the others find the order service."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.pact_provider import Provider, migrated
from contracts.events.inventory import StockReserved
from contracts.events.payment import PaymentAuthorized
from contracts.money import Money
from services.order import store
from services.order.app import MIGRATIONS
from services.order.conftest import HOME, Shop, hear, serving


@asynccontextmanager
async def provider(database_url: str) -> AsyncIterator[Provider]:
    """The service on an empty database, as its consumers find it."""
    async with migrated(MIGRATIONS, database_url) as database, serving(database) as shop:
        orders = _Orders(shop)
        yield Provider(
            database,
            store.OUTBOX,
            {
                "an order was placed": orders.placed,
                "the address of an order was changed": orders.readdressed,
                "an order was confirmed": orders.confirmed,
                "an order was cancelled": orders.cancelled,
            },
            shop.app,
        )


class _Orders:
    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def placed(self) -> None:
        await self._place()

    async def readdressed(self) -> None:
        bonn = HOME.model_copy(update={"city": "Bonn"})
        elsewhere = self._shop.addresses.add(self._shop.customer, bonn)
        order_id = await self._place()
        await self._call("PUT", f"{order_id}/address", {"address_id": str(elsewhere)})

    async def confirmed(self) -> None:
        order_id = uuid.UUID(await self._place())
        about = {"order_id": order_id, "payment_id": uuid.uuid4(), "customer_id": self._shop.customer}
        amount = Money(amount=1000, currency="EUR")
        await hear(
            self._shop.database, StockReserved(order_id=order_id), PaymentAuthorized(**about, amount=amount)
        )

    async def cancelled(self) -> None:
        await self._call("POST", f"{await self._place()}/cancel")

    async def _place(self) -> str:
        answer = await self._shop.place()
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def _call(self, method: str, path: str, body: object = None) -> None:
        headers = self._shop.issuer.headers(self._shop.customer)
        url = f"/api/orders/{path}"
        answer = await self._shop.client.request(method, url, json=body, headers=headers)
        assert answer.is_success, answer.text
