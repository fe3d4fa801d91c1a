from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from contracts.events.payment import (
    PaymentAuthorized,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
)
from contracts.money import Money
from services.payment import domain
from services.payment.conftest import TEN, payment
from services.payment.domain import (
    AuthorizeCall,
    CaptureCall,
    Decision,
    Failure,
    Method,
    NotCaptured,
    Outcome,
    Payment,
    Refund,
    RefundCall,
    RefundStatus,
    Status,
    TooMuch,
    VoidCall,
)

CARD = Method(customer="cus_1", method="pm_1")
INTENT = "pi_1"


def after(start: Payment, *decisions: Decision) -> tuple[Payment, list[str], list[object]]:
    """The payment after each of `decisions`, the types of the events and the calls."""
    events: list[str] = []
    calls: list[object] = []
    for decide in decisions:
        outcome = decide(start)
        start = outcome.payment
        events += [event.type for event in outcome.events]
        calls += outcome.calls
    return start, events, calls


REQUEST = partial(domain.request, method=CARD)
AUTHORIZED = partial(domain.authorized, intent_id=INTENT)
DECLINED = partial(domain.authorization_failed, code="card_declined", detail="No.")
CAPTURED = partial(domain.captured, intent_id=INTENT, refund_id=uuid.UUID(int=7))
CAPTURE_FAILED = partial(domain.capture_failed, code="expired", detail="Late.")
CANCEL = partial(domain.cancel, refund_id=uuid.UUID(int=8))
CONFIRM: Decision = domain.confirm
VOIDED: Decision = domain.voided


def held() -> Payment:
    return payment(status=Status.AUTHORIZED, intent_id=INTENT)


def taken(*refunds: Refund) -> Payment:
    return payment(status=Status.CAPTURED, intent_id=INTENT, refunds=refunds)


def test_an_order_has_its_amount_held_taken_and_told() -> None:
    """The way without trouble: two calls, two events."""
    new = payment()
    ended, events, calls = after(new, REQUEST, AUTHORIZED, CONFIRM, CAPTURED)
    assert ended == replace(new, status=Status.CAPTURED, intent_id=INTENT)
    assert ["PAYMENT_AUTHORIZED", "PAYMENT_COMPLETED"] == events
    assert [AuthorizeCall(new.id, new.order_id, TEN, CARD), CaptureCall(new.id, INTENT)] == calls


def test_events_name_the_order_the_payment_and_the_amount() -> None:
    """Whoever listens needs nothing else."""
    new = payment(status=Status.AUTHORIZING)
    about = {"order_id": new.order_id, "payment_id": new.id, "customer_id": new.customer_id}
    assert (PaymentAuthorized(**about, amount=TEN),) == AUTHORIZED(new).events
    assert (
        PaymentFailed(**about, stage="authorization", amount=TEN, code="card_declined", detail="No."),
    ) == DECLINED(new).events
    assert (PaymentCompleted(**about, amount=TEN),) == CAPTURED(replace(new, status=Status.CAPTURING)).events
    voiding = replace(new, status=Status.VOIDING, intent_id=INTENT)
    assert (PaymentVoided(**about),) == domain.voided(voiding).events


def test_without_a_known_method_nothing_is_asked_of_the_provider() -> None:
    """The payment has failed before it began."""
    ended, events, calls = after(payment(), partial(domain.request, method=None))
    assert (Status.FAILED, ["PAYMENT_FAILED"], []) == (ended.status, events, calls)
    assert ended.failure is not None
    assert ("authorization", "payment_method_unknown") == (ended.failure.stage, ended.failure.code)


def test_an_order_cancelled_before_it_is_known_is_never_authorised() -> None:
    """The cancellation waits for the order."""
    ended, events, calls = after(payment(), CANCEL, REQUEST, AUTHORIZED, CONFIRM)
    assert (Status.VOIDED, ["PAYMENT_VOIDED"], []) == (ended.status, events, calls)


