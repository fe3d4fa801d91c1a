"""The user service's tables, and the queries over them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import metadata
from chassis.idempotency import idempotency_table
from chassis.outbox import outbox_table
from contracts.events.order import Address
from services.user.domain import Failures, Role, SavedAddress, Session, User, email_key

METADATA = metadata()
OUTBOX = outbox_table(METADATA)
IDEMPOTENCY = idempotency_table(METADATA)

USERS = sa.Table(
    "users",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.Text, nullable=False),
    # Made here, not by the database, whose idea of case depends on its locale.
    sa.Column("email_key", sa.Text, nullable=False, unique=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("roles", ARRAY(sa.Text), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("roles <@ ARRAY['admin', 'customer', 'service']", name="roles"),
    sa.CheckConstraint("revision >= 1", name="revision"),
)

SESSIONS = sa.Table(
    "sessions",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.ForeignKey(USERS.c.id), nullable=False, index=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, index=True),
)

ADDRESSES = sa.Table(
    "addresses",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.ForeignKey(USERS.c.id), nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("line1", sa.Text, nullable=False),
    sa.Column("line2", sa.Text),
    sa.Column("city", sa.Text, nullable=False),
    sa.Column("postal_code", sa.Text, nullable=False),
    sa.Column("country", sa.Text, nullable=False),
    sa.Index("ix_addresses_user_id_id", "user_id", "id"),
)

FAILURES = sa.Table(
    "sign_in_failures",
    METADATA,
    sa.Column("email_digest", sa.LargeBinary, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_at", sa.DateTime(timezone=True), nullable=False, index=True),
)


class UserUnknown(Exception):
    """There is no such account."""


class AddressUnknown(Exception):
    """The user has no such address."""


class EmailTaken(Exception):
    """Another account has this e-mail address."""


@dataclass(frozen=True)
class Account:
    """A user with what proves that it is them."""

    user: User
    password_hash: str


async def insert_user(tx: AsyncConnection, user: User, password_hash: str) -> None:
    """Store a new account. Raises EmailTaken, after which the transaction can go on."""
    statement = insert(USERS).on_conflict_do_nothing(index_elements=[USERS.c.email_key])
    row = _user_row(user) | {"password_hash": password_hash}
    if (await tx.execute(statement.values(row))).rowcount != 1:
        raise EmailTaken


async def save_user(tx: AsyncConnection, user: User) -> None:
    """Store an account that was read with `locked`. Raises EmailTaken, which ends the transaction."""
    row = {name: value for name, value in _user_row(user).items() if name not in ("id", "registered_at")}
    try:
        await tx.execute(
            USERS.update().where(USERS.c.id == sa.bindparam("user_id")), {"user_id": user.id} | row
        )
    except IntegrityError:
        raise EmailTaken from None


async def account(connection: AsyncConnection, user_id: uuid.UUID) -> Account:
    """The account with its password's hash. Raises UserUnknown."""
    return _account((await connection.execute(_BY_ID, {"user_id": user_id})).one_or_none())


async def account_of(connection: AsyncConnection, email: str) -> Account | None:
    """The account with this e-mail address in whatever case, or None."""
    row = (await connection.execute(_BY_EMAIL, {"email_key": email_key(email)})).one_or_none()
    return None if row is None else _account(row)


async def locked(tx: AsyncConnection, user_id: uuid.UUID) -> Account:
    """The account, held against changes by others until the transaction ends. Raises UserUnknown."""
    return _account((await tx.execute(_LOCKED_BY_ID, {"user_id": user_id})).one_or_none())


async def some(
    connection: AsyncConnection, *, email: str | None, before: uuid.UUID | None, limit: int
) -> list[User]:
    """Accounts, newest first, those registered before the account `before`."""
    query = sa.select(USERS)
    if email is not None:
        query = query.where(USERS.c.email_key == email_key(email))
    if before is not None:
        query = query.where(USERS.c.id < before)
    rows = await connection.execute(query.order_by(USERS.c.id.desc()).limit(limit))
    return [_account(row).user for row in rows]


async def set_password(tx: AsyncConnection, user_id: uuid.UUID, password_hash: str) -> None:
    """Store another hash."""
    await tx.execute(USERS.update().where(USERS.c.id == user_id).values(password_hash=password_hash))


async def insert_session(tx: AsyncConnection, session: Session) -> None:
    """Store a new session."""
    await tx.execute(
        SESSIONS.insert().values(
            id=session.id,
            user_id=session.user_id,
            digest=session.digest,
            started_at=session.started_at,
            expires_at=session.expires_at,
        )
    )


async def locked_session(tx: AsyncConnection, session_id: uuid.UUID) -> tuple[Session, User] | None:
    """A session and whose it is, held until the transaction ends; None where it has ended."""
    row = (await tx.execute(_SESSION, {"session_id": session_id})).one_or_none()
    if row is None:
        return None
    session = Session(row.session_id, row.id, row.digest, row.started_at, row.expires_at)
    return session, _account(row).user


async def save_session(tx: AsyncConnection, session: Session) -> None:
    """Store a session that was read with `locked_session`."""
    await tx.execute(
        SESSIONS.update()
        .where(SESSIONS.c.id == session.id)
        .values(digest=session.digest, expires_at=session.expires_at)
    )


async def end_session(tx: AsyncConnection, session_id: uuid.UUID) -> None:
    """Forget a session: no token of it serves any more."""
    await tx.execute(SESSIONS.delete().where(SESSIONS.c.id == session_id))


