from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import pytest

from chassis.clock import new_id
from contracts.events.envelope import Event
from contracts.topology import NOTIFICATION_QUEUE, events_for
from services.notification import store
from services.notification.conftest import Desk, registered
from services.notification.consumers import Consumers
from services.notification.domain import Kind

TOLD = [Kind.WELCOME, Kind.ORDER_CONFIRMED, Kind.ORDER_CANCELLED, Kind.PAYMENT_COMPLETED, Kind.PAYMENT_FAILED]


def notices(desk: Desk) -> list[Event]:
    """One of each, in the order of TOLD."""
    return [desk.welcome(), desk.confirmed(), desk.cancelled(), desk.paid(), desk.declined()]


def test_every_event_of_the_queue_has_a_handler() -> None:
    """What the topology delivers is what the service handles."""
    assert events_for(NOTIFICATION_QUEUE) == set(Consumers().handlers)


async def test_each_notice_is_told_and_mailed(desk: Desk) -> None:
    """Once each; that somebody is known is nothing to tell."""
    await desk.hear(desk.registered(), *notices(desk))
    assert TOLD == await desk.kinds_told()
    assert TOLD == await desk.waiting()


async def test_an_event_that_comes_again_has_no_effect(desk: Desk) -> None:
    """Each of them."""
    events = [(event, new_id()) for event in [desk.registered(), *notices(desk), desk.updated()]]
    for event, event_id in [*events, *events[::-1], *events]:
        await desk.deliver(event, event_id)
    assert (TOLD, TOLD) == (await desk.kinds_told(), await desk.waiting())


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
async def test_the_order_of_events_makes_no_difference(desk: Desk, order: Sequence[int]) -> None:
    """A notice may come before the news of the account it is for: its mail waits, and is not lost."""
    events = [desk.registered(), desk.welcome(), desk.confirmed()]
    await desk.hear(*(events[i] for i in order))
    await desk.work()
    assert ["Welcome to Mercato", "Your order is confirmed"] == sorted(desk.subjects)
    assert {"ada@example.com"} == {mail.address for mail in desk.mailer.sent}


async def test_a_mail_waits_for_its_address(desk: Desk) -> None:
    """Nothing is tried before, and what is told can be seen at once."""
    await desk.hear(*notices(desk))
    await desk.work()
    assert (TOLD, [], []) == (await desk.kinds_told(), await desk.waiting(), desk.subjects)
    await desk.hear(desk.registered())
    assert TOLD == await desk.waiting()


async def test_an_account_that_is_heard_of_makes_no_mail_of_others_due(desk: Desk) -> None:
    """Each mail waits for its own address."""
    await desk.hear(desk.welcome(), registered(new_id()))
    assert [] == await desk.waiting()


async def test_an_update_that_comes_before_the_registration_is_enough(desk: Desk) -> None:
    """It has the address too; the registration is late news then."""
    await desk.hear(desk.welcome(), desk.updated(email="new@example.com"), desk.registered())
    await desk.work()
    assert ["new@example.com"] == [mail.address for mail in desk.mailer.sent]
    assert [Kind.WELCOME] == await desk.kinds_told()


async def test_the_newest_revision_is_kept(desk: Desk) -> None:
    """In whatever order they come."""
    for revision in (1, 3, 2):
        await desk.hear(desk.updated(display_name=f"Ada {revision}", revision=revision))
    async with desk.database.reading() as connection:
        known = await store.recipient(connection, desk.customer)
    assert known is not None
    assert ("Ada 3", 3) == (known.display_name, known.revision)


async def test_a_new_address_is_told_at_the_old_one(desk: Desk) -> None:
    """And all else goes to the new one, with the new name."""
    await desk.hear(desk.registered(), desk.updated(email="new@example.com", display_name="Ada L."))
    await desk.hear(desk.confirmed())
    await desk.work()
    assert [
        ("ada@example.com", "Your e-mail address was changed"),
        ("new@example.com", "Your order is confirmed"),
    ] == [(mail.address, mail.subject) for mail in desk.mailer.sent]
    assert {"Ada L."} == {mail.name for mail in desk.mailer.sent}


async def test_a_new_name_is_not_told(desk: Desk) -> None:
    """Its owner has just given it."""
    await desk.hear(desk.registered(), desk.updated(display_name="Ada L."))
    assert ([], []) == (await desk.kinds_told(), await desk.waiting())


async def test_no_mail_is_lost_between_a_notice_and_the_news_of_its_customer(desk: Desk) -> None:
    """Both at the same time, many times over: neither may miss the other."""
    strangers = [new_id() for _ in range(20)]
    await asyncio.gather(
        *(
            desk.hear(event)
            for each in strangers
            for event in (
                desk.confirmed().model_copy(update={"customer_id": each}),
                registered(each),
                desk.paid().model_copy(update={"customer_id": each}),
            )
        )
    )
    kinds = await desk.waiting()
    assert (20, 20) == (kinds.count(Kind.ORDER_CONFIRMED), kinds.count(Kind.PAYMENT_COMPLETED))


async def test_a_notice_and_its_mail_are_written_together(desk: Desk) -> None:
    """Or not at all: the event comes again then."""
    await desk.hear(desk.registered())
    async with desk.database.transaction() as tx:
        await Consumers().notice(tx, desk.welcome())
        await tx.rollback()
    assert ([], []) == (await desk.kinds_told(), await desk.waiting())


async def test_time_and_id_are_those_of_the_telling(desk: Desk) -> None:
    """Ids order the list."""
    await desk.hear(desk.welcome(), desk.confirmed())
    first, second = await desk.told()
    assert first.id < second.id
    assert first.created_at <= second.created_at
