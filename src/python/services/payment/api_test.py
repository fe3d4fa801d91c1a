from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest

from chassis.clock import new_id
from chassis.testing import TokenIssuer
from contracts.money import MAX_SAFE_INTEGER
from services.payment import store
from services.payment.api import MAX_METHODS
from services.payment.conftest import HOME, Shop, saved_method
from services.payment.domain import DetachCall, Status
from services.payment.provider import ProviderUnavailable, Refused

PROBLEM = "application/problem+json"
TOKEN = {"provider_token": "pm_card_visa"}


async def add(shop: Shop, body: Any = TOKEN, **options: Any) -> httpx.Response:
    headers = options.pop("headers", None) or shop.headers(**options)
    return await shop.client.post("/api/payments/methods", json=body, headers=headers)


async def methods(shop: Shop, **options: Any) -> list[dict[str, Any]]:
    answer = await shop.client.get("/api/payments/methods", headers=shop.headers(**options))
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def problem(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.headers["Content-Type"], answer.json()["type"]


async def test_a_card_is_kept_at_the_provider_and_recognised_here(shop: Shop) -> None:
    """The answer shows its brand and last four digits, and nothing by which it could be used."""
    someone = new_id()
    answer = await add(shop, of=someone)
    assert 201 == answer.status_code
    card = answer.json()
    assert ("visa", "4242", 12, 2040) == tuple(
        card[name] for name in ("brand", "last4", "exp_month", "exp_year")
    )
    assert {"id", "brand", "last4", "exp_month", "exp_year", "added_at"} == set(card)
    assert [card] == await methods(shop, of=someone)
    assert [("create_customer", someone), ("attach", "pm_card_visa")] == shop.desk.provider.asked


async def test_a_customer_is_made_known_to_the_provider_once(shop: Shop) -> None:
    """The second card goes to the same customer."""
    someone = new_id()
    await add(shop, of=someone)
    await add(shop, of=someone)
    assert ["create_customer", "attach", "attach"] == shop.desk.provider.kinds
    assert 2 == len(await methods(shop, of=someone))


async def test_a_repeated_addition_answers_as_the_first_and_adds_one_card(shop: Shop) -> None:
    """Same key, same body, same answer, and the provider is not asked again."""
    headers = shop.headers()
    first = await add(shop, headers=headers)
    again = await add(shop, headers=headers)
    assert (201, first.content) == (again.status_code, again.content)
    assert "true" == again.headers["Idempotency-Replayed"]
    assert ["attach"] == shop.desk.provider.kinds
    other = await add(shop, {"provider_token": "pm_other"}, headers=headers)
    assert (422, PROBLEM, "/problems/idempotency-key-reused") == problem(other)


async def test_simultaneous_repetitions_add_one_card(shop: Shop) -> None:
    """Each gets the card, or is told that it is under way; all ask the provider with one key."""
    headers = shop.headers(of=(someone := new_id()))
    answers = await asyncio.gather(*(add(shop, headers=headers) for _ in range(5)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert 1 == len({answer.content for answer in answers if answer.status_code == 201})
    assert 1 == len(await methods(shop, of=someone))
    assert 2 == len(set(shop.desk.provider.keys))


async def test_a_card_that_the_provider_refuses_is_not_kept(shop: Shop) -> None:
    """The problem names the provider's reason."""
    shop.desk.provider.fails["attach"] = Refused("card_declined", "No.")
    answer = await add(shop, of=(someone := new_id()))
    assert (422, PROBLEM, "/problems/payment-method-refused") == problem(answer)
    assert "card_declined" == answer.json()["code"]
    assert [] == await methods(shop, of=someone)


@pytest.mark.parametrize("what", ["create_customer", "attach"])
async def test_a_provider_that_does_not_answer_is_a_503_that_can_be_repeated(shop: Shop, what: str) -> None:
    """The same request succeeds once the provider is back, with the key of the first try."""
    shop.desk.provider.fails[what] = ProviderUnavailable("away")
    headers = shop.headers(of=new_id())
    answer = await add(shop, headers=headers)
    assert (503, PROBLEM, "/problems/unavailable") == problem(answer)
    assert "Retry-After" in answer.headers
    shop.desk.provider.fails.clear()
    assert 201 == (await add(shop, headers=headers)).status_code
    assert 2 == len(set(shop.desk.provider.keys))


async def test_a_customer_has_so_many_cards_and_no_more(shop: Shop) -> None:
    """What is asked for beyond says what to do."""
    async with shop.desk.database.transaction() as tx:
        for _ in range(MAX_METHODS - 1):
            await store.add_method(tx, saved_method(shop.desk.customer))
    answer = await add(shop)
    assert (409, PROBLEM, "/problems/too-many-payment-methods") == problem(answer)
    assert "remove one" in answer.json()["detail"]
    assert [] == shop.desk.provider.asked


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        "text",
        {"provider_token": None},
        {"provider_token": 1},
        {"provider_token": ""},
        {"provider_token": "4242424242424242"},
        {"provider_token": "pm_../../customers"},
        {"provider_token": "pm_a\x00"},
        {"provider_token": "pm_a\n"},
        {"provider_token": "pm_" + "a" * 253},
        TOKEN | {"number": "4242424242424242"},
    ],
    ids=range(13),
)
async def test_what_is_no_token_is_refused(shop: Shop, body: Any) -> None:
    """Card numbers above all: the provider is not asked."""
    answer = await add(shop, body)
    assert (422, PROBLEM, "/problems/invalid") == problem(answer)
    assert [] == shop.desk.provider.asked


@pytest.mark.parametrize("path", ["/api/payments/methods", f"/api/payments/{uuid.uuid4()}/refund"])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"amount": "\\ud800"}', b"1e999"]
)
async def test_a_body_that_cannot_be_read_is_refused(shop: Shop, path: str, content: bytes) -> None:
    """Malformed JSON, other types, bytes that are not UTF-8, lone surrogates."""
    headers = shop.headers("admin") | {"Content-Type": "application/json"}
    answer = await shop.client.post(path, content=content, headers=headers)
    assert (422, PROBLEM) == (answer.status_code, answer.headers["Content-Type"])


