from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from chassis import migrations
from chassis.clock import new_id
from chassis.database import Database
from contracts.money import MAX_SAFE_INTEGER, Money
from services.payment import store
from services.payment.conftest import HOME, payment, saved_method
from services.payment.domain import Failure, Method, Payment, Refund, RefundStatus, Status


async def test_the_migrations_make_the_tables_of_the_code(migrated_url: str) -> None:
    """Nothing is missing and nothing is too much."""
    assert [] == await migrations.differences(migrated_url, store.METADATA)


async def test_a_payment_is_read_as_it_was_written(database: Database) -> None:
    """Every field, refunds and failure included, by each of its ids."""
    new = payment(amount=Money(amount=MAX_SAFE_INTEGER, currency="EUR"))
    changed = replace(
        new,
        status=Status.FAILED,
        intent_id="pi_1",
        cancel_wanted=True,
        failure=Failure("capture", "code", "detail"),
        refunds=(Refund(uuid.uuid4(), 1, RefundStatus.SUCCEEDED), Refund(uuid.uuid4(), 2)),
    )
    async with database.transaction() as tx:
        assert await store.insert(tx, new)
        assert new == await store.locked(tx, new.id)
        await store.save(tx, changed)
        assert changed == await store.locked_of_order(tx, new.order_id)
        assert changed == await store.find_of_intent(tx, "pi_1")
    async with database.reading() as connection:
        assert changed == await store.find(connection, new.id)
        assert changed == await store.find_of_order(connection, new.order_id)


async def test_a_payment_without_address_is_read_as_it_was_written(database: Database) -> None:
    """Its order is not known yet."""
    new = payment(shipping_address=None, payment_method_id=None)
    async with database.transaction() as tx:
        await store.insert(tx, new)
        assert new == await store.locked(tx, new.id)


async def test_an_unknown_payment_is_not_found(database: Database) -> None:
    """Rather than None, which a caller might forget."""
    async with database.reading() as connection:
        for found in (
            store.find(connection, uuid.uuid4()),
            store.find_of_order(connection, uuid.uuid4()),
            store.find_of_intent(connection, "pi_unknown"),
        ):
            with pytest.raises(store.PaymentUnknown):
                await found


async def test_an_order_has_one_payment(database: Database) -> None:
    """The second is not stored, even at the same time."""
    first = payment()
    others = [payment(order_id=first.order_id) for _ in range(4)]

    async def insert(each: Payment) -> bool:
        async with database.transaction() as tx:
            return await store.insert(tx, each)

    assert 1 == sum(await asyncio.gather(*(insert(each) for each in [first, *others])))


async def test_only_a_newer_address_is_stored(database: Database) -> None:
    """Revisions may arrive in any order."""
    new = payment()
    async with database.transaction() as tx:
        await store.insert(tx, new)
        for city, revision in [("Bonn", 2), ("Ulm", 1), ("Trier", 2)]:
            address = HOME.model_copy(update={"city": city})
            await store.save_address(tx, new.order_id, address, revision)
        stored = await store.locked(tx, new.id)
    assert stored.shipping_address is not None
    assert ("Bonn", 2) == (stored.shipping_address.city, stored.address_revision)


async def test_a_customers_payments_are_listed_newest_first(database: Database) -> None:
    """In pages, and nobody else's."""
    customer = new_id()
    mine = [payment(customer_id=customer) for _ in range(3)]
    async with database.transaction() as tx:
        for each in [*mine, payment()]:
            await store.insert(tx, each)
        first = await store.of_customer(tx, customer, before=None, limit=2)
        second = await store.of_customer(tx, customer, before=first[-1].id, limit=2)
    assert mine[::-1] == [*first, *second]


async def test_a_method_is_found_for_its_customer_alone(database: Database) -> None:
    """By the provider's ids."""
    mine = saved_method(new_id())
    async with database.transaction() as tx:
        await store.add_provider_customer(tx, mine.customer_id, "cus_1")
        await store.add_method(tx, mine)
        assert Method("cus_1", mine.provider_id) == await store.method(tx, mine.customer_id, mine.id)
        assert await store.method(tx, new_id(), mine.id) is None
        assert await store.method(tx, mine.customer_id, new_id()) is None
        assert [mine] == await store.methods_of(tx, mine.customer_id, limit=5)


async def test_a_card_that_is_added_again_is_one_card(database: Database) -> None:
    """With what is new of it, under the id that it has."""
    first = saved_method(new_id())
    async with database.transaction() as tx:
        await store.add_method(tx, first)
        again = await store.add_method(tx, replace(first, id=new_id(), exp_year=2050))
    assert replace(first, exp_year=2050) == again


async def test_a_card_of_somebody_else_is_not_taken_over(database: Database) -> None:
    """It stays with whom it belongs to."""
    theirs = saved_method(new_id())
    async with database.transaction() as tx:
        await store.add_method(tx, theirs)
        with pytest.raises(store.MethodUnknown):
            await store.add_method(tx, replace(theirs, id=new_id(), customer_id=new_id()))


async def test_a_removed_method_is_gone(database: Database) -> None:
    """Its customer alone can remove it, once."""
    mine = saved_method(new_id())
    async with database.transaction() as tx:
        await store.add_method(tx, mine)
        with pytest.raises(store.MethodUnknown):
            await store.remove_method(tx, new_id(), mine.id)
        assert mine.provider_id == await store.remove_method(tx, mine.customer_id, mine.id)
        with pytest.raises(store.MethodUnknown):
            await store.remove_method(tx, mine.customer_id, mine.id)


async def test_the_first_id_of_a_customer_at_the_provider_stays(database: Database) -> None:
    """Two requests may make the customer known at the same time."""
    customer = new_id()
    async with database.transaction() as tx:
        assert await store.provider_customer(tx, customer) is None
        assert "cus_1" == await store.add_provider_customer(tx, customer, "cus_1")
        assert "cus_1" == await store.add_provider_customer(tx, customer, "cus_2")
        assert "cus_1" == await store.provider_customer(tx, customer)


@pytest.mark.parametrize(
    "wrong", [{"status": "FAILED"}, {"failure_code": "x"}, {"refunded": 1001}, {"refunded": -1}], ids=str
)
async def test_the_database_refuses_an_impossible_payment(
    database: Database, wrong: dict[str, object]
) -> None:
    """A second line of defence behind the domain."""
    async with database.transaction() as tx:
        await store.insert(tx, payment())
    with pytest.raises(IntegrityError):
        async with database.transaction() as tx:
            await tx.execute(sa.update(store.PAYMENTS).values(wrong))
