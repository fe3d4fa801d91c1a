"""The catalogue: enough to look around in, and nothing that the product service would refuse."""

from __future__ import annotations

from devstack.catalogue import STOCK, catalogue
from services.product.api import ProductBody


def test_a_shop_sells_a_few_hundred_products() -> None:
    """The same in every shop, each with a SKU of its own."""
    items = list(catalogue())
    assert items == list(catalogue())
    assert 200 <= len(items) <= 500
    assert len(items) == len({item.sku for item in items})
    assert STOCK > 0


def test_the_product_service_takes_each_of_them() -> None:
    """Names, descriptions and prices are within its limits, and stay as they are."""
    for item in catalogue():
        body = ProductBody.model_validate({**vars(item), "price": {"amount": item.price, "currency": "EUR"}})
        assert item.price > 0
        assert (item.sku, item.name, item.price) == (body.sku, body.name, body.price.amount)