async def test_a_removed_card_is_gone_and_the_provider_forgets_it(shop: Shop) -> None:
    """Once the job is done; a second removal finds nothing."""
    path = f"/api/payments/methods/{shop.desk.method}"
    assert 204 == (await shop.client.delete(path, headers=shop.headers())).status_code
    assert [] == await methods(shop)
    await shop.desk.work()
    ((what, call),) = shop.desk.provider.asked
    assert ("detach", True) == (what, isinstance(call, DetachCall))
    again = await shop.client.delete(path, headers=shop.headers())
    assert (404, PROBLEM, "/problems/not-found") == problem(again)


async def test_a_removed_card_pays_no_more(shop: Shop) -> None:
    """An order that still names it fails."""
    await shop.client.delete(f"/api/payments/methods/{shop.desk.method}", headers=shop.headers())
    order = shop.desk.created()
    await shop.desk.hear(order)
    assert Status.FAILED is (await shop.desk.payment(order.order_id)).status


async def test_a_card_of_somebody_else_cannot_be_removed_or_seen(shop: Shop) -> None:
    """Not even by an admin: whose it is pays with it."""
    path = f"/api/payments/methods/{shop.desk.method}"
    answer = await shop.client.delete(path, headers=shop.headers("admin", of=new_id()))
    assert (404, PROBLEM, "/problems/not-found") == problem(answer)
    assert [] == await methods(shop, of=new_id())
    assert 1 == len(await methods(shop))


async def test_a_payment_is_shown_with_all_that_is_known(shop: Shop) -> None:
    """By its own id and by its order's."""
    order = await shop.desk.captured()
    payment = await shop.desk.payment(order.order_id)
    by_id = await shop.client.get(f"/api/payments/{payment.id}", headers=shop.headers())
    by_order = await shop.client.get(f"/api/payments/by-order/{order.order_id}", headers=shop.headers())
    assert (200, by_id.content) == (by_order.status_code, by_order.content)
    shown = by_id.json()
    assert {
        "id": str(payment.id),
        "order_id": str(order.order_id),
        "customer_id": str(shop.desk.customer),
        "payment_method_id": str(shop.desk.method),
        "status": "CAPTURED",
        "amount": {"amount": 1000, "currency": "EUR"},
        "refunded": {"amount": 0, "currency": "EUR"},
        "refunds": [],
        "failure": None,
        "shipping_address": HOME.model_dump(),
        "created_at": shown["created_at"],
    } == shown


