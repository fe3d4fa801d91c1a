"""The routes of the order service: parse, call, shape the answer."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import paging, telemetry
from chassis.auth import Caller, SignedIn
from chassis.clock import Clock, Ids, new_id, utc_now
from chassis.database import Database
from chassis.idempotency import OnceForCaller
from chassis.openapi import named
from chassis.outbox import Outbox
from chassis.paging import Cursor, Limit, Page
from chassis.problems import Conflict, Invalid, NotFound
from chassis.text import Whole
from contracts.events.order import Address, CancelReason, OrderLine
from contracts.money import Money
from services.order import domain, store
from services.order.clients import Addresses, Products
from services.order.consumers import settle
from services.order.domain import Moment, Order, OrderError, Outcome, Payment, Status

MAX_LINES = 50
MAX_QUANTITY = 1000

router = APIRouter(prefix="/api/orders", tags=["orders"])


@dataclass(frozen=True)
class Parts:
    """What the routes work with."""

    database: Database
    outbox: Outbox
    products: Products
    addresses: Addresses
    deadline: dt.timedelta
    clock: Clock = utc_now
    ids: Ids = new_id


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(_parts)]


class ProductsUnknown(Invalid):
    slug, title = "products-unknown", "Products not for sale"


class AddressUnknown(Invalid):
    slug, title = "address-unknown", "Address unknown"


class OrderRefused(Invalid):
    slug, title = "order-refused", "Order refused"


class ProductTwice(Invalid):
    slug, title = "product-twice", "Product named twice"


class OrderClosed(Conflict):
    slug, title = "order-closed", "Order is cancelled"


class Item(BaseModel):
    """So many of one product."""

    model_config = ConfigDict(extra="forbid")

    product_id: uuid.UUID
    quantity: Annotated[int, Field(strict=True, ge=1, le=MAX_QUANTITY), Whole]


class PlaceOrder(BaseModel):
    """What to buy, how to pay and where to send it."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[Item], Field(min_length=1, max_length=MAX_LINES)]
    payment_method_id: uuid.UUID
    address_id: uuid.UUID


class ChangeAddress(BaseModel):
    """Where the order goes from now on: one of the customer's addresses."""

    model_config = ConfigDict(extra="forbid")

    address_id: uuid.UUID


class StepView(BaseModel):
    """Something that happened to the order."""

    at: dt.datetime
    what: str
    detail: str
    trace_id: str | None


class OrderSummary(BaseModel):
    """An order in a list."""

    id: uuid.UUID
    status: Status
    total: Money
    placed_at: dt.datetime


class OrderView(OrderSummary):
    """An order with all that is known of it."""

    customer_id: uuid.UUID
    lines: list[OrderLine]
    payment: Payment
    refunded: Money
    shipping_address: Address
    expires_at: dt.datetime
    cancel_reason: CancelReason | None
    timeline: list[StepView]


@router.post(
    "",
    status_code=201,
    response_model=OrderView,
    responses={422: named(ProductTwice, AddressUnknown, ProductsUnknown, OrderRefused)},
    operation_id="place_order",
)
async def place_order(body: PlaceOrder, caller: SignedIn, once: OnceForCaller, parts: PartsDep) -> Response:
    """Place an order. It is PENDING until stock and payment have answered."""
    product_ids = [item.product_id for item in body.items]
    if len(set(product_ids)) != len(product_ids):
        raise ProductTwice("/items: name each product once, with its whole quantity.")
    quotes, address = await asyncio.gather(
        parts.products.quotes(product_ids),
        _address(parts, body.address_id, caller),
    )
    missing = [str(item.product_id) for item in body.items if item.product_id not in quotes]
    if missing:
        raise ProductsUnknown(
            f"Not for sale: {', '.join(missing)}. Take them off the order.", products=missing
        )
    lines = tuple(
        OrderLine(
            product_id=item.product_id,
            name=quotes[item.product_id].name,
            quantity=item.quantity,
            unit_price=quotes[item.product_id].unit_price,
        )
        for item in body.items
    )
    now = _now(parts)
    order = Order(
        id=parts.ids(),
        customer_id=caller.id,
        lines=lines,
        total=_total(lines),
        payment_method_id=body.payment_method_id,
        shipping_address=address,
        placed_at=now.at,
        expires_at=now.at + parts.deadline,
    )
    outcome = domain.place(order, now)
    async with once.transaction() as tx:
        await store.insert(tx, outcome.order)
        await parts.outbox.add(tx, *outcome.events)
        return await once.answer(tx, 201, _view(outcome.order), location=f"/api/orders/{order.id}")