def test_a_cancellation_during_authorisation_lets_go_of_the_amount() -> None:
    """Nobody is told of an authorisation that is given up at once."""
    new = payment()
    ended, events, calls = after(new, REQUEST, CANCEL, AUTHORIZED, VOIDED)
    assert (Status.VOIDED, ["PAYMENT_VOIDED"]) == (ended.status, events)
    assert VoidCall(new.id, INTENT) == calls[-1]


def test_a_cancellation_before_capture_lets_go_of_the_amount() -> None:
    """And a confirmation that comes late takes nothing."""
    ended, events, calls = after(held(), CANCEL, CONFIRM, VOIDED, CONFIRM)
    assert (Status.VOIDED, ["PAYMENT_VOIDED"]) == (ended.status, events)
    assert [VoidCall(ended.id, INTENT)] == calls


def test_a_cancellation_during_capture_gives_the_amount_back() -> None:
    """Once it is known that it was taken."""
    ended, events, calls = after(held(), CONFIRM, CANCEL, CAPTURED)
    assert (Status.REFUNDING, ["PAYMENT_COMPLETED"]) == (ended.status, events)
    assert RefundCall(ended.id, INTENT, uuid.UUID(int=7), 1000) == calls[-1]


def test_a_cancellation_after_capture_gives_the_amount_back() -> None:
    """All of it, and says so once the provider did it."""
    ended, events, calls = after(
        taken(), CANCEL, CANCEL, partial(domain.refund_succeeded, refund_id=uuid.UUID(int=8))
    )
    assert (Status.REFUNDED, 1000, ["PAYMENT_REFUNDED"]) == (ended.status, ended.refunded, events)
    assert [RefundCall(ended.id, INTENT, uuid.UUID(int=8), 1000)] == calls


def test_a_cancellation_gives_back_only_what_is_left() -> None:
    """Not what went back before, nor what is on its way."""
    before = taken(Refund(uuid.UUID(int=1), 100, RefundStatus.SUCCEEDED), Refund(uuid.UUID(int=2), 200))
    assert 700 == CANCEL(before).calls[0].amount  # type: ignore[union-attr]


def test_a_cancellation_of_what_went_back_asks_for_nothing() -> None:
    """Nothing is left."""
    before = taken(Refund(uuid.UUID(int=1), 1000, RefundStatus.SUCCEEDED))
    assert () == CANCEL(replace(before, status=Status.REFUNDED)).calls


def test_a_failed_capture_lets_go_of_what_may_still_be_held() -> None:
    """And fails the payment in the stage capture."""
    ended, events, calls = after(held(), CONFIRM, CAPTURE_FAILED, VOIDED)
    assert (Status.FAILED, Failure("capture", "expired", "Late.")) == (ended.status, ended.failure)
    assert ["PAYMENT_FAILED"] == events
    assert VoidCall(ended.id, INTENT) == calls[-1]


def test_what_turns_out_to_be_taken_after_a_failure_goes_back() -> None:
    """The order was told of the failure and ends cancelled."""
    ended, events, calls = after(held(), CONFIRM, CAPTURE_FAILED, CAPTURED)
    assert (Status.REFUNDING, None) == (ended.status, ended.failure)
    assert ["PAYMENT_FAILED", "PAYMENT_COMPLETED"] == events
    assert RefundCall(ended.id, INTENT, uuid.UUID(int=7), 1000) == calls[-1]


def test_a_declined_card_whose_payment_stays_open_is_closed() -> None:
    """So that it is not held later, when nobody wants it any more."""
    ended, _, calls = after(payment(), REQUEST, partial(DECLINED, open_intent=INTENT))
    assert Status.FAILED is ended.status
    assert VoidCall(ended.id, INTENT) == calls[-1]


