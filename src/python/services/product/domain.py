"""What is sold, and what news of an order makes of the stock. Pure: no I/O, no clock of its own.

The stock of a product:

received ──> on hand ── reserve ──> reserved ── commit ──> sold
                ^──── release ────────┘                      │
                ^──── restock ───────────────────────────────┘

What an order holds of it:

(none) ── ORDER_CREATED ──> RESERVED ── ORDER_CONFIRMED ──> COMMITTED
   │            └─ short ─> REJECTED
   └── ORDER_CANCELLED, from any but REJECTED ──> CANCELLED: an ORDER_CREATED that comes later holds nothing
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from contracts.events.envelope import Event
from contracts.events.inventory import Shortage, StockRejected, StockReserved
from contracts.events.order import OrderLine
from contracts.money import Money

MAX_IMAGES = 20
MAX_IMAGE_BYTES = 5 * 1024 * 1024
ImageType = Literal["image/png", "image/jpeg", "image/webp"]


class ProductError(Exception):
    """The product does not allow what was asked; the message says why."""


class AlreadyRetired(ProductError):
    """A retired product is past changing."""


class TooManyImages(ProductError):
    """A product has room for so many images and no more."""


@dataclass(frozen=True)
class Image:
    """A picture of a product. `pending_since` is None once the object is there."""

    id: uuid.UUID
    product_id: uuid.UUID
    content_type: str
    size: int
    pending_since: dt.datetime | None = None

    @property
    def key(self) -> str:
        """Where the object is in the bucket."""
        return f"products/{self.product_id}/{self.id}"


@dataclass(frozen=True)
class Product:
    """A product as the catalogue shows it. `available` may be reserved now; nothing of a retired one may."""

    id: uuid.UUID
    sku: str | None
    name: str
    description: str
    category: str
    price: Money
    created_at: dt.datetime
    updated_at: dt.datetime
    retired_at: dt.datetime | None = None
    on_hand: int = 0
    images: tuple[Image, ...] = ()

    @property
    def available(self) -> int:
        """How many may be ordered now."""
        return self.on_hand if self.retired_at is None else 0


@dataclass(frozen=True)
class Details:
    """What an admin says of a product."""

    sku: str | None
    name: str
    description: str
    category: str
    price: Money


@dataclass(frozen=True)
class Stock:
    """Where the pieces of a product are; `on_hand` + `reserved` + `sold` = `received`, each at least 0."""

    product_id: uuid.UUID
    on_hand: int = 0
    reserved: int = 0
    sold: int = 0
    received: int = 0


class State(StrEnum):
    """What an order holds of the stock."""

    RESERVED = "RESERVED"
    REJECTED = "REJECTED"
    COMMITTED = "COMMITTED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True)
class Line:
    """So many of one product."""

    product_id: uuid.UUID
    quantity: int


@dataclass(frozen=True)
class Reservation:
    """What one order holds. `lines` are empty where nothing was ever held."""

    order_id: uuid.UUID
    state: State
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Shift:
    """Where each piece of a reservation goes: -1 out of, +1 into."""

    on_hand: int = 0
    reserved: int = 0
    sold: int = 0


RESERVE = Shift(on_hand=-1, reserved=+1)
COMMIT = Shift(reserved=-1, sold=+1)
RELEASE = Shift(on_hand=+1, reserved=-1)
RESTOCK = Shift(on_hand=+1, sold=-1)


@dataclass(frozen=True)
class Outcome:
    """What became of a reservation, how its lines move, and what is to be told."""

    reservation: Reservation
    shift: Shift | None = None
    events: tuple[Event, ...] = ()


def change(product: Product, details: Details, now: dt.datetime) -> Product:
    """The product as an admin wants it from now on. Raises AlreadyRetired."""
    if product.retired_at is not None:
        raise AlreadyRetired("The product is retired: it cannot be changed any more.")
    return replace(
        product,
        sku=details.sku,
        name=details.name,
        description=details.description,
        category=details.category,
        price=details.price,
        updated_at=now,
    )


def retire(product: Product, now: dt.datetime) -> Product:
    """The product is no longer for sale; what orders hold of it stays theirs. Twice is once."""
    return product if product.retired_at is not None else replace(product, retired_at=now, updated_at=now)


def add_image(existing: int, image: Image) -> Image:
    """`image`, if a product with `existing` ones, awaited ones included, has room. Raises TooManyImages."""
    if existing >= MAX_IMAGES:
        raise TooManyImages(f"A product has {MAX_IMAGES} images at most: delete one first.")
    return image


def wanted(lines: Sequence[OrderLine]) -> tuple[Line, ...]:
    """How many of each product an order asks for, by the product's id."""
    total: Counter[uuid.UUID] = Counter()
    for line in lines:
        total[line.product_id] += line.quantity
    return tuple(Line(product_id, total[product_id]) for product_id in sorted(total))


def reserve(order_id: uuid.UUID, lines: tuple[Line, ...], available: Mapping[uuid.UUID, int]) -> Outcome:
    """All lines or none; a product that is not among `available` is not there at all."""
    shortages = tuple(
        Shortage(product_id=line.product_id, requested=line.quantity, available=there)
        for line in lines
        if (there := available.get(line.product_id, 0)) < line.quantity
    )
    if shortages:
        rejected = Reservation(order_id, State.REJECTED)
        return Outcome(rejected, events=(StockRejected(order_id=order_id, shortages=shortages),))
    reserved = Reservation(order_id, State.RESERVED, lines)
    return Outcome(reserved, RESERVE, (StockReserved(order_id=order_id),))


def commit(reservation: Reservation) -> Outcome:
    """The order is confirmed: what it holds is sold. Late news of a cancelled order changes nothing."""
    if reservation.state is not State.RESERVED:
        return Outcome(reservation)
    return Outcome(replace(reservation, state=State.COMMITTED), COMMIT)


def cancel(reservation: Reservation) -> Outcome:
    """The order is cancelled: what it holds, or has bought, goes back on the shelf."""
    cancelled = replace(reservation, state=State.CANCELLED)
    match reservation.state:
        case State.RESERVED:
            return Outcome(cancelled, RELEASE)
        case State.COMMITTED:
            return Outcome(cancelled, RESTOCK)
        case State.REJECTED | State.CANCELLED:
            return Outcome(reservation)


def never_to_be(order_id: uuid.UUID) -> Reservation:
    """The mark that an order was cancelled before it was heard of."""
    return Reservation(order_id, State.CANCELLED)