async def test_a_failed_payment_says_why(shop: Shop) -> None:
    """For programs and for people."""
    shop.desk.provider.fails["authorize"] = Refused("card_declined", "Too little money.")
    order = await shop.desk.authorized()
    answer = await shop.client.get(f"/api/payments/by-order/{order.order_id}", headers=shop.headers())
    assert {
        "stage": "authorization",
        "code": "card_declined",
        "detail": "Too little money.",
    } == answer.json()["failure"]


@pytest.mark.parametrize("by_order", [True, False])
async def test_a_payment_is_its_customers_and_the_admins(shop: Shop, by_order: bool) -> None:
    """To others it does not exist, like one that really does not."""
    order = await shop.desk.authorized()
    payment = await shop.desk.payment(order.order_id)

    async def get(own: uuid.UUID, *roles: str, unknown: bool = False) -> int:
        target = uuid.uuid4() if unknown else order.order_id if by_order else payment.id
        path = f"/api/payments/by-order/{target}" if by_order else f"/api/payments/{target}"
        return (await shop.client.get(path, headers=shop.headers(*roles, of=own))).status_code

    assert 200 == await get(shop.desk.customer)
    assert 200 == await get(uuid.uuid4(), "admin")
    assert 404 == await get(uuid.uuid4())
    assert 404 == await get(shop.desk.customer, unknown=True)


@pytest.mark.parametrize("target", ["x", "0", "by-order/x", "%00", "by-order/%00", "x%2F.."])
async def test_what_is_no_id_is_refused(shop: Shop, target: str) -> None:
    """422 or 404, never a 500."""
    answer = await shop.client.get(f"/api/payments/{target}", headers=shop.headers())
    assert answer.status_code in {404, 422}
    assert PROBLEM == answer.headers["Content-Type"]