def test_what_the_provider_let_go_of_cannot_be_captured() -> None:
    """A confirmation then ends in a failed capture instead of in silence."""
    ended, events, calls = after(held(), VOIDED, CONFIRM)
    assert (Status.FAILED, ["PAYMENT_VOIDED", "PAYMENT_FAILED"], []) == (ended.status, events, calls)
    assert ended.failure is not None
    assert "capture" == ended.failure.stage


@pytest.mark.parametrize(
    ("status", "stage"), [(Status.AUTHORIZING, "authorization"), (Status.CAPTURING, "capture")]
)
def test_what_the_provider_lets_go_of_during_a_call_has_failed(status: Status, stage: str) -> None:
    """Whatever the call's answer will be."""
    ended, events, _ = after(payment(status=status, intent_id=INTENT), VOIDED, AUTHORIZED)
    assert (Status.FAILED, ["PAYMENT_FAILED"]) == (ended.status, events)
    assert ended.failure is not None
    assert stage == ended.failure.stage


NEWS: dict[str, Decision] = {
    "request": REQUEST,
    "authorized": AUTHORIZED,
    "declined": DECLINED,
    "confirm": CONFIRM,
    "captured": CAPTURED,
    "capture failed": CAPTURE_FAILED,
    "cancel": CANCEL,
    "voided": VOIDED,
}


@pytest.mark.parametrize("news", NEWS)
@pytest.mark.parametrize("status", Status)
def test_repeated_news_changes_nothing(status: Status, news: str) -> None:
    """Whatever it says, in whatever state it finds the payment."""
    failure = Failure("capture", "x", "x") if status is Status.FAILED else None
    once = NEWS[news](payment(status=status, intent_id=INTENT, failure=failure)).payment
    assert Outcome(once) == NEWS[news](once)


@pytest.mark.parametrize(
    "order_of_news", list(itertools.permutations(["authorized", "confirm", "cancel", "captured"]))
)
def test_one_order_is_charged_at_most_once_and_nothing_is_kept_of_a_cancelled_one(
    order_of_news: tuple[str, ...],
) -> None:
    """In whatever order the news arrives: one authorisation, one capture at most, and then all goes back."""
    ended, _, calls = after(payment(), REQUEST, *(NEWS[news] for news in order_of_news))
    kinds = [type(call) for call in calls]
    assert 1 == kinds.count(AuthorizeCall)
    assert kinds.count(CaptureCall) <= 1
    given_back = sum(call.amount for call in calls if isinstance(call, RefundCall))
    assert (1000 if ended.status is Status.REFUNDING else 0) == given_back
    assert ended.status in {Status.REFUNDING, Status.VOIDING}


def test_part_of_a_payment_is_refunded() -> None:
    """The rest can follow; the events tell each amount and the sum."""
    first, second = uuid.UUID(int=1), uuid.UUID(int=2)
    partly = domain.refund_succeeded(domain.refund(taken(), first, 300).payment, first)
    assert Status.PARTLY_REFUNDED is partly.payment.status
    whole = domain.refund_succeeded(domain.refund(partly.payment, second).payment, second)
    assert Status.REFUNDED is whole.payment.status
    told = [*partly.events, *whole.events]
    assert [(300, 300), (700, 1000)] == [
        (event.amount.amount, event.total_refunded.amount)
        for event in told
        if isinstance(event, PaymentRefunded)
    ]


@pytest.mark.parametrize("status", set(Status) - domain.TAKEN)
def test_what_was_not_captured_is_not_refunded(status: Status) -> None:
    """The message names the state."""
    with pytest.raises(NotCaptured, match=status.value):
        domain.refund(payment(status=status), uuid.uuid4())


@pytest.mark.parametrize("amount", [701, 1000, 2**53])
def test_more_than_is_left_is_not_refunded(amount: int) -> None:
    """What is on its way back is not there any more; the message says what is left."""
    with pytest.raises(TooMuch, match="700 EUR"):
        domain.refund(taken(Refund(uuid.uuid4(), 300)), uuid.uuid4(), amount)


