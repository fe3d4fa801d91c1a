from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from contracts.money import MAX_SAFE_INTEGER
from services.product import store
from services.product.conftest import Shop, body

PROBLEM = "application/problem+json"
NOBODY = uuid.uuid4()


async def test_a_created_product_is_for_sale_and_not_there_yet(shop: Shop) -> None:
    """The answer says where it is; everybody may read it, signed in or not."""
    request = body(sku="T-1")
    answer = await shop.client.post("/api/products", json=request, headers=shop.as_admin())
    product = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/api/products/{product['id']}")
    expected = request | {
        "id": product["id"],
        "status": "for_sale",
        "in_stock": False,
        "available": 0,
        "image_url": None,
        "images": [],
        "created_at": product["created_at"],
        "updated_at": product["created_at"],
    }
    assert product == expected
    read = await shop.client.get(answer.headers["Location"])
    assert (read.status_code, read.json()) == (200, expected)


async def test_a_repeated_creation_answers_as_the_first_and_creates_once(shop: Shop) -> None:
    """Same key, same body, same answer; another body under the key is refused."""
    headers = shop.as_admin()
    first, again = [await shop.client.post("/api/products", json=body(), headers=headers) for _ in range(2)]
    assert (again.status_code, again.content) == (201, first.content)
    other = await shop.client.post("/api/products", json=body(name="Other"), headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert await shop.rows(store.PRODUCTS) == 1


async def test_simultaneous_receipts_under_one_key_count_once(shop: Shop) -> None:
    """Each of five is answered alike, or told that it is under way."""
    product = await shop.create()
    where, headers = f"/api/products/{product['id']}/stock", shop.as_admin()
    answers = await asyncio.gather(
        *(shop.client.post(where, json={"quantity": 7}, headers=headers) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} <= {200, 409}
    stock = (await shop.client.get(where, headers=shop.as_admin())).json()
    assert stock == {"product_id": product["id"], "on_hand": 7, "reserved": 0, "sold": 0, "received": 7}
    assert await shop.rows(store.RECEIPTS) == 1


async def test_a_change_is_seen_at_once(shop: Shop) -> None:
    """In the detail and in the quotes; the id, the stock and the birth stay."""
    product = await shop.create(stock=3)
    where = f"/api/products/{product['id']}"
    await quotes(shop, product["id"])
    changed = body(name="Black tea", price={"amount": 700, "currency": "USD"}, sku="B")
    answer = await shop.client.put(where, json=changed, headers=shop.as_admin())
    assert answer.status_code == 200
    assert answer.json().items() >= (changed | {"available": 3, "created_at": product["created_at"]}).items()
    assert (await shop.client.get(where)).json() == answer.json()
    assert await quotes(shop, product["id"]) == [
        {"product_id": product["id"], "name": "Black tea", "unit_price": changed["price"]}
    ]


async def test_a_retired_product_stays_readable_and_is_not_sold(shop: Shop) -> None:
    """Nor changed; retiring it again changes nothing."""
    product = await shop.create(stock=3)
    where = f"/api/products/{product['id']}"
    first, again = [await shop.client.post(f"{where}/retire", headers=shop.as_admin()) for _ in range(2)]
    assert (first.status_code, again.json()) == (200, first.json())
    read = (await shop.client.get(where)).json()
    assert (read["status"], read["available"], read["in_stock"]) == ("retired", 0, False)
    assert await quotes(shop, product["id"]) == []
    change = await shop.client.put(where, json=body(), headers=shop.as_admin())
    assert (change.status_code, change.json()["type"]) == (409, "/problems/product-retired")


async def test_a_sku_is_of_one_product(shop: Shop) -> None:
    """Whether it is created with it or changed to it; its own it may keep."""
    first, second = await shop.create(sku="A"), await shop.create(sku="B")
    create = await shop.client.post("/api/products", json=body(sku="A"), headers=shop.as_admin())
    assert (create.status_code, create.json()["type"]) == (409, "/problems/sku-taken")
    where = f"/api/products/{second['id']}"
    change = await shop.client.put(where, json=body(sku="A"), headers=shop.as_admin())
    assert (change.status_code, change.json()["type"]) == (409, "/problems/sku-taken")
    where = f"/api/products/{first['id']}"
    assert (await shop.client.put(where, json=body(sku="A"), headers=shop.as_admin())).status_code == 200


async def quotes(shop: Shop, *ids: str) -> list[dict[str, Any]]:
    answer = await shop.client.get("/api/products/quotes", params={"ids": ",".join(ids)})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_quotes_are_of_the_known_each_once(shop: Shop) -> None:
    """In the order asked for."""
    first, second = await shop.create(name="A"), await shop.create(name='Bäume & "B"')
    found = await quotes(shop, second["id"], str(NOBODY), first["id"].upper(), second["id"])
    assert [(quote["product_id"], quote["name"]) for quote in found] == [
        (second["id"], second["name"]),
        (first["id"], "A"),
    ]


async def test_quotes_are_of_fifty_at_most(shop: Shop) -> None:
    """Which is what an order may hold."""
    many = [str(uuid.uuid4()) for _ in range(51)]
    assert await quotes(shop, *many[:50]) == []
    for ids in (",".join(many), "", ",", "x", "1,2", f"{NOBODY};{NOBODY}", f"{NOBODY},", "\0", "x" * 10_000):
        answer = await shop.client.get("/api/products/quotes", params={"ids": ids})
        assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM), ids
        assert "ids" in answer.json()["detail"]
    assert (await shop.client.get("/api/products/quotes")).status_code == 422


async def test_categories_are_counted(shop: Shop) -> None:
    """By name; nothing where there is nothing."""
    assert (await shop.client.get("/api/products/categories")).json() == {"items": []}
    for category in ("Tea", "Desk", "Tea"):
        await shop.create(category=category)
    assert (await shop.client.get("/api/products/categories")).json() == {
        "items": [{"name": "Desk", "products": 1}, {"name": "Tea", "products": 2}]
    }


ADMIN_ROUTES = [
    ("POST", "/api/products", body()),
    ("PUT", "/api/products/{}", body()),
    ("POST", "/api/products/{}/retire", None),
    ("POST", "/api/products/{}/stock", {"quantity": 1}),
    ("GET", "/api/products/{}/stock", None),
    ("POST", "/api/products/{}/images", {"content_type": "image/png", "size": 1}),
    ("POST", "/api/products/{}/images/{}/complete", None),
    ("DELETE", "/api/products/{}/images/{}", None),
]


async def test_admins_alone_change_things(shop: Shop) -> None:
    """Customers are told so, strangers are to sign in, forged and expired tokens are none."""
    product = await shop.create()
    headers = {
        401: [
            {},
            {"Authorization": "Basic x"},
            {"Authorization": "Bearer x.y.z"},
            {"Authorization": f"Bearer {type(shop.issuer)().token(shop.admin, 'admin')}"},
            {"Authorization": f"Bearer {shop.issuer.token(shop.admin, 'admin', expires_in_s=-60)}"},
        ],
        403: [shop.as_customer(), shop.issuer.headers(shop.customer, "service")],
    }
    for method, path, content in ADMIN_ROUTES:
        where = path.format(product["id"], NOBODY)
        for status, some in headers.items():
            for each in some:
                given = {"Idempotency-Key": uuid.uuid4().hex} | each
                answer = await shop.client.request(method, where, json=content, headers=given)
                assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM), (
                    where,
                    each,
                )
    assert await shop.rows(store.PRODUCTS) == 1


