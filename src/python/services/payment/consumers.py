"""What the payment service does with news of orders."""

from __future__ import annotations

import uuid
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import logs
from chassis.clock import Clock, Ids, new_id, utc_now
from chassis.consumer import Handlers
from chassis.outbox import Outbox
from contracts.events.order import OrderCancelled, OrderConfirmed, OrderCreated, OrderUpdated
from services.payment import domain, store
from services.payment.calls import publish, settle
from services.payment.domain import NO_AMOUNT, Payment

log = logs.get(__name__)

# Older than the address in ORDER_CREATED, which has no revision and counts as 0.
_NO_ADDRESS = -1


class Consumers:
    """One handler per event of the payment queue. None calls the provider: that is a job's part."""

    def __init__(self, outbox: Outbox, *, clock: Clock = utc_now, ids: Ids = new_id) -> None:
        self._outbox = outbox
        self._clock = clock
        self._ids = ids

    @property
    def handlers(self) -> Handlers:
        """The handler of each event type."""
        return {
            OrderCreated: self.order_created,
            OrderUpdated: self.order_updated,
            OrderConfirmed: self.order_confirmed,
            OrderCancelled: self.order_cancelled,
        }

    async def order_created(self, tx: AsyncConnection, event: OrderCreated) -> None:
        """Have the amount held, unless the order is known to be cancelled already."""
        method = await store.method(tx, event.customer_id, event.payment_method_id)
        payment = Payment(
            id=self._ids(),
            order_id=event.order_id,
            customer_id=event.customer_id,
            amount=event.total,
            created_at=self._clock(),
            payment_method_id=event.payment_method_id,
            shipping_address=event.shipping_address,
        )
        outcome = domain.request(payment, method)
        if await store.insert(tx, outcome.payment):
            await publish(tx, self._outbox, outcome)
            return
        expected = await store.locked_of_order(tx, event.order_id)
        known = replace(expected, amount=event.total, payment_method_id=event.payment_method_id)
        if expected.status is domain.Status.EXPECTED:
            await settle(tx, self._outbox, expected, domain.request(known, method))
            await store.save_address(tx, event.order_id, event.shipping_address, 0)

    async def order_updated(self, tx: AsyncConnection, event: OrderUpdated) -> None:
        """Note where the order goes."""
        await self._expect(tx, event.order_id, event.customer_id)
        await store.save_address(tx, event.order_id, event.shipping_address, event.revision)

    async def order_confirmed(self, tx: AsyncConnection, event: OrderConfirmed) -> None:
        """Have the held amount taken. It was held before the order was confirmed, so the payment is known."""
        payment = await store.locked_of_order(tx, event.order_id)
        await settle(tx, self._outbox, payment, domain.confirm(payment))

    async def order_cancelled(self, tx: AsyncConnection, event: OrderCancelled) -> None:
        """Let go of what is held or give back what was taken; of an order not known yet, remember it."""
        await self._expect(tx, event.order_id, event.customer_id)
        payment = await store.locked_of_order(tx, event.order_id)
        await settle(tx, self._outbox, payment, domain.cancel(payment, self._ids()))

    async def _expect(self, tx: AsyncConnection, order_id: uuid.UUID, customer_id: uuid.UUID) -> None:
        """Make a place for news of an order that has overtaken the order itself."""
        expected = Payment(
            id=self._ids(),
            order_id=order_id,
            customer_id=customer_id,
            amount=NO_AMOUNT,
            created_at=self._clock(),
            address_revision=_NO_ADDRESS,
        )
        if await store.insert(tx, expected):
            log.info("news came before the order", order_id=str(order_id))
