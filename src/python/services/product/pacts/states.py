"""The states in which the others find the product service."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.database import Database
from chassis.outbox import Outbox
from chassis.pact_provider import Provider, migrated
from services.product import store
from services.product.app import MIGRATIONS
from services.product.conftest import add_product, created, serving
from services.product.consumers import Consumers


@asynccontextmanager
async def provider(database_url: str) -> AsyncIterator[Provider]:
    """The service on an empty database, as its consumers find it."""
    async with migrated(MIGRATIONS, database_url) as database, serving(database) as shop:
        stock = _Stock(database)
        yield Provider(
            database,
            store.OUTBOX,
            {
                "a product is for sale": stock.for_sale,
                "the stock for an order is there": stock.reserved,
                "an order asks for more than there is": stock.rejected,
            },
            shop.app,
        )


class _Stock:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._for_sale: set[str] = set()

    async def for_sale(self, product_id: str) -> None:
        if product_id in self._for_sale:
            return  # more than one interaction may start here
        self._for_sale.add(product_id)
        await add_product(self._database, product_id=uuid.UUID(product_id), on_hand=1)

    async def reserved(self) -> None:
        await self._order(on_hand=2)

    async def rejected(self) -> None:
        await self._order(on_hand=1)

    async def _order(self, *, on_hand: int) -> None:
        tea = await add_product(self._database, on_hand=on_hand)
        async with self._database.transaction() as tx:
            await Consumers(Outbox("product", store.OUTBOX)).order_created(
                tx, created(uuid.uuid4(), (tea, 2))
            )
