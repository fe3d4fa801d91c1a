from __future__ import annotations

import asyncio
import base64
import json
import uuid
from typing import Any

import sqlalchemy as sa

from chassis.auth import Verifier
from chassis.testing import running
from services.user import app as user_app
from services.user import domain, store
from services.user.conftest import PASSWORD, Users, settings

PROBLEM = "application/problem+json"
JSON = {"Content-Type": "application/json"}
NEW = "a much better password"
BAD_REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("login", {}),
    ("login", {"email": "ada@example.com"}),
    ("login", {"email": "x", "password": "x"}),
    ("login", {"email": "ada@example.com", "password": ""}),
    ("login", {"email": "ada@example.com", "password": "x" * 129}),
    ("login", {"email": "ada@example.com", "password": ["x"]}),
    ("login", {"email": "ada@example.com", "password": "\ud800"}),
    ("login", {"email": "ada@example.com", "password": "x", "roles": ["admin"]}),
    ("refresh", {}),
    ("refresh", {"refresh_token": None}),
    ("refresh", {"refresh_token": ""}),
    ("refresh", {"refresh_token": "x" * 201}),
    ("refresh", {"refresh_token": 5}),
    ("logout", {"token": "x"}),
    ("logout", {"refresh_token": -1}),
]
BAD_CHANGES: list[dict[str, Any]] = [
    {},
    {"current": PASSWORD},
    {"current": PASSWORD, "new": "short"},
    {"current": PASSWORD, "new": "x" * 129},
    {"current": PASSWORD, "new": "ada@example.com"},
    {"current": PASSWORD, "new": "\ud800" * 12},
    {"current": "", "new": NEW},
    {"current": None, "new": NEW},
    {"current": PASSWORD, "new": NEW, "user_id": "x"},
]


async def change_password(users: Users, user_id: str, current: str, new: str = NEW) -> Any:
    body = {"current": current, "new": new}
    return await users.client.put("/api/users/me/password", json=body, headers=users.headers(user_id))


async def test_whoever_signs_in_gets_tokens(users: Users) -> None:
    """The access token speaks for them for a quarter of an hour; no cache keeps the answer."""
    user_id = await users.user_id()
    answer = await users.log_in("ADA@example.com")
    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    caller = await Verifier(users.keys).verify(body["access_token"])
    assert (str(caller.id), set(caller.roles)) == (user_id, {"customer"})
    me = await users.client.get("/api/users/me", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert me.json()["id"] == user_id


async def test_what_is_stored_does_not_sign_in(users: Users) -> None:
    """Of a refresh token, its digest alone."""
    await users.register()
    token = (await users.log_in()).json()["refresh_token"]
    async with users.database.reading() as connection:
        row = (await connection.execute(sa.select(store.SESSIONS))).one()
    secret = base64.urlsafe_b64decode(token)[16:]
    assert len(secret) == 32
    assert secret not in row.digest


async def test_a_stranger_and_a_wrong_password_are_refused_alike(users: Users) -> None:
    """Nobody learns who has an account; wrong passwords slow down both."""
    await users.register()
    for _ in range(5):
        wrong, unknown = await users.log_in(password="wrong"), await users.log_in("eve@example.com", "wrong")
        assert (wrong.status_code, wrong.json()["type"]) == (401, "/problems/sign-in-refused")
        assert (unknown.status_code, unknown.json()["detail"]) == (401, wrong.json()["detail"])
    wrong, unknown = await users.log_in(password="wrong"), await users.log_in("eve@example.com", "wrong")
    assert (wrong.status_code, wrong.json()["type"]) == (429, "/problems/too-many-failures")
    assert (unknown.status_code, unknown.json()["detail"]) == (429, wrong.json()["detail"])
    assert wrong.headers["Retry-After"] == "30"


async def test_after_too_many_wrong_passwords_the_right_one_waits_too(users: Users) -> None:
    """And clears the count once it was given; another address is not concerned."""
    await users.register()
    await users.register("bob@example.com")
    for _ in range(5):
        await users.log_in(password="wrong")
    assert (await users.log_in()).status_code == 429
    assert (await users.log_in("bob@example.com")).status_code == 200
    users.clock.advance(seconds=30)
    assert (await users.log_in()).status_code == 200
    assert await users.count(store.FAILURES) == 0
    assert (await users.log_in(password="wrong")).status_code == 401


async def test_whoever_goes_on_guessing_waits_longer(users: Users) -> None:
    """Twice as long after each further wrong password."""
    await users.register()
    for _ in range(5):
        await users.log_in(password="wrong")
    for seconds in (30, 60, 120):
        refused = await users.log_in(password="wrong")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(seconds))
        users.clock.advance(seconds=seconds)
        assert (await users.log_in(password="wrong")).status_code == 401


