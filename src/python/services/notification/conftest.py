"""The notification service in a test: on a real database, with the mail server as a fake of its own port."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from backing.fixtures import Account
from chassis import inbox, migrations
from chassis.access import Ground
from chassis.clock import new_id, utc_now
from chassis.database import Database
from chassis.jobs import Failures
from chassis.testing import TokenIssuer, running
from contracts.events.envelope import Event
from contracts.events.notification import OrderCancelledNotice, OrderConfirmedNotice, WelcomeNotice
from contracts.events.order import CancelReason
from contracts.events.payment import PaymentCompleted, PaymentFailed
from contracts.events.user import UserRegistered, UserUpdated
from contracts.money import Money
from services.notification import app as notification_app
from services.notification import mails, store
from services.notification.consumers import Consumers
from services.notification.domain import Kind, Letter, Notification, Preferences, Recipient
from services.notification.mailer import Mail
from services.notification.mails import Mails
from services.notification.mails import runner as mail_runner
from services.notification.settings import Settings
from services.notification.templates import Templates

TEN = Money(amount=1000, currency="EUR")
TEMPLATES = Templates()


@dataclass
class FakeMailer:
    """A mail server in memory that takes every mail, or fails with what a test puts into it."""

    sent: list[Mail] = field(default_factory=list)
    away: Exception | None = None
    refuses: dict[str, Exception] = field(default_factory=dict)  # by address

    async def send(self, some: Sequence[Mail]) -> Failures:
        if self.away is not None:
            raise self.away
        self.sent += [mail for mail in some if mail.address not in self.refuses]
        return {mail.id: self.refuses[mail.address] for mail in some if mail.address in self.refuses}


@dataclass
class Desk:
    """The service's parts without its routes: what it hears, what it tells, what it mails."""

    database: Database
    mailer: FakeMailer
    customer: uuid.UUID

    async def hear(self, *events: Event) -> None:
        """Handle `events`, each in a transaction of its own."""
        for event in events:
            await self.deliver(event, new_id())

    async def deliver(self, event: Event, event_id: uuid.UUID) -> None:
        """Handle `event` as the consumer does: once, however often it is delivered."""
        async with self.database.transaction() as tx:
            if await inbox.take(tx, store.INBOX, [event_id]):
                await Consumers().handlers[type(event)](tx, event)

    async def work(self) -> None:
        """Send every mail that is due."""
        runner = mail_runner(self.database, Mails(self.mailer, TEMPLATES))
        while await runner.run_once():
            pass

    async def make_due(self) -> None:
        """Let no mail wait for its back-off."""
        async with self.database.transaction() as tx:
            await tx.execute(store.MAILS.update().values(due_at=sa.func.now()))

    async def waiting(self) -> list[str]:
        """The kinds of mails that are written and not sent yet, dead ones included."""
        async with self.database.reading() as connection:
            return list(await connection.scalars(sa.select(store.MAILS.c.kind).order_by(store.MAILS.c.id)))

    async def told(self) -> list[Notification]:
        """What the customer was told, oldest first."""
        async with self.database.reading() as connection:
            return await store.waiting(connection, self.customer)

    async def kinds_told(self) -> list[Kind]:
        """The kinds of what the customer was told, oldest first."""
        return [notification.kind for notification in await self.told()]

    async def prefer(self, **wanted: bool) -> None:
        """Say which mails the customer wants."""
        async with self.database.transaction() as tx:
            await store.save_preferences(tx, self.customer, Preferences(**wanted))

    @property
    def subjects(self) -> list[str]:
        """The subjects of the mails that were sent."""
        return [mail.subject for mail in self.mailer.sent]

    def registered(self, **changes: Any) -> UserRegistered:
        """News that the customer has an account."""
        return registered(self.customer, **changes)

    def updated(self, **changes: Any) -> UserUpdated:
        """News that the customer is somebody else from now on."""
        return UserUpdated(**self.registered(revision=2).model_dump() | changes)

    def welcome(self) -> WelcomeNotice:
        """A greeting of the customer."""
        return WelcomeNotice(customer_id=self.customer)

    def confirmed(self) -> OrderConfirmedNotice:
        """Notice that an order of the customer is confirmed."""
        return OrderConfirmedNotice(customer_id=self.customer, order_id=new_id(), total=TEN)

    def cancelled(self, reason: CancelReason = "out_of_stock") -> OrderCancelledNotice:
        """Notice that an order of the customer is cancelled."""
        return OrderCancelledNotice(customer_id=self.customer, order_id=new_id(), total=TEN, reason=reason)

    def paid(self) -> PaymentCompleted:
        """News that the customer's money was taken."""
        return PaymentCompleted(customer_id=self.customer, order_id=new_id(), payment_id=new_id(), amount=TEN)

    def declined(self, detail: str = "Your card was declined.") -> PaymentFailed:
        """News that the customer's money was not to be had."""
        return PaymentFailed(
            customer_id=self.customer,
            order_id=new_id(),
            payment_id=new_id(),
            amount=TEN,
            stage="authorization",
            code="card_declined",
            detail=detail,
        )


