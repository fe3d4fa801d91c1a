from __future__ import annotations

import asyncio
import textwrap
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.util.exc import CommandError

from chassis import migrations
from chassis.conftest import JOBS
from chassis.database import Database, DatabaseUnavailable, metadata
from chassis.idempotency import idempotency_table
from chassis.inbox import inbox_table
from chassis.jobs import job_table
from chassis.migrations import differences, upgrade_async
from chassis.outbox import outbox_table

FIRST = """
    import sqlalchemy as sa
    from alembic import op
    from chassis.migrations import create_standard_tables

    revision, down_revision = "0001", None

    def upgrade():
        create_standard_tables("outbox", "job")
        op.create_table("thing", sa.Column("id", sa.Integer), sa.PrimaryKeyConstraint("id", name="pk_thing"))
"""
SECOND = """
    import sqlalchemy as sa
    from alembic import op

    revision, down_revision = "0002", "0001"

    def upgrade():
        op.add_column("thing", sa.Column("name", sa.Text))
        {then}
"""


def tables(*columns: sa.Column[object]) -> sa.MetaData:
    """The tables that FIRST makes, with more columns of `thing`."""
    made = metadata()
    outbox_table(made)
    job_table("job", made)
    inbox_table(made)
    idempotency_table(made)
    sa.Table("thing", made, sa.Column("id", sa.Integer, primary_key=True), *columns)
    return made


def write(folder: Path, **revisions: str) -> Path:
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    imports = "from chassis.migrations import run_env\nfrom chassis.migrations_test import tables\n"
    env = imports + "run_env(tables())\n"
    (folder / "env.py").write_text(env)
    for name, source in revisions.items():
        (folder / "versions" / f"{name}.py").write_text(textwrap.dedent(source))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "100% migrations", first=FIRST)


async def test_an_empty_database_comes_to_the_newest_tables(database_url: str, folder: Path) -> None:
    """Nothing is lacking and nothing too much; once more changes nothing."""
    for _ in range(2):
        await upgrade_async(folder, database_url)
        assert await differences(database_url, tables()) == []


async def test_what_the_migrations_lack_is_found(database_url: str, folder: Path) -> None:
    """A column that only the code knows."""
    await upgrade_async(folder, database_url)
    (difference,) = await differences(database_url, tables(sa.Column("name", sa.Text)))
    assert "add_column" in str(difference)


async def test_a_database_comes_from_any_state_to_the_newest(database_url: str, folder: Path) -> None:
    """By the steps that it lacks."""
    await upgrade_async(folder, database_url)
    write(folder, second=SECOND.format(then=""))
    await upgrade_async(folder, database_url)
    assert await differences(database_url, tables(sa.Column("name", sa.Text))) == []


async def test_a_database_that_is_further_is_left_as_it_is(
    database_url: str, folder: Path, tmp_path: Path
) -> None:
    """A version that is rolled back to runs its migrations, too, and finds what its successor left."""
    write(folder, second=SECOND.format(then=""))
    await upgrade_async(folder, database_url)
    before = write(tmp_path / "before", first=FIRST)
    await upgrade_async(before, database_url)
    assert [] == await differences(database_url, tables(sa.Column("name", sa.Text)))


async def test_a_revision_that_no_version_can_have_made_is_refused(database_url: str, folder: Path) -> None:
    """It comes before the first: the database is somebody else's."""
    await upgrade_async(folder, database_url)
    async with Database(database_url).transaction() as tx:
        await tx.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(CommandError, match="0000"):
        await upgrade_async(folder, database_url)


async def test_two_at_once_wait_for_each_other(database_url: str, folder: Path) -> None:
    """As two replicas may that start together: one does the work, the other finds it done."""
    write(folder, second=SECOND.format(then='op.execute("SELECT pg_sleep(0.2)")'))
    await asyncio.gather(
        *(asyncio.to_thread(migrations.upgrade, folder, database_url) for _ in range(3)),
    )
    assert await differences(database_url, tables(sa.Column("name", sa.Text))) == []


async def test_a_step_that_fails_leaves_the_database_as_it_was(database_url: str, folder: Path) -> None:
    """All steps of an upgrade or none: a half-made table would stop the next try."""
    write(folder, second=SECOND.format(then='op.execute("SELECT 1/0")'))
    with pytest.raises(sa.exc.DBAPIError):
        await upgrade_async(folder, database_url)
    assert len(await differences(database_url, tables())) > 0
    write(folder, second=SECOND.format(then=""))
    await upgrade_async(folder, database_url)
    assert await differences(database_url, tables(sa.Column("name", sa.Text))) == []


async def test_a_step_may_take_longer_than_a_statement_of_a_request(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large table is not rewritten in seconds."""
    monkeypatch.setattr("chassis.database.STATEMENT_TIMEOUT_S", 0.05)
    write(folder, second=SECOND.format(then='op.execute("SELECT pg_sleep(0.2)")'))
    await upgrade_async(folder, database_url)


async def test_a_database_that_is_away_is_said_to_be(folder: Path) -> None:
    """Not in a library's words."""
    with pytest.raises(DatabaseUnavailable):
        await upgrade_async(folder, "postgresql://shop:shop@127.0.0.1:9/shop")


async def test_a_table_of_jobs_notifies_of_each_insert(database_url: str, folder: Path) -> None:
    """And is vacuumed by count, since it is nearly always empty."""
    await upgrade_async(folder, database_url)
    database = Database(database_url)
    async with database.reading() as connection:
        triggers = await connection.scalar(
            sa.text("SELECT count(*) FROM pg_trigger WHERE tgrelid = CAST(:table AS regclass)"),
            {"table": JOBS.name},
        )
        options = await connection.scalar(
            sa.text("SELECT reloptions FROM pg_class WHERE relname = :table"), {"table": JOBS.name}
        )
    await database.close()
    assert triggers == 1
    assert "autovacuum_vacuum_scale_factor=0" in options
