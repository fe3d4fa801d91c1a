"""The PostgreSQL cluster: safe by default, isolated per database, and true to its commits."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from backing.ports import is_free
from backing.postgres import Postgres
from backing.process import ProcessError


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A durable cluster of this module's own: its tests kill it."""
    directory = tmp_path_factory.mktemp("postgres")
    server = Postgres(directory, log=directory / "postgres.log")
    server.initialise()
    server.start()
    server.wait_ready()
    yield server
    server.stop()
    assert is_free(server.port)


async def _fetch(url: str, query: str) -> list[object]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_a_database_is_its_owners_alone(server: Postgres) -> None:
    """The role of one service cannot connect to the database of another."""
    mine = server.create_database("mine")
    server.create_database("theirs")
    assert ["mine"] == await _fetch(mine, "SELECT current_user::text")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(mine.rsplit("/", 1)[0] + "/theirs")


async def test_no_password_no_entry(server: Postgres) -> None:
    """Being on the same machine is not enough."""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.url("postgres", password="guessed"))


def test_the_superusers_password_is_readable_by_its_owner_only(server: Postgres) -> None:
    """The password file has mode 0600."""
    mode = server._password_file.stat().st_mode
    assert 0o600 == stat.S_IMODE(mode)


async def test_creating_a_database_again_keeps_its_rows(server: Postgres) -> None:
    """create_database is idempotent; the old password ends, the rows stay."""
    first = server.create_database("kept")
    connection = await asyncpg.connect(first)
    await connection.execute("CREATE TABLE t AS SELECT 7 AS n")
    await connection.close()
    second = server.create_database("kept")
    assert [7] == await _fetch(second, "SELECT n FROM t")


async def test_a_template_is_copied(server: Postgres) -> None:
    """A database made from a template starts with the template's rows."""
    template = server.create_database("original")
    connection = await asyncpg.connect(template)
    await connection.execute("CREATE TABLE t AS SELECT 7 AS n; GRANT SELECT ON t TO PUBLIC")
    await connection.close()
    assert [7] == await _fetch(server.create_database("copy", template="original"), "SELECT n FROM t")


async def test_a_commit_survives_a_killed_server(server: Postgres) -> None:
    """SIGKILL loses nothing that was committed, and the cluster starts again on the same port."""
    url = server.create_database("durable")
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE t AS SELECT 7 AS n")
    server.process.kill()
    connection.terminate()
    server.start()
    server.wait_ready()
    assert [7] == await _fetch(url, "SELECT n FROM t")


def test_a_name_that_is_no_identifier_is_refused(server: Postgres) -> None:
    """Names go into statements, so that only plain ones pass."""
    with pytest.raises(ValueError, match="no plain database name"):
        server.create_database('x"; DROP ROLE postgres')


def test_a_failing_statement_carries_the_servers_message(server: Postgres) -> None:
    """The error is PostgreSQL's own."""
    with pytest.raises(ProcessError, match='relation "nowhere" does not exist'):
        server.execute("SELECT * FROM nowhere")


def test_a_cluster_that_is_there_is_not_made_again(server: Postgres) -> None:
    """initialise() of an existing cluster is a no-op and takes no time."""
    started = time.monotonic()
    server.initialise()
    assert time.monotonic() - started < 0.1


def test_an_initdb_that_was_cut_short_is_no_obstacle(tmp_path: Path) -> None:
    """What an earlier, killed initialise() left behind does not count as a cluster."""
    (tmp_path / "initdb-left" / "data").mkdir(parents=True)
    server = Postgres(tmp_path, log=tmp_path / "log", throwaway=True)
    server.initialise()
    assert (tmp_path / "data" / "PG_VERSION").exists()
