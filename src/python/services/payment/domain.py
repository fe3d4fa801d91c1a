"""What a payment is, and what each piece of news makes of it. Pure: no I/O, no clock of its own.

AUTHORIZING ──> AUTHORIZED ──> CAPTURING ──> CAPTURED ──> REFUNDING ──> REFUNDED, PARTLY_REFUNDED
     │               │             │             └──────────<──────────────────┘
     └──> FAILED     │             └──> FAILED
                     └──> VOIDING ──> VOIDED

News comes from the order, from the provider's answers and from the provider's webhooks, each perhaps late,
twice or out of order: what does not fit the state changes nothing. News that overtakes its order makes a
payment that is EXPECTED. A cancellation that meets a call under way is settled by that call's answer.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from contracts.events.envelope import Event
from contracts.events.order import Address
from contracts.events.payment import (
    PaymentAuthorized,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
)
from contracts.money import Money

Stage = Literal["authorization", "capture"]


class Status(StrEnum):
    """Where a payment stands. Those in -ING wait for an answer of the provider."""

    EXPECTED = "EXPECTED"  # news of the order overtook the order itself
    AUTHORIZING = "AUTHORIZING"
    AUTHORIZED = "AUTHORIZED"
    CAPTURING = "CAPTURING"
    CAPTURED = "CAPTURED"
    REFUNDING = "REFUNDING"
    PARTLY_REFUNDED = "PARTLY_REFUNDED"
    REFUNDED = "REFUNDED"
    VOIDING = "VOIDING"
    VOIDED = "VOIDED"
    FAILED = "FAILED"


TAKEN = frozenset({Status.CAPTURED, Status.REFUNDING, Status.PARTLY_REFUNDED, Status.REFUNDED})
"""The states in which the amount was captured."""


class RefundStatus(StrEnum):
    """Where a refund stands."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class PaymentError(Exception):
    """The payment does not allow what was asked; the message says why."""


class NotCaptured(PaymentError):
    """Nothing was taken that could be given back."""


class TooMuch(PaymentError):
    """More is asked back than is left."""


@dataclass(frozen=True)
class Refund:
    """Money on its way back, in minor units of the payment's currency."""

    id: uuid.UUID
    amount: int
    status: RefundStatus = RefundStatus.PENDING


@dataclass(frozen=True)
class Failure:
    """Why there is no money: `code` is for programs, `detail` for people."""

    stage: Stage
    code: str
    detail: str


@dataclass(frozen=True)
class Method:
    """A customer's card at the provider, by the provider's ids."""

    customer: str
    method: str


@dataclass(frozen=True)
class Payment:
    """The payment of an order. `cancel_wanted`: the order was cancelled. `intent_id` is the provider's id."""

    id: uuid.UUID
    order_id: uuid.UUID
    customer_id: uuid.UUID
    amount: Money
    created_at: dt.datetime
    payment_method_id: uuid.UUID | None = None
    status: Status = Status.EXPECTED
    intent_id: str | None = None
    cancel_wanted: bool = False
    failure: Failure | None = None
    refunds: tuple[Refund, ...] = ()
    shipping_address: Address | None = None
    address_revision: int = 0

    @property
    def refunded(self) -> int:
        """What went back already, in minor units."""
        return sum(refund.amount for refund in self.refunds if refund.status is RefundStatus.SUCCEEDED)

    @property
    def refunding(self) -> int:
        """What is on its way back, in minor units."""
        return sum(refund.amount for refund in self.refunds if refund.status is RefundStatus.PENDING)

    @property
    def refundable(self) -> int:
        """What may still be asked back, in minor units."""
        return self.amount.amount - self.refunded - self.refunding if self.status in TAKEN else 0


# ISO 4217 has a code for "no currency": the amount of a payment whose order is not known yet.
NO_AMOUNT = Money(amount=0, currency="XXX")


@dataclass(frozen=True)
class AuthorizeCall:
    """Hold the amount on the customer's card."""

    payment_id: uuid.UUID
    order_id: uuid.UUID
    amount: Money
    method: Method


@dataclass(frozen=True)
class CaptureCall:
    """Take what is held."""

    payment_id: uuid.UUID
    intent_id: str


@dataclass(frozen=True)
class VoidCall:
    """Let go of what is held."""

    payment_id: uuid.UUID
    intent_id: str


@dataclass(frozen=True)
class RefundCall:
    """Give back some of what was taken; `amount` is in minor units."""

    payment_id: uuid.UUID
    intent_id: str
    refund_id: uuid.UUID
    amount: int


@dataclass(frozen=True)
class DetachCall:
    """Forget a card that its customer took away; `method` is the provider's id."""

    method: str


Call = AuthorizeCall | CaptureCall | VoidCall | RefundCall | DetachCall


@dataclass(frozen=True)
class Outcome:
    """A payment after some news, the events that tell of it, and what the provider is to be asked for."""

    payment: Payment
    events: tuple[Event, ...] = ()
    calls: tuple[Call, ...] = ()


