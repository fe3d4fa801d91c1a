"""What an order is, and what each piece of news makes of it. Pure: no I/O, no clock of its own.

PENDING ── stock reserved and payment authorized ──> CONFIRMED
   │                                                     │
   └── rejected, declined, cancelled, out of time ──> CANCELLED <── cancelled, capture failed
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from contracts.events.envelope import Event
from contracts.events.notification import OrderCancelledNotice, OrderConfirmedNotice
from contracts.events.order import (
    Address,
    CancelReason,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderLine,
    OrderUpdated,
)
from contracts.money import MAX_SAFE_INTEGER, Money


class Status(StrEnum):
    """Where an order stands. It ends CONFIRMED or CANCELLED."""

    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"


class Stock(StrEnum):
    """What the product service said of the order's lines."""

    WAITING = "WAITING"
    RESERVED = "RESERVED"
    REJECTED = "REJECTED"


class Payment(StrEnum):
    """What the payment service said of the order's amount."""

    WAITING = "WAITING"
    AUTHORIZED = "AUTHORIZED"
    FAILED = "FAILED"
    COMPLETED = "COMPLETED"
    VOIDED = "VOIDED"
    REFUNDED = "REFUNDED"


class OrderError(Exception):
    """The order does not allow what was asked; the message says why."""


class AlreadyCancelled(OrderError):
    """A cancelled order is past changing."""


class MixedCurrencies(OrderError):
    """The lines of one order have prices in more than one currency."""


class TotalTooLarge(OrderError):
    """The sum of the lines is more than an amount can be."""


@dataclass(frozen=True)
class Step:
    """Something that happened to an order."""

    at: dt.datetime
    what: str
    detail: str = ""
    trace_id: str | None = None


@dataclass(frozen=True)
class Order:
    """An order as it stands. `revision` counts changes of address; `refunded` is in minor units."""

    id: uuid.UUID
    customer_id: uuid.UUID
    lines: tuple[OrderLine, ...]
    total: Money
    payment_method_id: uuid.UUID
    shipping_address: Address
    placed_at: dt.datetime
    expires_at: dt.datetime
    status: Status = Status.PENDING
    stock: Stock = Stock.WAITING
    payment: Payment = Payment.WAITING
    cancel_reason: CancelReason | None = None
    refunded: int = 0
    revision: int = 0
    timeline: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Moment:
    """When a piece of news arrived, and in which trace."""

    at: dt.datetime
    trace_id: str | None = None


@dataclass(frozen=True)
class Outcome:
    """An order after some news, and the events that tell of it."""

    order: Order
    events: tuple[Event, ...] = ()


def total_of(lines: Sequence[OrderLine]) -> Money:
    """What `lines` cost together. Raises MixedCurrencies or TotalTooLarge."""
    currencies = {line.unit_price.currency for line in lines}
    if len(currencies) != 1:
        raise MixedCurrencies(
            f"The products have prices in {', '.join(sorted(currencies))}: order them apart."
        )
    amount = sum(line.quantity * line.unit_price.amount for line in lines)
    if amount > MAX_SAFE_INTEGER:
        raise TotalTooLarge("The order's total is too large: order fewer.")
    return Money(amount=amount, currency=currencies.pop())


def place(order: Order, now: Moment) -> Outcome:
    """A new order: the others are asked for stock and money."""
    placed = _noted(order, now, "ORDER_CREATED", f"{len(order.lines)} line(s)")
    event = OrderCreated(
        order_id=order.id,
        customer_id=order.customer_id,
        lines=order.lines,
        total=order.total,
        payment_method_id=order.payment_method_id,
        shipping_address=order.shipping_address,
        expires_at=order.expires_at,
    )
    return Outcome(placed, (event,))


def stock_reserved(order: Order, now: Moment) -> Outcome:
    """The lines are held for the order."""
    noted = _noted(order, now, "STOCK_RESERVED")
    if order.status is not Status.PENDING:
        return Outcome(noted)  # the product service lets go of it when it hears of the cancellation
    return _confirmed_if_complete(replace(noted, stock=Stock.RESERVED), now)


def stock_rejected(order: Order, now: Moment, detail: str) -> Outcome:
    """Some line is not there in the quantity asked for."""
    noted = replace(_noted(order, now, "STOCK_REJECTED", detail), stock=Stock.REJECTED)
    return _cancelled(noted, now, "out_of_stock") if order.status is Status.PENDING else Outcome(noted)


