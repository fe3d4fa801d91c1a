from __future__ import annotations

import uuid
from typing import Any

import pytest

from chassis.clock import new_id
from services.notification.conftest import Shop

PROBLEM = "application/problem+json"
EVERYTHING = {"orders": True, "payments": True, "account": True}


async def test_a_notification_says_what_there_is_to_know(shop: Shop) -> None:
    """In the list and by itself, mailed or not."""
    event = shop.desk.confirmed()
    await shop.desk.hear(event)
    (listed,) = (await shop.get()).json()["items"]
    (told,) = await shop.desk.told()
    expected = {
        "id": str(told.id),
        "kind": "ORDER_CONFIRMED",
        "category": "orders",
        "title": "Your order is confirmed",
        "text": f"Your order {event.order_id} over 10.00 EUR is confirmed and will be on its way to you.",
        "order_id": str(event.order_id),
        "created_at": told.created_at.isoformat().replace("+00:00", "Z"),
        "read_at": None,
    }
    assert expected == listed
    assert expected == (await shop.get(f"/{told.id}")).json()


async def test_a_notification_is_text_and_no_markup(shop: Shop) -> None:
    """What the bank said is not escaped: JSON is no HTML, and whoever shows it does that."""
    await shop.desk.hear(shop.desk.declined("Card <b> & co"))
    (listed,) = (await shop.get()).json()["items"]
    assert "Card <b> & co" in listed["text"]


