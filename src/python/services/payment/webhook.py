"""What the provider tells of itself: the same outcomes as its answers, for when an answer was lost.

https://docs.stripe.com/webhooks: events come more than once and in any order, and are signed.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any

import stripe
from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import logs
from chassis.openapi import named
from chassis.problems import BadRequest, Invalid
from chassis.text import Whole
from contracts.money import MAX_SAFE_INTEGER
from services.payment import domain, store
from services.payment.api import Parts, PartsDep
from services.payment.calls import settle
from services.payment.domain import Decision, Payment

log = logs.get(__name__)

router = APIRouter(prefix="/api/payments", tags=["webhook"])

# Against replay of what somebody overheard: https://docs.stripe.com/webhooks#verify-official-libraries
_TOLERANCE_S = 300
_REFUNDED = "charge.refunded"


Find = Callable[[AsyncConnection], Awaitable[Payment]]


class SignatureWrong(BadRequest):
    slug, title = "webhook-signature-wrong", "Webhook signature wrong"


class Received(BaseModel):
    """The event was taken; `applied` says whether it told anything of a payment here."""

    applied: bool


class _LastError(BaseModel):
    code: str | None = None
    message: str | None = None


class _Intent(BaseModel):
    """https://docs.stripe.com/api/payment_intents/object"""

    id: str
    metadata: dict[str, str] = {}
    last_payment_error: _LastError | None = None

    @property
    def payment_id(self) -> uuid.UUID | None:
        """The payment it was made for; None where it was not made here."""
        try:
            return uuid.UUID(self.metadata["payment_id"])
        except (KeyError, ValueError):
            return None


class _Charge(BaseModel):
    """https://docs.stripe.com/api/charges/object"""

    payment_intent: str | None = None
    amount_refunded: Annotated[int, Field(strict=True, ge=0, le=MAX_SAFE_INTEGER), Whole]


class _Data(BaseModel):
    object: dict[str, Any]


class _Event(BaseModel):
    """https://docs.stripe.com/api/events/object"""

    id: str
    type: str
    data: _Data


@router.post(
    "/webhook",
    responses={400: {"description": "The signature is missing, wrong or old.", **named(SignatureWrong)}},
    operation_id="receive_provider_event",
)
async def receive(
    request: Request,
    parts: PartsDep,
    signature: Annotated[str | None, Header(alias="Stripe-Signature", max_length=2000)] = None,
) -> Received:
    """Take an event of the payment provider.

    Its signature is its authentication, and its effect is the same however often it comes, so that neither an
    access token nor an Idempotency-Key is asked for. What is not known here is taken and ignored.
    """
    event = _event(await request.body(), signature, parts.webhook_secret)
    try:
        applied = await _apply(parts, event)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise Invalid(f"/data/object/{where}: a {event.type} must have it, as Stripe documents it.") from None
    return Received(applied=applied)


def _event(body: bytes, signature: str | None, secret: str) -> _Event:
    try:
        # A signature is ASCII; Python refuses to compare anything else.
        header = None if signature is None else signature.encode("ascii").decode()
        stripe.WebhookSignature.verify_header(body, header, secret, _TOLERANCE_S)
    except (stripe.SignatureVerificationError, UnicodeError):
        raise SignatureWrong(
            "Sign the body with this endpoint's secret, and send it within 5 minutes."
        ) from None
    try:
        return _Event.model_validate_json(body)
    except ValidationError:
        raise Invalid("The body is no event of the payment provider.") from None


async def _apply(parts: Parts, event: _Event) -> bool:
    if event.type == _REFUNDED:
        return await _refunded(parts, _Charge.model_validate(event.data.object))
    if event.type not in _OF_INTENTS:
        return False
    intent = _Intent.model_validate(event.data.object)
    if intent.payment_id is None:
        return False
    decide = _OF_INTENTS[event.type](intent, parts)
    return await _settle(parts, partial(store.find, payment_id=intent.payment_id), decide, intent.id)


async def _refunded(parts: Parts, charge: _Charge) -> bool:
    if charge.payment_intent is None:
        return False
    decide = partial(domain.refunded_by_provider, total=charge.amount_refunded, refund_id=parts.ids())
    find = partial(store.find_of_intent, intent_id=charge.payment_intent)
    return await _settle(parts, find, decide, charge.payment_intent)


async def _settle(parts: Parts, find: Find, decide: Decision, intent_id: str) -> bool:
    """Apply what was told to the payment that `find` finds; whether that changed anything."""
    try:
        # Most of what is told is known from the provider's answer by now: that needs no lock.
        async with parts.database.reading() as connection:
            known = await find(connection)
        if not _is_its(known, intent_id) or decide(known).payment == known:
            return False
        async with parts.database.transaction() as tx:
            payment = await store.locked(tx, known.id)
            if not _is_its(payment, intent_id):
                return False
            outcome = decide(payment)
            await settle(tx, parts.outbox, payment, outcome)
            return outcome.payment != payment
    except store.PaymentUnknown:
        return False


def _is_its(payment: Payment, intent_id: str) -> bool:
    if payment.intent_id in {None, intent_id}:
        return True
    log.error("two intents of one payment", payment_id=str(payment.id), intent_id=intent_id)
    return False


def _held(intent: _Intent, _: Parts) -> Decision:
    return partial(domain.authorized, intent_id=intent.id)


def _failed(intent: _Intent, _: Parts) -> Decision:
    error = intent.last_payment_error or _LastError()
    code, detail = error.code or "payment_failed", error.message or "The payment failed."
    return partial(domain.authorization_failed, code=code, detail=detail)


def _taken(intent: _Intent, parts: Parts) -> Decision:
    return partial(domain.captured, intent_id=intent.id, refund_id=parts.ids())


def _let_go(_: _Intent, __: Parts) -> Decision:
    return domain.voided


_OF_INTENTS: Mapping[str, Callable[[_Intent, Parts], Decision]] = {
    "payment_intent.amount_capturable_updated": _held,
    "payment_intent.payment_failed": _failed,
    "payment_intent.succeeded": _taken,
    "payment_intent.canceled": _let_go,
}
