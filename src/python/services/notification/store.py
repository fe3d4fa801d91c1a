"""The notification service's tables, and the queries over them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import metadata
from chassis.idempotency import idempotency_table
from chassis.inbox import inbox_table
from chassis.jobs import job_table
from contracts.money import Money
from services.notification.domain import Kind, Letter, Notification, Preferences, Recipient

METADATA = metadata()
INBOX = inbox_table(METADATA)
# Made with the inbox; every write of this service is safe to repeat as it is.
IDEMPOTENCY = idempotency_table(METADATA)
MAILS = job_table("mail", METADATA)

NOTIFICATIONS = sa.Table(
    "notifications",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("customer_id", sa.Uuid, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("order_id", sa.Uuid),
    sa.Column("amount", sa.BigInteger),
    sa.Column("currency", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("mail_to", sa.Text),
    sa.Column("read_at", sa.DateTime(timezone=True)),
    sa.CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="amount"),
    # Ids are UUIDv7: their order is that of telling.
    sa.Index("ix_notifications_customer_id_id", "customer_id", "id"),
    sa.Index("ix_notifications_unread", "customer_id", "id", postgresql_where=sa.text("read_at IS NULL")),
)

# What the user service tells of people, as far as mails need it.
RECIPIENTS = sa.Table(
    "recipients",
    METADATA,
    sa.Column("customer_id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
)

# Of those who have said something; the others get every mail.
PREFERENCES = sa.Table(
    "preferences",
    METADATA,
    sa.Column("customer_id", sa.Uuid, primary_key=True),
    sa.Column("orders", sa.Boolean, nullable=False),
    sa.Column("payments", sa.Boolean, nullable=False),
)


class NotificationUnknown(Exception):
    """There is no such notification."""


async def insert(tx: AsyncConnection, notification: Notification) -> None:
    """Store a new notification."""
    await tx.execute(NOTIFICATIONS.insert().values(**_row(notification)))


async def find(connection: AsyncConnection, notification_id: uuid.UUID) -> Notification:
    """The notification. Raises NotificationUnknown."""
    query = sa.select(NOTIFICATIONS).where(NOTIFICATIONS.c.id == notification_id)
    return _notification((await connection.execute(query)).one_or_none())


async def of_customer(
    connection: AsyncConnection,
    customer_id: uuid.UUID,
    *,
    read: bool | None,
    before: uuid.UUID | None,
    limit: int,
) -> list[Notification]:
    """A customer's notifications, newest first, those older than the notification `before`."""
    t = NOTIFICATIONS.c
    query = sa.select(NOTIFICATIONS).where(t.customer_id == customer_id)
    if read is not None:
        query = query.where(t.read_at.is_not(None) if read else t.read_at.is_(None))
    if before is not None:
        query = query.where(t.id < before)
    rows = await connection.execute(query.order_by(t.id.desc()).limit(limit))
    return [_notification(row) for row in rows]


async def mark_read(
    tx: AsyncConnection, customer_id: uuid.UUID, notification_id: uuid.UUID, now: dt.datetime
) -> Notification:
    """Note when the customer's notification was read first. Raises NotificationUnknown."""
    t = NOTIFICATIONS.c
    statement = (
        NOTIFICATIONS.update()
        .where(t.id == notification_id, t.customer_id == customer_id)
        .values(read_at=sa.func.coalesce(t.read_at, now))
        .returning(*t)
    )
    return _notification((await tx.execute(statement)).one_or_none())


async def preferences(connection: AsyncConnection, customer_id: uuid.UUID) -> Preferences:
    """Which mails a customer wants."""
    t = PREFERENCES.c
    query = sa.select(t.orders, t.payments).where(t.customer_id == customer_id)
    row = (await connection.execute(query)).one_or_none()
    return Preferences() if row is None else Preferences(*row)


async def save_preferences(tx: AsyncConnection, customer_id: uuid.UUID, wanted: Preferences) -> None:
    """Store which mails a customer wants from now on."""
    values = {"orders": wanted.orders, "payments": wanted.payments}
    statement = upsert(PREFERENCES).values(customer_id=customer_id, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=[PREFERENCES.c.customer_id], set_=values))


async def recipient(connection: AsyncConnection, customer_id: uuid.UUID) -> Recipient | None:
    """Whom the customer's mails go to, or None where nobody has told yet."""
    query = sa.select(RECIPIENTS).where(RECIPIENTS.c.customer_id == customer_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Recipient(*row)


async def save_recipient(tx: AsyncConnection, known: Recipient) -> None:
    """Store whom a customer's mails go to; see `hold_recipient`."""
    values = {"email": known.email, "display_name": known.display_name, "revision": known.revision}
    statement = upsert(RECIPIENTS).values(customer_id=known.customer_id, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=[RECIPIENTS.c.customer_id], set_=values))


async def hold_recipient(tx: AsyncConnection, customer_id: uuid.UUID) -> None:
    """Keep others from holding what is known of a customer, or that nothing is, until `tx` ends."""
    key = sa.func.hashtextextended(str(customer_id), 0)
    await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


async def waiting(connection: AsyncConnection, customer_id: uuid.UUID) -> list[Notification]:
    """All that a customer was told, oldest first: what waits, until an address is known."""
    t = NOTIFICATIONS.c
    query = sa.select(NOTIFICATIONS).where(t.customer_id == customer_id).order_by(t.id)
    return [_notification(row) for row in await connection.execute(query)]


async def letters(
    connection: AsyncConnection, notification_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, Letter]:
    """What the mails on these notifications need, by the notifications' ids."""
    n, r, p = NOTIFICATIONS, RECIPIENTS, PREFERENCES
    query = (
        sa.select(*n.c, r.c.email, r.c.display_name, r.c.revision, p.c.orders, p.c.payments)
        .join_from(n, r, n.c.customer_id == r.c.customer_id)
        .outerjoin(p, n.c.customer_id == p.c.customer_id)
        .where(n.c.id.in_(notification_ids))
    )
    return {row.id: _letter(row) for row in await connection.execute(query)}


def _letter(row: sa.Row[*tuple[Any, ...]]) -> Letter:
    known = Recipient(row.customer_id, row.email, row.display_name, row.revision)
    wanted = Preferences() if row.orders is None else Preferences(row.orders, row.payments)
    return Letter(_notification(row), known, wanted)


def _notification(row: sa.Row[*tuple[Any, ...]] | None) -> Notification:
    if row is None:
        raise NotificationUnknown
    return Notification(
        id=row.id,
        customer_id=row.customer_id,
        kind=Kind(row.kind),
        created_at=row.created_at,
        order_id=row.order_id,
        amount=None if row.amount is None else Money(amount=row.amount, currency=row.currency),
        reason=row.reason,
        mail_to=row.mail_to,
        read_at=row.read_at,
    )


def _row(notification: Notification) -> dict[str, Any]:
    amount = notification.amount
    return {
        "id": notification.id,
        "customer_id": notification.customer_id,
        "kind": notification.kind.value,
        "created_at": notification.created_at,
        "order_id": notification.order_id,
        "amount": None if amount is None else amount.amount,
        "currency": None if amount is None else amount.currency,
        "reason": notification.reason,
        "mail_to": notification.mail_to,
        "read_at": notification.read_at,
    }
