from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from chassis.access import contents
from chassis.testing import TokenIssuer
from contracts.events.order import Address
from contracts.money import MAX_SAFE_INTEGER, Money
from services.order import store
from services.order.conftest import HOME, Shop

PROBLEM = "application/problem+json"


async def events(shop: Shop) -> list[str]:
    async with shop.database.reading() as connection:
        rows = await connection.execute(sa.select(store.OUTBOX.c.kind).order_by(store.OUTBOX.c.id))
        return [kind.split(".")[1] for kind in rows.scalars()]


async def orders(shop: Shop) -> int:
    async with shop.database.reading() as connection:
        return int(await connection.scalar(sa.select(sa.func.count()).select_from(store.ORDERS)) or 0)


async def test_a_placed_order_is_pending_at_the_prices_of_the_catalogue(shop: Shop) -> None:
    """The answer says where the order is, what it costs and where it goes; ORDER_CREATED is in the outbox."""
    answer = await shop.place()
    assert answer.status_code == 201
    body = answer.json()
    assert answer.headers["Location"] == f"/api/orders/{body['id']}"
    assert body["status"] == "PENDING"
    assert body["total"] == {"amount": 1000, "currency": "EUR"}
    assert body["shipping_address"] == HOME.model_dump()
    assert [step["what"] for step in body["timeline"]] == ["ORDER_CREATED"]
    assert await events(shop) == ["ORDER_CREATED"]


async def test_a_repeated_placement_answers_as_the_first_and_places_one_order(shop: Shop) -> None:
    """Same key, same body, same answer; even when the product has gone meanwhile."""
    request = shop.body()
    headers = shop.issuer.headers(shop.customer)
    first = await shop.client.post("/api/orders", json=request, headers=headers)
    shop.products.prices.clear()
    again = await shop.client.post("/api/orders", json=request, headers=headers)
    assert (again.status_code, again.content, again.headers["Location"]) == (
        first.status_code,
        first.content,
        first.headers["Location"],
    )
    assert await orders(shop) == 1