@router.get("", operation_id="list_orders")
async def list_orders(
    caller: SignedIn,
    parts: PartsDep,
    status: Annotated[Status | None, Query()] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[OrderSummary]:
    """The caller's orders, newest first."""
    before = paging.decode(cursor, uuid.UUID)[0] if cursor is not None else None
    async with parts.database.reading() as connection:
        found = await store.of_customer(connection, caller.id, status=status, before=before, limit=limit + 1)
    more = len(found) > limit
    return Page(
        items=[_summary(order) for order in found[:limit]],
        next_cursor=paging.encode(found[limit - 1].id) if more else None,
    )


@router.get("/{order_id:uuid}", operation_id="get_order")
async def get_order(order_id: uuid.UUID, caller: SignedIn, parts: PartsDep) -> OrderView:
    """An order with its timeline. Its customer and admins may see it."""
    async with parts.database.reading() as connection:
        return _view(_visible(await _found(store.find(connection, order_id)), caller))


@router.put(
    "/{order_id:uuid}/address",
    responses={409: {"description": "The order is cancelled."}, 422: named(AddressUnknown)},
    operation_id="change_order_address",
)
async def change_address(
    order_id: uuid.UUID, body: ChangeAddress, caller: SignedIn, parts: PartsDep
) -> OrderView:
    """Send the order elsewhere."""
    address = await _address(parts, body.address_id, caller)
    return await _change(parts, order_id, caller, lambda o, now: domain.change_address(o, now, address))


@router.post("/{order_id:uuid}/cancel", response_model=OrderView, operation_id="cancel_order")
async def cancel_order(
    order_id: uuid.UUID, caller: SignedIn, once: OnceForCaller, parts: PartsDep
) -> Response:
    """Cancel the order, confirmed or not: what was held is let go, what was paid is refunded."""
    async with once.transaction() as tx:
        order = _visible(await _found(store.locked(tx, order_id)), caller)
        outcome = domain.cancel(order, _now(parts))
        await settle(tx, parts.outbox, order, outcome)
        return await once.answer(tx, 200, _view(outcome.order))


async def _change(
    parts: Parts, order_id: uuid.UUID, caller: Caller, decide: Callable[[Order, Moment], Outcome]
) -> OrderView:
    async with parts.database.transaction() as tx:
        order = _visible(await _found(store.locked(tx, order_id)), caller)
        try:
            outcome = decide(order, _now(parts))
        except OrderError as error:
            raise OrderClosed(str(error)) from None
        await settle(tx, parts.outbox, order, outcome)
    return _view(outcome.order)


async def _address(parts: Parts, address_id: uuid.UUID, caller: Caller) -> Address:
    address = await parts.addresses.address(address_id, caller.token)
    if address is None:
        raise AddressUnknown(f"address_id: you have no address {address_id}.")
    return address


async def _found(order: Awaitable[Order]) -> Order:
    try:
        return await order
    except store.OrderUnknown:
        raise _unknown() from None


def _visible(order: Order, caller: Caller) -> Order:
    # 404, not 403: whether an id exists is nobody else's business.
    if order.customer_id != caller.id and not caller.is_admin:
        raise _unknown()
    return order


def _unknown() -> NotFound:
    return NotFound("You have no such order.")


def _total(lines: Sequence[OrderLine]) -> Money:
    try:
        return domain.total_of(lines)
    except OrderError as error:
        raise OrderRefused(f"items: {error}") from None


def _now(parts: Parts) -> Moment:
    return Moment(parts.clock(), telemetry.trace_id())


def _summary(order: Order) -> OrderSummary:
    return OrderSummary(id=order.id, status=order.status, total=order.total, placed_at=order.placed_at)


def _view(order: Order) -> OrderView:
    return OrderView(
        id=order.id,
        status=order.status,
        total=order.total,
        placed_at=order.placed_at,
        customer_id=order.customer_id,
        lines=list(order.lines),
        payment=order.payment,
        refunded=Money(amount=order.refunded, currency=order.total.currency),
        shipping_address=order.shipping_address,
        expires_at=order.expires_at,
        cancel_reason=order.cancel_reason,
        timeline=[
            StepView(at=s.at, what=s.what, detail=s.detail, trace_id=s.trace_id) for s in order.timeline
        ],
    )