def payment_authorized(order: Order, now: Moment) -> Outcome:
    """The amount is held on the customer's card."""
    noted = _noted(order, now, "PAYMENT_AUTHORIZED", _money(order.total))
    if order.status is not Status.PENDING:
        return Outcome(noted)  # the payment service lets go of it when it hears of the cancellation
    return _confirmed_if_complete(replace(noted, payment=Payment.AUTHORIZED), now)


def payment_failed(order: Order, now: Moment, detail: str) -> Outcome:
    """The provider refused to authorise or, later, to capture."""
    noted = replace(_noted(order, now, "PAYMENT_FAILED", detail), payment=Payment.FAILED)
    if order.status is Status.CANCELLED:
        return Outcome(noted)
    return _cancelled(noted, now, "payment_failed")


def payment_completed(order: Order, now: Moment, amount: Money) -> Outcome:
    """The amount was captured."""
    noted = _noted(order, now, "PAYMENT_COMPLETED", _money(amount))
    late = order.payment is Payment.REFUNDED
    return Outcome(noted if late else replace(noted, payment=Payment.COMPLETED))


def payment_voided(order: Order, now: Moment) -> Outcome:
    """The hold on the card was let go."""
    return Outcome(replace(_noted(order, now, "PAYMENT_VOIDED"), payment=Payment.VOIDED))


def payment_refunded(order: Order, now: Moment, amount: Money, total_refunded: Money) -> Outcome:
    """Money went back; the totals of late news are smaller than the one known."""
    noted = _noted(order, now, "PAYMENT_REFUNDED", _money(amount))
    refunded = max(order.refunded, total_refunded.amount)
    whole = refunded == order.total.amount
    return Outcome(replace(noted, refunded=refunded, payment=Payment.REFUNDED if whole else order.payment))


def cancel(order: Order, now: Moment) -> Outcome:
    """The customer wants it no more: what was held or taken goes back. Twice is as once."""
    return Outcome(order) if order.status is Status.CANCELLED else _cancelled(order, now, "requested")


def expire(order: Order, now: Moment) -> Outcome:
    """No answer came in time. An order that is not pending, or not yet due, stays as it is."""
    if order.status is not Status.PENDING or now.at < order.expires_at:
        return Outcome(order)
    return _cancelled(order, now, "deadline_passed")


def change_address(order: Order, now: Moment, address: Address) -> Outcome:
    """The order goes elsewhere. Raises AlreadyCancelled."""
    if order.status is Status.CANCELLED:
        raise AlreadyCancelled("The order is cancelled: it goes nowhere.")
    if address == order.shipping_address:
        return Outcome(order)
    revision = order.revision + 1
    changed = replace(order, shipping_address=address, revision=revision)
    event = OrderUpdated(
        order_id=order.id, customer_id=order.customer_id, shipping_address=address, revision=revision
    )
    return Outcome(_noted(changed, now, "ORDER_UPDATED", f"to {address.city}"), (event,))


def _confirmed_if_complete(order: Order, now: Moment) -> Outcome:
    if order.stock is not Stock.RESERVED or order.payment is not Payment.AUTHORIZED:
        return Outcome(order)
    confirmed = replace(_noted(order, now, "ORDER_CONFIRMED"), status=Status.CONFIRMED)
    about = {"order_id": order.id, "customer_id": order.customer_id, "total": order.total}
    return Outcome(
        confirmed,
        (OrderConfirmed.model_validate(about), OrderConfirmedNotice.model_validate(about)),
    )


def _cancelled(order: Order, now: Moment, reason: CancelReason) -> Outcome:
    noted = _noted(order, now, "ORDER_CANCELLED", reason.replace("_", " "))
    cancelled = replace(noted, status=Status.CANCELLED, cancel_reason=reason)
    about = {"order_id": order.id, "customer_id": order.customer_id, "reason": reason}
    return Outcome(
        cancelled,
        (
            OrderCancelled.model_validate(about),
            OrderCancelledNotice.model_validate(about | {"total": order.total}),
        ),
    )


def _noted(order: Order, now: Moment, what: str, detail: str = "") -> Order:
    return replace(order, timeline=(*order.timeline, Step(now.at, what, detail, now.trace_id)))


def _money(money: Money) -> str:
    return f"{money.amount} {money.currency} (minor units)"