Decision = Callable[[Payment], Outcome]


def request(payment: Payment, method: Method | None) -> Outcome:
    """The order asks for its amount. `method` is None where the customer has no such payment method."""
    if payment.status is not Status.EXPECTED:
        return Outcome(payment)
    if payment.cancel_wanted:
        return Outcome(replace(payment, status=Status.VOIDED), (_voided_event(payment),))
    if method is None:
        return _failed(
            payment, "authorization", "payment_method_unknown", "The customer has no such payment method."
        )
    call = AuthorizeCall(payment.id, payment.order_id, payment.amount, method)
    return Outcome(replace(payment, status=Status.AUTHORIZING), calls=(call,))


def authorized(payment: Payment, intent_id: str) -> Outcome:
    """The amount is held; it is let go at once where the order was cancelled meanwhile."""
    if payment.status is not Status.AUTHORIZING:
        return Outcome(payment)
    held = replace(payment, intent_id=intent_id)
    if payment.cancel_wanted:
        return _voiding(held)
    event = PaymentAuthorized(
        order_id=payment.order_id,
        payment_id=payment.id,
        customer_id=payment.customer_id,
        amount=payment.amount,
    )
    return Outcome(replace(held, status=Status.AUTHORIZED), (event,))


def authorization_failed(payment: Payment, code: str, detail: str, open_intent: str | None = None) -> Outcome:
    """The provider holds nothing. `open_intent` is one that could yet become a hold, and is closed."""
    if payment.status is not Status.AUTHORIZING:
        return Outcome(payment)
    failed = _failed(replace(payment, intent_id=open_intent), "authorization", code, detail)
    return replace(failed, calls=(VoidCall(payment.id, open_intent),)) if open_intent else failed


def confirm(payment: Payment) -> Outcome:
    """The order is confirmed: what is held is to be taken. What the provider let go meanwhile cannot be."""
    if payment.status is Status.VOIDED and not payment.cancel_wanted:
        return _failed(payment, "capture", "authorization_expired", "The amount is no longer held.")
    if payment.status is not Status.AUTHORIZED:
        return Outcome(payment)
    capturing = replace(payment, status=Status.CAPTURING)
    return Outcome(capturing, calls=(CaptureCall(payment.id, _intent(payment)),))


def captured(payment: Payment, intent_id: str, refund_id: uuid.UUID) -> Outcome:
    """The amount was taken. It goes back as `refund_id` where the order is cancelled, as after a failure."""
    if payment.status in TAKEN | {Status.EXPECTED, Status.VOIDED}:
        return Outcome(payment)
    taken = replace(payment, intent_id=intent_id, status=Status.CAPTURED, failure=None)
    event = PaymentCompleted(
        order_id=payment.order_id,
        payment_id=payment.id,
        customer_id=payment.customer_id,
        amount=payment.amount,
    )
    if not payment.cancel_wanted and payment.status is not Status.FAILED:
        return Outcome(taken, (event,))
    refunding = _refund_rest(taken, refund_id)
    return replace(refunding, events=(event, *refunding.events))


def capture_failed(payment: Payment, code: str, detail: str) -> Outcome:
    """The provider did not give the amount; whatever it still holds is let go."""
    if payment.status is not Status.CAPTURING:
        return Outcome(payment)
    failed = _failed(payment, "capture", code, detail)
    return replace(failed, calls=(VoidCall(payment.id, _intent(payment)),))


def cancel(payment: Payment, refund_id: uuid.UUID) -> Outcome:
    """The order was cancelled: what is held is let go, what was taken goes back as `refund_id`."""
    if payment.cancel_wanted:
        return Outcome(payment)
    wanted = replace(payment, cancel_wanted=True)
    if payment.status is Status.AUTHORIZED:
        return _voiding(wanted)
    if payment.status in TAKEN:
        return _refund_rest(wanted, refund_id)
    return Outcome(wanted)  # settled by the answer that is under way, or nothing to give back


def voided(payment: Payment) -> Outcome:
    """The provider holds nothing any more: because it was asked to let go, or of itself."""
    if payment.status is Status.AUTHORIZING:
        return _failed(payment, "authorization", "canceled", "The provider let go of the amount.")
    if payment.status is Status.CAPTURING:
        return _failed(payment, "capture", "authorization_expired", "The amount is no longer held.")
    if payment.status not in {Status.AUTHORIZED, Status.VOIDING}:
        return Outcome(payment)
    return Outcome(replace(payment, status=Status.VOIDED), (_voided_event(payment),))


def refund(payment: Payment, refund_id: uuid.UUID, amount: int | None = None) -> Outcome:
    """Give back `amount` minor units, or all that is left. Raises NotCaptured or TooMuch."""
    if payment.status not in TAKEN:
        raise NotCaptured(f"The payment is {payment.status}: nothing was taken that could be refunded.")
    left = payment.refundable
    if left == 0 or (amount is not None and amount > left):
        raise TooMuch(f"{left} {payment.amount.currency} (minor units) can still be refunded.")
    return _refund(payment, refund_id, left if amount is None else amount)


