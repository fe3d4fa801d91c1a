from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from chassis import migrations
from chassis.clock import new_id, utc_now
from chassis.database import Database
from contracts.money import MAX_SAFE_INTEGER, Money
from services.notification import store
from services.notification.conftest import notification
from services.notification.domain import Kind, Letter, Notification, Preferences, Recipient

NOW = utc_now()


async def insert(database: Database, *some: Notification) -> None:
    async with database.transaction() as tx:
        for each in some:
            await store.insert(tx, each)


async def test_the_migrations_make_the_tables_of_the_code(migrated_url: str) -> None:
    """Nothing is missing and nothing is too much."""
    assert [] == await migrations.differences(migrated_url, store.METADATA)


@pytest.mark.parametrize(
    "new",
    [
        notification(amount=Money(amount=MAX_SAFE_INTEGER, currency="KWD"), reason="r", read_at=NOW),
        notification(kind=Kind.EMAIL_CHANGED, order_id=None, amount=None, mail_to="old@example.com"),
    ],
    ids=["with everything", "with little"],
)
async def test_a_notification_is_read_as_it_was_written(database: Database, new: Notification) -> None:
    """Every field."""
    await insert(database, new)
    async with database.reading() as connection:
        assert new == await store.find(connection, new.id)


async def test_an_unknown_notification_is_not_found(database: Database) -> None:
    """Rather than None, which a caller might forget."""
    async with database.transaction() as tx:
        for found in (store.find(tx, new_id()), store.mark_read(tx, new_id(), new_id(), NOW)):
            with pytest.raises(store.NotificationUnknown):
                await found


async def test_notifications_are_listed_newest_first(database: Database) -> None:
    """In pages, and nobody else's."""
    customer = new_id()
    mine = [notification(customer_id=customer) for _ in range(3)]
    await insert(database, *mine, notification())
    async with database.reading() as connection:
        first = await store.of_customer(connection, customer, read=None, before=None, limit=2)
        second = await store.of_customer(connection, customer, read=None, before=first[-1].id, limit=2)
        waiting = await store.waiting(connection, customer)
    assert mine[::-1] == [*first, *second]
    assert mine == waiting


async def test_a_notification_is_read_the_first_time_it_is(database: Database) -> None:
    """By its customer alone; later times are forgotten."""
    new, other = notification(), notification()
    await insert(database, new, other)
    async with database.transaction() as tx:
        with pytest.raises(store.NotificationUnknown):
            await store.mark_read(tx, other.customer_id, new.id, NOW)
        for later_s in (0, 60):
            later = NOW + dt.timedelta(seconds=later_s)
            assert NOW == (await store.mark_read(tx, new.customer_id, new.id, later)).read_at
        some: dict[str, Any] = {"before": None, "limit": 5}
        assert [] == await store.of_customer(tx, new.customer_id, read=False, **some)
        assert [replace(new, read_at=NOW)] == await store.of_customer(tx, new.customer_id, read=True, **some)


async def test_preferences_are_those_said_last(database: Database) -> None:
    """Every mail, as long as nothing was said."""
    customer = new_id()
    async with database.transaction() as tx:
        assert Preferences() == await store.preferences(tx, customer)
        for wanted in (Preferences(orders=False), Preferences(payments=False)):
            await store.save_preferences(tx, customer, wanted)
            assert wanted == await store.preferences(tx, customer)


async def test_a_letter_is_what_is_told_to_whom_and_whether_it_is_wanted(database: Database) -> None:
    """Of customers with an address, whether they have preferences or not."""
    new, plain, unknown = (notification() for _ in range(3))
    people = [Recipient(each.customer_id, "ada@example.com", "Ada", 1) for each in (new, plain)]
    await insert(database, new, plain, unknown)
    async with database.transaction() as tx:
        for person in people:
            await store.save_recipient(tx, person)
        await store.save_preferences(tx, new.customer_id, Preferences(orders=False))
        letters = await store.letters(tx, [new.id, plain.id, unknown.id])
    assert {
        new.id: Letter(new, people[0], Preferences(orders=False)),
        plain.id: Letter(plain, people[1], Preferences()),
    } == letters


async def test_a_recipient_is_the_one_saved_last(database: Database) -> None:
    """None where nobody has told yet."""
    first = Recipient(new_id(), "ada@example.com", "Ada", 1)
    second = Recipient(first.customer_id, "lovelace@example.com", "Ada Lovelace", 2)
    async with database.transaction() as tx:
        assert await store.recipient(tx, first.customer_id) is None
        for person in (first, second):
            await store.save_recipient(tx, person)
            assert person == await store.recipient(tx, first.customer_id)


@pytest.mark.parametrize("wrong", [{"amount": None}, {"currency": None}], ids=str)
async def test_the_database_refuses_half_an_amount(database: Database, wrong: dict[str, object]) -> None:
    """A second line of defence behind the domain."""
    await insert(database, notification())
    with pytest.raises(IntegrityError):
        async with database.transaction() as tx:
            await tx.execute(sa.update(store.NOTIFICATIONS).values(wrong))
