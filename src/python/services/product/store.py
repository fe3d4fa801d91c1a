"""The product service's tables, and the queries over products and their images."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR, aggregate_order_by
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import metadata, sqlstate
from chassis.idempotency import idempotency_table
from chassis.inbox import inbox_table
from chassis.outbox import outbox_table
from contracts.money import Money
from services.product.domain import Image, Product

METADATA = metadata()
OUTBOX = outbox_table(METADATA)
INBOX = inbox_table(METADATA)
IDEMPOTENCY = idempotency_table(METADATA)

# Hits in the name weigh more than hits in the description.
SEARCH_VECTOR = (
    "setweight(to_tsvector('english'::regconfig, name), 'A') || "
    "setweight(to_tsvector('english'::regconfig, description), 'B')"
)
_FOR_SALE = sa.text("retired_at IS NULL")

PRODUCTS = sa.Table(
    "products",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("sku", sa.Text, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("price", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("retired_at", sa.DateTime(timezone=True)),
    sa.Column("search", TSVECTOR, sa.Computed(SEARCH_VECTOR, persisted=True), nullable=False),
    sa.CheckConstraint("price > 0", name="price"),
    sa.Index("ix_products_search", "search", postgresql_using="gin"),
    sa.Index(
        "ix_products_name_trigrams", "name", postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"}
    ),
    # Ids are UUIDv7: their order is that of creation.
    sa.Index("ix_products_category_id", "category", "id", postgresql_where=_FOR_SALE),
    sa.Index("ix_products_price_id", "price", "id", postgresql_where=_FOR_SALE),
    sa.Index("ix_products_name_id", "name", "id", postgresql_where=_FOR_SALE),
)

# Apart from the products: these rows change with each order, and so must be short.
STOCK = sa.Table(
    "stock",
    METADATA,
    sa.Column("product_id", sa.Uuid, sa.ForeignKey("products.id"), primary_key=True),
    sa.Column("on_hand", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("reserved", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("sold", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("received", sa.BigInteger, nullable=False, server_default="0"),
    sa.CheckConstraint("on_hand >= 0 AND reserved >= 0 AND sold >= 0", name="not_negative"),
    sa.CheckConstraint("on_hand + reserved + sold = received", name="nothing_lost"),
)

RECEIPTS = sa.Table(
    "receipts",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("product_id", sa.Uuid, sa.ForeignKey("products.id"), nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("received_by", sa.Uuid, nullable=False),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("quantity > 0", name="quantity"),
    sa.Index("ix_receipts_product_id_id", "product_id", "id"),
)

RESERVATIONS = sa.Table(
    "reservations",
    METADATA,
    sa.Column("order_id", sa.Uuid, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("lines", JSONB, nullable=False),
    # Since when nothing can become of it any more; it is kept as long as an event may come again.
    sa.Column("ended_at", sa.DateTime(timezone=True)),
    sa.CheckConstraint("state IN ('RESERVED', 'REJECTED', 'COMMITTED', 'CANCELLED')", name="state"),
    sa.CheckConstraint("(state IN ('REJECTED', 'CANCELLED')) = (ended_at IS NOT NULL)", name="ended_at"),
    sa.Index("ix_reservations_ended_at", "ended_at", postgresql_where=sa.text("ended_at IS NOT NULL")),
)

IMAGES = sa.Table(
    "images",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("product_id", sa.Uuid, sa.ForeignKey("products.id"), nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("pending_since", sa.DateTime(timezone=True)),
    sa.CheckConstraint("size > 0", name="size"),
    sa.Index("ix_images_product_id_id", "product_id", "id"),
    sa.Index(
        "ix_images_pending_since", "pending_since", postgresql_where=sa.text("pending_since IS NOT NULL")
    ),
)


class ProductUnknown(Exception):
    """There is no such product."""


class ImageUnknown(Exception):
    """The product has no such image."""


class SkuTaken(Exception):
    """Another product has this SKU."""


async def insert(tx: AsyncConnection, product: Product) -> None:
    """Store a new product, of which there is none yet. Raises SkuTaken."""
    try:
        await tx.execute(
            PRODUCTS.insert().values(id=product.id, created_at=product.created_at, **_row(product))
        )
    except IntegrityError as error:
        raise _sku_taken(error, product) from None
    await tx.execute(STOCK.insert().values(product_id=product.id))


async def save(tx: AsyncConnection, product: Product) -> None:
    """Store a product that was read with `locked`. Raises SkuTaken."""
    try:
        await tx.execute(PRODUCTS.update().where(PRODUCTS.c.id == product.id).values(_row(product)))
    except IntegrityError as error:
        raise _sku_taken(error, product) from None


async def find(connection: AsyncConnection, product_id: uuid.UUID) -> Product:
    """The product with its stock and images. Raises ProductUnknown."""
    return _product((await connection.execute(_BY_ID, {"product_id": product_id})).one_or_none())


async def locked(tx: AsyncConnection, product_id: uuid.UUID) -> Product:
    """The same, held against changes by others until the transaction ends; orders go on meanwhile."""
    # The lock comes first: what is read after it is what the one who held it before has left.
    await tx.execute(_LOCK, {"product_id": product_id})
    return await find(tx, product_id)


async def quotes(connection: AsyncConnection, product_ids: Sequence[uuid.UUID]) -> Sequence[sa.Row[Any]]:
    """`id`, `name`, `price` and `currency` of each of these that is for sale."""
    rows: Sequence[sa.Row[Any]] = (await connection.execute(_QUOTES, {"ids": product_ids})).all()
    return rows


async def categories(connection: AsyncConnection) -> Sequence[tuple[str, int]]:
    """Each category with the number of products for sale in it, by name."""
    return [(row.category, row.products) for row in await connection.execute(_CATEGORIES)]


async def insert_image(tx: AsyncConnection, image: Image) -> None:
    """Store an image that is awaited."""
    values = {
        "id": image.id,
        "product_id": image.product_id,
        "content_type": image.content_type,
        "size": image.size,
        "pending_since": image.pending_since,
    }
    await tx.execute(IMAGES.insert().values(values))


async def count_images(tx: AsyncConnection, product_id: uuid.UUID) -> int:
    """How many images the product has, awaited ones included."""
    query = sa.select(sa.func.count()).select_from(IMAGES).where(IMAGES.c.product_id == product_id)
    return int(await tx.scalar(query) or 0)


async def find_image(connection: AsyncConnection, product_id: uuid.UUID, image_id: uuid.UUID) -> Image:
    """An image of the product, there or awaited. Raises ImageUnknown."""
    row = (await connection.execute(_IMAGE, {"product_id": product_id, "image_id": image_id})).one_or_none()
    if row is None:
        raise ImageUnknown
    return Image(row.id, row.product_id, row.content_type, row.size, row.pending_since)


async def complete_image(tx: AsyncConnection, image_id: uuid.UUID) -> None:
    """The image is there and may be shown."""
    await tx.execute(IMAGES.update().where(IMAGES.c.id == image_id).values(pending_since=None))


async def delete_image(tx: AsyncConnection, image_id: uuid.UUID) -> None:
    """The product has this image no more."""
    await tx.execute(IMAGES.delete().where(IMAGES.c.id == image_id))


_images_there = (
    sa.select(
        sa.func.jsonb_agg(
            aggregate_order_by(
                sa.func.jsonb_build_array(IMAGES.c.id, IMAGES.c.content_type, IMAGES.c.size), IMAGES.c.id
            )
        )
    )
    .where(IMAGES.c.product_id == PRODUCTS.c.id, IMAGES.c.pending_since.is_(None))
    .scalar_subquery()
)
_BY_ID: sa.Select[Any] = (
    sa.select(*(c for c in PRODUCTS.c if c.name != "search"), STOCK.c.on_hand, _images_there.label("images"))
    .join(STOCK, STOCK.c.product_id == PRODUCTS.c.id)
    .where(PRODUCTS.c.id == sa.bindparam("product_id"))
)
# NO KEY: rows that refer to the product may be written meanwhile.
_LOCK = (
    sa.select(PRODUCTS.c.id)
    .where(PRODUCTS.c.id == sa.bindparam("product_id"))
    .with_for_update(key_share=True)
)
_QUOTES: sa.Select[Any] = sa.select(
    PRODUCTS.c.id, PRODUCTS.c.name, PRODUCTS.c.price, PRODUCTS.c.currency
).where(PRODUCTS.c.id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid))), PRODUCTS.c.retired_at.is_(None))
_CATEGORIES = (
    sa.select(PRODUCTS.c.category, sa.func.count().label("products"))
    .where(PRODUCTS.c.retired_at.is_(None))
    .group_by(PRODUCTS.c.category)
    .order_by(PRODUCTS.c.category)
)
_IMAGE = sa.select(IMAGES).where(
    IMAGES.c.product_id == sa.bindparam("product_id"), IMAGES.c.id == sa.bindparam("image_id")
)


def _product(row: sa.Row[Any] | None) -> Product:
    if row is None:
        raise ProductUnknown
    return Product(
        id=row.id,
        sku=row.sku,
        name=row.name,
        description=row.description,
        category=row.category,
        price=Money(amount=row.price, currency=row.currency),
        created_at=row.created_at,
        updated_at=row.updated_at,
        retired_at=row.retired_at,
        on_hand=row.on_hand,
        images=tuple(Image(uuid.UUID(id_), row.id, kind, size) for id_, kind, size in row.images or ()),
    )


def _row(product: Product) -> dict[str, Any]:
    return {
        "sku": product.sku,
        "name": product.name,
        "description": product.description,
        "category": product.category,
        "price": product.price.amount,
        "currency": product.price.currency,
        "updated_at": product.updated_at,
        "retired_at": product.retired_at,
    }


def _sku_taken(error: IntegrityError, product: Product) -> Exception:
    unique_violation = sqlstate(error) == "23505"
    return SkuTaken(f"Another product has the SKU {product.sku}.") if unique_violation else error
