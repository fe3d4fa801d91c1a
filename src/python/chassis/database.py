"""A service's own PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
from sqlalchemy import MetaData, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from chassis.login import Login

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 10
POOL_TIMEOUT_S = 5
# Only for a server that has fallen silent: one that is merely slow ends the statement itself, and says so.
_SILENCE_TIMEOUT_S = 15

# The SQLSTATEs of a server that goes down, comes up, or has no connection left, and of a statement that had
# to make way for others. https://www.postgresql.org/docs/18/errcodes-appendix.html
_AWAY = ("08", "53", "57P")
_BUSY = ("40001", "40P01", "55P03", "57014")

# Names every constraint, so that a migration can drop what another made.
NAMING_CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def metadata() -> MetaData:
    """Metadata for a service's tables, with named constraints."""
    return MetaData(naming_convention=NAMING_CONVENTION)


class DatabaseUnavailable(ConnectionError):
    """No connection could be made. The message names no credentials."""


class Database:
    """Connections to one database: `transaction()` to write, `reading()` to read."""

    def __init__(self, database: Login | str, *, pool_size: int = 12) -> None:
        self.login = Login.to(database)
        self._engine: AsyncEngine = engine(
            self.login,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            json_serializer=_dumps,
            json_deserializer=orjson.loads,
        )
        # One statement needs no BEGIN and no COMMIT of its own: two round trips saved.
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def url(self) -> str:
        """Where it is; without its password where a secret has that."""
        return self.login.url

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end of the block, rolled back when the block raises."""
        async with self._engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading; each statement stands alone and sees the newest committed state."""
        async with self._reader.connect() as connection:
            yield connection

    async def ping(self) -> None:
        """Raise unless the database answers."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S), self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


def engine(
    database: Login | str, *, statement_timeout_s: float | None = STATEMENT_TIMEOUT_S, **options: Any
) -> AsyncEngine:
    """An engine; the URL may say whatever libpq understands, `sslmode` and `sslrootcert` included.

    Without a `statement_timeout_s` a statement may take for ever, as a migration's may.
    """
    settings = {"timezone": "UTC"}
    if statement_timeout_s is not None:
        settings["statement_timeout"] = f"{statement_timeout_s:g}s"
    login = Login.to(database)
    silence_s = None if statement_timeout_s is None else _SILENCE_TIMEOUT_S

    async def connect() -> asyncpg.Connection[asyncpg.Record]:
        try:
            return await login.connect(
                timeout=CONNECT_TIMEOUT_S, command_timeout=silence_s, server_settings=settings
            )
        except Exception as error:
            if is_unavailable(error):
                raise DatabaseUnavailable(f"no connection to the database: {_reason(error)}") from error
            raise

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        # Values are other people's: they belong in no log.
        hide_parameters=True,
        **options,
    )


def is_unavailable(error: BaseException) -> bool:
    """Whether `error` says that the database cannot be reached now, rather than that a statement is wrong."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (sqlstate(error) or "").startswith(_AWAY)
    if isinstance(error, asyncpg.PostgresError):  # while connecting, before SQLAlchemy has a hand in it
        return (error.sqlstate or "").startswith(_AWAY)
    # InternalClientError: the connection broke under a statement.
    return isinstance(error, OSError | TimeoutError | PoolTimeoutError | asyncpg.InternalClientError)


def is_busy(error: BaseException) -> bool:
    """Whether a statement had to make way for others (deadlock, a lock held too long): it may pass later."""
    return isinstance(error, DBAPIError) and sqlstate(error) in _BUSY


def sqlstate(error: DBAPIError) -> str | None:
    """The five-character SQLSTATE of a database error, where the server gave one."""
    return getattr(error.orig, "sqlstate", None)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _dumps(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()
