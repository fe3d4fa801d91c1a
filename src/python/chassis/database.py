"""A service's own PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from sqlalchemy import MetaData, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 10
POOL_TIMEOUT_S = 5

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


class Database:
    """Connections to one database: `transaction()` to write, `reading()` to read."""

    def __init__(self, url: str, *, pool_size: int = 12) -> None:
        self.url = url
        self._engine: AsyncEngine = create_async_engine(
            async_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            json_serializer=_dumps,
            json_deserializer=orjson.loads,
            connect_args={
                "timeout": CONNECT_TIMEOUT_S,
                "command_timeout": STATEMENT_TIMEOUT_S,
                "server_settings": {"timezone": "UTC"},
            },
        )
        # One statement needs no BEGIN and no COMMIT of its own: two round trips saved.
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")

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


def async_url(url: str) -> str:
    """`url` with the asyncpg driver named in it."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def is_unavailable(error: BaseException) -> bool:
    """Whether `error` says that the database cannot be reached now, rather than that a statement is wrong."""
    if isinstance(error, OSError | TimeoutError | PoolTimeoutError | asyncio.TimeoutError):
        return True
    if isinstance(error, DBAPIError):
        # 57P01..57P05: the server is going down or comes up; 53300: no connection is free.
        state = sqlstate(error) or ""
        gone = error.connection_invalidated or state.startswith(("57P", "08", "53"))
        return gone or (isinstance(error, InterfaceError | OperationalError) and not state)
    return False


def sqlstate(error: DBAPIError) -> str | None:
    """The five-character SQLSTATE of a database error, where the server gave one."""
    return getattr(error.orig, "sqlstate", None)


def _dumps(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()
