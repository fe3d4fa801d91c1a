"""The shapes in which the product service answers."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from contracts.money import Money
from services.product.domain import Image, Product, Stock
from services.product.search import Found


class ImageView(BaseModel):
    """A picture of a product. `url` leads to it, for everybody."""

    id: uuid.UUID
    url: str
    content_type: str
    size: Annotated[int, Field(description="bytes")]


class ProductSummary(BaseModel):
    """A product in a list."""

    id: uuid.UUID
    sku: str | None
    name: str
    category: str
    price: Money
    in_stock: bool
    image_url: str | None


class ProductView(ProductSummary):
    """A product with all that everybody may know of it. Of a retired one none are available."""

    description: str
    status: Literal["for_sale", "retired"]
    available: Annotated[int, Field(description="how many may be ordered; as of a few seconds ago")]
    images: list[ImageView]
    created_at: dt.datetime
    updated_at: dt.datetime


class Category(BaseModel):
    """A category, and how many products for sale are in it."""

    name: str
    products: int


class Categories(BaseModel):
    """All categories with something for sale, by name."""

    items: list[Category]


class Quote(BaseModel):
    """A product's name and price now."""

    product_id: uuid.UUID
    name: str
    unit_price: Money


class Quotes(BaseModel):
    """What of the asked-for products is for sale."""

    items: list[Quote]


class StockView(BaseModel):
    """Where the pieces of a product are: `on_hand` + `reserved` + `sold` = `received`."""

    product_id: uuid.UUID
    on_hand: int
    reserved: int
    sold: int
    received: int


def image_url(product_id: uuid.UUID, image_id: uuid.UUID) -> str:
    """The lasting address of an image."""
    return f"/api/products/{product_id}/images/{image_id}"


def of_image(image: Image) -> ImageView:
    """The image as it is shown."""
    url = image_url(image.product_id, image.id)
    return ImageView(id=image.id, url=url, content_type=image.content_type, size=image.size)


def of_found(found: Found) -> ProductSummary:
    """The found product as it is listed."""
    return ProductSummary(
        id=found.id,
        sku=found.sku,
        name=found.name,
        category=found.category,
        price=Money(amount=found.price, currency=found.currency),
        in_stock=found.in_stock,
        image_url=None if found.image_id is None else image_url(found.id, found.image_id),
    )


def of_product(product: Product) -> ProductView:
    """The product as it is shown."""
    images = [of_image(image) for image in product.images]
    return ProductView(
        id=product.id,
        sku=product.sku,
        name=product.name,
        category=product.category,
        price=product.price,
        in_stock=product.available > 0,
        image_url=images[0].url if images else None,
        description=product.description,
        status="for_sale" if product.retired_at is None else "retired",
        available=product.available,
        images=images,
        created_at=product.created_at,
        updated_at=product.updated_at,
    )


def of_stock(stock: Stock) -> StockView:
    """The stock as admins see it."""
    return StockView(
        product_id=stock.product_id,
        on_hand=stock.on_hand,
        reserved=stock.reserved,
        sold=stock.sold,
        received=stock.received,
    )
