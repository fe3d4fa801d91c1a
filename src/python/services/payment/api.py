"""The routes of the payment service: parse, call, shape the answer. The provider's is in webhook.py."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Annotated, NoReturn

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import paging
from chassis.auth import Admin, Caller, SignedIn
from chassis.clock import Clock, Ids, new_id, utc_now
from chassis.database import Database
from chassis.idempotency import OnceForCaller
from chassis.openapi import named
from chassis.outbox import Outbox
from chassis.paging import Cursor, Limit, Page
from chassis.problems import Conflict, Invalid, NotFound, Unavailable
from chassis.text import Amount
from contracts.events.order import Address
from contracts.money import Money
from services.payment import calls, domain, store
from services.payment.calls import settle
from services.payment.domain import DetachCall, Payment, PaymentError, RefundStatus, Stage, Status
from services.payment.provider import Card, Provider, ProviderUnavailable, Refused
from services.payment.store import SavedMethod

MAX_METHODS = 20

router = APIRouter(prefix="/api/payments", tags=["payments"])


@dataclass(frozen=True)
class Parts:
    """What the routes work with."""

    database: Database
    outbox: Outbox
    provider: Provider
    webhook_secret: str
    clock: Clock = utc_now
    ids: Ids = new_id


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(_parts)]


class MethodRefused(Invalid):
    slug, title = "payment-method-refused", "Payment method refused"


class TooManyMethods(Conflict):
    slug, title = "too-many-payment-methods", "Too many payment methods"


class RefundImpossible(Conflict):
    slug, title = "refund-impossible", "Refund impossible"


class AddMethod(BaseModel):
    """A card, as the token that the provider's own form made of it; the card's number never comes here."""

    model_config = ConfigDict(extra="forbid")

    provider_token: Annotated[
        str, Field(strict=True, max_length=255, pattern=r"^pm_[A-Za-z0-9_]+$", examples=["pm_card_visa"])
    ]


class MethodView(BaseModel):
    """A payment method, as far as it may be shown."""

    id: uuid.UUID
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    added_at: dt.datetime


class RefundPayment(BaseModel):
    """How much to give back, in minor units of the payment's currency: all that is left, unless said."""

    model_config = ConfigDict(extra="forbid")

    amount: Amount | None = None


class RefundView(BaseModel):
    """Money on its way back."""

    id: uuid.UUID
    amount: Money
    status: RefundStatus


class FailureView(BaseModel):
    """Why there is no money."""

    stage: Stage
    code: str
    detail: str


class PaymentSummary(BaseModel):
    """A payment in a list."""

    id: uuid.UUID
    order_id: uuid.UUID
    status: Status
    amount: Money
    refunded: Money
    created_at: dt.datetime


class PaymentView(PaymentSummary):
    """A payment with all that is known of it."""

    customer_id: uuid.UUID
    payment_method_id: uuid.UUID | None
    failure: FailureView | None
    refunds: list[RefundView]
    shipping_address: Address | None


@router.post(
    "/methods",
    status_code=201,
    response_model=MethodView,
    responses={
        409: {"description": f"There are {MAX_METHODS} payment methods already."},
        422: named(MethodRefused),
    },
    operation_id="add_payment_method",
)
async def add_method(
    request: Request, body: AddMethod, caller: SignedIn, once: OnceForCaller, parts: PartsDep
) -> Response:
    """Keep a card for later orders. It stays at the provider; here is only what it may be recognised by."""
    async with parts.database.reading() as connection:
        held = await store.methods_of(connection, caller.id, limit=MAX_METHODS)
    if len(held) >= MAX_METHODS:
        raise TooManyMethods(f"You have {MAX_METHODS} payment methods: remove one first.")
    key = uuid.uuid5(caller.id, request.headers["Idempotency-Key"])
    card = await _attached(parts, caller, body.provider_token, f"attach-{key}")
    async with once.transaction() as tx:
        try:
            added = await store.add_method(tx, _saved(parts, caller, card))
        except store.MethodUnknown:
            raise MethodRefused("provider_token: it belongs to somebody else; make a new one.") from None
        return await once.answer(tx, 201, _method_view(added), location="/api/payments/methods")


@router.get("/methods", operation_id="list_payment_methods")
async def list_methods(caller: SignedIn, parts: PartsDep) -> Page[MethodView]:
    """The caller's payment methods, newest first; there are few, and all are on one page."""
    async with parts.database.reading() as connection:
        held = await store.methods_of(connection, caller.id, limit=MAX_METHODS * 2)
    return Page(items=[_method_view(method) for method in held])


@router.delete("/methods/{method_id:uuid}", status_code=204, operation_id="remove_payment_method")
async def remove_method(method_id: uuid.UUID, caller: SignedIn, parts: PartsDep) -> None:
    """Forget a card, here and at the provider. Payments that it has made or is making are not touched."""
    async with parts.database.transaction() as tx:
        try:
            provider_id = await store.remove_method(tx, caller.id, method_id)
        except store.MethodUnknown:
            raise NotFound("You have no such payment method.") from None
        await calls.add(tx, DetachCall(provider_id))


