from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from chassis.auth import Verifier
from chassis.clock import utc_now
from chassis.testing import TokenIssuer
from services.user import store
from services.user.conftest import PASSWORD, Users
from services.user.tokens import SigningKeys, new_signing_keys

PROBLEM = "application/problem+json"
BAD_IDS = ["/api/users/5", "/api/users/%00", "/api/users/me/addresses/x"]
PROTECTED = [
    ("GET", "/api/users"),
    ("GET", "/api/users/me"),
    ("PATCH", "/api/users/me"),
    ("PUT", "/api/users/me/password"),
    ("GET", "/api/users/me/addresses"),
    ("POST", "/api/users/me/addresses"),
    ("GET", f"/api/users/me/addresses/{uuid.uuid4()}"),
    ("PUT", f"/api/users/me/addresses/{uuid.uuid4()}"),
    ("DELETE", f"/api/users/me/addresses/{uuid.uuid4()}"),
    ("GET", f"/api/users/{uuid.uuid4()}"),
    ("PUT", f"/api/users/{uuid.uuid4()}/roles"),
]
BAD_ROLES: list[Any] = [[], ["king"], None, "admin", [None], ["admin"] * 4]
BAD_QUERIES = [
    "limit=0",
    "limit=101",
    "limit=x",
    "cursor=x",
    "cursor=WzFd",
    "cursor=",
    "email=x",
    "email=%00",
]
BAD_CHANGES: list[dict[str, Any]] = [
    {"email": "x"},
    {"display_name": "\n"},
    {"roles": ["admin"]},
]
BAD_REGISTRATIONS: list[tuple[str, Any]] = [
    ("email", "nobody"),
    ("email", "Ada <ada@example.com>"),
    ("email", "ada@localhost"),
    ("email", "a\u0000@example.com"),
    ("email", "\ud800@example.com"),
    ("email", "a" * 300 + "@example.com"),
    ("email", 5),
    ("email", None),
    ("password", "short"),
    ("password", "x" * 129),
    ("password", "\ud800" * 12),
    ("password", 123456789012),
    ("password", None),
    ("display_name", ""),
    ("display_name", "   "),
    ("display_name", "x" * 201),
    ("display_name", "a\u0000b"),
    ("display_name", "a\r\nBcc: everyone@example.com"),
    ("display_name", "\ud800"),
    ("display_name", True),
    ("display_name", ["Ada"]),
    ("roles", ["admin"]),
]
REGISTRATION = {"email": "ada@example.com", "password": PASSWORD, "display_name": "Ada"}


def with_key() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex, "Content-Type": "application/json"}


async def test_whoever_registers_has_an_account(users: Users) -> None:
    """The answer is the profile, without a word of the password; the others hear of it."""
    answer = await users.register("Ada@Example.com", display_name="  Ada Lovelace ")
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/users/{body['id']}"
    assert set(body) == {"id", "email", "display_name", "roles", "registered_at"}
    assert (body["email"], body["display_name"], body["roles"]) == (
        "Ada@example.com",
        "Ada Lovelace",
        ["customer"],
    )
    assert await users.events() == ["USER_REGISTERED", "WELCOME_NOTICE"]


async def test_a_repeated_registration_answers_as_the_first(users: Users) -> None:
    """One account, one greeting."""
    first, again = await users.register(key="one"), await users.register(key="one")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await users.events() == ["USER_REGISTERED", "WELCOME_NOTICE"]


async def test_a_key_serves_one_registration(users: Users) -> None:
    """Another body, be it the password alone, is another request."""
    await users.register(key="one")
    answer = await users.register(key="one", password=PASSWORD + "!")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_what_is_kept_of_a_registration_does_not_help_to_guess_the_password(users: Users) -> None:
    """Neither the saved answer holds it, nor can its fingerprint be tried out without the service's keys."""
    import hashlib

    raw = json.dumps(REGISTRATION).encode()
    headers = {"Idempotency-Key": "one", "Content-Type": "application/json"}
    assert (await users.client.post("/api/users", content=raw, headers=headers)).status_code == 201
    async with users.database.reading() as connection:
        saved = (await connection.execute(sa.select(store.IDEMPOTENCY))).one()
        account = await store.account_of(connection, "ada@example.com")
    assert PASSWORD.encode() not in saved.body
    assert saved.fingerprint != hashlib.sha256(b"\0".join([b"POST", b"/api/users", raw])).digest()
    assert account is not None
    assert account.password_hash.startswith("$argon2id$")


