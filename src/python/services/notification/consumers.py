"""What the notification service does with news of people, orders and payments."""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import logs
from chassis.clock import Clock, Ids, new_id, utc_now
from chassis.consumer import Handlers
from contracts.events.notification import OrderCancelledNotice, OrderConfirmedNotice, WelcomeNotice
from contracts.events.payment import PaymentCompleted, PaymentFailed
from contracts.events.user import UserRegistered, UserUpdated
from services.notification import domain, mails, store
from services.notification.domain import Notification, Told

log = logs.get(__name__)


class Consumers:
    """One handler per event of the notification queue. None sends a mail: that is a job's part."""

    def __init__(self, *, clock: Clock = utc_now, ids: Ids = new_id) -> None:
        self._clock = clock
        self._ids = ids

    @property
    def handlers(self) -> Handlers:
        """The handler of each event type."""
        return {
            UserRegistered: self.person,
            UserUpdated: self.person,
            WelcomeNotice: self.notice,
            OrderConfirmedNotice: self.notice,
            OrderCancelledNotice: self.notice,
            PaymentCompleted: self.notice,
            PaymentFailed: self.notice,
        }

    async def notice(self, tx: AsyncConnection, event: Told) -> None:
        """Tell the customer."""
        await self._tell(tx, domain.tell(event, self._ids(), self._clock()))

    async def person(self, tx: AsyncConnection, event: UserRegistered | UserUpdated) -> None:
        """Learn where somebody's mails go; those that had no address so far are due now."""
        heard = domain.recipient_of(event)
        await store.hold_recipient(tx, heard.customer_id)
        before = await store.recipient(tx, heard.customer_id)
        if before is not None and before.revision >= heard.revision:
            return  # late news
        await store.save_recipient(tx, heard)
        if before is None:
            await mails.add(tx, *await store.waiting(tx, heard.customer_id))
        elif (change := domain.moved(before, heard, self._ids(), self._clock())) is not None:
            await self._tell(tx, change)

    async def _tell(self, tx: AsyncConnection, notification: Notification) -> None:
        await store.insert(tx, notification)
        if await _is_known(tx, notification.customer_id):
            await mails.add(tx, notification)
        else:
            log.info("a mail waits for its address", notification_id=str(notification.id))


async def _is_known(tx: AsyncConnection, customer_id: uuid.UUID) -> bool:
    """Whether there is an address for mails; if not, nobody learns of one until `tx` ends."""
    if await store.recipient(tx, customer_id) is not None:
        return True
    # Between that look and the end of `tx` the address may come, and whoever brings it does not see what
    # `tx` tells: one of both has to wait for the other.
    await store.hold_recipient(tx, customer_id)
    return await store.recipient(tx, customer_id) is not None