def test_nothing_is_refunded_twice() -> None:
    """All went back already."""
    with pytest.raises(TooMuch, match="0 EUR"):
        domain.refund(taken(Refund(uuid.uuid4(), 1000)), uuid.uuid4())


def test_a_refused_refund_can_be_asked_for_again() -> None:
    """The money is there still."""
    refused = domain.refund_failed(domain.refund(taken(), uuid.UUID(int=1)).payment, uuid.UUID(int=1)).payment
    assert (Status.CAPTURED, 1000) == (refused.status, refused.refundable)


@pytest.mark.parametrize("settle", [domain.refund_succeeded, domain.refund_failed])
def test_an_unknown_or_settled_refund_changes_nothing(
    settle: Callable[[Payment, uuid.UUID], Outcome],
) -> None:
    """Late answers are harmless."""
    done = taken(Refund(uuid.UUID(int=1), 1000, RefundStatus.SUCCEEDED))
    assert Outcome(done) == settle(done, uuid.UUID(int=1))
    assert Outcome(done) == settle(done, uuid.UUID(int=2))


def provider_says(total: int) -> Decision:
    return partial(domain.refunded_by_provider, total=total, refund_id=uuid.UUID(int=9))


def test_the_providers_sum_settles_the_refunds_under_way() -> None:
    """When it covers all of them; the answer that comes after changes nothing."""
    ended, events, _ = after(
        domain.refund(taken(), uuid.UUID(int=1), 300).payment,
        provider_says(300),
        partial(domain.refund_succeeded, refund_id=uuid.UUID(int=1)),
        provider_says(300),
    )
    assert (Status.PARTLY_REFUNDED, 300, ["PAYMENT_REFUNDED"]) == (ended.status, ended.refunded, events)


def test_the_providers_sum_leaves_open_what_it_does_not_cover() -> None:
    """One of two refunds was done: which, its own answer tells."""
    two = domain.refund(domain.refund(taken(), uuid.UUID(int=1), 300).payment, uuid.UUID(int=2), 400).payment
    assert Outcome(two) == provider_says(300)(two)


def test_a_refund_made_at_the_provider_is_noted() -> None:
    """An operator used the provider's own dashboard."""
    ended, events, calls = after(taken(), provider_says(250), provider_says(250))
    assert (Refund(uuid.UUID(int=9), 250, RefundStatus.SUCCEEDED),) == ended.refunds
    assert (["PAYMENT_REFUNDED"], []) == (events, calls)


def test_the_providers_sum_never_exceeds_the_payment() -> None:
    """Nonsense is cut to what can be true."""
    assert 1000 == provider_says(99_999)(taken()).payment.refunded


def test_a_call_is_awaited_until_its_outcome_is_known() -> None:
    """Whichever way it became known."""
    authorize = AuthorizeCall(uuid.uuid4(), uuid.uuid4(), Money(amount=1, currency="EUR"), CARD)
    refund = RefundCall(uuid.uuid4(), INTENT, uuid.UUID(int=1), 1)
    assert domain.awaits(payment(status=Status.AUTHORIZING), authorize)
    assert not domain.awaits(held(), authorize)
    assert domain.awaits(payment(status=Status.CAPTURING), CaptureCall(uuid.uuid4(), INTENT))
    assert not domain.awaits(taken(), CaptureCall(uuid.uuid4(), INTENT))
    assert domain.awaits(payment(status=Status.FAILED), VoidCall(uuid.uuid4(), INTENT))
    assert not domain.awaits(payment(status=Status.VOIDED), VoidCall(uuid.uuid4(), INTENT))
    assert domain.awaits(taken(Refund(uuid.UUID(int=1), 1)), refund)
    assert not domain.awaits(taken(Refund(uuid.UUID(int=1), 1, RefundStatus.SUCCEEDED)), refund)
