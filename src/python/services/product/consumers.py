"""What the product service does at the news of orders: hold stock for them, sell it, take it back."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import logs
from chassis.clock import Clock, utc_now
from chassis.consumer import Handlers
from chassis.outbox import Outbox
from contracts.events.order import OrderCancelled, OrderConfirmed, OrderCreated
from services.product import domain, stock
from services.product.domain import Outcome, Reservation

log = logs.get(__name__)


class Consumers:
    """One handler per event of the inventory queue."""

    def __init__(self, outbox: Outbox, *, clock: Clock = utc_now) -> None:
        self._outbox = outbox
        self._clock = clock

    @property
    def handlers(self) -> Handlers:
        """The handler of each event type."""
        return {
            OrderCreated: self.order_created,
            OrderConfirmed: self.order_confirmed,
            OrderCancelled: self.order_cancelled,
        }

    async def order_created(self, tx: AsyncConnection, event: OrderCreated) -> None:
        """Hold all lines, or say what is missing; nothing, if the order was settled or cancelled before."""
        lines = domain.wanted(event.lines)
        available = await stock.available(tx, [line.product_id for line in lines])
        outcome = domain.reserve(event.order_id, lines, available)
        if not await stock.insert_reservation(tx, outcome.reservation, self._clock()):
            return
        if outcome.shift is not None:
            await stock.move(tx, lines, outcome.shift)
        await self._outbox.add(tx, *outcome.events)

    async def order_confirmed(self, tx: AsyncConnection, event: OrderConfirmed) -> None:
        """Sell what the order holds."""
        reservation = await stock.reservation(tx, event.order_id)
        if reservation is None:
            # Orders are confirmed because this service reserved: its database has lost something.
            log.error("an order was confirmed for which nothing was reserved", order_id=str(event.order_id))
            return
        await self._settle(tx, reservation, domain.commit(reservation))

    async def order_cancelled(self, tx: AsyncConnection, event: OrderCancelled) -> None:
        """Take back what the order holds or has bought, or see to it that it never will."""
        await stock.take_turn(tx)  # whoever reserves for this order now has committed before we look
        reservation = await stock.reservation(tx, event.order_id)
        if reservation is None:
            await stock.insert_reservation(tx, domain.never_to_be(event.order_id), self._clock())
            return
        await self._settle(tx, reservation, domain.cancel(reservation))

    async def _settle(self, tx: AsyncConnection, before: Reservation, outcome: Outcome) -> None:
        if outcome.reservation == before:
            return
        await stock.save_reservation(tx, outcome.reservation, self._clock())
        if outcome.shift is not None:
            await stock.move(tx, outcome.reservation.lines, outcome.shift)
