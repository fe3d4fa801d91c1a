"""The mails to be sent, as jobs: written with the notification they tell of, sent after it commits.

A job's id is that of its notification, and the mail's too, so that a mailbox shows a mail once that was sent
twice. Whom it goes to, what it says and whether it is wanted is looked up when it is sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import jobs, telemetry
from chassis.backoff import Backoff
from chassis.database import Database
from chassis.jobs import Failures, Job, JobRunner
from chassis.listener import Listener
from chassis.spacing import Spacing
from services.notification import domain, store
from services.notification.domain import Letter, Notification
from services.notification.mailer import Mail, Mailer
from services.notification.templates import Templates

WORKERS = 3
BATCH = 10  # mails over one connection

# About five days in all, after which mail servers give up too (RFC 5321, 4.5.4.1).
_BACKOFF = Backoff(first_s=1.0, cap_s=1800.0)
MAX_ATTEMPTS = 450


async def add(tx: AsyncConnection, *notifications: Notification) -> None:
    """Write the mails on `notifications`, whose customers' addresses are known."""
    traceparent = telemetry.traceparent()
    made = [Job(each.id, each.kind.value, "", traceparent, attempts=0) for each in notifications]
    await jobs.add(tx, store.MAILS, made)


class Mails:
    """Writes the mails and hands them to the mail server."""

    def __init__(self, mailer: Mailer, templates: Templates) -> None:
        self._mailer = mailer
        self._templates = templates

    async def handle(self, tx: AsyncConnection, batch: Sequence[Job]) -> Failures:
        """Send the mails of `batch` that are wanted; returns which were not taken. Raises Outage."""
        links = [link for job in batch for link in telemetry.link_to(job.traceparent)]
        with telemetry.tracer.start_as_current_span("send mails", links=links):
            letters = await store.letters(tx, [job.id for job in batch])
            written, failures = self._write(batch, letters)
            if written:
                failures |= await self._mailer.send(written)
            return failures

    def _write(
        self, batch: Sequence[Job], letters: Mapping[uuid.UUID, Letter]
    ) -> tuple[list[Mail], dict[uuid.UUID, Exception]]:
        written: list[Mail] = []
        failures: dict[uuid.UUID, Exception] = {}
        for job in batch:
            try:
                letter = letters[job.id]
                if domain.is_mailed(letter):
                    written.append(self._mail(letter))
            except Exception as error:  # one that cannot be written keeps none of the others back
                failures[job.id] = error
        return written, failures

    def _mail(self, letter: Letter) -> Mail:
        notification = letter.notification
        return Mail(
            id=notification.id,
            name=letter.recipient.display_name,
            address=letter.address,
            subject=self._templates.title(notification),
            text=self._templates.text(letter),
            html=self._templates.html(letter),
            date=notification.created_at,
        )


def runner(database: Database, mails: Mails, listener: Listener | None = None) -> JobRunner:
    """The runner of the mails."""
    return JobRunner(
        database,
        store.MAILS,
        mails.handle,
        listener=listener,
        batch=BATCH,
        workers=WORKERS,
        max_attempts=MAX_ATTEMPTS,
        backoff=_BACKOFF,
        # Nobody waits for a mail by the second, and those that come together share a connection.
        spacing=Spacing(BATCH, each_s=0.1, most_s=0.5),
    )
