from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from aiobotocore.session import get_session

from backing.fixtures import Account
from backing.mailbox import Mail, Mailbox
from chassis import aws
from chassis.clock import new_id
from chassis.database import Database
from chassis.testing import TokenIssuer, eventually, run_program, running
from contracts.events.notification import OrderCancelledNotice, OrderConfirmedNotice, WelcomeNotice
from contracts.events.payment import PaymentAuthorized, PaymentCompleted, PaymentFailed
from contracts.events.user import UserUpdated
from contracts.money import Money
from services.notification import app as notification_app
from services.notification import store
from services.notification.conftest import registered, settings, taken_by_ses

PROGRAM = "services.notification.app"

TEN = Money(amount=1000, currency="EUR")


def connected(database_url: str, broker: Account, mailbox: Mailbox) -> dict[str, Any]:
    return {
        "database_url": database_url,
        "notification_queue_url": broker.queue_urls["notification-queue"],
        "smtp_url": mailbox.smtp_url,
    }


@pytest.fixture
async def client(
    migrated_url: str, broker: Account, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    """The service with everything it speaks to."""
    for name, value in broker.environment.items():
        monkeypatch.setenv(name, value)
    app = notification_app.build(settings(**connected(migrated_url, broker, mailbox)))
    async with running(app, issuer) as made:
        yield made


@pytest.fixture
def issuer() -> TokenIssuer:
    """Whose tokens the service takes."""
    return TokenIssuer()


async def arrived(mailbox: Mailbox, count: int) -> list[Mail]:
    """The mails, newest first, as soon as there are `count`."""

    async def look() -> list[Mail]:
        mails = mailbox.messages()
        return mails if len(mails) >= count else []

    return await eventually(look, within_s=20)


async def is_quiet(broker: Account, database: Database) -> bool:
    """Whether every message was handled and every mail sent."""
    async with get_session().create_client("sqs", **broker.client_options) as sqs:
        answer = await sqs.get_queue_attributes(
            QueueUrl=broker.queue_urls["notification-queue"], AttributeNames=["All"]
        )
    left = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    async with database.reading() as connection:
        unsent = await connection.scalar(sa.select(sa.func.count()).select_from(store.MAILS))
    return unsent == 0 and all(answer["Attributes"][name] == "0" for name in left)


async def is_told(database: Database) -> bool:
    """Whether there is a notification, and its mail is written."""
    async with database.reading() as connection:
        return bool(await connection.scalar(sa.select(sa.func.count()).select_from(store.MAILS)))


async def test_a_customer_is_told_everything_once(
    client: httpx.AsyncClient, issuer: TokenIssuer, broker: Account, mailbox: Mailbox, database: Database
) -> None:
    """Published twice each, the news of the account last; over the real topics, by mail and in the list."""
    customer, order = new_id(), new_id()
    about: dict[str, Any] = {"customer_id": customer, "order_id": order}
    paid = about | {"payment_id": new_id(), "amount": TEN}
    await broker.publish(
        WelcomeNotice(customer_id=customer),
        PaymentAuthorized(**paid),  # nobody is told of this
        OrderConfirmedNotice(**about, total=TEN),
        PaymentCompleted(**paid),
        PaymentFailed(**paid, stage="authorization", code="card_declined", detail="Too little money."),
        OrderCancelledNotice(**about, total=TEN, reason="requested"),
        registered(customer, email="ada@example.com", display_name="Ada"),
        copies=2,
    )
    await arrived(mailbox, 5)
    await eventually(lambda: is_quiet(broker, database))
    subjects = {
        "Welcome to Mercato",
        "Your order is confirmed",
        "Your payment of 10.00 EUR",
        "Your payment did not go through",
        "Your order is cancelled",
    }
    mails = mailbox.messages()
    assert sorted(subjects) == sorted(mail["subject"] for mail in mails)
    assert [["ada@example.com"]] * 5 == [mail["to"] for mail in mails]
    listed = await client.get("/api/notifications", headers=issuer.headers(customer))
    assert sorted(subjects) == sorted(item["title"] for item in listed.json()["items"])


async def test_a_new_address_is_where_mails_go(
    client: httpx.AsyncClient, broker: Account, mailbox: Mailbox
) -> None:
    """And the old one is told of it."""
    customer = new_id()
    await broker.publish(registered(customer))
    await broker.publish(WelcomeNotice(customer_id=customer))
    await arrived(mailbox, 1)
    updated = UserUpdated(user_id=customer, email="new@example.com", display_name="Ada", revision=2)
    await broker.publish(updated)
    await arrived(mailbox, 2)
    await broker.publish(OrderConfirmedNotice(customer_id=customer, order_id=new_id(), total=TEN))
    assert [
        ("new@example.com", "Your order is confirmed"),
        ("ada@example.com", "Your e-mail address was changed"),
        ("ada@example.com", "Welcome to Mercato"),
    ] == [(mail["to"][0], mail["subject"]) for mail in await arrived(mailbox, 3)]


async def test_mails_outlast_the_mail_server(
    client: httpx.AsyncClient, broker: Account, mailbox: Mailbox, database: Database
) -> None:
    """Killed and back again: none is lost, and the service was ready all the time."""
    mailbox.process.kill()
    try:
        customer = new_id()
        await broker.publish(registered(customer), WelcomeNotice(customer_id=customer))

        await eventually(lambda: is_told(database))
        assert 200 == (await client.get("/readyz")).status_code
    finally:
        mailbox.start()
        mailbox.wait_ready()
    assert ["Welcome to Mercato"] == [mail["subject"] for mail in await arrived(mailbox, 1)]


async def test_without_a_mail_server_mails_go_out_by_ses(
    migrated_url: str, broker: Account, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the same credentials as everything else of AWS."""
    for name, value in broker.environment.items():
        monkeypatch.setenv(name, value)
    async with aws.client("sesv2") as ses:
        await ses.create_email_identity(EmailIdentity="mercato.example")
    given = connected(migrated_url, broker, mailbox) | {"smtp_url": None}
    customer = new_id()
    async with running(notification_app.build(settings(**given))):
        await broker.publish(registered(customer), WelcomeNotice(customer_id=customer))
        (taken,) = await eventually(lambda: taken_by_ses(broker), within_s=20)
    assert ("Welcome to Mercato", ["ada@example.com"]) == (taken["Subject"], taken["To"])
    assert [] == mailbox.messages()


def test_the_program_migrates_and_says_what_is_missing(
    database_url: str, broker: Account, mailbox: Mailbox
) -> None:
    """As an operator starts it."""
    given = connected(database_url, broker, mailbox) | {"port": "1", "jwks_url": "http://127.0.0.1:9"}
    env = broker.environment | {name.upper(): value for name, value in given.items()}

    for command in ("migrate", "migrate", "dead-jobs", "redrive-jobs"):
        done = run_program(PROGRAM, env, command)
        assert (0, "") == (done.returncode, done.stderr)
    del env["NOTIFICATION_QUEUE_URL"]
    env["SMTP_URL"] = "http://user:secret@mail.example"
    refused = run_program(PROGRAM, env, "serve")
    assert 78 == refused.returncode
    assert "NOTIFICATION_QUEUE_URL is not set" in refused.stderr
    assert "SMTP_URL cannot be used" in refused.stderr
    assert "secret" not in refused.stderr
