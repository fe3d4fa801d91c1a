"""What an account is, how long somebody stays signed in, when guessing is stopped. Pure: no I/O, no clock."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from contracts.events.envelope import Event
from contracts.events.notification import WelcomeNotice
from contracts.events.order import Address
from contracts.events.user import UserRegistered, UserUpdated

SESSION_LIFE = dt.timedelta(days=30)  # since it was last renewed
MAX_ADDRESSES = 50

SECRET_BYTES = 32
_FEWEST_DIFFERENT_CHARACTERS = 5

# At most about a hundred wrong passwords a day (NIST SP 800-63B, 3.2.2), and no lock that outlasts a coffee.
_FREE_FAILURES = 5
_FIRST_WAIT = dt.timedelta(seconds=30)
_LONGEST_WAIT = dt.timedelta(minutes=15)
FAILURES_FORGOTTEN_AFTER = dt.timedelta(days=1)


class UserError(Exception):
    """What was asked is not possible; the message says why."""


class PasswordWeak(UserError):
    """The password would be guessed soon."""


class OwnAdminRole(UserError):
    """An admin may not take that role off themself, or nobody might be left who can give it."""


class TokenReused(UserError):
    """A refresh token came that had served before: somebody holds a copy."""


class SessionExpired(UserError):
    """The session was not renewed in time."""


class Role(StrEnum):
    """What somebody may do."""

    CUSTOMER = "customer"
    ADMIN = "admin"
    SERVICE = "service"


@dataclass(frozen=True)
class User:
    """Somebody with an account. `revision` grows with each change that is told to others."""

    id: uuid.UUID
    email: str
    display_name: str
    registered_at: dt.datetime
    roles: tuple[Role, ...] = (Role.CUSTOMER,)
    revision: int = 1


@dataclass(frozen=True)
class Outcome:
    """An account after a change, and the events that tell of it."""

    user: User
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class SavedAddress:
    """One of the places a user has things sent to."""

    id: uuid.UUID
    user_id: uuid.UUID
    address: Address


@dataclass(frozen=True)
class RefreshToken:
    """What renews a session, once. It names the session; the secret proves that it is its newest token."""

    session_id: uuid.UUID
    secret: bytes

    @property
    def text(self) -> str:
        """The token as it is handed out."""
        return base64.urlsafe_b64encode(self.session_id.bytes + self.secret).decode()

    @property
    def digest(self) -> bytes:
        """What is stored of it. The secret is random and long, so that one round of a fast hash is enough."""
        return hashlib.sha256(self.secret).digest()

    @classmethod
    def parse(cls, text: str) -> RefreshToken | None:
        """The token that `text` is, or None where it is none."""
        try:
            raw = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            return None
        return cls(uuid.UUID(bytes=raw[:16]), raw[16:]) if len(raw) == 16 + SECRET_BYTES else None


@dataclass(frozen=True)
class Session:
    """Somebody signed in on one device: a family of refresh tokens, of the newest of which `digest` is."""

    id: uuid.UUID
    user_id: uuid.UUID
    digest: bytes
    started_at: dt.datetime
    expires_at: dt.datetime


@dataclass(frozen=True)
class Failures:
    """How often in a row, and when last, a wrong password was given for one e-mail address."""

    count: int
    last_at: dt.datetime


def email_key(email: str) -> str:
    """What two spellings of one e-mail address have in common."""
    return email.lower()


def email_digest(email: str) -> bytes:
    """An e-mail address as failures are counted by it: what people type there by mistake is not kept."""
    return hashlib.sha256(email_key(email).encode()).digest()


def check_password(password: str, *, email: str, display_name: str) -> None:
    """Raises PasswordWeak for what a guesser tries first; its length is checked where it is read."""
    if password.casefold() in {email.casefold(), display_name.casefold()}:
        raise PasswordWeak("it is your name or e-mail address; choose another")
    if len(set(password)) < _FEWEST_DIFFERENT_CHARACTERS:
        raise PasswordWeak(f"use at least {_FEWEST_DIFFERENT_CHARACTERS} different characters")


def register(user: User) -> Outcome:
    """A new account: the others hear of it, and its owner is greeted."""
    told = UserRegistered(
        user_id=user.id, email=user.email, display_name=user.display_name, revision=user.revision
    )
    return Outcome(user, (told, WelcomeNotice(customer_id=user.id)))


def change_profile(user: User, *, email: str | None = None, display_name: str | None = None) -> Outcome:
    """Another name or e-mail address; what is None stays."""
    wanted = replace(user, email=email or user.email, display_name=display_name or user.display_name)
    if wanted == user:
        return Outcome(user)
    changed = replace(wanted, revision=user.revision + 1)
    told = UserUpdated(
        user_id=user.id, email=changed.email, display_name=changed.display_name, revision=changed.revision
    )
    return Outcome(changed, (told,))


def give_roles(user: User, roles: Iterable[Role], *, by: uuid.UUID) -> User:
    """The account with these roles and no others. Raises OwnAdminRole."""
    wanted = tuple(sorted(set(roles)))
    if user.id == by and Role.ADMIN not in wanted:
        raise OwnAdminRole("You cannot take the role admin off yourself: ask another admin.")
    return replace(user, roles=wanted)


def promote(user: User) -> User:
    """The account as an admin's, besides what it was."""
    return replace(user, roles=tuple(sorted({*user.roles, Role.ADMIN})))


def start_session(
    session_id: uuid.UUID, user_id: uuid.UUID, secret: bytes, now: dt.datetime
) -> tuple[Session, RefreshToken]:
    """Somebody signs in. `secret` is SECRET_BYTES random bytes."""
    token = RefreshToken(session_id, secret)
    return Session(session_id, user_id, token.digest, now, now + SESSION_LIFE), token


def renew_session(
    session: Session, presented: RefreshToken, secret: bytes, now: dt.datetime
) -> tuple[Session, RefreshToken]:
    """The session with a new refresh token. Raises TokenReused or SessionExpired.

    A token of the session that is not its newest has served before: either its owner or a thief has the
    newest, and nobody knows which (RFC 9700, section 4.14.2).
    """
    if not hmac.compare_digest(session.digest, presented.digest):
        raise TokenReused("The refresh token was used before.")
    if now >= session.expires_at:
        raise SessionExpired("The session was not renewed in time.")
    token = RefreshToken(session.id, secret)
    return replace(session, digest=token.digest, expires_at=now + SESSION_LIFE), token


def blocked_until(failures: Failures | None) -> dt.datetime | None:
    """When the next password may be tried, after so many wrong ones; None where at once.

    It holds for signing in alone: a stranger who guesses throws nobody out who is signed in.
    """
    if failures is None or failures.count < _FREE_FAILURES:
        return None
    doublings = min(failures.count - _FREE_FAILURES, 16)
    return failures.last_at + min(_FIRST_WAIT * (1 << doublings), _LONGEST_WAIT)