def registered(customer_id: uuid.UUID, **changes: Any) -> UserRegistered:
    """News that somebody has an account."""
    event = UserRegistered(user_id=customer_id, email="ada@example.com", display_name="Ada", revision=1)
    return event.model_copy(update=changes)


def notification(**changes: Any) -> Notification:
    """A confirmed order of 10.00 EUR."""
    new = Notification(new_id(), new_id(), Kind.ORDER_CONFIRMED, utc_now(), order_id=new_id(), amount=TEN)
    return replace(new, **changes)


def letter(told: Notification, **wanted: bool) -> Letter:
    """What is mailed of it to Ada."""
    ada = Recipient(told.customer_id, "ada@example.com", "Ada", revision=1)
    return Letter(told, ada, Preferences(**wanted))


async def taken_by_ses(broker: Account) -> list[dict[str, Any]]:
    """The mails that SES took in the test's account, oldest first."""
    async with httpx.AsyncClient(base_url=broker.endpoint) as client:
        answer = await client.get("/_ministack/ses/messages", params={"account": broker.id})
    taken: list[dict[str, Any]] = answer.json()["messages"].get(broker.id, [])
    return taken


def settings(database_url: str, **changes: Any) -> Settings:
    """Settings that reach nothing but the database."""
    nowhere = "http://127.0.0.1:9"
    values: dict[str, Any] = {
        "environment": "test",
        "port": 1,
        "database_url": database_url,
        "jwks_url": nowhere,
        "notification_queue_url": nowhere + "/queue",
        "queue_wait_s": 1,
        "smtp_url": "smtp://127.0.0.1:9",
    }
    return Settings(**(values | changes))


@pytest.fixture
async def migrated_url(database_url: str) -> str:
    """An empty database with the service's tables."""
    await migrations.upgrade_async(notification_app.MIGRATIONS, database_url)
    return database_url


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """The service's database."""
    opened = Database(migrated_url, pool_size=5)
    yield opened
    await opened.close()


@pytest.fixture
def desk(database: Database) -> Desk:
    """The service's parts, and a customer of whom nothing is known yet."""
    return Desk(database, FakeMailer(), new_id())


class Idle:
    """In place of the runner: nobody sends mails but `Desk.work`."""

    async def run(self, stop: asyncio.Event) -> None:
        """Do nothing until `stop` is set."""
        await stop.wait()


@dataclass
class Shop:
    """The running service, whose mails are sent when a test says so."""

    app: FastAPI
    client: httpx.AsyncClient
    issuer: TokenIssuer
    desk: Desk

    def headers(self, *roles: str, of: uuid.UUID | None = None) -> dict[str, str]:
        """The headers of a request of the customer, or of another."""
        return self.issuer.headers(of or self.desk.customer, *roles)

    async def get(self, path: str = "", *roles: str, of: uuid.UUID | None = None) -> httpx.Response:
        """Read something below /api/notifications."""
        return await self.client.get(f"/api/notifications{path}", headers=self.headers(*roles, of=of))

    async def put(self, path: str, body: Any = None, *, of: uuid.UUID | None = None) -> httpx.Response:
        """Write something below /api/notifications."""
        return await self.client.put(f"/api/notifications{path}", json=body, headers=self.headers(of=of))

    async def ids(self) -> list[str]:
        """The ids of what the customer was told, oldest first."""
        return [str(each.id) for each in await self.desk.told()]


@pytest.fixture
async def shop(
    desk: Desk,
    aws_nowhere: None,  # noqa: ARG001 - sets the environment
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Shop]:
    """The service's routes as they run; queue and mails stand still."""
    monkeypatch.setattr(mails, "runner", lambda *_: Idle())
    issuer = TokenIssuer()
    app = notification_app.build(settings(desk.database.url))
    async with running(app, issuer) as client:
        yield Shop(app, client, issuer, desk)


async def ground(shop: Shop) -> Ground:
    """Something that the customer was told and has not read."""
    await shop.desk.hear(shop.desk.confirmed())
    known = {"notification_id": (await shop.ids())[0]}
    return Ground(shop.client, shop.desk.database, shop.app.openapi(), known)
