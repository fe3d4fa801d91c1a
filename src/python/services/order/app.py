"""Composition root of the order service: builds and wires everything, and is its command line."""

from __future__ import annotations

import datetime as dt
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from fastapi import FastAPI

from chassis import aws, http_client, outbox
from chassis.auth import RemoteKeys, Verifier
from chassis.consumer import Consumer
from chassis.database import Database
from chassis.housekeeping import Housekeeping, standard_retention
from chassis.http_client import HttpClient
from chassis.listener import Listener
from chassis.outbox import Outbox
from chassis.service import Program, Running, create_app, version_of
from contracts.topology import NOTIFICATION_EVENTS, ORDER_EVENTS, ORDER_QUEUE
from services.order import api, store
from services.order.clients import ProductClient, UserClient
from services.order.consumers import Consumers
from services.order.deadlines import Deadlines
from services.order.settings import Settings

NAME = "order"
VERSION = version_of(__file__)
MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: Settings) -> FastAPI:
    """The order service as an ASGI application; it connects to what it needs when it is started."""

    async def compose(stack: AsyncExitStack) -> Running:
        database = Database(settings.login(), pool_size=settings.database_pool_size)
        stack.push_async_callback(database.close)
        session = await stack.enter_async_context(http_client.session())
        sns = await stack.enter_async_context(aws.client("sns"))
        sqs = await stack.enter_async_context(aws.client("sqs", read_timeout_s=settings.queue_wait_s + 5))

        listener = Listener(database.login)
        events = Outbox(NAME, store.OUTBOX)
        topics = {
            ORDER_EVENTS: settings.order_events_topic_arn,
            NOTIFICATION_EVENTS: settings.notification_events_topic_arn,
        }
        users = HttpClient("user", str(settings.user_url), session)
        parts = api.Parts(
            database=database,
            outbox=events,
            products=ProductClient(HttpClient("product", str(settings.product_url), session)),
            addresses=UserClient(users),
            deadline=dt.timedelta(seconds=settings.order_deadline_s),
        )
        consumer = Consumer(
            ORDER_QUEUE,
            settings.order_processing_queue_url,
            sqs,
            database,
            store.INBOX,
            Consumers(events).handlers,
            wait_s=settings.queue_wait_s,
            visibility_timeout_s=settings.queue_visibility_timeout_s,
        )
        return Running(
            state={
                "parts": parts,
                "database": database,
                "verifier": Verifier(RemoteKeys(HttpClient("user", str(settings.jwks_url), session))),
            },
            components=[
                listener,
                outbox.relay(database, events, sns, topics, listener),
                consumer,
                Deadlines(database, events),
                Housekeeping(database, standard_retention(store.INBOX, store.IDEMPOTENCY)),
            ],
            checks={"database": database.ping},
        )

    return create_app(
        NAME,
        VERSION,
        [api.router],
        compose,
        description="Places orders and carries them through the saga to CONFIRMED or CANCELLED.",
        idempotency_table=store.IDEMPOTENCY,
    )


PROGRAM = Program(NAME, VERSION, Settings, build, MIGRATIONS, job_tables=[store.OUTBOX])

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
