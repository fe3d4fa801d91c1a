"""The payment service's tables, and the queries over them. An order has one payment, which is one row."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import metadata
from chassis.idempotency import idempotency_table
from chassis.inbox import inbox_table
from chassis.jobs import job_table
from chassis.outbox import outbox_table
from contracts.events.order import Address
from contracts.money import Money
from services.payment.domain import Failure, Method, Payment, Refund, Status

METADATA = metadata()
OUTBOX = outbox_table(METADATA)
INBOX = inbox_table(METADATA)
IDEMPOTENCY = idempotency_table(METADATA)
PROVIDER_CALLS = job_table("provider_call", METADATA)

PAYMENTS = sa.Table(
    "payments",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("order_id", sa.Uuid, nullable=False, unique=True),
    sa.Column("customer_id", sa.Uuid, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("payment_method_id", sa.Uuid),
    sa.Column("intent_id", sa.Text, unique=True),
    sa.Column("cancel_wanted", sa.Boolean, nullable=False),
    sa.Column("failure_stage", sa.Text),
    sa.Column("failure_code", sa.Text),
    sa.Column("failure_detail", sa.Text),
    sa.Column("refunded", sa.BigInteger, nullable=False),
    sa.Column("refunds", JSONB, nullable=False),
    sa.Column("shipping_address", JSONB(none_as_null=True)),
    sa.Column("address_revision", sa.Integer, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("(status = 'FAILED') = (failure_code IS NOT NULL)", name="failure"),
    sa.CheckConstraint("refunded BETWEEN 0 AND amount", name="refunded"),
    # Ids are UUIDv7: their order is that of making.
    sa.Index("ix_payments_customer_id_id", "customer_id", "id"),
)

CUSTOMERS = sa.Table(
    "customers",
    METADATA,
    sa.Column("customer_id", sa.Uuid, primary_key=True),
    sa.Column("provider_id", sa.Text, nullable=False),
)

METHODS = sa.Table(
    "methods",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("customer_id", sa.Uuid, nullable=False),
    sa.Column("provider_id", sa.Text, nullable=False, unique=True),
    sa.Column("brand", sa.Text, nullable=False),
    sa.Column("last4", sa.Text, nullable=False),
    sa.Column("exp_month", sa.SmallInteger, nullable=False),
    sa.Column("exp_year", sa.SmallInteger, nullable=False),
    sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
    sa.Index("ix_methods_customer_id_id", "customer_id", "id"),
)

_REFUNDS = TypeAdapter(tuple[Refund, ...])


class PaymentUnknown(Exception):
    """There is no such payment."""


class MethodUnknown(Exception):
    """The customer has no such payment method."""


@dataclass(frozen=True)
class SavedMethod:
    """A customer's card, as far as it may be shown; `provider_id` is the provider's id of it."""

    id: uuid.UUID
    customer_id: uuid.UUID
    provider_id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    added_at: dt.datetime


async def insert(tx: AsyncConnection, payment: Payment) -> bool:
    """Store a new payment; False, and nothing stored, where its order has one already."""
    return (await tx.execute(_INSERT, _row(payment))).rowcount == 1


async def save(tx: AsyncConnection, payment: Payment) -> None:
    """Store a payment that was read with one of the `locked` functions, all but its address."""
    row = _row(payment)
    await tx.execute(_SAVE, {"payment_id": payment.id} | {name: row[name] for name in _CHANGING})


async def save_address(tx: AsyncConnection, order_id: uuid.UUID, address: Address, revision: int) -> None:
    """Store where the order goes, unless what is known is as new."""
    values = {"shipping_address": address.model_dump(mode="json"), "address_revision": revision}
    t = PAYMENTS.c
    await tx.execute(
        PAYMENTS.update().where(t.order_id == order_id, t.address_revision < revision).values(values)
    )


async def locked(tx: AsyncConnection, payment_id: uuid.UUID) -> Payment:
    """The payment, held against changes by others until the transaction ends. Raises PaymentUnknown."""
    return _payment((await tx.execute(_BY_ID_LOCKED, {"payment_id": payment_id})).one_or_none())


async def locked_of_order(tx: AsyncConnection, order_id: uuid.UUID) -> Payment:
    """The order's payment, held as `locked` does. Raises PaymentUnknown."""
    return _payment((await tx.execute(_BY_ORDER_LOCKED, {"order_id": order_id})).one_or_none())


