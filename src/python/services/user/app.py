"""Composition root of the user service: builds and wires everything, and is its command line."""

from __future__ import annotations

import datetime as dt
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from fastapi import FastAPI

from chassis import aws, outbox
from chassis.auth import Verifier
from chassis.database import Database
from chassis.housekeeping import Housekeeping, standard_retention
from chassis.listener import Listener
from chassis.outbox import Outbox
from chassis.service import Program, Running, create_app, version_of
from contracts.topology import NOTIFICATION_EVENTS, USER_EVENTS
from services.user import addresses, admins, api, domain, sessions, store
from services.user.passwords import Passwords
from services.user.settings import Settings
from services.user.tokens import SigningKeys

NAME = "user"
VERSION = version_of(__file__)
MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: Settings) -> FastAPI:
    """The user service as an ASGI application; it connects to what it needs when it is started."""

    async def compose(stack: AsyncExitStack) -> Running:
        database = Database(settings.login(), pool_size=settings.database_pool_size)
        stack.push_async_callback(database.close)
        passwords = Passwords(time_cost=settings.argon2_time_cost, memory_kib=settings.argon2_memory_kib)
        stack.callback(passwords.close)
        sns = await stack.enter_async_context(aws.client("sns"))

        keys = SigningKeys(settings.signing_keys.get_secret_value())
        listener = Listener(database.login)
        events = Outbox(NAME, store.OUTBOX)
        topics = {
            USER_EVENTS: settings.user_events_topic_arn,
            NOTIFICATION_EVENTS: settings.notification_events_topic_arn,
        }
        kept = {
            **standard_retention(store.IDEMPOTENCY),
            store.SESSIONS.c.expires_at: dt.timedelta(0),
            store.FAILURES.c.last_at: domain.FAILURES_FORGOTTEN_AFTER,
        }
        return Running(
            state={
                "parts": api.Parts(database=database, outbox=events, passwords=passwords, keys=keys),
                "database": database,
                "verifier": Verifier(keys),
                "fingerprint_key": keys.derive("idempotency"),
            },
            components=[
                listener,
                outbox.relay(database, events, sns, topics, listener),
                Housekeeping(database, kept),
            ],
            checks={"database": database.ping},
        )

    return create_app(
        NAME,
        VERSION,
        # In this order: /me/addresses must not be taken for somebody's id.
        [sessions.router, addresses.router, api.router],
        compose,
        description="Knows who has an account, signs them in, and keeps where their orders go.",
        idempotency_table=store.IDEMPOTENCY,
    )


PROGRAM = Program(
    NAME,
    VERSION,
    Settings,
    build,
    MIGRATIONS,
    job_tables=[store.OUTBOX],
    commands={"create-admin": admins.create_admin},
)

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
