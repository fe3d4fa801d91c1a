from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from chassis.database import Database
from chassis.outbox import Outbox
from contracts.events.envelope import Event
from contracts.events.inventory import Shortage, StockRejected, StockReserved
from contracts.events.payment import (
    PaymentAuthorized,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
)
from contracts.money import Money
from contracts.topology import ORDER_QUEUE, events_for
from services.order import store
from services.order.conftest import hear, order
from services.order.consumers import Consumers
from services.order.domain import Order, Payment, Status


async def placed(database: Database) -> Order:
    new = order()
    async with database.transaction() as tx:
        await store.insert(tx, new)
    return new


async def stored(database: Database, order_id: uuid.UUID) -> Order:
    async with database.reading() as connection:
        return await store.find(connection, order_id)


async def published(database: Database) -> list[str]:
    async with database.reading() as connection:
        rows = await connection.execute(sa.select(store.OUTBOX.c.kind).order_by(store.OUTBOX.c.id))
        return [kind.split(".")[1] for kind in rows.scalars()]


def news_of(new: Order) -> dict[str, Event]:
    about = {"order_id": new.id, "payment_id": uuid.uuid4(), "customer_id": new.customer_id}
    return {
        "reserved": StockReserved(order_id=new.id),
        "rejected": StockRejected(
            order_id=new.id, shortages=(Shortage(product_id=uuid.uuid4(), requested=2, available=1),)
        ),
        "authorized": PaymentAuthorized(**about, amount=new.total),
        "declined": PaymentFailed(
            **about, amount=new.total, stage="authorization", code="card_declined", detail="declined"
        ),
        "completed": PaymentCompleted(**about, amount=new.total),
        "voided": PaymentVoided(**about),
        "refunded": PaymentRefunded(
            **about, refund_id=uuid.uuid4(), amount=new.total, total_refunded=new.total
        ),
    }


def test_every_event_of_the_queue_has_a_handler() -> None:
    """What the topology delivers is what the service handles."""
    assert set(Consumers(Outbox("order", store.OUTBOX)).handlers) == events_for(ORDER_QUEUE)


@pytest.mark.parametrize("answers", list(itertools.permutations(["reserved", "authorized"])))
async def test_stock_and_payment_confirm(database: Database, answers: Sequence[str]) -> None:
    """In either order, with one confirmation told."""
    new = await placed(database)
    await hear(database, *(news_of(new)[answer] for answer in answers))
    assert (await stored(database, new.id)).status is Status.CONFIRMED
    assert await published(database) == ["ORDER_CONFIRMED", "ORDER_CONFIRMED_NOTICE"]


@pytest.mark.parametrize(
    ("refusal", "reason"), [("rejected", "out_of_stock"), ("declined", "payment_failed")]
)
@pytest.mark.parametrize("refused_first", [True, False])
async def test_one_refusal_cancels(
    database: Database, refusal: str, reason: str, refused_first: bool
) -> None:
    """Before or after the other side's yes."""
    new = await placed(database)
    consent = "authorized" if refusal == "rejected" else "reserved"
    order_of_news = [refusal, consent] if refused_first else [consent, refusal]
    await hear(database, *(news_of(new)[each] for each in order_of_news))
    cancelled = await stored(database, new.id)
    assert (cancelled.status, cancelled.cancel_reason) == (Status.CANCELLED, reason)
    assert await published(database) == ["ORDER_CANCELLED", "ORDER_CANCELLED_NOTICE"]


async def test_the_timeline_tells_the_whole_story(database: Database) -> None:
    """From the first answer to the refund."""
    new = await placed(database)
    await hear(
        database, *(news_of(new)[each] for each in ("authorized", "reserved", "completed", "refunded"))
    )
    after = await stored(database, new.id)
    assert [step.what for step in after.timeline] == [
        "PAYMENT_AUTHORIZED",
        "STOCK_RESERVED",
        "ORDER_CONFIRMED",
        "PAYMENT_COMPLETED",
        "PAYMENT_REFUNDED",
    ]
    assert (after.refunded, after.payment) == (new.total.amount, Payment.REFUNDED)


async def test_a_void_is_noted(database: Database) -> None:
    """The customer sees that nothing was taken."""
    new = await placed(database)
    await hear(database, news_of(new)["rejected"], news_of(new)["voided"])
    assert (await stored(database, new.id)).payment is Payment.VOIDED


async def test_a_partial_refund_leaves_the_payment_completed(database: Database) -> None:
    """Only what went back is noted."""
    new = await placed(database)
    partly = Money(amount=300, currency="EUR")
    await hear(database, *(news_of(new)[each] for each in ("reserved", "authorized", "completed")))
    refund = PaymentRefunded(
        order_id=new.id,
        payment_id=uuid.uuid4(),
        customer_id=new.customer_id,
        refund_id=uuid.uuid4(),
        amount=partly,
        total_refunded=partly,
    )
    await hear(database, refund)
    after = await stored(database, new.id)
    assert (after.status, after.payment, after.refunded) == (Status.CONFIRMED, Payment.COMPLETED, 300)
