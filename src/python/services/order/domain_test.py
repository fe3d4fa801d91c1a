from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections.abc import Callable

import pytest

from contracts.events.envelope import Event
from contracts.events.notification import OrderCancelledNotice, OrderConfirmedNotice
from contracts.events.order import (
    Address,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderLine,
    OrderUpdated,
)
from contracts.money import MAX_SAFE_INTEGER, Money
from services.order import domain
from services.order.domain import Moment, Order, Outcome, Payment, Status, Stock

NOW = Moment(dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC), "0af7651916cd43dd8448eb211c80319c")
DEADLINE = NOW.at + dt.timedelta(minutes=2)
LATE = Moment(DEADLINE, None)
BERLIN = Address(recipient="Ada", line1="Allee 1", city="Berlin", postal_code="10115", country="DE")
PARIS = Address(recipient="Ada", line1="Rue 1", city="Paris", postal_code="75001", country="FR")
EUR_10 = Money(amount=1000, currency="EUR")


def line(amount: int = 500, currency: str = "EUR", quantity: int = 2) -> OrderLine:
    return OrderLine(
        product_id=uuid.uuid4(),
        name="Tea",
        quantity=quantity,
        unit_price=Money(amount=amount, currency=currency),
    )


def pending() -> Order:
    return Order(
        id=uuid.uuid4(),
        customer_id=uuid.uuid4(),
        lines=(line(),),
        total=EUR_10,
        payment_method_id=uuid.uuid4(),
        shipping_address=BERLIN,
        placed_at=NOW.at,
        expires_at=DEADLINE,
    )


def confirmed() -> Order:
    reserved = domain.stock_reserved(pending(), NOW).order
    return domain.payment_authorized(reserved, NOW).order


def kinds(outcome: Outcome) -> list[type[Event]]:
    return [type(event) for event in outcome.events]


def steps(order: Order) -> list[str]:
    return [step.what for step in order.timeline]


def test_a_placed_order_asks_for_stock_and_money() -> None:
    """ORDER_CREATED carries all that the others need to answer."""
    order = pending()
    outcome = domain.place(order, NOW)
    (event,) = outcome.events
    assert isinstance(event, OrderCreated)
    assert (event.order_id, event.lines, event.total, event.expires_at) == (
        order.id,
        order.lines,
        order.total,
        order.expires_at,
    )
    assert steps(outcome.order) == ["ORDER_CREATED"]


def test_one_answer_does_not_confirm() -> None:
    """Stock without money, and money without stock, leave the order pending."""
    assert domain.stock_reserved(pending(), NOW).order.status is Status.PENDING
    assert domain.payment_authorized(pending(), NOW).order.status is Status.PENDING


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.permutations([domain.stock_reserved, domain.payment_authorized]))
)
def test_both_answers_confirm_in_either_order(
    first: Callable[[Order, Moment], Outcome], second: Callable[[Order, Moment], Outcome]
) -> None:
    """The second yes confirms, and says so to the saga and to the customer, once."""
    after_first = first(pending(), NOW)
    outcome = second(after_first.order, NOW)
    assert after_first.events == ()
    assert outcome.order.status is Status.CONFIRMED
    assert kinds(outcome) == [OrderConfirmed, OrderConfirmedNotice]
    assert steps(outcome.order)[-1] == "ORDER_CONFIRMED"


def test_missing_stock_cancels() -> None:
    """A rejected reservation ends the order, with the reason."""
    outcome = domain.stock_rejected(pending(), NOW, "1 of 2")
    assert (outcome.order.status, outcome.order.cancel_reason) == (Status.CANCELLED, "out_of_stock")
    assert kinds(outcome) == [OrderCancelled, OrderCancelledNotice]


def test_a_declined_card_cancels() -> None:
    """A refused authorisation ends the order, with the reason."""
    outcome = domain.payment_failed(pending(), NOW, "declined")
    assert (outcome.order.status, outcome.order.cancel_reason) == (Status.CANCELLED, "payment_failed")
    assert kinds(outcome) == [OrderCancelled, OrderCancelledNotice]


def test_a_failed_capture_cancels_a_confirmed_order() -> None:
    """The hold was lost before it was captured: the stock must go back."""
    outcome = domain.payment_failed(confirmed(), NOW, "expired hold")
    assert outcome.order.cancel_reason == "payment_failed"
    assert OrderCancelled in kinds(outcome)


@pytest.mark.parametrize("order", [pending(), confirmed()], ids=["pending", "confirmed"])
def test_a_customer_may_cancel_before_and_after_confirmation(order: Order) -> None:
    """The saga is told either way, so that holds are let go and money is refunded."""
    outcome = domain.cancel(order, NOW)
    assert (outcome.order.status, outcome.order.cancel_reason) == (Status.CANCELLED, "requested")
    assert kinds(outcome) == [OrderCancelled, OrderCancelledNotice]


def test_cancelling_twice_is_cancelling_once() -> None:
    """The second changes nothing and tells nobody."""
    cancelled = domain.cancel(pending(), NOW).order
    assert domain.cancel(cancelled, LATE) == Outcome(cancelled)


