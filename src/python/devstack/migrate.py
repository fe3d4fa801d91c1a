"""Brings the databases of all services to their newest tables, in one process that ends with it.

Run as `python -m devstack.migrate` with a JSON object on standard input: `{"databases": {SERVICE: URL},
"create_with": URL or null, "services": [SERVICE]}`. With `create_with` the databases are made first, by that
account; those of `services` are migrated.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import asyncpg

from backing.process import installation
from chassis.database import DatabaseUnavailable
from chassis.migrations import upgrade_async


async def create(databases: Mapping[str, str], account: str) -> None:
    """Make the databases that are missing, as `account`."""
    connection = await asyncpg.connect(account, timeout=10)
    try:
        known = {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
        for url in databases.values():
            name = urlsplit(url).path.strip("/")
            if name not in known:
                await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()


async def migrate(databases: Mapping[str, str]) -> None:
    """Bring each database to the newest revision. One after the other: Alembic keeps state per process."""
    for service, url in databases.items():
        # Found by name: importing the services themselves would double the time this takes.
        await upgrade_async(installation(f"services.{service}") / "migrations", url)


async def _run(databases: Mapping[str, str], account: str | None, services: Sequence[str]) -> None:
    if account is not None:
        await create(databases, account)
    await migrate({service: databases[service] for service in services})


def main() -> int:
    """Do what standard input says."""
    asked = json.load(sys.stdin)
    try:
        asyncio.run(_run(asked["databases"], asked["create_with"], asked["services"]))
    except (DatabaseUnavailable, asyncpg.PostgresError, OSError) as error:
        sys.stderr.write(f"the databases could not be migrated: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
