"""The states in which the others find the payment service. They call none of its routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.pact_provider import Provider, migrated
from services.payment import store
from services.payment.app import MIGRATIONS
from services.payment.conftest import Desk, cancelled, new_desk
from services.payment.provider import Refused


@asynccontextmanager
async def provider(database_url: str) -> AsyncIterator[Provider]:
    """The service's parts on an empty database, with a provider of payments that says yes."""
    async with migrated(MIGRATIONS, database_url) as database:
        payments = _Payments(await new_desk(database))
        yield Provider(
            database,
            store.OUTBOX,
            {
                "the amount of an order is held": payments.held,
                "the amount of an order was taken": payments.taken,
                "the amount of an order was let go": payments.let_go,
                "the amount of an order was given back": payments.given_back,
                "the provider declines": payments.declined,
            },
        )


class _Payments:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def held(self) -> None:
        await self._desk.authorized()

    async def taken(self) -> None:
        await self._desk.captured()

    async def let_go(self) -> None:
        await self._desk.hear(cancelled(await self._desk.authorized()))
        await self._desk.work()

    async def given_back(self) -> None:
        await self._desk.hear(cancelled(await self._desk.captured()))
        await self._desk.work()

    async def declined(self) -> None:
        self._desk.provider.fails["authorize"] = Refused("card_declined", "Your card was declined.")
        try:
            await self._desk.hear(self._desk.created())
            await self._desk.work()
        finally:
            self._desk.provider.fails.clear()