def test_an_order_without_answers_is_cancelled_at_its_deadline() -> None:
    """Not a moment earlier."""
    early = Moment(DEADLINE - dt.timedelta(microseconds=1))
    order = pending()
    assert domain.expire(order, early) == Outcome(order)
    assert domain.expire(order, LATE).order.cancel_reason == "deadline_passed"


def test_a_confirmed_order_does_not_expire() -> None:
    """The deadline is for answers, and they came."""
    order = confirmed()
    assert domain.expire(order, LATE) == Outcome(order)


@pytest.mark.parametrize(
    "news",
    [
        domain.stock_reserved,
        domain.payment_authorized,
        domain.payment_voided,
        lambda order, now: domain.stock_rejected(order, now, ""),
        lambda order, now: domain.payment_failed(order, now, ""),
        lambda order, now: domain.payment_completed(order, now, EUR_10),
        lambda order, now: domain.payment_refunded(order, now, EUR_10, EUR_10),
    ],
)
def test_late_news_does_not_revive_a_cancelled_order(news: Callable[[Order, Moment], Outcome]) -> None:
    """It is noted in the timeline; the status stays and nobody is told anything new."""
    cancelled = domain.cancel(pending(), NOW).order
    outcome = news(cancelled, LATE)
    assert (outcome.order.status, outcome.order.cancel_reason) == (Status.CANCELLED, "requested")
    assert outcome.events == ()
    assert len(outcome.order.timeline) == len(cancelled.timeline) + 1


@pytest.mark.parametrize(
    "answers", list(itertools.permutations(["reserved", "authorized", "cancel", "expire"]))
)
def test_an_order_ends_once_whatever_the_order_of_news(answers: tuple[str, ...]) -> None:
    """At most one ORDER_CONFIRMED and one ORDER_CANCELLED, and never a confirmation after a cancellation."""
    news: dict[str, Callable[[Order, Moment], Outcome]] = {
        "reserved": domain.stock_reserved,
        "authorized": domain.payment_authorized,
        "cancel": domain.cancel,
        "expire": domain.expire,
    }
    order, told = pending(), []
    for answer in answers:
        outcome = news[answer](order, LATE)
        order = outcome.order
        told += [event for event in kinds(outcome) if event in (OrderConfirmed, OrderCancelled)]
    assert order.status is Status.CANCELLED
    assert told in ([OrderCancelled], [OrderConfirmed, OrderCancelled])


def test_refunds_add_up_to_the_largest_total_known() -> None:
    """News of an earlier refund that comes late does not lower what is known."""
    half, whole = Money(amount=400, currency="EUR"), EUR_10
    order = domain.payment_refunded(confirmed(), NOW, Money(amount=600, currency="EUR"), whole).order
    late = domain.payment_refunded(order, NOW, half, half).order
    assert (late.refunded, late.payment) == (1000, Payment.REFUNDED)


def test_a_completed_payment_that_is_heard_of_after_its_refund_stays_refunded() -> None:
    """PAYMENT_COMPLETED may come after PAYMENT_REFUNDED."""
    refunded = domain.payment_refunded(confirmed(), NOW, EUR_10, EUR_10).order
    assert domain.payment_completed(refunded, NOW, EUR_10).order.payment is Payment.REFUNDED


def test_a_change_of_address_is_told_with_a_growing_revision() -> None:
    """So that the payment service knows which of two is newer."""
    first = domain.change_address(pending(), NOW, PARIS)
    second = domain.change_address(first.order, NOW, BERLIN)
    assert [
        event.revision for event in (*first.events, *second.events) if isinstance(event, OrderUpdated)
    ] == [
        1,
        2,
    ]


def test_the_same_address_again_is_no_change() -> None:
    """Nobody is told that nothing happened."""
    order = pending()
    assert domain.change_address(order, NOW, BERLIN) == Outcome(order)


def test_a_cancelled_order_goes_nowhere() -> None:
    """Its address cannot be changed."""
    with pytest.raises(domain.AlreadyCancelled, match="cancelled"):
        domain.change_address(domain.cancel(pending(), NOW).order, NOW, PARIS)


def test_each_step_knows_its_time_and_trace() -> None:
    """The timeline is what support looks at."""
    (step,) = domain.place(pending(), NOW).order.timeline
    assert (step.at, step.trace_id) == (NOW.at, NOW.trace_id)


def test_the_total_is_the_sum_of_the_lines() -> None:
    """Quantity times price, over all lines."""
    assert domain.total_of([line(500, quantity=2), line(99, quantity=3)]) == Money(
        amount=1297, currency="EUR"
    )


def test_an_order_has_one_currency() -> None:
    """Adding euros to dollars has no answer."""
    with pytest.raises(domain.MixedCurrencies, match="EUR, USD"):
        domain.total_of([line(), line(currency="USD")])


def test_a_total_beyond_what_json_carries_exactly_is_refused() -> None:
    """Rather than stored wrongly."""
    with pytest.raises(domain.TotalTooLarge):
        domain.total_of([line(MAX_SAFE_INTEGER, quantity=2)])


def test_stock_that_was_rejected_is_remembered() -> None:
    """The order's own state tells which side said no."""
    assert domain.stock_rejected(pending(), NOW, "").order.stock is Stock.REJECTED
