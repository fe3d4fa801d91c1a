"""What is over in the product service: each operation that ends a thing, and what is answered about it."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from chassis import ends
from chassis.ends import End
from services.product import store
from services.product.conftest import NoImages, Shop, ground

ENDS = {
    "retire_product": End(
        "product_id",
        {
            "get_product": 200,
            "update_product": 409,
            "retire_product": 200,
            # What still comes in is counted, and cannot be had.
            "receive_stock": 200,
            "get_stock": 200,
            # It stays readable, and so do its pictures.
            "add_image": 201,
            "complete_image": 200,
            "get_image": 307,
            "delete_image": 204,
        },
        unseen=("search_products", "get_quotes"),
    ),
    "delete_image": End(
        "image_id",
        {"complete_image": 404, "get_image": 404, "delete_image": 404},
        unseen=("get_product",),
    ),
}
GOING_ON = ("create_product", "receive_stock", "add_image", "complete_image")


def test_every_end_has_its_case(shop: Shop) -> None:
    """A new one fails here until somebody has said what is answered after it."""
    assert [] == ends.gaps(shop.app.openapi(), ENDS, GOING_ON)


@pytest.mark.parametrize("ending", ENDS)
async def test_what_is_over_stays_over(shop: Shop, ending: str) -> None:
    """Whatever is tried with it: it is told, refused, or was done already; and a product is not for sale."""
    shop.app.state.parts = replace(shop.app.state.parts, images=NoImages("images"))
    made = await ground(shop)
    async with shop.database.transaction() as tx:
        await store.complete_image(tx, uuid.UUID(made.known["image_id"]))
    token = shop.issuer.token(shop.admin, "admin")
    assert [] == await ends.broken(made, ending, ENDS[ending], token)
