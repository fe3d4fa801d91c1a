"""The routes of the user service that are about accounts: parse, call, shape the answer."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import logs, paging
from chassis.auth import KEYS_LAST_S, Admin, Caller, SignedIn
from chassis.clock import Clock, Ids, new_id, utc_now
from chassis.database import Database
from chassis.idempotency import OnceForAnyone
from chassis.openapi import named
from chassis.outbox import Outbox
from chassis.paging import Cursor, Limit, Page
from chassis.problems import Conflict, Invalid, NotFound, Unauthenticated
from services.user import domain, store
from services.user.bodies import ChangeProfile, Email, GiveRoles, Register
from services.user.domain import OwnAdminRole, PasswordWeak, Role, User
from services.user.passwords import Passwords
from services.user.store import Account
from services.user.tokens import SigningKeys

log = logs.get(__name__)

router = APIRouter(prefix="/api/users", tags=["users"])

_JWK_SET = "application/jwk-set+json"


@dataclass(frozen=True)
class Parts:
    """What the routes work with. `random` gives that many unpredictable bytes."""

    database: Database
    outbox: Outbox
    passwords: Passwords
    keys: SigningKeys
    clock: Clock = utc_now
    ids: Ids = new_id
    random: Callable[[int], bytes] = secrets.token_bytes


async def _parts(request: Request) -> Parts:
    # Async, though it waits for nothing: FastAPI would call it in a thread otherwise.
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(_parts)]


class EmailTaken(Conflict):
    slug, title = "email-taken", "E-mail address taken"


class PasswordRefused(Invalid):
    slug, title = "password-refused", "Password refused"


class OwnRoles(Conflict):
    slug, title = "own-admin-role", "Own role admin"


class UserView(BaseModel):
    """Somebody with an account."""

    id: uuid.UUID
    email: str
    display_name: str
    roles: list[Role]
    registered_at: dt.datetime


class JwkSet(BaseModel):
    """The keys that verify access tokens (RFC 7517)."""

    keys: list[dict[str, Any]]


@router.post(
    "",
    status_code=201,
    response_model=UserView,
    responses={422: named(PasswordRefused)},
    operation_id="register",
)
async def register(body: Register, once: OnceForAnyone, parts: PartsDep) -> Response:
    """Make an account. Whoever has it signs in with POST /api/users/login."""
    password = body.password.get_secret_value()
    check_password(password, body.email, body.display_name, "password")
    password_hash = await parts.passwords.hash(password)
    outcome = domain.register(User(parts.ids(), body.email, body.display_name, parts.clock()))
    user = outcome.user
    async with once.transaction() as tx:
        try:
            await store.insert_user(tx, user, password_hash)
        except store.EmailTaken:
            raise _email_taken() from None
        await parts.outbox.add(tx, *outcome.events)
        answer = await once.answer(tx, 201, view(user), location=f"/api/users/{user.id}")
    log.info("user registered", user_id=str(user.id))
    return answer


@router.get("", operation_id="list_users")
async def list_users(
    _: Admin,
    parts: PartsDep,
    email: Annotated[Email | None, Query(description="only the account with this e-mail address")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[UserView]:
    """All accounts, newest first; for admins."""
    before = paging.decode(cursor, uuid.UUID)[0] if cursor is not None else None
    async with parts.database.reading() as connection:
        found = await store.some(connection, email=email, before=before, limit=limit + 1)
    more = len(found) > limit
    return Page(
        items=[view(user) for user in found[:limit]],
        next_cursor=paging.encode(found[limit - 1].id) if more else None,
    )


@router.get(
    "/.well-known/jwks.json",
    response_model=JwkSet,
    response_class=Response,
    responses={200: {"content": {_JWK_SET: {}}}},
    operation_id="signing_keys",
)
async def signing_keys(parts: PartsDep) -> Response:
    """The keys that verify access tokens. They may be kept for five minutes."""
    headers = {"Cache-Control": f"public, max-age={KEYS_LAST_S}"}
    return Response(orjson.dumps(parts.keys.published()), media_type=_JWK_SET, headers=headers)


@router.get("/me", operation_id="get_me")
async def get_me(caller: SignedIn, parts: PartsDep) -> UserView:
    """The caller's own account."""
    async with parts.database.reading() as connection:
        return view((await own_account(connection, caller)).user)


@router.patch(
    "/me",
    responses={409: {"description": "Another account has this e-mail address."}},
    operation_id="change_me",
)
async def change_me(body: ChangeProfile, caller: SignedIn, parts: PartsDep) -> UserView:
    """Change name or e-mail address; what is left out stays."""
    async with parts.database.transaction() as tx:
        account = await own_account(tx, caller, lock=True)
        outcome = domain.change_profile(account.user, email=body.email, display_name=body.display_name)
        if outcome.events:
            try:
                await store.save_user(tx, outcome.user)
            except store.EmailTaken:
                raise _email_taken() from None
            await parts.outbox.add(tx, *outcome.events)
    return view(outcome.user)


@router.get("/{user_id:uuid}", operation_id="get_user")
async def get_user(user_id: uuid.UUID, caller: SignedIn, parts: PartsDep) -> UserView:
    """An account; its owner and admins may see it."""
    if user_id != caller.id and not caller.is_admin:
        raise _unknown()
    async with parts.database.reading() as connection:
        try:
            return view((await store.account(connection, user_id)).user)
        except store.UserUnknown:
            raise _unknown() from None


@router.put(
    "/{user_id:uuid}/roles",
    responses={409: {"description": "An admin cannot take that role off themself."}},
    operation_id="give_roles",
)
async def give_roles(user_id: uuid.UUID, body: GiveRoles, caller: Admin, parts: PartsDep) -> UserView:
    """Say what somebody may do; for admins. It holds from their next access token on, within 15 minutes."""
    async with parts.database.transaction() as tx:
        try:
            user = (await store.locked(tx, user_id)).user
            changed = domain.give_roles(user, body.roles, by=caller.id)
        except store.UserUnknown:
            raise _unknown() from None
        except OwnAdminRole as error:
            raise OwnRoles(str(error)) from None
        await store.save_user(tx, changed)
    log.info("roles given", user_id=str(user_id), roles=list(changed.roles), by=str(caller.id))
    return view(changed)


async def own_account(connection: AsyncConnection, caller: Caller, *, lock: bool = False) -> Account:
    """The caller's account, locked if `lock`. Raises Unauthenticated if there is none."""
    try:
        return await (store.locked if lock else store.account)(connection, caller.id)
    except store.UserUnknown:
        raise Unauthenticated("The account of this token does not exist; sign in again.") from None


def check_password(password: str, email: str, display_name: str, pointer: str) -> None:
    """Raises PasswordRefused for a password that is guessed soon; `pointer` is its place in the body."""
    try:
        domain.check_password(password, email=email, display_name=display_name)
    except PasswordWeak as error:
        raise PasswordRefused(f"/{pointer}: {error}.") from None


def view(user: User) -> UserView:
    """A user as the API shows them."""
    return UserView(
        id=user.id,
        email=user.email,
        display_name=user.display_name,
        roles=list(user.roles),
        registered_at=user.registered_at,
    )


def _email_taken() -> EmailTaken:
    return EmailTaken("/email: this address cannot be used. If it is yours, sign in; else take another.")


def _unknown() -> NotFound:
    return NotFound("There is no such user that you may see.")
