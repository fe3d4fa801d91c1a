"""The routes that sign people in, keep them signed in and sign them out."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from chassis import logs
from chassis.auth import SignedIn
from chassis.openapi import named
from chassis.problems import Forbidden, Problem, Unauthenticated
from services.user import domain, store
from services.user.api import Parts, PartsDep, PasswordRefused, check_password, own_account
from services.user.bodies import ChangePassword, LogIn, Refresh
from services.user.domain import RefreshToken, Session, SessionExpired, TokenReused, User
from services.user.store import Account
from services.user.tokens import ACCESS_TOKEN_LIFE

log = logs.get(__name__)

router = APIRouter(prefix="/api/users", tags=["sessions"])


class SignInRefused(Unauthenticated):
    slug, title = "sign-in-refused", "Sign-in refused"


class SessionEnded(Unauthenticated):
    slug, title = "session-ended", "Session ended"


class PasswordWrong(Forbidden):
    slug, title = "password-wrong", "Password wrong"


class TooManyFailures(Problem):
    status, slug, title = 429, "too-many-failures", "Too many wrong passwords"


_BRAKED: dict[int | str, dict[str, Any]] = {
    429: {
        "description": "Too many wrong passwords: `Retry-After` says when to try again.",
        **named(TooManyFailures),
    }
}


class Tokens(BaseModel):
    """What a client sends with each request, and what it renews that with (as in RFC 6749, section 5.1)."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a name, not a secret
    expires_in: int
    refresh_token: str


@router.post(
    "/login",
    responses={401: {"description": "E-mail address or password is wrong."}, **_BRAKED},
    operation_id="log_in",
)
async def log_in(body: LogIn, response: Response, parts: PartsDep) -> Tokens:
    """Sign in. Needs no Idempotency-Key: a repetition makes another session, and no answer may be kept."""
    password = body.password.get_secret_value()
    async with parts.database.reading() as connection:
        account = await store.account_of(connection, body.email)
    if not await _is_right(parts, body.email, account, password) or account is None:
        raise SignInRefused("E-mail address or password is wrong.")
    user, now = account.user, parts.clock()
    outdated = parts.passwords.is_outdated(account.password_hash)
    renewed_hash = await parts.passwords.hash(password) if outdated else None
    session, token = domain.start_session(parts.ids(), user.id, parts.random(domain.SECRET_BYTES), now)
    async with parts.database.transaction() as tx:
        if (await store.locked(tx, user.id)).password_hash != account.password_hash:
            raise SignInRefused("The password was changed at this moment; sign in again.")
        if renewed_hash is not None:
            await store.set_password(tx, user.id, renewed_hash)
        await store.insert_session(tx, session)
    return _tokens(parts, response, user, token, now)


@router.post(
    "/refresh",
    responses={401: {"description": "The token is unknown, expired or was used before."}},
    operation_id="refresh",
)
async def refresh(body: Refresh, response: Response, parts: PartsDep) -> Tokens:
    """Renew the access token. A refresh token serves once; one that comes again ends its session.

    Needs no Idempotency-Key: the token is one, and a repetition is what must be refused
    (RFC 9700, section 4.14.2).
    """
    now = parts.clock()
    renewed = await _renew(parts, body.refresh_token.get_secret_value(), now)
    if renewed is None:
        raise SessionEnded("The refresh token is unknown, expired or was used before; sign in again.")
    user, token = renewed
    return _tokens(parts, response, user, token, now)


@router.post("/logout", status_code=204, operation_id="log_out")
async def log_out(body: Refresh, parts: PartsDep) -> None:
    """End the session that the refresh token belongs to; no token of it can be renewed any more.

    Needs neither sign-in nor Idempotency-Key: whoever holds the token may end its session, however often.
    The access token stays valid for the rest of its quarter of an hour.
    """
    presented = RefreshToken.parse(body.refresh_token.get_secret_value())
    if presented is not None:
        async with parts.database.transaction() as tx:
            await store.end_session(tx, presented.session_id)


@router.put(
    "/me/password",
    status_code=204,
    responses={422: named(PasswordRefused), **_BRAKED},
    operation_id="change_password",
)
async def change_password(body: ChangePassword, caller: SignedIn, parts: PartsDep) -> None:
    """Set another password and end every session, this one too: sign in again with the new one."""
    current, new = body.current.get_secret_value(), body.new.get_secret_value()
    async with parts.database.reading() as connection:
        account = await own_account(connection, caller)
    user = account.user
    check_password(new, user.email, user.display_name, "new")
    if not await _is_right(parts, user.email, account, current):
        if await parts.passwords.matches(new, account.password_hash):
            return  # a repetition, of which the first answer was lost
        raise PasswordWrong("/current: this is not your password.")
    new_hash = await parts.passwords.hash(new)
    async with parts.database.transaction() as tx:
        if (await own_account(tx, caller, lock=True)).password_hash != account.password_hash:
            raise PasswordWrong("/current: your password was changed at this moment.")
        await store.set_password(tx, user.id, new_hash)
        await store.end_sessions(tx, user.id)
    log.info("password changed", user_id=str(user.id))


async def _is_right(parts: Parts, email: str, account: Account | None, password: str) -> bool:
    """Whether the password is the account's; wrong ones are counted. Raises TooManyFailures.

    It is the same for an address without account, in answer and in time, so that none can be found out.
    """
    digest, now = domain.email_digest(email), parts.clock()
    async with parts.database.reading() as connection:
        failures = await store.failures(connection, digest)
    _refuse_until(domain.blocked_until(failures), now)
    # Counted after, not before: people who sign in at once from many places are not guessing.
    if await parts.passwords.matches(password, None if account is None else account.password_hash):
        if failures is not None:
            async with parts.database.transaction() as tx:
                await store.forget_failures(tx, digest)
        return True
    async with parts.database.transaction() as tx:
        await store.note_failure(tx, digest, now, domain.FAILURES_FORGOTTEN_AFTER)
    return False


def _refuse_until(then: dt.datetime | None, now: dt.datetime) -> None:
    if then is not None and now < then:
        seconds = math.ceil((then - now).total_seconds())
        raise TooManyFailures(
            f"Too many wrong passwords were given for this address; try again in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )


async def _renew(parts: Parts, refresh_token: str, now: dt.datetime) -> tuple[User, RefreshToken] | None:
    """The user and their next token, or None where the session cannot go on; it is then over."""
    presented = RefreshToken.parse(refresh_token)
    if presented is None:
        return None
    async with parts.database.transaction() as tx:
        found = await store.locked_session(tx, presented.session_id)
        if found is None:
            return None
        session, user = found
        try:
            renewed, token = domain.renew_session(session, presented, parts.random(domain.SECRET_BYTES), now)
        except (TokenReused, SessionExpired) as error:
            await store.end_session(tx, session.id)
            _log_end(session, error)
            return None
        await store.save_session(tx, renewed)
        return user, token


def _log_end(session: Session, error: Exception) -> None:
    log.warning("session ended", user_id=str(session.user_id), session_id=str(session.id), reason=str(error))


def _tokens(parts: Parts, response: Response, user: User, token: RefreshToken, now: dt.datetime) -> Tokens:
    response.headers["Cache-Control"] = "no-store"
    return Tokens(
        access_token=parts.keys.access_token(user.id, user.roles, now, parts.ids()),
        expires_in=int(ACCESS_TOKEN_LIFE.total_seconds()),
        refresh_token=token.text,
    )
