from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from chassis import paging
from services.product.conftest import Shop

CATALOGUE: list[dict[str, Any]] = [
    {"name": "Mechanical keyboard", "category": "Desk", "price": 8900, "stock": 3},
    {"name": "Wireless mouse", "category": "Desk", "price": 2900, "stock": 0},
    {"name": "Desk lamp", "category": "Light", "price": 4500, "stock": 1},
    {"name": "Green tea", "category": "Tea", "price": 500, "stock": 9},
    {"name": "Black tea", "category": "Tea", "price": 500, "stock": 0},
]
DESCRIPTIONS = {"Wireless mouse": "Goes well with a keyboard.", "Desk lamp": "Lights up what you write."}


@pytest.fixture
async def catalogue(shop: Shop) -> Shop:
    """Five products, the last being the newest."""
    for each in CATALOGUE:
        await shop.create(
            name=each["name"],
            description=DESCRIPTIONS.get(each["name"], ""),
            category=each["category"],
            price={"amount": each["price"], "currency": "EUR"},
            stock=each["stock"],
        )
    return shop


async def names(shop: Shop, **parameters: Any) -> list[str]:
    answer = await shop.client.get("/api/products", params=parameters)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


ALL = [each["name"] for each in CATALOGUE]


FINDS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ALL[::-1]),
    ({"sort": "name"}, sorted(ALL)),
    ({"sort": "price", "min_price": 501}, ["Wireless mouse", "Desk lamp", "Mechanical keyboard"]),
    ({"sort": "-price", "limit": 2}, ["Mechanical keyboard", "Desk lamp"]),
    ({"category": "Tea"}, ["Black tea", "Green tea"]),
    ({"category": "tea"}, []),
    ({"min_price": 2900, "max_price": 4500}, ["Desk lamp", "Wireless mouse"]),
    ({"in_stock": "true", "category": "Desk"}, ["Mechanical keyboard"]),
    ({"in_stock": "false"}, ["Black tea", "Wireless mouse"]),
    # A hit in the name goes before one in the description.
    ({"q": "keyboard"}, ["Mechanical keyboard", "Wireless mouse"]),
    ({"q": "keyboards"}, ["Mechanical keyboard", "Wireless mouse"]),
    ({"q": "keyboard -mouse"}, ["Mechanical keyboard"]),
    ({"q": "green or lamp", "sort": "price"}, ["Green tea", "Desk lamp"]),
    ({"q": '"tea green"'}, ["Green tea", "Black tea"]),  # no such phrase: what looks like it
    ({"q": "keybord"}, ["Mechanical keyboard"]),
    ({"q": "mechancal kebyoard"}, ["Mechanical keyboard"]),
    ({"q": "lam"}, ["Desk lamp"]),
    ({"q": "keybord", "category": "Tea"}, []),
    ({"q": "zzzzzz"}, []),
    ({"q": "the"}, []),
    ({"q": "'; DROP TABLE products; --"}, []),
    ({"q": "!!! & | <-> :*"}, []),
]


async def test_what_fits_is_found(catalogue: Shop) -> None:
    """By words, by names that look like them, by category, price and stock, in the order asked for."""
    found = [(parameters, await names(catalogue, **parameters)) for parameters, _ in FINDS]
    assert found == FINDS


