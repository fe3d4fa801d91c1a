"""The calls to the payment provider, as jobs: written with the change that asks for them, made after it.

A job's id is the idempotency key of its call. While a call is under way its job is held, the payment is not;
the answer is then applied to the payment as it stands by that time, which a webhook may have changed.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import jobs, logs, telemetry
from chassis.clock import Clock, Ids, new_id, utc_now
from chassis.database import Database
from chassis.jobs import Failures, Job, JobRunner, Later, Rejected
from chassis.listener import Listener
from chassis.outbox import Outbox
from services.payment import domain, store
from services.payment.domain import (
    AuthorizeCall,
    Call,
    CaptureCall,
    Decision,
    DetachCall,
    Outcome,
    Payment,
    RefundCall,
    VoidCall,
)
from services.payment.provider import Provider, ProviderUnavailable, Refused

log = logs.get(__name__)

# So many calls at once, and so many of them to a transaction. A call that gets no answer holds up those it is
# with for its timeout, no longer; what became of them a webhook tells besides.
WORKERS, BATCH = 4, 8

# Stripe forgets keys after 24 hours at the earliest: https://docs.stripe.com/api/idempotent_requests
KEY_VALID_FOR = dt.timedelta(hours=23)

_KINDS: dict[str, TypeAdapter[Any]] = {
    "authorize": TypeAdapter(AuthorizeCall),
    "capture": TypeAdapter(CaptureCall),
    "void": TypeAdapter(VoidCall),
    "refund": TypeAdapter(RefundCall),
    "detach": TypeAdapter(DetachCall),
}
_KIND_OF: dict[type[Call], str] = {
    AuthorizeCall: "authorize",
    CaptureCall: "capture",
    VoidCall: "void",
    RefundCall: "refund",
    DetachCall: "detach",
}


async def add(tx: AsyncConnection, *calls: Call) -> None:
    """Write `calls` in the transaction of the change that asks for them."""
    traceparent = telemetry.traceparent()
    made = [Job(new_id(), _KIND_OF[type(call)], _dump(call), traceparent, attempts=0) for call in calls]
    await jobs.add(tx, store.PROVIDER_CALLS, made)


async def settle(tx: AsyncConnection, outbox: Outbox, before: Payment, outcome: Outcome) -> None:
    """Store what became of a payment, with the events that tell of it and the calls that follow."""
    after = outcome.payment
    if after == before:
        return
    await store.save(tx, after)
    await publish(tx, outbox, outcome)
    if after.status is not before.status:
        log.info(
            "payment changed", payment_id=str(after.id), order_id=str(after.order_id), status=after.status
        )


async def publish(tx: AsyncConnection, outbox: Outbox, outcome: Outcome) -> None:
    """Write the events and the calls of an outcome whose payment is stored."""
    if outcome.events:
        await outbox.add(tx, *outcome.events)
    if outcome.calls:
        await add(tx, *outcome.calls)


class Calls:
    """Makes the calls and applies their answers."""

    def __init__(
        self, provider: Provider, outbox: Outbox, *, clock: Clock = utc_now, ids: Ids = new_id
    ) -> None:
        self._provider = provider
        self._outbox = outbox
        self._clock = clock
        self._ids = ids

    async def handle(self, tx: AsyncConnection, batch: Sequence[Job]) -> Failures:
        """Make the calls of `batch` at once, then apply the answers one after the other.

        Returns for each job that failed why: Later where its outcome is unknown, Rejected where it stayed so.
        """
        calls = {job.id: _load(job) for job in batch}
        of = {payment.id: payment for payment in await store.find_all(tx, _payment_ids(calls.values()))}
        # The outcome of some may have been told by a webhook, perhaps while the job was dead.
        asked = [job for job in batch if _is_awaited(calls[job.id], of)]
        answers = await asyncio.gather(
            *(self._answer(job, calls[job.id]) for job in asked), return_exceptions=True
        )
        failures: dict[uuid.UUID, Exception] = {}
        decisions: list[tuple[Job, uuid.UUID, Decision]] = []
        for job, answer in zip(asked, answers, strict=True):
            call = calls[job.id]
            if isinstance(answer, Exception):
                failures[job.id] = answer
            elif isinstance(answer, BaseException):
                raise answer
            elif not isinstance(call, DetachCall):
                decisions.append((job, call.payment_id, answer))
        # In the order of the consumer's batches, so that no two transactions wait for each other.
        decisions.sort(key=lambda decision: of[decision[1]].order_id)
        for job, payment_id, decide in decisions:
            with jobs.traced(job):
                payment = await store.locked(tx, payment_id)
                await settle(tx, self._outbox, payment, decide(payment))
        return failures

    async def _answer(self, job: Job, call: Call) -> Decision:
        self._refuse_if_stale(job, call)
        with jobs.traced(job):
            try:
                return await self._ask(call, str(job.id))
            except ProviderUnavailable as error:
                raise Later(str(error)) from error

    def _refuse_if_stale(self, job: Job, call: Call) -> None:
        if isinstance(call, AuthorizeCall | RefundCall) and self._clock() - _made_at(job) > KEY_VALID_FOR:
            raise Rejected(
                "the provider may have forgotten the key by now and would move the money a second time: "
                f"look there for what became of payment {call.payment_id}"
            )

    async def _ask(self, call: Call, key: str) -> Decision:
        match call:
            case AuthorizeCall():
                return await self._authorize(call, key)
            case CaptureCall():
                return await self._capture(call, key)
            case VoidCall():
                return await self._void(call, key)
            case RefundCall():
                return await self._refund(call, key)
            case DetachCall():
                return await self._detach(call, key)

    async def _authorize(self, call: AuthorizeCall, key: str) -> Decision:
        try:
            intent_id = await self._provider.authorize(call, key)
        except Refused as no:
            return partial(
                domain.authorization_failed, code=no.code, detail=no.detail, open_intent=no.open_intent
            )
        return partial(domain.authorized, intent_id=intent_id)

    async def _capture(self, call: CaptureCall, key: str) -> Decision:
        try:
            await self._provider.capture(call.intent_id, key)
        except Refused as no:
            return partial(domain.capture_failed, code=no.code, detail=no.detail)
        return partial(domain.captured, intent_id=call.intent_id, refund_id=self._ids())

    async def _void(self, call: VoidCall, key: str) -> Decision:
        if await self._provider.void(call.intent_id, key):
            return domain.voided
        return partial(domain.captured, intent_id=call.intent_id, refund_id=self._ids())

    async def _refund(self, call: RefundCall, key: str) -> Decision:
        try:
            await self._provider.refund(call, key)
        except Refused as no:
            log.error(  # noqa: TRY400 - the reason says it all
                "a refund was refused: an admin must ask again",
                payment_id=str(call.payment_id),
                refund_id=str(call.refund_id),
                reason=str(no),
            )
            return partial(domain.refund_failed, refund_id=call.refund_id)
        return partial(domain.refund_succeeded, refund_id=call.refund_id)

    async def _detach(self, call: DetachCall, key: str) -> Decision:
        try:
            await self._provider.detach(call, key)
        except Refused as no:
            log.warning("a card was not detached", reason=str(no))  # it is not attached any more
        return Outcome


def runner(database: Database, calls: Calls, listener: Listener) -> JobRunner:
    """The runner of the calls; it tries for ever, since no amount may stay held or taken by oversight."""
    return JobRunner(
        database, store.PROVIDER_CALLS, calls.handle, listener=listener, batch=BATCH, workers=WORKERS
    )


def _payment_ids(calls: Iterable[Call]) -> list[uuid.UUID]:
    return [call.payment_id for call in calls if not isinstance(call, DetachCall)]


def _is_awaited(call: Call, of: Mapping[uuid.UUID, Payment]) -> bool:
    return isinstance(call, DetachCall) or domain.awaits(of[call.payment_id], call)


def _load(job: Job) -> Call:
    call: Call = _KINDS[job.kind].validate_json(job.body)
    return call


def _dump(call: Call) -> str:
    return _KINDS[_KIND_OF[type(call)]].dump_json(call).decode()


def _made_at(job: Job) -> dt.datetime:
    # The first 48 bits of a UUIDv7 are the milliseconds since 1970: RFC 9562, section 5.7.
    return dt.datetime.fromtimestamp((job.id.int >> 80) / 1000, dt.UTC)