async def find(connection: AsyncConnection, payment_id: uuid.UUID) -> Payment:
    """The payment as it stands. Raises PaymentUnknown."""
    return _payment((await connection.execute(_BY_ID, {"payment_id": payment_id})).one_or_none())


async def find_all(connection: AsyncConnection, payment_ids: Sequence[uuid.UUID]) -> list[Payment]:
    """The payments with these ids, as they stand and in no order."""
    rows = await connection.execute(_BY_IDS, {"payment_ids": list(payment_ids)})
    return [_payment(row) for row in rows]


async def find_of_intent(connection: AsyncConnection, intent_id: str) -> Payment:
    """The payment with the provider's id `intent_id`, as it stands. Raises PaymentUnknown."""
    return _payment((await connection.execute(_BY_INTENT, {"intent_id": intent_id})).one_or_none())


async def find_of_order(connection: AsyncConnection, order_id: uuid.UUID) -> Payment:
    """The order's payment as it stands. Raises PaymentUnknown."""
    return _payment((await connection.execute(_BY_ORDER, {"order_id": order_id})).one_or_none())


async def of_customer(
    connection: AsyncConnection, customer_id: uuid.UUID, *, before: uuid.UUID | None, limit: int
) -> list[Payment]:
    """A customer's payments, newest first, those made before the payment `before`."""
    query = sa.select(PAYMENTS).where(PAYMENTS.c.customer_id == customer_id)
    if before is not None:
        query = query.where(PAYMENTS.c.id < before)
    rows = await connection.execute(query.order_by(PAYMENTS.c.id.desc()).limit(limit))
    return [_payment(row) for row in rows]


async def method(tx: AsyncConnection, customer_id: uuid.UUID, method_id: uuid.UUID) -> Method | None:
    """The customer's card by the provider's ids, or None where the customer has no such one."""
    row = (await tx.execute(_METHOD, {"method_id": method_id, "of_customer": customer_id})).one_or_none()
    return None if row is None else Method(*row)


async def methods_of(connection: AsyncConnection, customer_id: uuid.UUID, *, limit: int) -> list[SavedMethod]:
    """A customer's payment methods, newest first."""
    t = METHODS.c
    query = sa.select(METHODS).where(t.customer_id == customer_id).order_by(t.id.desc()).limit(limit)
    return [SavedMethod(*row) for row in await connection.execute(query)]


async def add_method(tx: AsyncConnection, added: SavedMethod) -> SavedMethod:
    """Store a card, or find it where the customer has it already. Raises MethodUnknown if another has it."""
    values = vars(added)
    fresh = {name: values[name] for name in ("brand", "last4", "exp_month", "exp_year")}
    statement = (
        upsert(METHODS)
        .values(values)
        .on_conflict_do_update(
            index_elements=[METHODS.c.provider_id],
            set_=fresh,
            where=METHODS.c.customer_id == added.customer_id,
        )
        .returning(*METHODS.c)
    )
    row = (await tx.execute(statement)).one_or_none()
    if row is None:
        raise MethodUnknown
    return SavedMethod(*row)


async def remove_method(tx: AsyncConnection, customer_id: uuid.UUID, method_id: uuid.UUID) -> str:
    """Take a card away and return the provider's id of it. Raises MethodUnknown."""
    t = METHODS.c
    statement = METHODS.delete().where(t.id == method_id, t.customer_id == customer_id)
    provider_id: str | None = await tx.scalar(statement.returning(t.provider_id))
    if provider_id is None:
        raise MethodUnknown
    return provider_id


async def provider_customer(connection: AsyncConnection, customer_id: uuid.UUID) -> str | None:
    """The provider's id of a customer, or None where the provider does not know them yet."""
    found: str | None = await connection.scalar(
        sa.select(CUSTOMERS.c.provider_id).where(CUSTOMERS.c.customer_id == customer_id)
    )
    return found


