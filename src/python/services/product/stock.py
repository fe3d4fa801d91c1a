"""The queries over the stock and over what orders hold of it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.product.domain import Line, Reservation, Shift, State, Stock
from services.product.store import PRODUCTS, RECEIPTS, RESERVATIONS, STOCK, ProductUnknown

# Any number: the turn of the one who moves stock for orders.
_TURN = 7_310_579_421


async def take_turn(tx: AsyncConnection) -> None:
    """Wait until no other transaction moves stock for orders, and be the only one until this one ends.

    A transaction takes up to ten orders, each of which locks the rows of its own products: two at a time
    would sooner or later wait for each other. One at a time costs little, as all want what is popular.
    """
    await tx.execute(_TAKE_TURN)


async def available(tx: AsyncConnection, product_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Take the turn, lock the stock of these products, and tell how many of each may be reserved."""
    return {row.product_id: row.available for row in await tx.execute(_AVAILABLE, {"ids": product_ids})}


async def move(tx: AsyncConnection, lines: Sequence[Line], shift: Shift) -> None:
    """Move the pieces of all lines as `shift` says; whoever calls has the turn."""
    parameters = {
        "ids": [line.product_id for line in lines],
        "quantities": [line.quantity for line in lines],
        "on_hand_sign": shift.on_hand,
        "reserved_sign": shift.reserved,
        "sold_sign": shift.sold,
    }
    await tx.execute(_MOVE, parameters)


async def insert_reservation(tx: AsyncConnection, reservation: Reservation, now: dt.datetime) -> bool:
    """Store what an order holds, unless that was settled before; whether it was stored."""
    row = {"order_id": reservation.order_id, **_row(reservation, now)}
    return (await tx.execute(_INSERT, row)).rowcount == 1


async def save_reservation(tx: AsyncConnection, reservation: Reservation, now: dt.datetime) -> None:
    """Store what became of a reservation that was read with `reservation`."""
    state = {k: v for k, v in _row(reservation, now).items() if k != "lines"}
    await tx.execute(_SAVE, {"id": reservation.order_id} | state)


async def reservation(tx: AsyncConnection, order_id: uuid.UUID) -> Reservation | None:
    """Take the turn, and read what the order holds; None where it is not known.

    What others commit while this waits for the turn may be missed: whoever needs it takes the turn first.
    """
    row = (await tx.execute(_RESERVATION, {"id": order_id})).one_or_none()
    if row is None:
        return None
    lines = tuple(Line(uuid.UUID(product_id), quantity) for product_id, quantity in row.lines)
    return Reservation(row.order_id, State(row.state), lines)


async def receive(
    tx: AsyncConnection,
    product_id: uuid.UUID,
    quantity: int,
    *,
    receipt_id: uuid.UUID,
    by: uuid.UUID,
    at: dt.datetime,
) -> Stock:
    """Put so many more on the shelf, and record who did. Raises ProductUnknown."""
    row = (await tx.execute(_RECEIVE, {"id": product_id, "more": quantity})).one_or_none()
    if row is None:
        raise ProductUnknown
    await tx.execute(
        RECEIPTS.insert().values(
            id=receipt_id, product_id=product_id, quantity=quantity, received_by=by, received_at=at
        )
    )
    return Stock(**row._mapping)


async def find(connection: AsyncConnection, product_id: uuid.UUID) -> Stock:
    """Where the pieces of a product are. Raises ProductUnknown."""
    row = (await connection.execute(_FIND, {"id": product_id})).one_or_none()
    if row is None:
        raise ProductUnknown
    return Stock(**row._mapping)


_lock = sa.func.pg_advisory_xact_lock(_TURN)
_TAKE_TURN = sa.select(_lock)
# A step of the query itself, to save a round trip: it is evaluated before the rows are locked.
_turn = sa.select(_lock.label("taken")).cte("turn").prefix_with("MATERIALIZED")
_ids = sa.bindparam("ids", type_=ARRAY(sa.Uuid))
_quantities = sa.bindparam("quantities", type_=ARRAY(sa.BigInteger))

_AVAILABLE = (
    sa.select(
        STOCK.c.product_id,
        sa.case((PRODUCTS.c.retired_at.is_(None), STOCK.c.on_hand), else_=0).label("available"),
    )
    .select_from(
        _turn.join(STOCK, sa.true()).join(PRODUCTS, PRODUCTS.c.id == STOCK.c.product_id),
    )
    .where(STOCK.c.product_id == sa.any_(_ids))
    .order_by(STOCK.c.product_id)
    .with_for_update(of=STOCK)
)
_lines = (
    sa.func.unnest(_ids, _quantities)
    .table_valued(sa.column("product_id", sa.Uuid), sa.column("quantity", sa.BigInteger), name="line")
    .render_derived()
)
_MOVE = (
    STOCK.update()
    .where(STOCK.c.product_id == _lines.c.product_id)
    .values(
        {
            name: STOCK.c[name] + sa.bindparam(f"{name}_sign", type_=sa.BigInteger) * _lines.c.quantity
            for name in ("on_hand", "reserved", "sold")
        }
    )
)
_INSERT = insert(RESERVATIONS).on_conflict_do_nothing()
_SAVE = RESERVATIONS.update().where(RESERVATIONS.c.order_id == sa.bindparam("id"))
_RESERVATION = (
    sa.select(RESERVATIONS.c.order_id, RESERVATIONS.c.state, RESERVATIONS.c.lines)
    .select_from(_turn.join(RESERVATIONS, sa.true()))
    .where(RESERVATIONS.c.order_id == sa.bindparam("id"))
    .with_for_update(of=RESERVATIONS)
)
_RECEIVE = (
    STOCK.update()
    .where(STOCK.c.product_id == sa.bindparam("id"))
    .values(
        on_hand=STOCK.c.on_hand + sa.bindparam("more", type_=sa.BigInteger),
        received=STOCK.c.received + sa.bindparam("more", type_=sa.BigInteger),
    )
    .returning(STOCK)
)
_FIND = sa.select(STOCK).where(STOCK.c.product_id == sa.bindparam("id"))


def _row(reservation: Reservation, now: dt.datetime) -> dict[str, object]:
    ended = reservation.state in (State.REJECTED, State.CANCELLED)
    return {
        "state": reservation.state.value,
        "lines": [[str(line.product_id), line.quantity] for line in reservation.lines],
        "ended_at": now if ended else None,
    }
