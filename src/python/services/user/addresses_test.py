from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest

from contracts.events.order import Address
from services.user import addresses, store
from services.user.conftest import HOME, Users

PATH = "/api/users/me/addresses"
PROBLEM = "application/problem+json"
BAD_FIELDS: list[tuple[str, Any]] = [
    ("recipient", ""),
    ("recipient", "x" * 201),
    ("recipient", None),
    ("recipient", "a\u0000b"),
    ("line1", "a\nb"),
    ("line1", 5),
    ("line2", ""),
    ("line2", "\ud800"),
    ("city", ["Berlin"]),
    ("postal_code", "1" * 61),
    ("postal_code", 10115),
    ("country", "de"),
    ("country", "DEU"),
    ("country", "D1"),
    ("country", "DE\n"),
    ("country", True),
    ("planet", "Mars"),
]


async def add(users: Users, user_id: str, *, key: str | None = None, **changes: Any) -> httpx.Response:
    return await users.client.post(PATH, json=HOME | changes, headers=users.headers(user_id, key=key))


async def test_an_address_is_kept(users: Users) -> None:
    """The answer says where; it is read as it was written, in the shape that orders take."""
    user_id = await users.user_id()
    added = await add(users, user_id)
    body = added.json()
    assert added.status_code == 201
    assert added.headers["Location"] == f"{PATH}/{body['id']}"
    assert body == HOME | {"id": body["id"]}
    read = await users.client.get(added.headers["Location"], headers=users.headers(user_id))
    assert (read.status_code, read.json()) == (200, body)
    assert Address.model_validate_json(read.content) == Address.model_validate(HOME)


async def test_a_repeated_addition_adds_one_address(users: Users) -> None:
    """Same key, same answer."""
    user_id = await users.user_id()
    first, again = await add(users, user_id, key="one"), await add(users, user_id, key="one")
    assert (again.status_code, again.content) == (201, first.content)
    assert await users.count(store.ADDRESSES) == 1


async def test_addresses_are_listed_as_they_were_added(users: Users) -> None:
    """One's own alone."""
    ada, bob = await users.user_id(), await users.user_id("bob@example.com")
    mine = [(await add(users, ada, city=city)).json() for city in ("Berlin", "Bern")]
    await add(users, bob)
    page = (await users.client.get(PATH, headers=users.headers(ada))).json()
    assert page == {"items": mine, "next_cursor": None}


async def test_an_address_is_replaced_whole(users: Users) -> None:
    """What is left out is gone; a repetition changes nothing."""
    user_id = await users.user_id()
    address_id = (await add(users, user_id, line2="3rd floor")).json()["id"]
    body = {name: value for name, value in HOME.items() if name != "line2"} | {"city": "Bern"}
    for _ in range(2):
        answer = await users.client.put(f"{PATH}/{address_id}", json=body, headers=users.headers(user_id))
        assert (answer.status_code, answer.json()) == (200, HOME | {"city": "Bern", "id": address_id})
    assert await users.count(store.ADDRESSES) == 1


async def test_a_deleted_address_is_gone(users: Users) -> None:
    """For every route."""
    user_id = await users.user_id()
    path = f"{PATH}/{(await add(users, user_id)).json()['id']}"
    headers = users.headers(user_id)
    assert (await users.client.delete(path, headers=headers)).status_code == 204
    assert (await users.client.delete(path, headers=headers)).status_code == 404
    assert (await users.client.get(path, headers=headers)).status_code == 404
    assert (await users.client.put(path, json=HOME, headers=headers)).status_code == 404


async def test_somebody_elses_address_is_not_there(users: Users) -> None:
    """Not for admins either, and no more than one that does not exist."""
    ada, bob = await users.user_id(), await users.user_id("bob@example.com")
    path = f"{PATH}/{(await add(users, ada)).json()['id']}"
    for other in (users.headers(bob), users.headers(bob, "admin")):
        for target in (path, f"{PATH}/{uuid.uuid4()}"):
            assert (await users.client.get(target, headers=other)).status_code == 404
            assert (await users.client.put(target, json=HOME, headers=other)).status_code == 404
            assert (await users.client.delete(target, headers=other)).status_code == 404
    read = await users.client.get(path, headers=users.headers(ada))
    assert read.json()["city"] == HOME["city"]


async def test_nobody_hoards_addresses(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when they are added all at once."""
    monkeypatch.setattr(addresses, "MAX_ADDRESSES", 3)
    user_id = await users.user_id()
    answers = await asyncio.gather(*(add(users, user_id) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 3
    assert {each.json()["type"] for each in answers if each.status_code == 409} == {
        "/problems/too-many-addresses"
    }
    assert await users.count(store.ADDRESSES) == 3


async def test_an_account_that_is_gone_gets_no_address(users: Users) -> None:
    """Rather than an error of the database."""
    assert (await add(users, str(uuid.uuid4()))).status_code == 401


async def test_an_address_that_does_not_fit_is_refused(users: Users) -> None:
    """With the place of the mistake, when it is added and when it is replaced."""
    user_id = await users.user_id()
    for field, value in BAD_FIELDS:
        raw = json.dumps(HOME | {field: value})
        for method, path in (("POST", PATH), ("PUT", f"{PATH}/{uuid.uuid4()}")):
            headers = users.headers(user_id) | {"Content-Type": "application/json"}
            answer = await users.client.request(method, path, content=raw, headers=headers)
            assert (field, value, answer.status_code) == (field, value, 422)
            assert answer.headers["Content-Type"] == PROBLEM
            assert answer.json()["errors"][0]["pointer"] == f"/{field}"
    assert await users.count(store.ADDRESSES) == 0