async def end_sessions(tx: AsyncConnection, user_id: uuid.UUID) -> None:
    """Forget every session of a user."""
    await tx.execute(SESSIONS.delete().where(SESSIONS.c.user_id == user_id))


async def failures(connection: AsyncConnection, email_digest: bytes) -> Failures | None:
    """The wrong passwords given for an e-mail address, whether it has an account or not."""
    row = (await connection.execute(_FAILURES, {"email_digest": email_digest})).one_or_none()
    return None if row is None else Failures(row.failures, row.last_at)


async def note_failure(
    tx: AsyncConnection, email_digest: bytes, now: dt.datetime, forgotten_after: dt.timedelta
) -> None:
    """Count a wrong password; after `forgotten_after` without one the count begins anew."""
    statement = insert(FAILURES).values(email_digest=email_digest, failures=1, last_at=now)
    counted = sa.case((FAILURES.c.last_at < now - forgotten_after, 1), else_=FAILURES.c.failures + 1)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[FAILURES.c.email_digest], set_={"failures": counted, "last_at": now}
        )
    )


async def forget_failures(tx: AsyncConnection, email_digest: bytes) -> None:
    """The right password was given."""
    await tx.execute(FAILURES.delete().where(FAILURES.c.email_digest == email_digest))


async def insert_address(tx: AsyncConnection, saved: SavedAddress) -> None:
    """Store a new address."""
    row = saved.address.model_dump() | {"id": saved.id, "user_id": saved.user_id}
    await tx.execute(ADDRESSES.insert().values(row))


async def count_addresses(connection: AsyncConnection, user_id: uuid.UUID) -> int:
    """How many addresses a user has."""
    query = sa.select(sa.func.count()).select_from(ADDRESSES).where(ADDRESSES.c.user_id == user_id)
    return int(await connection.scalar(query) or 0)


async def addresses(connection: AsyncConnection, user_id: uuid.UUID) -> Sequence[SavedAddress]:
    """A user's addresses in the order in which they were added."""
    query = sa.select(ADDRESSES).where(ADDRESSES.c.user_id == user_id).order_by(ADDRESSES.c.id)
    return [_address(row) for row in await connection.execute(query)]


async def address(connection: AsyncConnection, user_id: uuid.UUID, address_id: uuid.UUID) -> SavedAddress:
    """One of a user's addresses. Raises AddressUnknown."""
    found = await connection.execute(_ADDRESS, {"user_id": user_id, "address_id": address_id})
    row = found.one_or_none()
    if row is None:
        raise AddressUnknown
    return _address(row)


async def save_address(tx: AsyncConnection, saved: SavedAddress) -> None:
    """Replace one of a user's addresses. Raises AddressUnknown."""
    mine = (ADDRESSES.c.id == saved.id) & (ADDRESSES.c.user_id == saved.user_id)
    if (await tx.execute(ADDRESSES.update().where(mine).values(saved.address.model_dump()))).rowcount != 1:
        raise AddressUnknown


async def delete_address(tx: AsyncConnection, user_id: uuid.UUID, address_id: uuid.UUID) -> None:
    """Forget one of a user's addresses. Raises AddressUnknown."""
    mine = (ADDRESSES.c.id == address_id) & (ADDRESSES.c.user_id == user_id)
    if (await tx.execute(ADDRESSES.delete().where(mine))).rowcount != 1:
        raise AddressUnknown


_BY_ID = sa.select(USERS).where(USERS.c.id == sa.bindparam("user_id"))
# Not as strong as a delete: new sessions and addresses, which refer to the row, need not wait.
_LOCKED_BY_ID = _BY_ID.with_for_update(key_share=True)
_BY_EMAIL = sa.select(USERS).where(USERS.c.email_key == sa.bindparam("email_key"))
_SESSION = (
    sa.select(
        SESSIONS.c.id.label("session_id"),
        SESSIONS.c.digest,
        SESSIONS.c.started_at,
        SESSIONS.c.expires_at,
        USERS,
    )
    .join(USERS, USERS.c.id == SESSIONS.c.user_id)
    .where(SESSIONS.c.id == sa.bindparam("session_id"))
    .with_for_update(of=SESSIONS)
)
_FAILURES = sa.select(FAILURES.c.failures, FAILURES.c.last_at).where(
    FAILURES.c.email_digest == sa.bindparam("email_digest")
)
_ADDRESS = sa.select(ADDRESSES).where(
    ADDRESSES.c.id == sa.bindparam("address_id"), ADDRESSES.c.user_id == sa.bindparam("user_id")
)


def _account(row: sa.Row[Any] | None) -> Account:
    if row is None:
        raise UserUnknown
    user = User(
        id=row.id,
        email=row.email,
        display_name=row.display_name,
        registered_at=row.registered_at,
        roles=tuple(Role(role) for role in row.roles),
        revision=row.revision,
    )
    return Account(user, row.password_hash)


def _user_row(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "email_key": email_key(user.email),
        "display_name": user.display_name,
        "roles": [role.value for role in user.roles],
        "revision": user.revision,
        "registered_at": user.registered_at,
    }


def _address(row: sa.Row[Any]) -> SavedAddress:
    address = Address(
        recipient=row.recipient,
        line1=row.line1,
        line2=row.line2,
        city=row.city,
        postal_code=row.postal_code,
        country=row.country,
    )
    return SavedAddress(row.id, row.user_id, address)