async def test_an_unknown_id_is_not_found(shop: Shop) -> None:
    """On each route; nor is what is no id at all."""
    routes = [
        *ADMIN_ROUTES[1:],
        ("GET", "/api/products/{}", None),
        ("GET", "/api/products/{}/images/{}", None),
    ]
    for method, path, content in routes:
        for id_, status in ((NOBODY, 404), ("1", 404), ("x" * 3000, 404), ("%00", 404)):
            where = path.format(id_, NOBODY)
            answer = await shop.client.request(method, where, json=content, headers=shop.as_admin())
            assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM), where


async def test_writes_want_a_key(shop: Shop) -> None:
    """A POST without an Idempotency-Key is refused, and does nothing."""
    headers = shop.as_admin()
    del headers["Idempotency-Key"]
    product = await shop.create()
    for method, path, content in ADMIN_ROUTES[:6]:
        if method == "POST":
            where = path.format(product["id"])
            answer = await shop.client.post(where, json=content, headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (
                400,
                "/problems/idempotency-key-missing",
            )
    assert await shop.rows(store.PRODUCTS) == 1


def _price(amount: Any, currency: Any = "EUR") -> dict[str, Any]:
    return {"price": {"amount": amount, "currency": currency}}


BAD_PRODUCTS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "/name"),
    ({"name": "  "}, "/name"),
    ({"name": "x" * 201}, "/name"),
    ({"name": "a\0b"}, "/name"),
    ({"name": "a\nb"}, "/name"),
    ({"name": 1}, "/name"),
    ({"name": None}, "/name"),
    ({"description": "x" * 5001}, "/description"),
    ({"description": "a\x07b"}, "/description"),
    ({"category": ""}, "/category"),
    ({"category": "x" * 61}, "/category"),
    ({"sku": ""}, "/sku"),
    ({"sku": ["A"]}, "/sku"),
    ({"price": 500}, "/price"),
    ({"price": {"amount": 500}}, "/price/currency"),
    (_price(0), "/price/amount"),
    (_price(-1), "/price/amount"),
    (_price(True), "/price/amount"),
    (_price("5"), "/price/amount"),
    (_price(5.5), "/price/amount"),
    (_price(MAX_SAFE_INTEGER + 1), "/price/amount"),
    (_price(10**40), "/price/amount"),
    (_price(5, "eur"), "/price/currency"),
    (_price(5, "EURO"), "/price/currency"),
    (_price(5) | {"price": {"amount": 5, "currency": "EUR", "vat": 1}}, "/price/vat"),
    ({"id": str(NOBODY)}, "/id"),
    ({"on_hand": 5}, "/on_hand"),
]


