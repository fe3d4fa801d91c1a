from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from chassis import migrations
from chassis.clock import new_id, utc_now
from chassis.database import Database
from chassis.housekeeping import Housekeeping
from contracts.events.order import Address
from services.user import domain, store
from services.user.conftest import HOME, user
from services.user.domain import Failures, Role, SavedAddress

DAY = dt.timedelta(days=1)


async def test_the_migrations_make_the_tables_of_the_code(migrated_url: str) -> None:
    """Nothing is missing and nothing is too much."""
    assert await migrations.differences(migrated_url, store.METADATA) == []


async def test_an_account_is_read_as_it_was_written(database: Database) -> None:
    """By id and by e-mail address in any case, with what was changed."""
    ada = user(roles=(Role.ADMIN, Role.CUSTOMER))
    changed = replace(ada, email="ada@example.org", display_name="Countess", revision=2)
    async with database.transaction() as tx:
        await store.insert_user(tx, ada, "hash")
        assert await store.locked(tx, ada.id) == store.Account(ada, "hash")
        await store.save_user(tx, changed)
        await store.set_password(tx, ada.id, "another")
    async with database.reading() as connection:
        assert await store.account(connection, ada.id) == store.Account(changed, "another")
        assert await store.account_of(connection, "ADA@EXAMPLE.ORG") == store.Account(changed, "another")
        assert await store.account_of(connection, "ada@example.com") is None


async def test_an_unknown_account_is_not_found(database: Database) -> None:
    """Rather than None, which a caller might forget."""
    async with database.reading() as connection:
        with pytest.raises(store.UserUnknown):
            await store.account(connection, uuid.uuid4())


async def test_an_address_for_mail_belongs_to_one_account(database: Database) -> None:
    """In whatever case it is written, when it is registered and when it is changed."""
    bob = user("bob@example.com")
    async with database.transaction() as tx:
        await store.insert_user(tx, user("ada@example.com"), "hash")
        with pytest.raises(store.EmailTaken):
            await store.insert_user(tx, user("Ada@Example.com"), "hash")
        await store.insert_user(tx, bob, "hash")
    with pytest.raises(store.EmailTaken):
        async with database.transaction() as tx:
            await store.save_user(tx, replace(bob, email="ADA@example.com"))


async def test_the_database_refuses_a_role_that_is_none(database: Database) -> None:
    """Whoever writes it."""
    ada = user()
    async with database.transaction() as tx:
        await store.insert_user(tx, ada, "hash")
    with pytest.raises(IntegrityError):
        async with database.transaction() as tx:
            await tx.execute(store.USERS.update().values(roles=["king"]))


async def test_a_session_is_read_with_its_user_until_it_ends(database: Database) -> None:
    """One session or all of somebody's."""
    ada, now = user(), utc_now()
    sessions = [domain.start_session(new_id(), ada.id, bytes([n]) * 32, now)[0] for n in range(3)]
    async with database.transaction() as tx:
        await store.insert_user(tx, ada, "hash")
        for session in sessions:
            await store.insert_session(tx, session)
        changed = replace(sessions[0], digest=b"x", expires_at=now + DAY)
        await store.save_session(tx, changed)
        assert await store.locked_session(tx, changed.id) == (changed, ada)
        await store.end_session(tx, changed.id)
        assert await store.locked_session(tx, changed.id) is None
        assert await store.locked_session(tx, sessions[1].id) == (sessions[1], ada)
        await store.end_sessions(tx, ada.id)
        assert await store.locked_session(tx, sessions[1].id) is None


async def test_wrong_passwords_are_counted_until_they_are_forgotten(database: Database) -> None:
    """By the right password, or by a day without a wrong one."""
    digest, now = domain.email_digest("ada@example.com"), utc_now()
    async with database.transaction() as tx:
        assert await store.failures(tx, digest) is None
        await store.note_failure(tx, digest, now - 3 * DAY, DAY)
        await store.note_failure(tx, digest, now - 3 * DAY, DAY)
        assert await store.failures(tx, digest) == Failures(2, now - 3 * DAY)
        await store.note_failure(tx, digest, now, DAY)
        assert await store.failures(tx, digest) == Failures(1, now)
        await store.forget_failures(tx, digest)
        assert await store.failures(tx, digest) is None


async def test_addresses_are_their_owners_alone(database: Database) -> None:
    """Nobody else reads, changes or deletes them."""
    ada, bob = user("ada@example.com"), user("bob@example.com")
    home = SavedAddress(new_id(), ada.id, Address.model_validate(HOME))
    moved = replace(home, address=home.address.model_copy(update={"city": "Bern", "line2": "3rd floor"}))
    async with database.transaction() as tx:
        await store.insert_user(tx, ada, "hash")
        await store.insert_user(tx, bob, "hash")
        await store.insert_address(tx, home)
        for of_another in (
            store.address(tx, bob.id, home.id),
            store.save_address(tx, replace(moved, user_id=bob.id)),
            store.delete_address(tx, bob.id, home.id),
        ):
            with pytest.raises(store.AddressUnknown):
                await of_another
        await store.save_address(tx, moved)
        assert await store.addresses(tx, ada.id) == [moved]
        assert (await store.count_addresses(tx, ada.id), await store.count_addresses(tx, bob.id)) == (1, 0)
        await store.delete_address(tx, ada.id, home.id)
        assert await store.addresses(tx, ada.id) == []


async def test_sessions_that_have_expired_are_swept(database: Database) -> None:
    """The others stay."""
    ada, now = user(), utc_now()
    old, _ = domain.start_session(new_id(), ada.id, b"a" * 32, now - 31 * DAY)
    new, _ = domain.start_session(new_id(), ada.id, b"b" * 32, now)
    async with database.transaction() as tx:
        await store.insert_user(tx, ada, "hash")
        await store.insert_session(tx, old)
        await store.insert_session(tx, new)
    assert await Housekeeping(database, {store.SESSIONS.c.expires_at: dt.timedelta(0)}).run_once() == 1
    async with database.reading() as connection:
        assert (await connection.scalars(sa.select(store.SESSIONS.c.id))).all() == [new.id]
