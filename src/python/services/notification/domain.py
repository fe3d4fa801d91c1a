"""What customers are told, and what of it is mailed as well. Pure: no I/O, no clock of its own."""

from __future__ import annotations

import datetime as dt
import unicodedata
import uuid
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from contracts.events.notification import OrderCancelledNotice, OrderConfirmedNotice, WelcomeNotice
from contracts.events.payment import PaymentCompleted, PaymentFailed
from contracts.events.user import UserRegistered, UserUpdated
from contracts.money import Money

Told = WelcomeNotice | OrderConfirmedNotice | OrderCancelledNotice | PaymentCompleted | PaymentFailed

_LONGEST_LINE = 500


class Category(StrEnum):
    """What a notification is about, as far as somebody may want no mails of it."""

    ORDERS = "orders"
    PAYMENTS = "payments"
    ACCOUNT = "account"


class Kind(StrEnum):
    """What is told."""

    WELCOME = "WELCOME"
    EMAIL_CHANGED = "EMAIL_CHANGED"
    ORDER_CONFIRMED = "ORDER_CONFIRMED"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    PAYMENT_COMPLETED = "PAYMENT_COMPLETED"
    PAYMENT_FAILED = "PAYMENT_FAILED"


_CATEGORIES = {
    Kind.WELCOME: Category.ACCOUNT,
    Kind.EMAIL_CHANGED: Category.ACCOUNT,
    Kind.ORDER_CONFIRMED: Category.ORDERS,
    Kind.ORDER_CANCELLED: Category.ORDERS,
    Kind.PAYMENT_COMPLETED: Category.PAYMENTS,
    Kind.PAYMENT_FAILED: Category.PAYMENTS,
}


@dataclass(frozen=True)
class Notification:
    """Something a customer is told.

    `reason` is a `CancelReason` of an order that was cancelled, and for people where a payment failed.
    `mail_to` is where its mail goes; without it, to the address that the customer has by then.
    """

    id: uuid.UUID
    customer_id: uuid.UUID
    kind: Kind
    created_at: dt.datetime
    order_id: uuid.UUID | None = None
    amount: Money | None = None
    reason: str | None = None
    mail_to: str | None = None
    read_at: dt.datetime | None = None

    @property
    def category(self) -> Category:
        """What it is about."""
        return _CATEGORIES[self.kind]


@dataclass(frozen=True)
class Recipient:
    """Whom mails go to. `revision` grows with each change, so that late news is known."""

    customer_id: uuid.UUID
    email: str
    display_name: str
    revision: int


@dataclass(frozen=True)
class Preferences:
    """Which categories are mailed. What is about the account always is: it is there to protect it."""

    orders: bool = True
    payments: bool = True

    def want(self, category: Category) -> bool:
        """Whether mails of `category` are wanted."""
        return {Category.ORDERS: self.orders, Category.PAYMENTS: self.payments}.get(category, True)


@dataclass(frozen=True)
class Letter:
    """All that decides on a mail and what it says."""

    notification: Notification
    recipient: Recipient
    preferences: Preferences

    @property
    def address(self) -> str:
        """Where the mail goes."""
        return self.notification.mail_to or self.recipient.email


def tell(event: Told, notification_id: uuid.UUID, now: dt.datetime) -> Notification:
    """What `event` tells its customer."""
    new = partial(Notification, notification_id, event.customer_id, created_at=now)
    match event:
        case WelcomeNotice():
            return new(Kind.WELCOME)
        case OrderConfirmedNotice():
            return new(Kind.ORDER_CONFIRMED, order_id=event.order_id, amount=event.total)
        case OrderCancelledNotice():
            return new(Kind.ORDER_CANCELLED, order_id=event.order_id, amount=event.total, reason=event.reason)
        case PaymentCompleted():
            return new(Kind.PAYMENT_COMPLETED, order_id=event.order_id, amount=event.amount)
        case PaymentFailed():
            why = one_line(event.detail)
            return new(Kind.PAYMENT_FAILED, order_id=event.order_id, amount=event.amount, reason=why)


def recipient_of(event: UserRegistered | UserUpdated) -> Recipient:
    """Whom `event` tells of."""
    return Recipient(event.user_id, event.email, one_line(event.display_name), event.revision)


def moved(
    before: Recipient, after: Recipient, notification_id: uuid.UUID, now: dt.datetime
) -> Notification | None:
    """What to tell of a change of address: at the old one, whose owner may not have asked for it."""
    if before.email == after.email:
        return None
    return Notification(notification_id, after.customer_id, Kind.EMAIL_CHANGED, now, mail_to=before.email)


def is_mailed(letter: Letter) -> bool:
    """Whether the letter is to be sent."""
    notification, preferences = letter.notification, letter.preferences
    if notification.kind is Kind.ORDER_CANCELLED and notification.reason == "payment_failed":
        # The mail on the payment tells both, and why; whoever wants none of those gets this one.
        return preferences.orders and not preferences.payments
    return preferences.want(notification.category)


def one_line(text: str) -> str:
    """`text` as it can stand in one line of a mail or a log: without control characters, and not too long."""
    visible = "".join(" " if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} else c for c in text)
    return " ".join(visible.split())[:_LONGEST_LINE]
