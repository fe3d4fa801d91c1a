"""What the order service does with the answers of stock and payment."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import logs, telemetry
from chassis.clock import Clock, utc_now
from chassis.consumer import Handlers
from chassis.outbox import Outbox
from contracts.events.inventory import StockRejected, StockReserved
from contracts.events.payment import (
    PaymentAuthorized,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
)
from services.order import domain, store
from services.order.domain import Moment, Order, Outcome

log = logs.get(__name__)


class Consumers:
    """One handler per event of the order queue: it reads the order, lets the domain decide, and stores it."""

    def __init__(self, outbox: Outbox, *, clock: Clock = utc_now) -> None:
        self._outbox = outbox
        self._clock = clock

    @property
    def handlers(self) -> Handlers:
        """The handler of each event type."""
        return {
            StockReserved: self.stock_reserved,
            StockRejected: self.stock_rejected,
            PaymentAuthorized: self.payment_authorized,
            PaymentFailed: self.payment_failed,
            PaymentCompleted: self.payment_completed,
            PaymentVoided: self.payment_voided,
            PaymentRefunded: self.payment_refunded,
        }

    async def stock_reserved(self, tx: AsyncConnection, event: StockReserved) -> None:
        """Confirm, if the payment is authorised already."""
        await self._apply(tx, event.order_id, domain.stock_reserved)

    async def stock_rejected(self, tx: AsyncConnection, event: StockRejected) -> None:
        """Cancel."""
        short = ", ".join(f"{s.product_id}: {s.available} of {s.requested}" for s in event.shortages)
        await self._apply(tx, event.order_id, lambda order, now: domain.stock_rejected(order, now, short))

    async def payment_authorized(self, tx: AsyncConnection, event: PaymentAuthorized) -> None:
        """Confirm, if the stock is reserved already."""
        await self._apply(tx, event.order_id, domain.payment_authorized)

    async def payment_failed(self, tx: AsyncConnection, event: PaymentFailed) -> None:
        """Cancel."""
        why = f"{event.stage}: {event.detail}"
        await self._apply(tx, event.order_id, lambda order, now: domain.payment_failed(order, now, why))

    async def payment_completed(self, tx: AsyncConnection, event: PaymentCompleted) -> None:
        """Note that the money was taken."""
        await self._apply(
            tx, event.order_id, lambda order, now: domain.payment_completed(order, now, event.amount)
        )

    async def payment_voided(self, tx: AsyncConnection, event: PaymentVoided) -> None:
        """Note that nothing will be taken."""
        await self._apply(tx, event.order_id, domain.payment_voided)

    async def payment_refunded(self, tx: AsyncConnection, event: PaymentRefunded) -> None:
        """Note what went back."""
        await self._apply(
            tx,
            event.order_id,
            lambda order, now: domain.payment_refunded(order, now, event.amount, event.total_refunded),
        )

    async def _apply(
        self, tx: AsyncConnection, order_id: uuid.UUID, decide: Callable[[Order, Moment], Outcome]
    ) -> None:
        order = await store.locked(tx, order_id)
        outcome = decide(order, Moment(self._clock(), telemetry.trace_id()))
        await settle(tx, self._outbox, order, outcome)


async def settle(tx: AsyncConnection, outbox: Outbox, before: Order, outcome: Outcome) -> None:
    """Store what became of an order, with the events that tell of it."""
    after = outcome.order
    if after == before:
        return
    await store.save(tx, after)
    if outcome.events:
        await outbox.add(tx, *outcome.events)
    if after.status is not before.status:
        log.info("order ended", order_id=str(after.id), status=after.status, reason=after.cancel_reason)
