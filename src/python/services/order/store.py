"""The order service's tables, and the queries over them. An order is one row."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import metadata
from chassis.idempotency import idempotency_table
from chassis.inbox import inbox_table
from chassis.outbox import outbox_table
from contracts.events.order import Address, OrderLine
from contracts.money import Money
from services.order.domain import Order, Payment, Status, Step, Stock

METADATA = metadata()
OUTBOX = outbox_table(METADATA)
INBOX = inbox_table(METADATA)
IDEMPOTENCY = idempotency_table(METADATA)

ORDERS = sa.Table(
    "orders",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("customer_id", sa.Uuid, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("stock", sa.Text, nullable=False),
    sa.Column("payment", sa.Text, nullable=False),
    sa.Column("cancel_reason", sa.Text),
    sa.Column("lines", JSONB, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("refunded", sa.BigInteger, nullable=False),
    sa.Column("payment_method_id", sa.Uuid, nullable=False),
    sa.Column("shipping_address", JSONB, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("timeline", JSONB, nullable=False),
    sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("status IN ('PENDING', 'CONFIRMED', 'CANCELLED')", name="status"),
    sa.CheckConstraint("(status = 'CANCELLED') = (cancel_reason IS NOT NULL)", name="cancel_reason"),
    sa.CheckConstraint("refunded BETWEEN 0 AND total", name="refunded"),
    # Ids are UUIDv7: their order is that of placing.
    sa.Index("ix_orders_customer_id_id", "customer_id", "id"),
    sa.Index("ix_orders_expires_at", "expires_at", postgresql_where=sa.text("status = 'PENDING'")),
)

_LINES = TypeAdapter(tuple[OrderLine, ...])
_TIMELINE = TypeAdapter(tuple[Step, ...])


class OrderUnknown(Exception):
    """There is no such order."""


async def insert(tx: AsyncConnection, order: Order) -> None:
    """Store a new order."""
    await tx.execute(ORDERS.insert().values(**_row(order)))


async def save(tx: AsyncConnection, order: Order) -> None:
    """Store an order that was read with `locked`."""
    changed = {
        "status": order.status.value,
        "stock": order.stock.value,
        "payment": order.payment.value,
        "cancel_reason": order.cancel_reason,
        "refunded": order.refunded,
        "shipping_address": order.shipping_address.model_dump(mode="json"),
        "revision": order.revision,
        "timeline": _TIMELINE.dump_python(order.timeline, mode="json"),
    }
    await tx.execute(
        ORDERS.update().where(ORDERS.c.id == sa.bindparam("order_id")), {"order_id": order.id} | changed
    )


async def locked(tx: AsyncConnection, order_id: uuid.UUID) -> Order:
    """The order, held against changes by others until the transaction ends. Raises OrderUnknown."""
    return _order((await tx.execute(_BY_ID.with_for_update(), {"order_id": order_id})).one_or_none())


async def find(connection: AsyncConnection, order_id: uuid.UUID) -> Order:
    """The order as it stands. Raises OrderUnknown."""
    return _order((await connection.execute(_BY_ID, {"order_id": order_id})).one_or_none())


async def of_customer(
    connection: AsyncConnection,
    customer_id: uuid.UUID,
    *,
    status: Status | None,
    before: uuid.UUID | None,
    limit: int,
) -> list[Order]:
    """A customer's orders, newest first, those placed before the order `before`."""
    query = sa.select(ORDERS).where(ORDERS.c.customer_id == customer_id)
    if status is not None:
        query = query.where(ORDERS.c.status == status.value)
    if before is not None:
        query = query.where(ORDERS.c.id < before)
    rows = await connection.execute(query.order_by(ORDERS.c.id.desc()).limit(limit))
    return [_order(row) for row in rows]


async def overdue(tx: AsyncConnection, now: dt.datetime, limit: int) -> Sequence[Order]:
    """Pending orders past their deadline, locked; those that another holds are left to it."""
    query = (
        sa.select(ORDERS)
        .where(ORDERS.c.status == "PENDING", ORDERS.c.expires_at <= now)
        .order_by(ORDERS.c.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_order(row) for row in await tx.execute(query)]


_BY_ID = sa.select(ORDERS).where(ORDERS.c.id == sa.bindparam("order_id"))


def _order(row: sa.Row[Any] | None) -> Order:
    if row is None:
        raise OrderUnknown
    return Order(
        id=row.id,
        customer_id=row.customer_id,
        lines=_LINES.validate_python(row.lines),
        total=Money(amount=row.total, currency=row.currency),
        payment_method_id=row.payment_method_id,
        shipping_address=Address.model_validate(row.shipping_address),
        placed_at=row.placed_at,
        expires_at=row.expires_at,
        status=Status(row.status),
        stock=Stock(row.stock),
        payment=Payment(row.payment),
        cancel_reason=row.cancel_reason,
        refunded=row.refunded,
        revision=row.revision,
        timeline=_TIMELINE.validate_python(row.timeline),
    )


def _row(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "customer_id": order.customer_id,
        "status": order.status.value,
        "stock": order.stock.value,
        "payment": order.payment.value,
        "cancel_reason": order.cancel_reason,
        "lines": _LINES.dump_python(order.lines, mode="json"),
        "total": order.total.amount,
        "currency": order.total.currency,
        "refunded": order.refunded,
        "payment_method_id": order.payment_method_id,
        "shipping_address": order.shipping_address.model_dump(mode="json"),
        "revision": order.revision,
        "timeline": _TIMELINE.dump_python(order.timeline, mode="json"),
        "placed_at": order.placed_at,
        "expires_at": order.expires_at,
    }
