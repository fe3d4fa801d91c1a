"""Composition root of the payment service: builds and wires everything, and is its command line."""

from __future__ import annotations

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
from contracts.topology import PAYMENT_EVENTS, PAYMENT_QUEUE
from services.payment import api, calls, store, webhook
from services.payment.calls import Calls
from services.payment.consumers import Consumers
from services.payment.provider import StripeProvider
from services.payment.settings import Settings

NAME = "payment"
VERSION = version_of(__file__)
MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: Settings) -> FastAPI:
    """The payment service as an ASGI application; it connects to what it needs when it is started."""

    async def compose(stack: AsyncExitStack) -> Running:
        database = Database(settings.login(), pool_size=settings.database_pool_size)
        stack.push_async_callback(database.close)
        session = await stack.enter_async_context(http_client.session())
        sns = await stack.enter_async_context(aws.client("sns"))
        sqs = await stack.enter_async_context(aws.client("sqs", read_timeout_s=settings.queue_wait_s + 5))
        api_base = settings.stripe_api_base
        provider = StripeProvider(
            settings.stripe_api_key.get_secret_value(), None if api_base is None else str(api_base)
        )
        stack.push_async_callback(provider.close)

        listener = Listener(database.login)
        events = Outbox(NAME, store.OUTBOX)
        topics = {PAYMENT_EVENTS: settings.payment_events_topic_arn}
        parts = api.Parts(
            database=database,
            outbox=events,
            provider=provider,
            webhook_secret=settings.stripe_webhook_secret.get_secret_value(),
        )
        consumer = Consumer(
            PAYMENT_QUEUE,
            settings.payment_processing_queue_url,
            sqs,
            database,
            store.INBOX,
            Consumers(events).handlers,
            wait_s=settings.queue_wait_s,
            visibility_timeout_s=settings.queue_visibility_timeout_s,
        )
        users = HttpClient("user", str(settings.jwks_url), session)
        return Running(
            state={"parts": parts, "database": database, "verifier": Verifier(RemoteKeys(users))},
            components=[
                listener,
                outbox.relay(database, events, sns, topics, listener),
                calls.runner(database, Calls(provider, events), listener),
                consumer,
                Housekeeping(database, standard_retention(store.INBOX, store.IDEMPOTENCY)),
            ],
            checks={"database": database.ping},
        )

    return create_app(
        NAME,
        VERSION,
        [api.router, webhook.router],
        compose,
        description="Holds, takes and gives back the money of orders, and keeps customers' payment methods.",
        idempotency_table=store.IDEMPOTENCY,
    )


PROGRAM = Program(NAME, VERSION, Settings, build, MIGRATIONS, job_tables=[store.OUTBOX, store.PROVIDER_CALLS])

if __name__ == "__main__":
    sys.exit(PROGRAM.main())