async def test_pages_hold_everything_once(shop: Shop) -> None:
    """Whatever they are sorted by, with equal keys, and for names that only look like what was asked for."""
    for i in range(4):
        await shop.create(name="Green tea", price={"amount": 500 + i // 2, "currency": "EUR"})
    await shop.create(name="Cup", description="")
    for sort in ("relevance", "newest", "price", "-price", "name"):
        for q in ("tea", "gren tae"):
            await page_through(shop, q, sort, found=4)


async def page_through(shop: Shop, q: str, sort: str, *, found: int) -> None:
    whole = await shop.client.get("/api/products", params={"q": q, "sort": sort})
    pages: list[str] = []
    cursor = None
    for _ in range(found + 1):
        parameters: dict[str, Any] = {"q": q, "sort": sort, "limit": 1}
        if cursor is not None:
            parameters["cursor"] = cursor
        page = (await shop.client.get("/api/products", params=parameters)).json()
        pages += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == [item["id"] for item in whole.json()["items"]]
    assert len(set(pages)) == found


async def test_a_product_that_comes_between_pages_shifts_none(catalogue: Shop) -> None:
    """The second page begins where the first ended."""
    first = (await catalogue.client.get("/api/products", params={"limit": 2})).json()
    await catalogue.create(name="Newest")
    second = await names(catalogue, limit=2, cursor=first["next_cursor"])
    assert second == ["Desk lamp", "Wireless mouse"]


async def test_a_listed_product_says_what_a_list_shows(shop: Shop) -> None:
    """And no more."""
    product = await shop.create(sku="T-1", stock=1)
    (item,) = (await shop.client.get("/api/products")).json()["items"]
    assert item == {
        "id": product["id"],
        "sku": "T-1",
        "name": "Green tea",
        "category": "Tea",
        "price": {"amount": 500, "currency": "EUR"},
        "in_stock": True,
        "image_url": None,
    }


async def test_the_retired_are_not_found(catalogue: Shop) -> None:
    """Nor counted in their category."""
    (lamp,) = (await catalogue.client.get("/api/products", params={"q": "lamp"})).json()["items"]
    await catalogue.client.post(f"/api/products/{lamp['id']}/retire", headers=catalogue.as_admin())
    assert "Desk lamp" not in await names(catalogue)
    assert await names(catalogue, q="lmap") == []
    answer = await catalogue.client.get("/api/products/categories")
    assert answer.json() == {"items": [{"name": "Desk", "products": 2}, {"name": "Tea", "products": 2}]}


UNUSABLE: list[tuple[dict[str, Any], str]] = [
    ({"q": ""}, "q"),
    ({"q": "x" * 201}, "q"),
    ({"q": "a\0b"}, "q"),
    ({"category": "\x01"}, "category"),
    ({"min_price": -1}, "min_price"),
    ({"max_price": 2**53}, "max_price"),
    ({"max_price": 10**400}, "max_price"),
    ({"min_price": "cheap"}, "min_price"),
    ({"in_stock": "perhaps"}, "in_stock"),
    ({"sort": "colour"}, "sort"),
    ({"limit": 0}, "limit"),
    ({"limit": 101}, "limit"),
]


async def test_a_parameter_that_cannot_be_used_is_named(shop: Shop) -> None:
    """With a problem document."""
    for parameters, pointer in UNUSABLE:
        answer = await shop.client.get("/api/products", params=parameters)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), parameters


async def test_relevance_needs_words(shop: Shop) -> None:
    """There is nothing else to be relevant to."""
    answer = await shop.client.get("/api/products", params={"sort": "relevance"})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "sort: relevance needs a q to be relevant to.",
    )


FORGED = [
    *("x", "!", "AAAA", "W10", "eyJhIjoxfQ", "bnVsbA", "WzEsMiwzLDRd", "é"),
    *(
        paging.encode(*key)
        for key in [
            ("name", False, "x", "no-id"),
            ("name", False, "x"),
            ("price", False, "cheap", uuid.uuid4()),
            ("price", False, None, uuid.uuid4()),
            ("newest", False, "x", uuid.uuid4()),
            ("-price", False, 1, uuid.uuid4()),
            ("price", False, "9" * 100, uuid.uuid4()),
            ("name", False, "a\0b", uuid.uuid4()),
        ]
    ),
]


async def test_a_cursor_of_other_making_is_refused(shop: Shop) -> None:
    """It is ours to make."""
    await shop.create()
    for sort in ("newest", "price", "name"):
        for cursor in FORGED:
            answer = await shop.client.get("/api/products", params={"sort": sort, "cursor": cursor})
            assert answer.status_code == 422, (sort, cursor)


async def test_relevance_without_words_is_a_problem_with_a_name(shop: Shop) -> None:
    """No schema can rule it out: a client must be able to tell it from a parameter that does not fit."""
    answer = await shop.client.get("/api/products", params={"sort": "relevance"})
    assert (422, "/problems/sort-impossible") == (answer.status_code, answer.json()["type"])


async def test_the_document_says_how_ids_are_listed(shop: Shop) -> None:
    """As many as are taken at once, and no more."""
    parameter = shop.app.openapi()["paths"]["/api/products/quotes"]["get"]["parameters"][0]
    ids = [str(uuid.uuid4()) for _ in range(51)]
    for many, expected in ((1, 200), (50, 200), (51, 422), (0, 422)):
        listed = ",".join(ids[:many])
        answer = await shop.client.get("/api/products/quotes", params={"ids": listed})
        assert expected == answer.status_code
        assert (expected == 200) == bool(re.fullmatch(parameter["schema"]["x-pattern"], listed))
