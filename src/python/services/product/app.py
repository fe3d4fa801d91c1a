"""Composition root of the product service: builds and wires everything, and is its command line."""

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
from chassis.housekeeping import INBOX_KEPT_FOR, Housekeeping, standard_retention
from chassis.http_client import HttpClient
from chassis.listener import Listener
from chassis.outbox import Outbox
from chassis.service import Program, Running, create_app, version_of
from contracts.topology import INVENTORY_EVENTS, INVENTORY_QUEUE
from services.product import api, cache, image_api, store
from services.product.cache import Cache, Quotes
from services.product.consumers import Consumers
from services.product.images import ImageStore
from services.product.settings import Settings

NAME = "product"
VERSION = version_of(__file__)
MIGRATIONS = Path(__file__).parent / "migrations"

RETENTION = {
    **standard_retention(store.INBOX, store.IDEMPOTENCY),
    # As long as an event of the order may come: what it holds nothing of, it is not to reserve again.
    store.RESERVATIONS.c.ended_at: INBOX_KEPT_FOR,
    store.IMAGES.c.pending_since: dt.timedelta(days=1),
}


def build(settings: Settings) -> FastAPI:
    """The product service as an ASGI application; it connects to what it needs when it is started."""

    async def compose(stack: AsyncExitStack) -> Running:
        database = Database(settings.login(), pool_size=settings.database_pool_size)
        stack.push_async_callback(database.close)
        redis = cache.connect(settings.redis_url.get_secret_value(), settings.redis_password)
        stack.push_async_callback(redis.aclose)
        images = ImageStore(settings.images_bucket)
        stack.push_async_callback(images.close)
        session = await stack.enter_async_context(http_client.session())
        sns = await stack.enter_async_context(aws.client("sns"))
        sqs = await stack.enter_async_context(aws.client("sqs", read_timeout_s=settings.queue_wait_s + 5))

        listener = Listener(database.login)
        events = Outbox(NAME, store.OUTBOX)
        topics = {INVENTORY_EVENTS: settings.inventory_events_topic_arn}
        consumer = Consumer(
            INVENTORY_QUEUE,
            settings.inventory_update_queue_url,
            sqs,
            database,
            store.INBOX,
            Consumers(events).handlers,
            wait_s=settings.queue_wait_s,
            visibility_timeout_s=settings.queue_visibility_timeout_s,
        )
        return Running(
            state={
                "parts": api.Parts(database, Cache(redis), Quotes(database), images),
                "database": database,
                "verifier": Verifier(RemoteKeys(HttpClient("user", str(settings.jwks_url), session))),
            },
            components=[
                listener,
                outbox.relay(database, events, sns, topics, listener),
                consumer,
                Housekeeping(database, RETENTION),
            ],
            # Not the cache: everything works without it.
            checks={"database": database.ping},
        )

    return create_app(
        NAME,
        VERSION,
        [api.router, image_api.router],
        compose,
        description="The catalogue: searched by everybody, kept by admins, reserved and sold to orders.",
        idempotency_table=store.IDEMPOTENCY,
    )


PROGRAM = Program(NAME, VERSION, Settings, build, MIGRATIONS, job_tables=[store.OUTBOX])

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