async def test_many_who_sign_in_at_once_are_no_attack(users: Users) -> None:
    """The right password is not counted against anybody."""
    await users.register()
    answers = await asyncio.gather(*(users.log_in() for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 20


async def test_a_password_is_hashed_anew_when_the_parameters_have_changed(
    users: Users, migrated_url: str
) -> None:
    """At the next sign-in, when it is at hand."""
    await users.register()
    async with running(user_app.build(settings(migrated_url, argon2_memory_kib=16))) as client:
        body = {"email": "ada@example.com", "password": PASSWORD}
        assert (await client.post("/api/users/login", json=body)).status_code == 200
    async with users.database.reading() as connection:
        account = await store.account_of(connection, "ada@example.com")
    assert account is not None
    assert "m=16," in account.password_hash
    assert (await users.log_in()).status_code == 200


async def test_a_refresh_token_serves_once(users: Users) -> None:
    """It is answered with the next one."""
    await users.register()
    first = (await users.log_in()).json()
    answer = await users.refresh(first["refresh_token"])
    second = answer.json()
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert (await users.refresh(second["refresh_token"])).status_code == 200


async def test_a_refresh_token_that_comes_again_ends_its_session(users: Users) -> None:
    """Whoever has the newest one, thief or owner, is signed out; other sessions go on."""
    await users.register()
    first, elsewhere = (await users.log_in()).json(), (await users.log_in()).json()
    second = (await users.refresh(first["refresh_token"])).json()
    again = await users.refresh(first["refresh_token"])
    assert (again.status_code, again.json()["type"]) == (401, "/problems/session-ended")
    assert (await users.refresh(second["refresh_token"])).status_code == 401
    assert (await users.refresh(elsewhere["refresh_token"])).status_code == 200


async def test_of_two_who_refresh_at_once_neither_stays(users: Users) -> None:
    """One gets a token, and the session ends as the other comes."""
    await users.register()
    token = (await users.log_in()).json()["refresh_token"]
    answers = await asyncio.gather(*(users.refresh(token) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert (await users.refresh(won["refresh_token"])).status_code == 401


async def test_a_session_ends_when_nobody_comes_for_a_month(users: Users) -> None:
    """Counted from its last refresh."""
    await users.register()
    token = (await users.log_in()).json()["refresh_token"]
    users.clock.advance(days=29)
    token = (await users.refresh(token)).json()["refresh_token"]
    users.clock.advance(days=29)
    token = (await users.refresh(token)).json()["refresh_token"]
    users.clock.advance(days=30)
    assert (await users.refresh(token)).status_code == 401
    assert await users.count(store.SESSIONS) == 0


async def test_a_guessed_refresh_token_is_refused(users: Users) -> None:
    """Of a session that does not exist, and of one that does: that one ends, for its id is a secret too."""
    await users.register()
    token = (await users.log_in()).json()["refresh_token"]
    unknown = domain.RefreshToken(uuid.uuid4(), b"x" * 32).text
    assert (await users.refresh(unknown)).status_code == 401
    raw = base64.urlsafe_b64decode(token)
    forged = base64.urlsafe_b64encode(raw[:16] + b"x" * 32).decode()
    assert (await users.refresh(forged)).status_code == 401
    assert (await users.refresh(token)).status_code == 401


async def test_what_is_no_refresh_token_renews_and_ends_nothing(users: Users) -> None:
    """Refused when it should renew, and as good as signed out when it should end."""
    for token in ("x", "\u0000", "\ud800", "ä" * 64, "=" * 64, "A" * 64, "eyJhbGciOiJub25lIn0.e30."):
        raw = json.dumps({"refresh_token": token})
        refreshed = await users.client.post("/api/users/refresh", content=raw, headers=JSON)
        assert (token, refreshed.status_code) == (token, 401)
        ended = await users.client.post("/api/users/logout", content=raw, headers=JSON)
        assert (token, ended.status_code, ended.content) == (token, 204, b"")


async def test_whoever_signs_out_cannot_refresh(users: Users) -> None:
    """Signing out twice is signing out; other sessions go on."""
    await users.register()
    here, elsewhere = (await users.log_in()).json(), (await users.log_in()).json()
    for _ in range(2):
        answer = await users.client.post("/api/users/logout", json={"refresh_token": here["refresh_token"]})
        assert answer.status_code == 204
    assert (await users.refresh(here["refresh_token"])).status_code == 401
    assert (await users.refresh(elsewhere["refresh_token"])).status_code == 200


async def test_a_changed_password_ends_every_session(users: Users) -> None:
    """The new one signs in, the old one does not."""
    user_id = await users.user_id()
    sessions = [(await users.log_in()).json() for _ in range(2)]
    assert (await change_password(users, user_id, PASSWORD)).status_code == 204
    for session in sessions:
        assert (await users.refresh(session["refresh_token"])).status_code == 401
    assert (await users.log_in()).status_code == 401
    assert (await users.log_in(password=NEW)).status_code == 200


async def test_a_repeated_change_of_password_is_done_already(users: Users) -> None:
    """It ends no session that was begun since."""
    user_id = await users.user_id()
    assert (await change_password(users, user_id, PASSWORD)).status_code == 204
    since = (await users.log_in(password=NEW)).json()
    assert (await change_password(users, user_id, PASSWORD)).status_code == 204
    assert (await users.refresh(since["refresh_token"])).status_code == 200


async def test_a_stolen_access_token_does_not_change_the_password(users: Users) -> None:
    """Without the one in force it is refused, and guessing it is slowed down like signing in."""
    user_id = await users.user_id()
    for _ in range(5):
        answer = await change_password(users, user_id, "wrong")
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/password-wrong")
    assert (await change_password(users, user_id, PASSWORD)).status_code == 429
    users.clock.advance(seconds=30)
    assert (await change_password(users, user_id, PASSWORD)).status_code == 204


async def test_of_two_who_change_a_password_at_once_one_succeeds(users: Users) -> None:
    """The other is told, for it would undo what it has not seen."""
    user_id = await users.user_id()
    answers = await asyncio.gather(
        change_password(users, user_id, PASSWORD, "the first of the two"),
        change_password(users, user_id, PASSWORD, "the second of the two"),
    )
    assert sorted(answer.status_code for answer in answers) == [204, 403]


async def test_a_change_of_password_that_does_not_fit_is_refused(users: Users) -> None:
    """And the old one stays."""
    headers = users.headers(await users.user_id()) | JSON
    for body in BAD_CHANGES:
        answer = await users.client.put("/api/users/me/password", content=json.dumps(body), headers=headers)
        assert (body, answer.status_code) == (body, 422)
        assert answer.headers["Content-Type"] == PROBLEM
    assert (await users.log_in()).status_code == 200


async def test_a_request_that_does_not_fit_is_refused(users: Users) -> None:
    """With a problem document, and without a count of failures."""
    for path, body in BAD_REQUESTS:
        answer = await users.client.post(f"/api/users/{path}", content=json.dumps(body), headers=JSON)
        assert (path, body, answer.status_code) == (path, body, 422)
        assert answer.headers["Content-Type"] == PROBLEM
    assert await users.count(store.FAILURES) == 0


async def test_a_password_may_hold_any_character(users: Users) -> None:
    """NUL too: it is hashed, not stored."""
    odd = "pass\u0000word — пароль 密码"
    await users.register(password=odd)
    assert (await users.log_in(password=odd)).status_code == 200
    assert (await users.log_in(password=odd.replace("\u0000", ""))).status_code == 401
