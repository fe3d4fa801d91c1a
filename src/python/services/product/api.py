"""The routes of the product service: parse, call, shape the answer. Those of images are in `image_api`."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import paging
from chassis.auth import Admin
from chassis.clock import Clock, Ids, new_id, utc_now
from chassis.database import Database
from chassis.idempotency import OnceForCaller
from chassis.openapi import named
from chassis.paging import Cursor, CursorUnknown, Limit, Page
from chassis.problems import Conflict, Invalid, NotFound
from chassis.text import PATTERN, Amount, Line, Paragraphs, PositiveCount, ShortLine
from contracts.money import MAX_SAFE_INTEGER, Currency, Money
from services.product import domain, search, stock, store, views
from services.product.cache import Cache, Quotes
from services.product.domain import Details, Product, ProductError
from services.product.images import ImageStore
from services.product.search import Found, Search, Sort
from services.product.views import Categories, Category, ProductSummary, ProductView, StockView

MAX_QUOTES = 50

_HEX = "[0-9a-f]"
_ID = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
IDS_PATTERN = f"^{_ID}(,{_ID}){{0,{MAX_QUOTES - 1}}}$"

CATEGORIES_KEY = "product:v1:categories"

# What the products of a page are sorted by, before their ids.
_KEY_TYPES: dict[Sort, tuple[type[Any], ...]] = {
    Sort.RELEVANCE: (float,),
    Sort.NEWEST: (),
    Sort.PRICE: (int,),
    Sort.PRICE_DESCENDING: (int,),
    Sort.NAME: (str,),
}

T = TypeVar("T")

router = APIRouter(prefix="/api/products", tags=["products"])


@dataclass(frozen=True)
class Parts:
    """What the routes work with."""

    database: Database
    cache: Cache
    quotes: Quotes
    images: ImageStore
    clock: Clock = utc_now
    ids: Ids = new_id


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(_parts)]


class SkuTaken(Conflict):
    slug, title = "sku-taken", "SKU taken"


class ProductRetired(Conflict):
    slug, title = "product-retired", "Product is retired"


class SortImpossible(Invalid):
    slug, title = "sort-impossible", "Sort impossible"


class Price(BaseModel):
    """A price in minor units: 1999 EUR is €19.99."""

    model_config = ConfigDict(extra="forbid")

    amount: Amount
    currency: Currency


class ProductBody(BaseModel):
    """What an admin says of a product. A SKU, where there is one, is of this product alone."""

    model_config = ConfigDict(extra="forbid")

    sku: ShortLine | None = None
    name: Line
    description: Paragraphs
    category: ShortLine
    price: Price

    def details(self) -> Details:
        """The same for the domain."""
        price = Money(amount=self.price.amount, currency=self.price.currency)
        return Details(self.sku, self.name, self.description, self.category, price)


class Receipt(BaseModel):
    """How many pieces came in."""

    model_config = ConfigDict(extra="forbid")

    quantity: PositiveCount


MinorUnits = Annotated[
    int, Query(ge=0, le=MAX_SAFE_INTEGER, description="In minor units, whatever the currency.")
]


@router.get("", responses={422: named(SortImpossible)}, operation_id="search_products")
async def search_products(
    parts: PartsDep,
    q: Annotated[
        Line | None, Query(description='Words to find; "a phrase", -without, this or that are understood.')
    ] = None,
    category: ShortLine | None = None,
    min_price: MinorUnits | None = None,
    max_price: MinorUnits | None = None,
    in_stock: Annotated[
        bool | None, Query(description="Only what is, or only what is not, in stock.")
    ] = None,
    sort: Annotated[
        Sort | None, Query(description="`relevance` where there is a `q`, else `newest`.")
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[ProductSummary]:
    """The products for sale that fit. A `q` that no product holds finds names that look like it."""
    if sort is Sort.RELEVANCE and q is None:
        raise SortImpossible("sort: relevance needs a q to be relevant to.")
    order = sort or (Sort.NEWEST if q is None else Sort.RELEVANCE)
    wanted = Search(q, category, min_price, max_price, in_stock, order)
    wanted, after = _resume(wanted, cursor) if cursor is not None else (wanted, None)
    found = await _found(parts, wanted, after, limit + 1)
    if not found and q is not None and cursor is None:
        wanted = replace(wanted, similar=True)
        found = await _found(parts, wanted, None, limit + 1)
    more = len(found) > limit
    return Page(
        items=[views.of_found(each) for each in found[:limit]],
        next_cursor=_cursor(wanted, found[limit - 1]) if more else None,
    )


@router.get("/categories", response_model=Categories, operation_id="list_categories")
async def list_categories(parts: PartsDep) -> Response:
    """All categories with something for sale; as of a few seconds ago."""

    async def read() -> bytes:
        async with parts.database.reading() as connection:
            counted = await store.categories(connection)
        items = [Category(name=name, products=products) for name, products in counted]
        return Categories(items=items).model_dump_json().encode()

    return _json(await parts.cache.read_through(CATEGORIES_KEY, read))


@router.get("/quotes", response_model=views.Quotes, operation_id="get_quotes")
async def get_quotes(
    parts: PartsDep,
    ids: Annotated[
        str,
        Query(
            max_length=MAX_QUOTES * 40,
            description=f"Ids of at most {MAX_QUOTES} products, comma-separated.",
            json_schema_extra={PATTERN: IDS_PATTERN},
        ),
    ],
) -> Response:
    """Name and price of those of these products that are for sale; at most one second old."""
    return _json(b'{"items":[' + b",".join(await parts.quotes.of(_ids(ids))) + b"]}")


@router.get("/{product_id:uuid}", response_model=ProductView, operation_id="get_product")
async def get_product(product_id: uuid.UUID, parts: PartsDep) -> Response:
    """A product, retired or not. How many are available may be a few seconds old."""

    async def read() -> bytes:
        async with parts.database.reading() as connection:
            product = await found(store.find(connection, product_id))
        return views.of_product(product).model_dump_json().encode()

    return _json(await parts.cache.read_through(_key(product_id), read))


@router.post("", status_code=201, response_model=ProductView, operation_id="create_product")
async def create_product(body: ProductBody, _: Admin, once: OnceForCaller, parts: PartsDep) -> Response:
    """Put a product into the catalogue, with no stock yet. Admins only."""
    now = parts.clock()
    said = body.details()
    product = Product(
        id=parts.ids(),
        sku=said.sku,
        name=said.name,
        description=said.description,
        category=said.category,
        price=said.price,
        created_at=now,
        updated_at=now,
    )
    async with once.transaction() as tx:
        await _sku_free(store.insert(tx, product))
        location = f"/api/products/{product.id}"
        answer = await once.answer(tx, 201, views.of_product(product), location=location)
    await forget(parts, product.id)
    return answer


@router.put(
    "/{product_id:uuid}",
    responses={409: {"description": "The product is retired, or another has the SKU."}},
    operation_id="update_product",
)
async def update_product(product_id: uuid.UUID, body: ProductBody, _: Admin, parts: PartsDep) -> ProductView:
    """Say all of a product anew. Orders placed keep the name and price they were placed at. Admins only."""
    async with parts.database.transaction() as tx:
        product = await found(store.locked(tx, product_id))
        try:
            changed = domain.change(product, body.details(), parts.clock())
        except ProductError as error:
            raise ProductRetired(str(error)) from None
        await _sku_free(store.save(tx, changed))
    await forget(parts, product_id)
    return views.of_product(changed)


@router.post("/{product_id:uuid}/retire", response_model=ProductView, operation_id="retire_product")
async def retire_product(product_id: uuid.UUID, _: Admin, once: OnceForCaller, parts: PartsDep) -> Response:
    """Take a product off sale for good; it stays readable, and orders keep what they hold. Admins only."""
    async with once.transaction() as tx:
        retired = domain.retire(await found(store.locked(tx, product_id)), parts.clock())
        await store.save(tx, retired)
        answer = await once.answer(tx, 200, views.of_product(retired))
    await forget(parts, product_id)
    return answer


@router.post("/{product_id:uuid}/stock", response_model=StockView, operation_id="receive_stock")
async def receive_stock(
    product_id: uuid.UUID, body: Receipt, caller: Admin, once: OnceForCaller, parts: PartsDep
) -> Response:
    """Put received pieces on the shelf, and record it. Admins only."""
    async with once.transaction() as tx:
        receipt = stock.receive(
            tx, product_id, body.quantity, receipt_id=parts.ids(), by=caller.id, at=parts.clock()
        )
        answer = await once.answer(tx, 200, views.of_stock(await found(receipt)))
    await forget(parts, product_id)
    return answer


@router.get("/{product_id:uuid}/stock", operation_id="get_stock")
async def get_stock(product_id: uuid.UUID, _: Admin, parts: PartsDep) -> StockView:
    """Where the pieces of a product are at this moment. Admins only."""
    async with parts.database.reading() as connection:
        return views.of_stock(await found(stock.find(connection, product_id)))


async def forget(parts: Parts, product_id: uuid.UUID) -> None:
    """After a change of a product was committed: let nobody read the old state from a cache."""
    parts.quotes.forget(product_id)
    await parts.cache.forget(_key(product_id), CATEGORIES_KEY)


async def found(product: Awaitable[T]) -> T:
    """What was looked for, or a 404."""
    try:
        return await product
    except store.ProductUnknown:
        raise NotFound("There is no such product.") from None


async def _found(parts: Parts, wanted: Search, after: tuple[Any, ...] | None, limit: int) -> Sequence[Found]:
    def connected() -> Any:
        return parts.database.transaction() if wanted.similar else parts.database.reading()

    connection: AsyncConnection
    async with connected() as connection:
        return await search.run(connection, wanted, after=after, limit=limit)


async def _sku_free(write: Awaitable[None]) -> None:
    try:
        await write
    except store.SkuTaken as error:
        raise SkuTaken(f"sku: {error} Choose another.") from None


def _cursor(wanted: Search, last: Found) -> str:
    key = () if wanted.sort is Sort.NEWEST else (last.key,)
    return paging.encode(wanted.sort, wanted.similar, *key, last.id)


def _resume(wanted: Search, cursor: str) -> tuple[Search, tuple[Any, ...]]:
    sort, similar, *after = paging.decode(cursor, str, bool, *_KEY_TYPES[wanted.sort], uuid.UUID)
    if sort != wanted.sort:
        raise CursorUnknown("cursor: it is of a search with another sort; search anew.")
    return replace(wanted, similar=similar and wanted.text is not None), tuple(after)


def _ids(ids: str) -> list[uuid.UUID]:
    try:
        wanted = list(dict.fromkeys(uuid.UUID(each) for each in ids.split(",")))
    except ValueError:
        raise Invalid("ids: give ids of products, separated by commas.") from None
    if len(wanted) > MAX_QUOTES:
        raise Invalid(f"ids: at most {MAX_QUOTES} at once, not {len(wanted)}.")
    return wanted


def _key(product_id: uuid.UUID) -> str:
    return f"product:v1:{product_id}"


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