def refund_succeeded(payment: Payment, refund_id: uuid.UUID) -> Outcome:
    """The provider gave back the amount of a refund."""
    found = next((r for r in payment.refunds if r.id == refund_id), None)
    if found is None or found.status is not RefundStatus.PENDING:
        return Outcome(payment)
    settled = _with_refund(payment, replace(found, status=RefundStatus.SUCCEEDED))
    return Outcome(settled, (_refunded_event(settled, found),))


def refund_failed(payment: Payment, refund_id: uuid.UUID) -> Outcome:
    """The provider refused a refund: the money stays until an admin asks again."""
    found = next((r for r in payment.refunds if r.id == refund_id), None)
    if found is None or found.status is not RefundStatus.PENDING:
        return Outcome(payment)
    return Outcome(_with_refund(payment, replace(found, status=RefundStatus.FAILED)))


def refunded_by_provider(payment: Payment, total: int, refund_id: uuid.UUID) -> Outcome:
    """The provider tells the sum of all that went back, in minor units.

    It settles the refunds under way when it covers them, and is more when somebody refunded in the provider's
    own dashboard: the rest is then noted as `refund_id`. What is neither is left to the answers under way.
    """
    if payment.status not in TAKEN:
        return Outcome(payment)
    total = min(total, payment.amount.amount)
    if total < payment.refunded + payment.refunding:
        return Outcome(payment)
    events: list[Event] = []
    pending = [r for r in payment.refunds if r.status is RefundStatus.PENDING]
    outside = total - payment.refunded - payment.refunding
    if outside > 0:
        pending.append(Refund(refund_id, outside))
    for each in pending:
        payment = _with_refund(payment, replace(each, status=RefundStatus.SUCCEEDED))
        events.append(_refunded_event(payment, each))
    return Outcome(payment, tuple(events))


def awaits(payment: Payment, call: Call) -> bool:
    """Whether the answer to `call` can still change anything."""
    match call:
        case AuthorizeCall():
            return payment.status is Status.AUTHORIZING
        case CaptureCall():
            return payment.status is Status.CAPTURING
        case VoidCall():
            return payment.status in {Status.VOIDING, Status.FAILED}
        case RefundCall():
            return any(r.id == call.refund_id and r.status is RefundStatus.PENDING for r in payment.refunds)
        case DetachCall():
            return True


def _intent(payment: Payment) -> str:
    assert payment.intent_id is not None, "what is held has an id at the provider"
    return payment.intent_id


def _voiding(payment: Payment) -> Outcome:
    call = VoidCall(payment.id, _intent(payment))
    return Outcome(replace(payment, status=Status.VOIDING), calls=(call,))


def _failed(payment: Payment, stage: Stage, code: str, detail: str) -> Outcome:
    event = PaymentFailed(
        order_id=payment.order_id,
        payment_id=payment.id,
        customer_id=payment.customer_id,
        stage=stage,
        amount=payment.amount,
        code=code,
        detail=detail,
    )
    failed = replace(payment, status=Status.FAILED, failure=Failure(stage, code, detail))
    return Outcome(failed, (event,))


def _refund_rest(payment: Payment, refund_id: uuid.UUID) -> Outcome:
    left = payment.refundable
    return _refund(payment, refund_id, left) if left else Outcome(payment)


def _refund(payment: Payment, refund_id: uuid.UUID, amount: int) -> Outcome:
    call = RefundCall(payment.id, _intent(payment), refund_id, amount)
    return Outcome(_with_refund(payment, Refund(refund_id, amount)), calls=(call,))


def _with_refund(payment: Payment, changed: Refund) -> Payment:
    others = tuple(r for r in payment.refunds if r.id != changed.id)
    after = replace(payment, refunds=(*others, changed))
    return replace(after, status=_status_after_refunds(after))


def _status_after_refunds(payment: Payment) -> Status:
    if payment.refunding:
        return Status.REFUNDING
    if payment.refunded == payment.amount.amount:
        return Status.REFUNDED
    return Status.PARTLY_REFUNDED if payment.refunded else Status.CAPTURED


def _voided_event(payment: Payment) -> PaymentVoided:
    return PaymentVoided(order_id=payment.order_id, payment_id=payment.id, customer_id=payment.customer_id)


def _refunded_event(payment: Payment, refund: Refund) -> PaymentRefunded:
    currency = payment.amount.currency
    return PaymentRefunded(
        order_id=payment.order_id,
        payment_id=payment.id,
        customer_id=payment.customer_id,
        refund_id=refund.id,
        amount=Money(amount=refund.amount, currency=currency),
        total_refunded=Money(amount=payment.refunded, currency=currency),
    )
