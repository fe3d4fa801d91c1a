"""Searching the catalogue: full text, filters, and pages by key."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.product.store import IMAGES, PRODUCTS, STOCK

# How much of the asked-for words' trigrams a name must hold; PostgreSQL's own 0.6 forgives few errors.
_SIMILARITY = "0.4"


class Sort(StrEnum):
    """By what the found products are ordered."""

    RELEVANCE = "relevance"
    NEWEST = "newest"
    PRICE = "price"
    PRICE_DESCENDING = "-price"
    NAME = "name"


@dataclass(frozen=True)
class Search:
    """What is looked for among the products for sale. Prices are in minor units.

    With `similar`, names that look like `text` are found, rather than products that hold its words.
    """

    text: str | None = None
    category: str | None = None
    min_price: int | None = None
    max_price: int | None = None
    in_stock: bool | None = None
    sort: Sort = Sort.NEWEST
    similar: bool = False


@dataclass(frozen=True)
class Found:
    """A product that was found. `key` is what it is sorted by before its id; newest have none."""

    id: uuid.UUID
    sku: str | None
    name: str
    category: str
    price: int
    currency: str
    in_stock: bool
    image_id: uuid.UUID | None
    key: str | float | int | None


async def run(
    tx: AsyncConnection,
    search: Search,
    *,
    after: tuple[Any, ...] | None,
    limit: int,
) -> Sequence[Found]:
    """The first `limit` products found that come after the one with the key and id in `after`."""
    if search.similar:
        # For this transaction alone. The index serves the operator, which takes its bound from here.
        await tx.execute(
            sa.select(sa.func.set_config("pg_trgm.word_similarity_threshold", _SIMILARITY, True))
        )
    rows = await tx.execute(_query(search, after, limit))
    return [Found(**row._mapping) for row in rows]


_first_image = (
    sa.select(IMAGES.c.id)
    .where(IMAGES.c.product_id == PRODUCTS.c.id, IMAGES.c.pending_since.is_(None))
    .order_by(IMAGES.c.id)
    .limit(1)
    .scalar_subquery()
)


def _query(search: Search, after: tuple[Any, ...] | None, limit: int) -> sa.Select[Any]:
    p, key = PRODUCTS.c, _key(search)
    query = (
        sa.select(
            p.id,
            p.sku,
            p.name,
            p.category,
            p.price,
            p.currency,
            (STOCK.c.on_hand > 0).label("in_stock"),
            _first_image.label("image_id"),
            (sa.null() if key is None else key).label("key"),
        )
        .join(STOCK, STOCK.c.product_id == p.id)
        .where(p.retired_at.is_(None), *_conditions(search))
    )
    columns = [p.id] if key is None else [key, p.id]
    descending = search.sort in (Sort.RELEVANCE, Sort.NEWEST, Sort.PRICE_DESCENDING)
    if after is not None:
        bound = sa.tuple_(*(sa.literal(v, c.type) for v, c in zip(after, columns, strict=True)))
        here = sa.tuple_(*columns)
        query = query.where(here < bound if descending else here > bound)
    return query.order_by(*(c.desc() if descending else c.asc() for c in columns)).limit(limit)


def _conditions(search: Search) -> list[sa.ColumnElement[bool]]:
    p = PRODUCTS.c
    conditions: list[sa.ColumnElement[bool]] = []
    if search.text is not None:
        matches = p.name.op("%>")(search.text) if search.similar else p.search.op("@@")(_words(search.text))
        conditions.append(matches)
    if search.category is not None:
        conditions.append(p.category == search.category)
    if search.min_price is not None:
        conditions.append(p.price >= search.min_price)
    if search.max_price is not None:
        conditions.append(p.price <= search.max_price)
    if search.in_stock is not None:
        conditions.append(STOCK.c.on_hand > 0 if search.in_stock else STOCK.c.on_hand == 0)
    return conditions


def _key(search: Search) -> sa.ColumnElement[Any] | None:
    match search.sort:
        case Sort.RELEVANCE:
            # As double: what a cursor carries must compare equal to what the row has.
            return sa.cast(_relevance(search), sa.Double)
        case Sort.PRICE | Sort.PRICE_DESCENDING:
            return PRODUCTS.c.price
        case Sort.NAME:
            return PRODUCTS.c.name
        case Sort.NEWEST:
            return None  # the id, being a UUIDv7, says it


def _relevance(search: Search) -> sa.ColumnElement[Any]:
    assert search.text is not None, "what is sorted by relevance is relevant to some text"
    if search.similar:
        return sa.func.word_similarity(search.text, PRODUCTS.c.name)
    return sa.func.ts_rank_cd(PRODUCTS.c.search, _words(search.text))


def _words(text: str) -> sa.ColumnElement[Any]:
    # Written out, or the planner would not know that the index fits.
    return sa.func.websearch_to_tsquery(sa.literal_column("'english'::regconfig"), text)