async def add_provider_customer(tx: AsyncConnection, customer_id: uuid.UUID, provider_id: str) -> str:
    """Store the provider's id of a customer and return it, or the one that was stored before."""
    statement = upsert(CUSTOMERS).values(customer_id=customer_id, provider_id=provider_id)
    kept = {"provider_id": CUSTOMERS.c.provider_id}
    stored: str | None = await tx.scalar(
        statement.on_conflict_do_update(index_elements=[CUSTOMERS.c.customer_id], set_=kept).returning(
            CUSTOMERS.c.provider_id
        )
    )
    assert stored is not None
    return stored


_CHANGING = (
    "status",
    "amount",
    "currency",
    "payment_method_id",
    "intent_id",
    "cancel_wanted",
    "failure_stage",
    "failure_code",
    "failure_detail",
    "refunded",
    "refunds",
)
_INSERT = upsert(PAYMENTS).on_conflict_do_nothing(index_elements=[PAYMENTS.c.order_id])
_SAVE = (
    PAYMENTS.update()
    .where(PAYMENTS.c.id == sa.bindparam("payment_id"))
    .values({name: sa.bindparam(name) for name in _CHANGING})
)
_BY_ID = sa.select(PAYMENTS).where(PAYMENTS.c.id == sa.bindparam("payment_id"))
_BY_IDS = sa.select(PAYMENTS).where(
    PAYMENTS.c.id == sa.func.any(sa.bindparam("payment_ids", type_=ARRAY(sa.Uuid)))
)
_BY_ORDER = sa.select(PAYMENTS).where(PAYMENTS.c.order_id == sa.bindparam("order_id"))
_BY_ID_LOCKED = _BY_ID.with_for_update()
_BY_ORDER_LOCKED = _BY_ORDER.with_for_update()
_BY_INTENT = sa.select(PAYMENTS).where(PAYMENTS.c.intent_id == sa.bindparam("intent_id"))
_METHOD = (
    sa.select(CUSTOMERS.c.provider_id, METHODS.c.provider_id)
    .join_from(METHODS, CUSTOMERS, METHODS.c.customer_id == CUSTOMERS.c.customer_id)
    .where(METHODS.c.id == sa.bindparam("method_id"), METHODS.c.customer_id == sa.bindparam("of_customer"))
)


def _payment(row: sa.Row[Any] | None) -> Payment:
    if row is None:
        raise PaymentUnknown
    failure = None
    if row.failure_code is not None:
        failure = Failure(row.failure_stage, row.failure_code, row.failure_detail)
    address = None if row.shipping_address is None else Address.model_validate(row.shipping_address)
    return Payment(
        id=row.id,
        order_id=row.order_id,
        customer_id=row.customer_id,
        amount=Money(amount=row.amount, currency=row.currency),
        created_at=row.created_at,
        payment_method_id=row.payment_method_id,
        status=Status(row.status),
        intent_id=row.intent_id,
        cancel_wanted=row.cancel_wanted,
        failure=failure,
        refunds=_REFUNDS.validate_python(row.refunds) if row.refunds else (),
        shipping_address=address,
        address_revision=row.address_revision,
    )


def _row(payment: Payment) -> dict[str, Any]:
    failure, address = payment.failure, payment.shipping_address
    return {
        "id": payment.id,
        "order_id": payment.order_id,
        "customer_id": payment.customer_id,
        "status": payment.status.value,
        "amount": payment.amount.amount,
        "currency": payment.amount.currency,
        "payment_method_id": payment.payment_method_id,
        "intent_id": payment.intent_id,
        "cancel_wanted": payment.cancel_wanted,
        "failure_stage": failure.stage if failure else None,
        "failure_code": failure.code if failure else None,
        "failure_detail": failure.detail if failure else None,
        "refunded": payment.refunded,
        "refunds": _REFUNDS.dump_python(payment.refunds, mode="json"),
        "shipping_address": address.model_dump(mode="json") if address else None,
        "address_revision": payment.address_revision,
        "created_at": payment.created_at,
    }
