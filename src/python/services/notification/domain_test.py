from __future__ import annotations

import uuid

import pytest

from chassis.clock import new_id, utc_now
from contracts.events.notification import OrderCancelledNotice, OrderConfirmedNotice, WelcomeNotice
from contracts.events.payment import PaymentCompleted, PaymentFailed
from contracts.events.user import UserRegistered
from contracts.money import Money
from services.notification import domain
from services.notification.conftest import letter, notification
from services.notification.domain import Category, Kind, Notification, Preferences, Recipient, Told

CUSTOMER, ORDER, PAYMENT, ID = (uuid.UUID(int=n) for n in range(1, 5))
TEN = Money(amount=1000, currency="EUR")
NOW = utc_now()


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (WelcomeNotice(customer_id=CUSTOMER), Notification(ID, CUSTOMER, Kind.WELCOME, NOW)),
        (
            OrderConfirmedNotice(customer_id=CUSTOMER, order_id=ORDER, total=TEN),
            Notification(ID, CUSTOMER, Kind.ORDER_CONFIRMED, NOW, ORDER, TEN),
        ),
        (
            OrderCancelledNotice(customer_id=CUSTOMER, order_id=ORDER, total=TEN, reason="requested"),
            Notification(ID, CUSTOMER, Kind.ORDER_CANCELLED, NOW, ORDER, TEN, "requested"),
        ),
        (
            PaymentCompleted(customer_id=CUSTOMER, order_id=ORDER, payment_id=PAYMENT, amount=TEN),
            Notification(ID, CUSTOMER, Kind.PAYMENT_COMPLETED, NOW, ORDER, TEN),
        ),
        (
            PaymentFailed(
                customer_id=CUSTOMER,
                order_id=ORDER,
                payment_id=PAYMENT,
                amount=TEN,
                stage="capture",
                code="x",
                detail="No\r\nmoney",
            ),
            Notification(ID, CUSTOMER, Kind.PAYMENT_FAILED, NOW, ORDER, TEN, "No money"),
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_each_event_tells_its_customer_what_it_is_about(event: Told, told: Notification) -> None:
    """With the order, the amount and the reason, as far as it has them."""
    assert told == domain.tell(event, ID, NOW)


def test_every_kind_has_a_category() -> None:
    """Or its mails could not be chosen."""
    categories = {kind: notification(kind=kind).category for kind in Kind}
    assert set(Category) == set(categories.values())


@pytest.mark.parametrize(
    ("category", "wanted"),
    [(Category.ORDERS, False), (Category.PAYMENTS, False), (Category.ACCOUNT, True)],
)
def test_mails_on_the_account_are_always_wanted(category: Category, wanted: bool) -> None:
    """Whatever else is switched off: they tell of what somebody else may have done."""
    assert wanted == Preferences(orders=False, payments=False).want(category)


@pytest.mark.parametrize(
    ("orders", "payments", "mailed"),
    [
        (True, True, {Kind.PAYMENT_FAILED}),
        (True, False, {Kind.ORDER_CANCELLED}),
        (False, True, {Kind.PAYMENT_FAILED}),
        (False, False, set()),
    ],
)
def test_a_refused_card_is_one_mail_not_two(orders: bool, payments: bool, mailed: set[Kind]) -> None:
    """The mail on the payment says that the order is cancelled; who wants none of those gets the other."""
    both = [
        notification(kind=Kind.PAYMENT_FAILED, reason="declined"),
        notification(kind=Kind.ORDER_CANCELLED, reason="payment_failed"),
    ]
    letters = [letter(told, orders=orders, payments=payments) for told in both]
    assert mailed == {each.notification.kind for each in letters if domain.is_mailed(each)}


@pytest.mark.parametrize("reason", ["requested", "out_of_stock", "deadline_passed"])
def test_any_other_cancellation_is_mailed(reason: str) -> None:
    """No other mail tells of it."""
    assert domain.is_mailed(letter(notification(kind=Kind.ORDER_CANCELLED, reason=reason)))


def test_a_new_address_is_told_at_the_old_one() -> None:
    """Whose owner may not have asked for it."""
    before = Recipient(CUSTOMER, "ada@example.com", "Ada", 1)
    after = Recipient(CUSTOMER, "eve@example.com", "Ada", 2)
    told = domain.moved(before, after, ID, NOW)
    assert Notification(ID, CUSTOMER, Kind.EMAIL_CHANGED, NOW, mail_to="ada@example.com") == told


def test_a_new_name_is_nothing_to_tell() -> None:
    """Its owner has just given it."""
    before = Recipient(CUSTOMER, "ada@example.com", "Ada", 1)
    assert domain.moved(before, Recipient(CUSTOMER, "ada@example.com", "Ada L.", 2), ID, NOW) is None


def test_a_letter_goes_to_the_address_of_today_unless_it_has_its_own() -> None:
    """Only what is told at the old address goes there."""
    assert "ada@example.com" == letter(notification()).address
    assert "old@example.com" == letter(notification(mail_to="old@example.com")).address


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Ada", "Ada"),
        ("  Ada\t Lovelace ", "Ada Lovelace"),
        ("Ada\r\nBcc: eve@example.com", "Ada Bcc: eve@example.com"),
        ("Ada\x85\u2028\u2029\x0b\x0cL", "Ada L"),
        ("A\x00d\x1b[31ma", "A d [31ma"),
        ("\ud800Ada", "Ada"),
        ("Ада 🦊", "Ада 🦊"),
        ("x" * 1000, "x" * 500),
        ("", ""),
    ],
    ids=ascii,
)
def test_what_stands_in_a_header_is_one_line(text: str, line: str) -> None:
    """Whatever breaks lines, hides in them or is no character at all; other scripts stay."""
    assert line == domain.one_line(text)


def test_a_name_is_taken_as_one_line() -> None:
    """It greets in mails and stands in their headers."""
    event = UserRegistered(user_id=new_id(), email="a@example.com", display_name="A\nB", revision=3)
    assert Recipient(event.user_id, "a@example.com", "A B", 3) == domain.recipient_of(event)
