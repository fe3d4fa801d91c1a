"""Alembic for a service: from an empty database to the newest tables, by the service's own image."""

from __future__ import annotations

import asyncio
from pathlib import Path

import sqlalchemy as sa
from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool

from chassis import logs
from chassis.database import engine
from chassis.login import Login

log = logs.get(__name__)

# Any number, the same in every service: two migrations of one database must not run at once.
_LOCK = 5_207_331_704


def upgrade(folder: Path, database: Login | str, revision: str = "head") -> None:
    """Bring `database` to `revision` of the migrations in `folder`; waits while another does.

    One that a later version has brought further is left as it is.
    """
    asyncio.run(upgrade_async(folder, database, revision))


async def upgrade_async(folder: Path, database: Login | str, revision: str = "head") -> None:
    """As `upgrade`, for callers that are in an event loop already."""
    async with _engine(database).begin() as connection:
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        await connection.run_sync(_run, folder, revision)


def run_env(target: sa.MetaData) -> None:
    """The body of a service's `migrations/env.py`."""
    from alembic import context

    connection: sa.Connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=target, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def differences(database: Login | str, target: sa.MetaData) -> list[object]:
    """What the migrated `database` lacks or has too much, compared with the tables in `target`."""
    from alembic.autogenerate import compare_metadata

    async with _engine(database).connect() as connection:
        return await connection.run_sync(
            lambda sync: list(compare_metadata(MigrationContext.configure(sync), target))
        )


def create_standard_tables(*job_tables: str) -> None:
    """In a migration: make the inbox, the saved answers, and each table of jobs with its notification."""
    from chassis.idempotency import idempotency_table
    from chassis.inbox import inbox_table

    metadata = _metadata()
    inbox_table(metadata)
    idempotency_table(metadata)
    metadata.create_all(op.get_bind())
    for name in job_tables:
        create_job_table(name)


def create_job_table(name: str) -> None:
    """In a migration: make a table of jobs that notifies its runners of each insert."""
    from chassis.jobs import job_table

    metadata = _metadata()
    job_table(name, metadata)
    metadata.create_all(op.get_bind())
    op.execute(
        f"CREATE FUNCTION notify_{name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM pg_notify('{name}', ''); RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER notify AFTER INSERT ON {name} FOR EACH STATEMENT EXECUTE FUNCTION notify_{name}()"
    )
    # Rows come and go quickly: vacuum by count, not by a share of a table that is nearly empty.
    op.execute(
        f"ALTER TABLE {name} SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)"
    )


def _metadata() -> sa.MetaData:
    from chassis.database import metadata

    return metadata()


def _engine(database: Login | str) -> AsyncEngine:
    # Waiting for another migration, or rewriting a large table, takes what it takes.
    return engine(database, statement_timeout_s=None, poolclass=NullPool)


def _run(connection: sa.Connection, folder: Path, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    newer = _newer_than_known(connection, config)
    if newer is None:
        command.upgrade(config, revision)
    else:
        log.warning("the database is newer than this version, and is left as it is", revision=newer)


def _newer_than_known(connection: sa.Connection, config: Config) -> str | None:
    """The revision of the database, where a later version of the service has brought it there.

    Revisions are numbered. A version that is rolled back to finds tables that its successor has added to, and
    works with them: what is added in one version is not relied on, nor the old taken away, before the next.
    """
    current = MigrationContext.configure(connection).get_current_revision()
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    return current if current is not None and current > max(known) else None