@router.get("", operation_id="list_payments")
async def list_payments(
    caller: SignedIn, parts: PartsDep, limit: Limit = 20, cursor: Cursor = None
) -> Page[PaymentSummary]:
    """The caller's payments, newest first."""
    before = paging.decode(cursor, uuid.UUID)[0] if cursor is not None else None
    async with parts.database.reading() as connection:
        found = await store.of_customer(connection, caller.id, before=before, limit=limit + 1)
    more = len(found) > limit
    return Page(
        items=[_summary(payment) for payment in found[:limit]],
        next_cursor=paging.encode(found[limit - 1].id) if more else None,
    )


@router.get("/by-order/{order_id:uuid}", operation_id="get_payment_of_order")
async def get_payment_of_order(order_id: uuid.UUID, caller: SignedIn, parts: PartsDep) -> PaymentView:
    """The payment of an order. Its customer and admins may see it."""
    async with parts.database.reading() as connection:
        return _view(_visible(await _found(store.find_of_order(connection, order_id)), caller))


@router.get("/{payment_id:uuid}", operation_id="get_payment")
async def get_payment(payment_id: uuid.UUID, caller: SignedIn, parts: PartsDep) -> PaymentView:
    """A payment. Its customer and admins may see it."""
    async with parts.database.reading() as connection:
        return _view(_visible(await _found(store.find(connection, payment_id)), caller))


@router.post(
    "/{payment_id:uuid}/refund",
    status_code=202,
    response_model=PaymentView,
    responses={409: {"description": "Nothing was captured, or less is left than was asked for."}},
    operation_id="refund_payment",
)
async def refund_payment(
    payment_id: uuid.UUID, body: RefundPayment, _: Admin, once: OnceForCaller, parts: PartsDep
) -> Response:
    """Give money back, in part or all that is left. It is under way when this answers; admins only."""
    async with once.transaction() as tx:
        payment = await _found(store.locked(tx, payment_id))
        try:
            outcome = domain.refund(payment, parts.ids(), body.amount)
        except PaymentError as error:
            raise RefundImpossible(str(error)) from None
        await settle(tx, parts.outbox, payment, outcome)
        return await once.answer(tx, 202, _view(outcome.payment))


async def _attached(parts: Parts, caller: Caller, token: str, key: str) -> Card:
    try:
        customer = await _provider_customer(parts, caller)
        return await parts.provider.attach(token, customer, key)
    except ProviderUnavailable:
        raise Unavailable("The payment provider does not answer; try again shortly.") from None
    except Refused as refused:
        _refuse(refused)


async def _provider_customer(parts: Parts, caller: Caller) -> str:
    async with parts.database.reading() as connection:
        known = await store.provider_customer(connection, caller.id)
    if known is not None:
        return known
    made = await parts.provider.create_customer(caller.id, f"customer-{caller.id}")
    async with parts.database.transaction() as tx:
        return await store.add_provider_customer(tx, caller.id, made)


def _refuse(refused: Refused) -> NoReturn:
    raise MethodRefused(
        f"provider_token: the provider refused it ({refused.code}); use another card.", code=refused.code
    ) from None


async def _found(payment: Awaitable[Payment]) -> Payment:
    try:
        return await payment
    except store.PaymentUnknown:
        raise _unknown() from None


def _visible(payment: Payment, caller: Caller) -> Payment:
    # 404, not 403: whether an id exists is nobody else's business.
    if payment.customer_id != caller.id and not caller.is_admin:
        raise _unknown()
    return payment


def _unknown() -> NotFound:
    return NotFound("You have no such payment.")


def _saved(parts: Parts, caller: Caller, card: Card) -> SavedMethod:
    return SavedMethod(
        id=parts.ids(),
        customer_id=caller.id,
        provider_id=card.provider_id,
        brand=card.brand,
        last4=card.last4,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
        added_at=parts.clock(),
    )


def _method_view(method: SavedMethod) -> MethodView:
    return MethodView(
        id=method.id,
        brand=method.brand,
        last4=method.last4,
        exp_month=method.exp_month,
        exp_year=method.exp_year,
        added_at=method.added_at,
    )


def _summary(payment: Payment) -> PaymentSummary:
    return PaymentSummary(
        id=payment.id,
        order_id=payment.order_id,
        status=payment.status,
        amount=payment.amount,
        refunded=_money(payment, payment.refunded),
        created_at=payment.created_at,
    )


def _view(payment: Payment) -> PaymentView:
    failure = payment.failure
    return PaymentView(
        id=payment.id,
        order_id=payment.order_id,
        status=payment.status,
        amount=payment.amount,
        refunded=_money(payment, payment.refunded),
        created_at=payment.created_at,
        customer_id=payment.customer_id,
        payment_method_id=payment.payment_method_id,
        failure=FailureView(stage=failure.stage, code=failure.code, detail=failure.detail)
        if failure
        else None,
        refunds=[
            RefundView(id=each.id, amount=_money(payment, each.amount), status=each.status)
            for each in payment.refunds
        ],
        shipping_address=payment.shipping_address,
    )


def _money(payment: Payment, amount: int) -> Money:
    return Money(amount=amount, currency=payment.amount.currency)
