"""Composition root of the notification service: builds and wires everything, and is its command line."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from pathlib import Path

from fastapi import FastAPI

from chassis import aws, http_client
from chassis.auth import RemoteKeys, Verifier
from chassis.consumer import Consumer
from chassis.database import Database
from chassis.housekeeping import Housekeeping, standard_retention
from chassis.http_client import HttpClient
from chassis.listener import Listener
from chassis.service import Program, Running, create_app, version_of
from contracts.topology import NOTIFICATION_QUEUE
from services.notification import api, mails, store
from services.notification.consumers import Consumers
from services.notification.mailer import Mailer, SmtpMailer
from services.notification.mails import Mails
from services.notification.ses import SesMailer
from services.notification.settings import Settings
from services.notification.templates import Templates

NAME = "notification"
VERSION = version_of(__file__)
MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: Settings) -> FastAPI:
    """The notification service as an ASGI application; it connects to what it needs when it is started."""

    async def compose(stack: AsyncExitStack) -> Running:
        database = Database(settings.login(), pool_size=settings.database_pool_size)
        stack.push_async_callback(database.close)
        session = await stack.enter_async_context(http_client.session())
        sqs = await stack.enter_async_context(aws.client("sqs", read_timeout_s=settings.queue_wait_s + 5))

        listener = Listener(database.login)
        templates = Templates()
        mailer = await _mailer(settings, stack)
        consumer = Consumer(
            NOTIFICATION_QUEUE,
            settings.notification_queue_url,
            sqs,
            database,
            store.INBOX,
            Consumers().handlers,
            wait_s=settings.queue_wait_s,
            visibility_timeout_s=settings.queue_visibility_timeout_s,
        )
        users = HttpClient("user", str(settings.jwks_url), session)
        return Running(
            state={
                "parts": api.Parts(database, templates),
                "database": database,
                "verifier": Verifier(RemoteKeys(users)),
            },
            components=[
                listener,
                mails.runner(database, Mails(mailer, templates), listener),
                consumer,
                Housekeeping(database, standard_retention(store.INBOX)),
            ],
            # Not the mail server: mails wait for it, and nothing else does.
            checks={"database": database.ping},
        )

    return create_app(
        NAME,
        VERSION,
        [api.router],
        compose,
        description="Tells customers what becomes of their orders, payments and account, and mails it.",
    )


async def _mailer(settings: Settings, stack: AsyncExitStack) -> Mailer:
    if settings.smtp_url is None:
        return SesMailer(await stack.enter_async_context(aws.client("sesv2")), settings.mail_from)
    return SmtpMailer(settings.smtp_url.get_secret_value(), settings.mail_from)


PROGRAM = Program(NAME, VERSION, Settings, build, MIGRATIONS, job_tables=[store.MAILS])

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