async def test_payments_are_listed_in_pages(shop: Shop) -> None:
    """Newest first, each once, and only the caller's."""
    orders = [shop.desk.created() for _ in range(5)]
    await shop.desk.hear(*orders)
    found: list[str] = []
    query = {"limit": "2"}
    while True:
        page = (await shop.client.get("/api/payments", params=query, headers=shop.headers())).json()
        found += [item["order_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert [str(order.order_id) for order in reversed(orders)] == found
    others = await shop.client.get("/api/payments", headers=shop.headers(of=new_id()))
    assert {"items": [], "next_cursor": None} == others.json()


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=101", "limit=x", "limit=9" * 40, "cursor=x", "cursor=%00"]
)
async def test_a_page_that_cannot_be_is_refused(shop: Shop, query: str) -> None:
    """With what to change."""
    answer = await shop.client.get(f"/api/payments?{query}", headers=shop.headers())
    assert (422, PROBLEM) == (answer.status_code, answer.headers["Content-Type"])


async def refund(shop: Shop, order_id: uuid.UUID, body: Any, **options: Any) -> httpx.Response:
    payment = await shop.desk.payment(order_id)
    headers = options.get("headers") or shop.headers("admin", of=new_id())
    return await shop.client.post(f"/api/payments/{payment.id}/refund", json=body, headers=headers)


async def test_an_admin_refunds_in_parts(shop: Shop) -> None:
    """The answer says that it is under way; the provider is asked for each part once."""
    order = await shop.desk.captured()
    first = await refund(shop, order.order_id, {"amount": 300})
    assert (202, "REFUNDING") == (first.status_code, first.json()["status"])
    assert [("PENDING", 300)] == [(r["status"], r["amount"]["amount"]) for r in first.json()["refunds"]]
    await shop.desk.work()
    assert Status.PARTLY_REFUNDED is (await shop.desk.payment(order.order_id)).status
    assert 202 == (await refund(shop, order.order_id, {})).status_code
    await shop.desk.work()
    payment = await shop.desk.payment(order.order_id)
    assert (Status.REFUNDED, 1000) == (payment.status, payment.refunded)
    assert 2 == shop.desk.provider.kinds.count("refund")


async def test_a_repeated_refund_refunds_once(shop: Shop) -> None:
    """Same key, same answer."""
    order = await shop.desk.captured()
    headers = shop.headers("admin")
    first = await refund(shop, order.order_id, {"amount": 300}, headers=headers)
    await shop.desk.work()
    again = await refund(shop, order.order_id, {"amount": 300}, headers=headers)
    assert (202, first.content) == (again.status_code, again.content)
    await shop.desk.work()
    assert 1 == shop.desk.provider.kinds.count("refund")


async def test_simultaneous_refunds_never_exceed_the_payment(shop: Shop) -> None:
    """Of five times 300 of 1000, three are taken."""
    order = await shop.desk.captured()
    answers = await asyncio.gather(*(refund(shop, order.order_id, {"amount": 300}) for _ in range(5)))
    assert [202, 202, 202, 409, 409] == sorted(answer.status_code for answer in answers)


async def test_more_than_is_left_is_not_refunded(shop: Shop) -> None:
    """The problem says how much is."""
    order = await shop.desk.captured()
    answer = await refund(shop, order.order_id, {"amount": 1001})
    assert (409, PROBLEM, "/problems/refund-impossible") == problem(answer)
    assert "1000 EUR" in answer.json()["detail"]


async def test_what_was_not_captured_is_not_refunded(shop: Shop) -> None:
    """The problem names the state."""
    order = await shop.desk.authorized()
    answer = await refund(shop, order.order_id, {})
    assert (409, PROBLEM, "/problems/refund-impossible") == problem(answer)
    assert "AUTHORIZED" in answer.json()["detail"]


async def test_a_customer_refunds_nothing(shop: Shop) -> None:
    """Not even their own."""
    order = await shop.desk.captured()
    answer = await refund(shop, order.order_id, {}, headers=shop.headers())
    assert (403, PROBLEM, "/problems/forbidden") == problem(answer)


async def test_an_unknown_payment_is_not_refunded(shop: Shop) -> None:
    """404."""
    answer = await shop.client.post(
        f"/api/payments/{uuid.uuid4()}/refund", json={}, headers=shop.headers("admin")
    )
    assert (404, PROBLEM, "/problems/not-found") == problem(answer)


@pytest.mark.parametrize("amount", [0, -1, True, "1", 1.5, MAX_SAFE_INTEGER + 1, 10**30, [], {}], ids=str)
async def test_what_is_no_amount_is_not_refunded(shop: Shop, amount: Any) -> None:
    """And nothing is asked of the provider."""
    order = await shop.desk.captured()
    answer = await refund(shop, order.order_id, {"amount": amount})
    assert (422, PROBLEM) == (answer.status_code, answer.headers["Content-Type"])
    assert "/amount" == answer.json()["errors"][0]["pointer"]


ROUTES = [
    ("POST", "/api/payments/methods"),
    ("GET", "/api/payments/methods"),
    ("DELETE", f"/api/payments/methods/{uuid.uuid4()}"),
    ("GET", "/api/payments"),
    ("GET", f"/api/payments/{uuid.uuid4()}"),
    ("GET", f"/api/payments/by-order/{uuid.uuid4()}"),
    ("POST", f"/api/payments/{uuid.uuid4()}/refund"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nobody_enters_without_a_valid_token(shop: Shop, method: str, path: str) -> None:
    """Missing, not a token, expired, or signed by somebody else."""
    customer = shop.desk.customer
    forged = TokenIssuer().token(customer, "admin")
    expired = shop.issuer.token(customer, "admin", expires_in_s=-60)
    for token in (None, "x", forged, expired):
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        answer = await shop.client.request(method, path, headers=headers)
        assert (401, PROBLEM, "/problems/unauthenticated") == problem(answer)


@pytest.mark.parametrize("path", ["/api/payments/methods", f"/api/payments/{uuid.uuid4()}/refund"])
async def test_a_write_without_a_key_is_refused(shop: Shop, path: str) -> None:
    """400, with what to send."""
    headers = {"Authorization": shop.headers("admin")["Authorization"]}
    answer = await shop.client.post(path, json=TOKEN if path.endswith("methods") else {}, headers=headers)
    assert (400, PROBLEM, "/problems/idempotency-key-missing") == problem(answer)


async def test_every_route_is_in_the_document(shop: Shop) -> None:
    """With an id, and the webhook without a key or a token."""
    document = (await shop.client.get("/api/payments/openapi.json")).json()
    ids = {op["operationId"] for item in document["paths"].values() for op in item.values()}
    assert {
        "add_payment_method",
        "list_payment_methods",
        "remove_payment_method",
        "list_payments",
        "get_payment",
        "get_payment_of_order",
        "refund_payment",
        "receive_provider_event",
    } <= ids
    webhook = document["paths"]["/api/payments/webhook"]["post"]
    assert "security" not in webhook
    assert {"Stripe-Signature"} == {parameter["name"] for parameter in webhook["parameters"]}
