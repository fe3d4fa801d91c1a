"""Idempotency-Key: a write that is repeated answers as the first did, and has its effect once.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, FastAPI, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import problems
from chassis.auth import Caller, authenticated
from chassis.database import Database
from chassis.problems import BadRequest, Conflict, Invalid, Problem

TABLE = "idempotency_key"
KEPT_FOR_H = 48
ANONYMOUS = "anonymous"

# The refusals that say something of the moment or the caller: the next try may fare otherwise.
_NOT_SAVED = frozenset({401, 403, 429})


class KeyMissing(BadRequest):
    slug, title = "idempotency-key-missing", "Idempotency-Key missing"


class KeyInFlight(Conflict):
    slug, title = "idempotency-key-in-flight", "Request in flight"


class KeyReused(Invalid):
    slug, title = "idempotency-key-reused", "Idempotency-Key reused"


def idempotency_table(metadata: sa.MetaData) -> sa.Table:
    """The saved answers of a service, among its own tables."""
    return sa.Table(
        TABLE,
        metadata,
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("location", sa.Text),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Index(f"ix_{TABLE}_created_at", "created_at"),
    )


@dataclass(frozen=True)
class _Saved:
    status: int
    media_type: str
    location: str | None
    body: bytes

    def response(self, *, replayed: bool) -> Response:
        headers = {"Idempotency-Replayed": "true"} if replayed else {}
        if self.location is not None:
            headers["Location"] = self.location
        return Response(self.body, self.status, headers, self.media_type)


class Replay(Exception):
    """Not an error: the request was answered before, and that answer is given again."""

    def __init__(self, saved: _Saved) -> None:
        super().__init__("answered before")
        self.saved = saved


class Once:
    """One write under its key. Its effect and its answer commit together, in `transaction()`."""

    def __init__(self, database: Database, table: sa.Table, scope: str, key: str, fingerprint: bytes) -> None:
        self._database = database
        self._table = table
        self._scope = scope
        self._key = key
        self._fingerprint = fingerprint

    async def replay_if_answered(self) -> None:
        """Raise Replay with the saved answer, if there is one; KeyReused if it was of another request."""
        t = self._table.c
        query = sa.select(t.fingerprint, t.status, t.media_type, t.location, t.body).where(
            t.scope == self._scope, t.key == self._key
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return
        if row.fingerprint != self._fingerprint:
            raise KeyReused(
                "This Idempotency-Key was used for another request; use a new one for each write."
            )
        raise Replay(_Saved(row.status, row.media_type, row.location, row.body))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """The transaction of the write. Raises KeyInFlight while another with the key is in its own."""
        async with self._database.transaction() as tx:
            lock = sa.func.hashtextextended(f"{self._scope}:{self._key}", 0)
            if not await tx.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(lock))):
                raise KeyInFlight(
                    "A request with this Idempotency-Key is under way; try again.",
                    headers={"Retry-After": "1"},
                )
            yield tx

    async def answer(
        self, tx: AsyncConnection, status: int, body: BaseModel, *, location: str | None = None
    ) -> Response:
        """Save the answer with the write's effect, and return it. Raises Replay if it was done before."""
        saved = _Saved(status, "application/json", location, body.model_dump_json(by_alias=True).encode())
        if not await self._save(tx, saved):
            # Answered between the first look and the lock: this transaction must leave nothing behind.
            await tx.rollback()
            await self.replay_if_answered()
        return saved.response(replayed=False)

    async def refuse(self, request: Request, problem: Problem) -> None:
        """Save a refusal, so that a repetition is refused alike. Raises Replay if it was done before."""
        refusal = _Saved(problem.status, problems.MEDIA_TYPE, None, problems.body(request, problem))
        async with self._database.transaction() as tx:
            saved = await self._save(tx, refusal)
        if not saved:
            # Another with this key went through meanwhile, and may be the very reason of the refusal.
            await self.replay_if_answered()

    async def _save(self, tx: AsyncConnection, saved: _Saved) -> bool:
        statement = (
            insert(self._table)
            .values(
                scope=self._scope,
                key=self._key,
                fingerprint=self._fingerprint,
                status=saved.status,
                media_type=saved.media_type,
                location=saved.location,
                body=saved.body,
            )
            .on_conflict_do_nothing()
        )
        return (await tx.execute(statement)).rowcount == 1


KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="A value of your making, new for each write; a repetition with the same value is safe.",
    ),
]


@asynccontextmanager
async def _once(request: Request, key: str | None, scope: str) -> AsyncIterator[Once]:
    if key is None:
        raise KeyMissing("Send an Idempotency-Key header: a value of your making, new for each write.")
    body = await request.body()
    state = request.app.state
    # Keyed where a service has a secret for it: a plain digest of a body with a password could be guessed.
    what = b"\0".join([request.method.encode(), request.url.path.encode(), body])
    fingerprint = hmac.digest(state.fingerprint_key, what, "sha256")
    once = Once(state.database, state.idempotency_table, scope, key, fingerprint)
    await once.replay_if_answered()
    try:
        yield once
    except (KeyInFlight, KeyReused):
        raise
    except Problem as problem:
        if 400 <= problem.status < 500 and problem.status not in _NOT_SAVED:
            await once.refuse(request, problem)
        raise


async def once_for_caller(
    request: Request, caller: Annotated[Caller, Depends(authenticated)], key: KeyHeader = None
) -> AsyncIterator[Once]:
    """Dependency: the write's key, scoped to the signed-in caller."""
    async with _once(request, key, str(caller.id)) as once:
        yield once


async def once_for_anyone(request: Request, key: KeyHeader = None) -> AsyncIterator[Once]:
    """Dependency: the write's key, for routes that need no sign-in. Saved answers must hold no secret."""
    async with _once(request, key, ANONYMOUS) as once:
        yield once


OnceForCaller = Annotated[Once, Depends(once_for_caller)]
OnceForAnyone = Annotated[Once, Depends(once_for_anyone)]


def install(app: FastAPI) -> None:
    """Let `app` answer repeated writes with what was saved.

    A service whose requests hold secrets sets `app.state.fingerprint_key` to a secret of its own.
    """
    app.state.fingerprint_key = b""
    app.add_exception_handler(Replay, _on_replay)


async def _on_replay(_: Request, replay: Exception) -> Response:
    assert isinstance(replay, Replay)
    return replay.saved.response(replayed=True)