async def test_simultaneous_repetitions_place_one_order(shop: Shop) -> None:
    """Each of ten gets the order, or is told that it is under way."""
    request, headers = shop.body(), shop.issuer.headers(shop.customer)
    answers = await asyncio.gather(
        *(shop.client.post("/api/orders", json=request, headers=headers) for _ in range(10))
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert await orders(shop) == 1


async def test_a_refused_placement_is_refused_alike_when_repeated(shop: Shop) -> None:
    """Even when what was missing has appeared meanwhile."""
    unknown = uuid.uuid4()
    request = shop.body(items=[{"product_id": str(unknown), "quantity": 1}])
    headers = shop.issuer.headers(shop.customer)
    first = await shop.client.post("/api/orders", json=request, headers=headers)
    shop.products.prices[unknown] = Money(amount=1, currency="EUR")
    again = await shop.client.post("/api/orders", json=request, headers=headers)
    assert (first.status_code, first.json()["type"]) == (422, "/problems/products-unknown")
    assert first.json()["products"] == [str(unknown)]
    assert (again.status_code, again.content) == (422, first.content)


@pytest.mark.parametrize("role", ["customer", "admin"])
async def test_an_address_of_somebody_else_is_unknown(shop: Shop, role: str) -> None:
    """The user service answers for the caller alone: nothing is ordered, and nothing is sent there."""
    order_id, theirs = (await shop.place()).json()["id"], str(shop.addresses.add(uuid.uuid4()))
    before = await contents(shop.database)
    headers, where = shop.issuer.headers(shop.customer, role), f"/api/orders/{order_id}/address"
    placed = await shop.client.post("/api/orders", json=shop.body(address_id=theirs), headers=headers)
    sent = await shop.client.put(where, json={"address_id": theirs}, headers=headers)
    for answer in (placed, sent):
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/address-unknown")
    assert before == await contents(shop.database)


async def test_an_address_that_is_not_there_is_unknown(shop: Shop) -> None:
    """As one of somebody else's is."""
    answer = await shop.place(address_id=str(uuid.uuid4()))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/address-unknown")


async def test_products_of_two_currencies_are_refused(shop: Shop) -> None:
    """One order, one payment, one currency."""
    dollars = uuid.uuid4()
    shop.products.prices[dollars] = Money(amount=500, currency="USD")
    items = [{"product_id": str(each), "quantity": 1} for each in (shop.product, dollars)]
    answer = await shop.place(items=items)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/order-refused")


async def test_a_total_that_cannot_be_an_amount_is_refused(shop: Shop) -> None:
    """Prices times quantities may overflow what an amount can be."""
    shop.products.prices[shop.product] = Money(amount=MAX_SAFE_INTEGER, currency="EUR")
    answer = await shop.place()
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/order-refused")


BAD_ITEMS: list[Any] = [
    [],
    "text",
    [{"product_id": "x", "quantity": 1}],
    [{"product_id": str(uuid.uuid4()), "quantity": 0}],
    [{"product_id": str(uuid.uuid4()), "quantity": -1}],
    [{"product_id": str(uuid.uuid4()), "quantity": True}],
    [{"product_id": str(uuid.uuid4()), "quantity": "1"}],
    [{"product_id": str(uuid.uuid4()), "quantity": 1.5}],
    [{"product_id": str(uuid.uuid4()), "quantity": 10**30}],
    [{"product_id": str(uuid.uuid4())}],
    [{"product_id": str(uuid.uuid4()), "quantity": 1} for _ in range(51)],
    [{"product_id": str(uuid.uuid4()), "quantity": 1, "unit_price": 1}],
]


async def test_a_product_named_twice_is_a_problem_with_a_name(shop: Shop) -> None:
    """No schema can rule it out: a client must be able to tell it from a body that does not fit."""
    twice = [{"product_id": str(shop.product), "quantity": 1}] * 2
    answer = await shop.place(items=twice)
    assert (422, "/problems/product-twice") == (answer.status_code, answer.json()["type"])
    assert await orders(shop) == 0


async def test_a_whole_quantity_may_be_written_as_a_float(shop: Shop) -> None:
    """2.0 is an integer to JSON Schema, and so it is here."""
    answer = await shop.place(items=[{"product_id": str(shop.product), "quantity": 2.0}])
    assert (201, 2) == (answer.status_code, answer.json()["lines"][0]["quantity"])


@pytest.mark.parametrize("items", BAD_ITEMS, ids=range(len(BAD_ITEMS)))
async def test_items_that_make_no_order_are_refused(shop: Shop, items: Any) -> None:
    """With a problem that says where; nothing is stored."""
    answer = await shop.place(items=items)
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM)
    assert answer.json()["errors"][0]["pointer"].startswith("/items")
    assert await orders(shop) == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"items": "\\ud800"}', b'{"items": "\\u0000"}', b"1e999"],
)
async def test_a_body_that_is_no_order_is_refused(shop: Shop, content: bytes) -> None:
    """Malformed JSON, other types, bytes that are not UTF-8, lone surrogates, NUL."""
    headers = shop.issuer.headers(shop.customer) | {"Content-Type": "application/json"}
    answer = await shop.client.post("/api/orders", content=content, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM)


async def test_a_body_over_the_limit_is_refused(shop: Shop) -> None:
    """A MiB is more than any order needs."""
    headers = shop.issuer.headers(shop.customer) | {"Content-Type": "application/json"}
    answer = await shop.client.post("/api/orders", content=b" " * (1024 * 1024 + 1), headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, PROBLEM)