async def test_what_makes_no_product_is_refused(shop: Shop) -> None:
    """With a problem that says where; nothing is stored or changed."""
    product = await shop.create()
    where = f"/api/products/{product['id']}"
    for wrong, pointer in BAD_PRODUCTS:
        for method, path in (("POST", "/api/products"), ("PUT", where)):
            answer = await shop.client.request(method, path, json=body(**wrong), headers=shop.as_admin())
            assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM), wrong
            assert answer.json()["errors"][0]["pointer"] == pointer, wrong
    assert await shop.rows(store.PRODUCTS) == 1
    assert (await shop.client.get(where)).json() == product


async def test_the_largest_of_everything_is_taken(shop: Shop) -> None:
    """What the bounds allow can be stored."""
    largest = body(
        name="ä" * 200, description="語" * 5000, category="c" * 60, sku="s" * 60, **_price(MAX_SAFE_INTEGER)
    )
    product = await shop.create(**largest)
    assert product.items() >= largest.items()
    for _ in range(3):
        await shop.receive(product["id"], 2**31 - 1)


@pytest.mark.parametrize("quantity", [0, -1, True, "1", 1.5, None, 2**31, 10**30])
async def test_only_so_many_pieces_can_be_received(shop: Shop, quantity: Any) -> None:
    """At least one, and whole ones."""
    product = await shop.create()
    where = f"/api/products/{product['id']}/stock"
    answer = await shop.client.post(where, json={"quantity": quantity}, headers=shop.as_admin())
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/quantity")
    assert await shop.rows(store.RECEIPTS) == 0


async def test_a_body_that_is_no_product_is_refused(shop: Shop) -> None:
    """Malformed JSON, other types, bytes that are not UTF-8, lone surrogates, NUL, too much of it."""
    surrogate = b'{"name": "\\ud800", "description": "", "category": "x", "price": null}'
    for content in (b"", b"{", b"[]", b"null", b"\xff\xfe", surrogate, b'{"name": "\\u0000"}', b"1e999"):
        headers = shop.as_admin() | {"Content-Type": "application/json"}
        answer = await shop.client.post("/api/products", content=content, headers=headers)
        assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM), content
    large = await shop.client.post(
        "/api/products", json=body(description="x" * 2**21), headers=shop.as_admin()
    )
    assert (large.status_code, large.headers["Content-Type"]) == (413, PROBLEM)


async def test_another_method_is_told_which_there_are(shop: Shop) -> None:
    """By Allow, over all routes of the path."""
    answer = await shop.client.patch(f"/api/products/{NOBODY}")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, PUT")


async def test_ready_without_cache_and_broker(shop: Shop) -> None:
    """Neither is needed to answer."""
    answer = await shop.client.get("/readyz")
    assert (answer.status_code, answer.json()["dependencies"]) == (200, {"database": "ok"})