async def test_an_address_for_mail_is_taken_in_any_case(users: Users) -> None:
    """The refusal says no more than that; nothing is told or stored."""
    await users.register()
    answer = await users.register("ADA@EXAMPLE.COM", display_name="Eve")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/email-taken")
    assert "Ada" not in answer.text
    assert await users.count(store.USERS) == 1
    assert await users.events() == ["USER_REGISTERED", "WELCOME_NOTICE"]


async def test_of_many_who_register_one_address_at_once_one_succeeds(users: Users) -> None:
    """The others are told that it is taken."""
    answers = await asyncio.gather(*(users.register() for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert await users.count(store.USERS) == 1


async def test_a_registration_needs_a_key(users: Users) -> None:
    """As every write by POST that is repeated after a lost answer."""
    answer = await users.client.post("/api/users", json=REGISTRATION)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/idempotency-key-missing")


async def test_a_registration_that_does_not_fit_is_refused(users: Users) -> None:
    """With the place of the mistake, and without the password; nobody makes themself an admin."""
    for field, value in BAD_REGISTRATIONS:
        raw = json.dumps(REGISTRATION | {field: value})
        answer = await users.client.post("/api/users", content=raw, headers=with_key())
        assert (field, value, answer.status_code) == (field, value, 422)
        assert answer.headers["Content-Type"] == PROBLEM
        assert answer.json()["errors"][0]["pointer"] == f"/{field}"
        assert PASSWORD not in answer.text
    assert await users.count(store.USERS) == 0


async def test_a_password_that_would_be_guessed_is_refused(users: Users) -> None:
    """The detail says what to change."""
    answer = await users.register(password="ada@example.com")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/password-refused")
    assert answer.json()["detail"].startswith("/password: it is your name")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize(
    "path", ["/api/users", "/api/users/login", "/api/users/refresh", "/api/users/logout"]
)
async def test_a_body_that_is_no_object_is_refused(users: Users, path: str, raw: bytes) -> None:
    """By every route that takes one without sign-in."""
    headers = {"Idempotency-Key": "one", "Content-Type": "application/json"}
    answer = await users.client.post(path, content=raw, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM)


async def test_a_profile_is_its_owners(users: Users) -> None:
    """By /me and by id."""
    user_id = await users.user_id()
    headers = users.headers(user_id)
    me = await users.client.get("/api/users/me", headers=headers)
    by_id = await users.client.get(f"/api/users/{user_id}", headers=headers)
    assert (me.status_code, me.json()["email"]) == (200, "ada@example.com")
    assert (by_id.status_code, by_id.json()) == (200, me.json())


async def test_somebody_elses_profile_is_not_there(users: Users) -> None:
    """No more than one that does not exist, but for admins."""
    user_id = await users.user_id()
    path = f"/api/users/{user_id}"
    stranger, admin = users.headers(uuid.uuid4()), users.headers(uuid.uuid4(), "admin")
    other = await users.client.get(path, headers=stranger)
    unknown = await users.client.get(f"/api/users/{uuid.uuid4()}", headers=stranger)
    assert (other.status_code, other.json()["detail"]) == (404, unknown.json()["detail"])
    assert unknown.status_code == 404
    assert (await users.client.get(path, headers=admin)).status_code == 200
    assert (await users.client.get(f"/api/users/{uuid.uuid4()}", headers=admin)).status_code == 404


async def test_a_changed_profile_is_told(users: Users) -> None:
    """Each change once; what is left out stays, and what does not change is no news."""
    headers = users.headers(await users.user_id())
    for change in (
        {"display_name": "Countess"},
        {"email": "ada@example.org"},
        {"email": "ada@example.org"},
        {},
    ):
        answer = await users.client.patch("/api/users/me", json=change, headers=headers)
        assert answer.status_code == 200
    me = (await users.client.get("/api/users/me", headers=headers)).json()
    assert (me["display_name"], me["email"]) == ("Countess", "ada@example.org")
    assert (await users.events())[2:] == ["USER_UPDATED", "USER_UPDATED"]
    async with users.database.reading() as connection:
        bodies = (await connection.scalars(sa.select(store.OUTBOX.c.body).order_by(store.OUTBOX.c.id))).all()
    assert [json.loads(body)["data"]["revision"] for body in bodies[2:]] == [2, 3]
    assert (await users.log_in("ada@example.org")).status_code == 200
    assert (await users.log_in("ada@example.com")).status_code == 401


async def test_an_address_for_mail_can_be_written_otherwise(users: Users) -> None:
    """One's own address in another case is not taken by another."""
    headers = users.headers(await users.user_id())
    answer = await users.client.patch("/api/users/me", json={"email": "ADA@example.com"}, headers=headers)
    assert (answer.status_code, answer.json()["email"]) == (200, "ADA@example.com")


async def test_an_address_of_another_cannot_be_taken(users: Users) -> None:
    """And nothing else of the change happens either."""
    await users.register("bob@example.com")
    headers = users.headers(await users.user_id())
    change = {"email": "BOB@example.com", "display_name": "Bob"}
    answer = await users.client.patch("/api/users/me", json=change, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/email-taken")
    me = await users.client.get("/api/users/me", headers=headers)
    assert (me.json()["email"], me.json()["display_name"]) == ("ada@example.com", "Ada")


async def test_a_change_that_does_not_fit_is_refused(users: Users) -> None:
    """Roles, above all, are not one's own to give."""
    headers = users.headers(await users.user_id())
    for change in BAD_CHANGES:
        answer = await users.client.patch("/api/users/me", json=change, headers=headers)
        assert (change, answer.status_code) == (change, 422)
        assert answer.headers["Content-Type"] == PROBLEM


async def test_null_keeps_what_it_is_sent_for(users: Users) -> None:
    """The document offers it: it says the same as leaving the property out."""
    headers = users.headers(await users.user_id())
    before = (await users.client.get("/api/users/me", headers=headers)).json()
    nothing = {"email": None, "display_name": None}
    answer = await users.client.patch("/api/users/me", json=nothing, headers=headers)
    assert (200, before) == (answer.status_code, answer.json())


@pytest.mark.parametrize("path", ["login", "refresh", "logout"])
async def test_a_route_is_not_taken_for_somebodys_id(users: Users, path: str) -> None:
    """405, with the one method that there is, whoever asks."""
    answer = await users.client.get(f"/api/users/{path}")
    assert (405, "POST") == (answer.status_code, answer.headers["Allow"])


async def test_admins_page_through_accounts_newest_first(users: Users) -> None:
    """Each account comes once, and one is found by its address."""
    registered = [await users.user_id(f"user{n}@example.com") for n in range(5)]
    admin = users.headers(uuid.uuid4(), "admin")
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await users.client.get("/api/users", params=params, headers=admin)).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == (registered[::-1], None)
    params = {"email": "USER3@example.com"}
    (found,) = (await users.client.get("/api/users", params=params, headers=admin)).json()["items"]
    assert found["id"] == registered[3]


async def test_a_list_asked_for_wrongly_is_refused(users: Users) -> None:
    """What is wrong stands in the answer."""
    headers = users.headers(uuid.uuid4(), "admin")
    for query in BAD_QUERIES:
        answer = await users.client.get(f"/api/users?{query}", headers=headers)
        assert (query, answer.status_code) == (query, 422)
        assert answer.headers["Content-Type"] == PROBLEM


async def test_roles_given_are_in_the_next_token(users: Users) -> None:
    """After a refresh at the latest."""
    user_id = await users.user_id()
    session = (await users.log_in()).json()
    admin = users.headers(uuid.uuid4(), "admin")
    body = {"roles": ["admin", "customer"]}
    answer = await users.client.put(f"/api/users/{user_id}/roles", json=body, headers=admin)
    assert (answer.status_code, answer.json()["roles"]) == (200, ["admin", "customer"])
    renewed = (await users.refresh(session["refresh_token"])).json()
    caller = await Verifier(users.keys).verify(renewed["access_token"])
    assert (str(caller.id), set(caller.roles)) == (user_id, {"admin", "customer"})


async def test_an_admin_cannot_step_down_alone(users: Users) -> None:
    """Another admin can do it for them."""
    user_id = await users.user_id()
    path, body = f"/api/users/{user_id}/roles", {"roles": ["customer"]}
    own = await users.client.put(path, json=body, headers=users.headers(user_id, "admin"))
    assert (own.status_code, own.json()["type"]) == (409, "/problems/own-admin-role")
    other = await users.client.put(path, json=body, headers=users.headers(uuid.uuid4(), "admin"))
    assert other.status_code == 200


async def test_roles_that_are_none_are_refused(users: Users) -> None:
    """Everybody has one at least."""
    path, headers = f"/api/users/{uuid.uuid4()}/roles", users.headers(uuid.uuid4(), "admin")
    for roles in BAD_ROLES:
        answer = await users.client.put(path, json={"roles": roles}, headers=headers)
        assert (roles, answer.status_code) == (roles, 422)
        assert answer.headers["Content-Type"] == PROBLEM


async def test_what_is_for_admins_is_refused_to_others(users: Users) -> None:
    """The list of accounts, and roles; for an unknown account too."""
    user_id = await users.user_id()
    headers = users.headers(user_id)
    for target in (user_id, uuid.uuid4()):
        answer = await users.client.put(
            f"/api/users/{target}/roles", json={"roles": ["admin"]}, headers=headers
        )
        assert answer.status_code == 403
    assert (await users.client.get("/api/users", headers=headers)).status_code == 403
    admin = users.headers(uuid.uuid4(), "admin")
    unknown = await users.client.put(
        f"/api/users/{uuid.uuid4()}/roles", json={"roles": ["admin"]}, headers=admin
    )
    assert unknown.status_code == 404


async def test_nobody_gets_in_without_a_token_of_this_service(users: Users) -> None:
    """Missing, forged, signed by others, expired."""
    someone = uuid.uuid4()
    expired = users.keys.access_token(someone, ["admin"], utc_now().replace(year=2020), uuid.uuid4())
    other = SigningKeys(new_signing_keys()).access_token(someone, ["admin"], utc_now(), uuid.uuid4())
    genuine = users.keys.access_token(someone, ["admin"], utc_now(), uuid.uuid4())
    header, claims, _ = genuine.split(".")
    forged = f"{header}.{claims}.{TokenIssuer().token(someone).split('.')[2]}"
    for method, path in PROTECTED:
        for token in (None, "x", expired, other, forged, f"{header}.{claims}."):
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            answer = await users.client.request(method, path, headers=headers)
            assert (method, path, token, answer.status_code) == (method, path, token, 401)
            assert answer.headers["Content-Type"] == PROBLEM
            assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_whose_account_is_gone_says_nothing(users: Users) -> None:
    """Whoever holds it is asked to sign in again."""
    headers = users.headers(uuid.uuid4())
    assert (await users.client.get("/api/users/me", headers=headers)).status_code == 401
    answer = await users.client.patch("/api/users/me", json={"display_name": "X"}, headers=headers)
    assert answer.status_code == 401


async def test_an_id_that_is_none_is_refused(users: Users) -> None:
    """404: there is nothing at such a path."""
    for path in BAD_IDS:
        answer = await users.client.get(path, headers=users.headers(uuid.uuid4()))
        assert (path, answer.status_code) == (path, 404)
        assert answer.headers["Content-Type"] == PROBLEM


async def test_the_signing_keys_are_public(users: Users) -> None:
    """They may be kept for a while; a token of this service is verified by them."""
    answer = await users.client.get("/api/users/.well-known/jwks.json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/jwk-set+json"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.json() == users.keys.published()


async def test_the_document_tells_of_every_refusal(users: Users) -> None:
    """Of too many wrong passwords too."""
    document = (await users.client.get("/api/users/openapi.json")).json()
    login = document["paths"]["/api/users/login"]["post"]["responses"]
    assert set(login) == {"200", "401", "413", "422", "429", "500", "503"}
    assert PROBLEM in login["429"]["content"]
    register = document["paths"]["/api/users"]["post"]
    assert {"400", "409", "422"} <= set(register["responses"])
    assert document["components"]["schemas"]["Register"]["properties"]["password"]["writeOnly"]