async def test_a_placement_without_a_key_is_refused(shop: Shop) -> None:
    """400, with what to send."""
    headers = {"Authorization": f"Bearer {shop.issuer.token(shop.customer)}"}
    answer = await shop.client.post("/api/orders", json=shop.body(), headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/idempotency-key-missing")


async def test_a_key_used_for_another_order_is_refused(shop: Shop) -> None:
    """422, and the first order stands."""
    await shop.place(key="once")
    answer = await shop.place(key="once", address_id=str(uuid.uuid4()))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert await orders(shop) == 1


@pytest.mark.parametrize(
    "token",
    [
        None,
        "nonsense",
        TokenIssuer().token(uuid.uuid4()),
        "eyJhbGciOiJub25lIn0.e30.",
    ],
    ids=["none", "nonsense", "forged", "unsigned"],
)
async def test_who_is_not_signed_in_is_turned_away(shop: Shop, token: str | None) -> None:
    """401 on every route, with how to sign in."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    some = uuid.uuid4()
    for method, path in [
        ("POST", "/api/orders"),
        ("GET", "/api/orders"),
        ("GET", f"/api/orders/{some}"),
        ("PUT", f"/api/orders/{some}/address"),
        ("POST", f"/api/orders/{some}/cancel"),
    ]:
        answer = await shop.client.request(method, path, json=shop.body(), headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_an_expired_token_is_turned_away(shop: Shop) -> None:
    """Beyond the leeway of a few seconds."""
    headers = {"Authorization": f"Bearer {shop.issuer.token(shop.customer, expires_in_s=-60)}"}
    assert (await shop.client.get("/api/orders", headers=headers)).status_code == 401


async def test_an_order_is_seen_by_its_customer_and_by_admins_alone(shop: Shop) -> None:
    """To anyone else it does not exist, whatever they try on it."""
    order_id = (await shop.place()).json()["id"]
    path, somebody = f"/api/orders/{order_id}", uuid.uuid4()
    stranger, theirs = shop.issuer.headers(somebody), str(shop.addresses.add(somebody))
    seen = {
        "owner": (await shop.client.get(path, headers=shop.issuer.headers(shop.customer))).status_code,
        "admin": (
            await shop.client.get(path, headers=shop.issuer.headers(uuid.uuid4(), "admin"))
        ).status_code,
        "stranger": (await shop.client.get(path, headers=stranger)).status_code,
        "stranger cancels": (await shop.client.post(f"{path}/cancel", headers=stranger)).status_code,
        "stranger moves": (
            await shop.client.put(f"{path}/address", json={"address_id": theirs}, headers=stranger)
        ).status_code,
    }
    assert seen == {
        "owner": 200,
        "admin": 200,
        "stranger": 404,
        "stranger cancels": 404,
        "stranger moves": 404,
    }


async def test_an_order_that_is_not_there_is_not_found(shop: Shop) -> None:
    """404 as a problem."""
    answer = await shop.client.get(f"/api/orders/{uuid.uuid4()}", headers=shop.issuer.headers(shop.customer))
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROBLEM)


async def test_orders_are_listed_newest_first_page_by_page(shop: Shop) -> None:
    """Each once, none of anybody else's."""
    placed = [(await shop.place()).json()["id"] for _ in range(5)]
    headers, listed, cursor = shop.issuer.headers(shop.customer), [], ""
    for _ in range(4):
        page = (await shop.client.get(f"/api/orders?limit=2{cursor}", headers=headers)).json()
        listed += [order["id"] for order in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert listed == placed[::-1]
    others = await shop.client.get("/api/orders", headers=shop.issuer.headers(uuid.uuid4()))
    assert others.json() == {"items": [], "next_cursor": None}


async def test_orders_are_listed_by_status(shop: Shop) -> None:
    """Only those that stand so."""
    cancelled, _ = (await shop.place()).json()["id"], await shop.place()
    headers = shop.issuer.headers(shop.customer)
    await shop.client.post(f"/api/orders/{cancelled}/cancel", headers=headers)
    page = await shop.client.get("/api/orders?status=CANCELLED", headers=headers)
    assert [order["id"] for order in page.json()["items"]] == [cancelled]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=WzFd", "status=LOST"]
)
async def test_a_listing_that_cannot_be_is_refused(shop: Shop, query: str) -> None:
    """422, naming the parameter."""
    answer = await shop.client.get(f"/api/orders?{query}", headers=shop.issuer.headers(shop.customer))
    assert answer.status_code == 422
    assert query.split("=")[0] in answer.json()["detail"]


async def test_a_cancelled_order_is_told_of_once(shop: Shop) -> None:
    """Cancelling again, with another key, answers alike and publishes nothing more."""
    order_id = (await shop.place()).json()["id"]
    for _ in range(2):
        answer = await shop.client.post(
            f"/api/orders/{order_id}/cancel", headers=shop.issuer.headers(shop.customer)
        )
        assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
    assert await events(shop) == ["ORDER_CREATED", "ORDER_CANCELLED", "ORDER_CANCELLED_NOTICE"]


async def test_an_order_goes_to_its_new_address(shop: Shop) -> None:
    """And the others are told."""
    order_id = (await shop.place()).json()["id"]
    rue = Address(recipient="Ada", line1="Rue 1", city="Paris", postal_code="75001", country="FR")
    paris = shop.addresses.add(shop.customer, rue)
    answer = await shop.client.put(
        f"/api/orders/{order_id}/address",
        json={"address_id": str(paris)},
        headers=shop.issuer.headers(shop.customer),
    )
    assert (answer.status_code, answer.json()["shipping_address"]["city"]) == (200, "Paris")
    assert await events(shop) == ["ORDER_CREATED", "ORDER_UPDATED"]


async def test_a_cancelled_order_cannot_be_sent_elsewhere(shop: Shop) -> None:
    """409: it goes nowhere."""
    order_id, headers = (await shop.place()).json()["id"], shop.issuer.headers(shop.customer)
    await shop.client.post(f"/api/orders/{order_id}/cancel", headers=headers)
    answer = await shop.client.put(
        f"/api/orders/{order_id}/address", json={"address_id": str(shop.home)}, headers=headers
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/order-closed")
