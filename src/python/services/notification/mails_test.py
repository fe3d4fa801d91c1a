from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa

from chassis import jobs
from chassis.jobs import Job, Later, Outage, Rejected
from services.notification import mails, store
from services.notification.conftest import TEMPLATES, Desk
from services.notification.mailer import Mail
from services.notification.mails import Mails


async def attempts(desk: Desk) -> list[int]:
    async with desk.database.reading() as connection:
        return list(await connection.scalars(sa.select(store.MAILS.c.attempts).order_by(store.MAILS.c.id)))


async def test_a_mail_is_sent_once(desk: Desk) -> None:
    """With all it needs, under the notification's id; then its job is gone."""
    await desk.hear(desk.registered(), desk.confirmed())
    await desk.work()
    await desk.work()
    (told,) = await desk.told()
    (mail,) = desk.mailer.sent
    expected = Mail(
        id=told.id,
        name="Ada",
        address="ada@example.com",
        subject="Your order is confirmed",
        text=mail.text,
        html=mail.html,
        date=told.created_at,
    )
    assert expected == mail
    assert (str(told.order_id) in mail.text, "10.00 EUR" in mail.html) == (True, True)
    assert [] == await desk.waiting()


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ({"orders": False}, ["Welcome to Mercato", "Your payment of 10.00 EUR"]),
        ({"payments": False}, ["Welcome to Mercato", "Your order is confirmed"]),
        ({"orders": False, "payments": False}, ["Welcome to Mercato"]),
    ],
    ids=str,
)
async def test_only_wanted_mails_are_sent(desk: Desk, wanted: dict[str, bool], sent: list[str]) -> None:
    """What is not mailed is told in the list, and no job of it stays."""
    await desk.prefer(**wanted)
    await desk.hear(desk.registered(), desk.welcome(), desk.confirmed(), desk.paid())
    await desk.work()
    assert sent == sorted(desk.subjects)
    assert (3, []) == (len(await desk.told()), await desk.waiting())


async def test_a_mail_on_its_way_can_still_be_unwanted(desk: Desk) -> None:
    """What counts is what is wanted when it would be sent."""
    await desk.hear(desk.registered(), desk.confirmed())
    await desk.prefer(orders=False)
    await desk.work()
    assert ([], []) == (desk.subjects, await desk.waiting())


async def test_a_refused_card_is_one_mail_not_two(desk: Desk) -> None:
    """It says why, and that the order is cancelled; the list has both."""
    await desk.hear(desk.registered(), desk.declined("Too little money."), desk.cancelled("payment_failed"))
    await desk.work()
    (mail,) = desk.mailer.sent
    assert "Your payment did not go through" == mail.subject
    assert ("Too little money." in mail.text, "cancelled" in mail.text) == (True, True)
    assert 2 == len(await desk.told())


async def test_mails_wait_while_the_mail_server_is_away(desk: Desk) -> None:
    """No try is used up."""
    await desk.hear(desk.registered(), desk.confirmed())
    desk.mailer.away = Outage("away")
    with pytest.raises(Outage):
        await desk.work()
    assert [0] == await attempts(desk)
    desk.mailer.away = None
    await desk.work()
    assert ["Your order is confirmed"] == desk.subjects


async def test_a_mail_that_is_put_off_is_tried_again_later(desk: Desk) -> None:
    """With back-off."""
    await desk.hear(desk.registered(), desk.confirmed())
    desk.mailer.refuses["ada@example.com"] = Later("450 busy")
    await desk.work()
    assert ([], [1]) == (desk.subjects, await attempts(desk))
    desk.mailer.refuses.clear()
    await desk.make_due()
    await desk.work()
    assert ["Your order is confirmed"] == desk.subjects


async def test_a_refused_mail_is_dead_until_it_is_redriven(desk: Desk) -> None:
    """An operator sees it with its reason, and may have it sent once that is mended; others go on."""
    await desk.hear(desk.registered(), desk.confirmed(), desk.updated(email="new@example.com"), desk.paid())
    desk.mailer.refuses["new@example.com"] = Rejected("550 no such user")
    await desk.work()
    dead = await jobs.dead(desk.database, store.MAILS)
    assert ["Your e-mail address was changed"] == desk.subjects
    assert {("ORDER_CONFIRMED", "Rejected: 550 no such user"), ("PAYMENT_COMPLETED", dead[1].last_error)} == {
        (job.kind, job.last_error) for job in dead
    }
    desk.mailer.refuses.clear()
    assert 2 == await jobs.redrive(desk.database, store.MAILS)
    await desk.work()
    assert {"Your order is confirmed", "Your payment of 10.00 EUR"} < set(desk.subjects)


async def test_a_mail_that_cannot_be_written_keeps_no_other_back(desk: Desk) -> None:
    """It is tried again by itself: a later version may know how."""
    await desk.hear(desk.registered(), desk.confirmed(), desk.paid())
    broken, _ = await desk.told()
    async with desk.database.transaction() as tx:
        await tx.execute(
            sa.update(store.NOTIFICATIONS)
            .where(store.NOTIFICATIONS.c.id == broken.id)
            .values(amount=None, currency=None)
        )
    await desk.work()
    assert (["Your payment of 10.00 EUR"], ["ORDER_CONFIRMED"]) == (desk.subjects, await desk.waiting())
    assert [1] == await attempts(desk)


async def test_a_job_without_notification_fails_alone(desk: Desk) -> None:
    """It tells of nothing, and is looked at by somebody."""
    job = Job(uuid.uuid4(), "WELCOME", "", None, attempts=0)
    async with desk.database.transaction() as tx:
        failures = await Mails(desk.mailer, TEMPLATES).handle(tx, [job])
    assert ([job.id], []) == (list(failures), desk.subjects)


async def test_many_mails_share_a_connection(desk: Desk) -> None:
    """As many as a batch has."""
    await desk.hear(desk.registered(), *(desk.confirmed() for _ in range(mails.BATCH + 1)))
    runner = mails.runner(desk.database, Mails(desk.mailer, TEMPLATES))
    assert [mails.BATCH, 1, 0] == [await runner.run_once() for _ in range(3)]
    assert mails.BATCH + 1 == len({mail.id for mail in desk.mailer.sent})