async def test_notifications_are_listed_newest_first_page_by_page(shop: Shop) -> None:
    """Each once, none of anybody else's."""
    await shop.desk.hear(*(shop.desk.confirmed() for _ in range(5)))
    listed, cursor = [], ""
    for _ in range(4):
        page = (await shop.get(f"?limit=2{cursor}")).json()
        listed += [each["id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert (await shop.ids())[::-1] == listed
    assert {"items": [], "next_cursor": None} == (await shop.get(of=new_id())).json()


async def test_notifications_are_listed_by_whether_they_were_read(shop: Shop) -> None:
    """Page by page as well."""
    await shop.desk.hear(*(shop.desk.confirmed() for _ in range(4)))
    ids = await shop.ids()
    for each in ids[::2]:
        assert 200 == (await shop.put(f"/{each}/read")).status_code
    read, unread = [(await shop.get(f"?read={value}")).json()["items"] for value in ("true", "false")]
    assert ([ids[2], ids[0]], [ids[3], ids[1]]) == ([r["id"] for r in read], [u["id"] for u in unread])
    first = (await shop.get("?read=false&limit=1")).json()
    second = (await shop.get(f"?read=false&limit=1&cursor={first['next_cursor']}")).json()
    assert (unread, None) == (first["items"] + second["items"], second["next_cursor"])


async def test_reading_again_changes_nothing(shop: Shop) -> None:
    """The first time counts, and a repetition answers alike."""
    await shop.desk.hear(shop.desk.welcome())
    (told,) = await shop.ids()
    first, again = [await shop.put(f"/{told}/read") for _ in range(2)]
    assert first.json()["read_at"] is not None
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert first.json() == (await shop.get(f"/{told}")).json()


async def test_a_notification_is_seen_by_its_customer_and_by_admins_alone(shop: Shop) -> None:
    """To anyone else it does not exist; an admin who sees it has not read it for its customer."""
    await shop.desk.hear(shop.desk.welcome())
    path, stranger = f"/{(await shop.ids())[0]}", new_id()
    seen = {
        "owner": (await shop.get(path)).status_code,
        "admin": (await shop.get(path, "admin", of=new_id())).status_code,
        "stranger": (await shop.get(path, of=stranger)).status_code,
        "stranger reads": (await shop.put(f"{path}/read", of=stranger)).status_code,
    }
    assert {"owner": 200, "admin": 200, "stranger": 404, "stranger reads": 404} == seen
    admin = await shop.client.put(
        f"/api/notifications{path}/read", headers=shop.headers("admin", of=new_id())
    )
    assert (404, PROBLEM) == (admin.status_code, admin.headers["Content-Type"])
    assert (await shop.get(path)).json()["read_at"] is None


async def test_a_notification_that_is_not_there_is_not_found(shop: Shop) -> None:
    """404 as a problem."""
    for answer in (await shop.get(f"/{uuid.uuid4()}"), await shop.put(f"/{uuid.uuid4()}/read")):
        assert (404, PROBLEM) == (answer.status_code, answer.headers["Content-Type"])


@pytest.mark.parametrize("target", ["x", "0", "%00", "%F0%9F%A6%8A", "x" * 3000])
async def test_an_id_that_is_none_is_refused(shop: Shop, target: str) -> None:
    """404, wherever it stands: there is nothing at such a path."""
    for answer in (await shop.get(f"/{target}"), await shop.put(f"/{target}/read")):
        assert (404, PROBLEM) == (answer.status_code, answer.headers["Content-Type"])


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=101", "limit=x", "cursor=x", "cursor=%00", "cursor=WzFd", "read=maybe"],
)
async def test_a_listing_that_cannot_be_is_refused(shop: Shop, query: str) -> None:
    """422, naming the parameter."""
    answer = await shop.get(f"?{query}")
    assert (422, PROBLEM) == (answer.status_code, answer.headers["Content-Type"])
    assert query.split("=")[0] in answer.json()["detail"]


async def test_every_mail_is_wanted_until_somebody_says_otherwise(shop: Shop) -> None:
    """It is the customer's own choice, and nobody else's changes with it."""
    assert EVERYTHING == (await shop.get("/preferences")).json()
    for wanted in ({"orders": False, "payments": True}, {"orders": True, "payments": False}):
        answer = await shop.put("/preferences", wanted)
        assert (200, EVERYTHING | wanted) == (answer.status_code, answer.json())
        assert EVERYTHING | wanted == (await shop.get("/preferences")).json()
    assert EVERYTHING == (await shop.get("/preferences", of=new_id())).json()


async def test_preferences_decide_on_mails(shop: Shop) -> None:
    """And leave the list as it is."""
    await shop.put("/preferences", {"orders": False, "payments": True})
    await shop.desk.hear(shop.desk.registered(), shop.desk.confirmed(), shop.desk.paid())
    await shop.desk.work()
    assert ["Your payment of 10.00 EUR"] == shop.desk.subjects
    assert 2 == len((await shop.get()).json()["items"])


async def test_mails_on_the_account_cannot_be_switched_off(shop: Shop) -> None:
    """With the reason; nothing else of the request is taken either."""
    answer = await shop.put("/preferences", {"orders": False, "payments": False, "account": False})
    assert (422, "/problems/mails-mandatory") == (answer.status_code, answer.json()["type"])
    assert EVERYTHING == (await shop.get("/preferences")).json()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"orders": True},
        {"orders": 1, "payments": True},
        {"orders": "true", "payments": True},
        {"orders": None, "payments": True},
        {"orders": True, "payments": True, "account": None},
        {"orders": True, "payments": True, "marketing": True},
        [],
        "text",
        None,
    ],
    ids=str,
)
async def test_preferences_that_are_none_are_refused(shop: Shop, body: Any) -> None:
    """A choice is true or false, and each is made."""
    answer = await shop.put("/preferences", body)
    assert (422, PROBLEM) == (answer.status_code, answer.headers["Content-Type"])
    assert EVERYTHING == (await shop.get("/preferences")).json()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"\xff\xfe", b'{"orders": "\\ud800"}', b'{"\\u0000": true}', b"1e999"]
)
async def test_a_body_that_cannot_be_read_is_refused(shop: Shop, content: bytes) -> None:
    """Malformed JSON, bytes that are not UTF-8, lone surrogates, NUL."""
    headers = shop.headers() | {"Content-Type": "application/json"}
    answer = await shop.client.put("/api/notifications/preferences", content=content, headers=headers)
    assert (422, PROBLEM) == (answer.status_code, answer.headers["Content-Type"])


async def test_who_is_not_signed_in_is_turned_away(shop: Shop) -> None:
    """401 on every route, with how to sign in."""
    some = uuid.uuid4()
    for method, path in [
        ("GET", ""),
        ("GET", f"/{some}"),
        ("PUT", f"/{some}/read"),
        ("GET", "/preferences"),
        ("PUT", "/preferences"),
    ]:
        answer = await shop.client.request(method, f"/api/notifications{path}", json=EVERYTHING)
        assert (401, "Bearer") == (answer.status_code, answer.headers["WWW-Authenticate"])


async def test_another_method_is_told_what_is_possible(shop: Shop) -> None:
    """405 with the methods of the path."""
    answer = await shop.client.delete("/api/notifications/preferences", headers=shop.headers())
    assert 405 == answer.status_code
    assert {"GET", "PUT"} <= set(answer.headers["Allow"].split(", "))
