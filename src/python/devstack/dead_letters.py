"""`./pants dead-letters`: what nobody tries any more, and another chance for it.

Messages that no consumer could handle lie in the dead-letter queue of their queue; jobs that were refused
(events to publish, calls to the provider, mails) lie in the table of their service. Both stay there until
somebody looks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from aiobotocore.session import get_session
from rich.console import Console
from rich.table import Table

from chassis import jobs
from chassis.database import Database
from contracts.services import SERVICES
from contracts.topology import QUEUES, Queue
from devstack.state import Running, State, StateError, default_directory

_BATCH = 10  # as many as SQS takes or gives in one call
_LOOK_S = 30  # how long a message that was looked at is hidden; none is met twice within that


@dataclass(frozen=True)
class Dead:
    """A message or a job that nobody tries any more. `place` is its queue, or its service and table."""

    place: str
    id: str
    kind: str
    subject: str
    tries: int
    error: str


def main(argv: Sequence[str] | None = None) -> int:
    """List or redrive; returns the exit status of the process."""
    arguments = _parser().parse_args(argv)
    console = Console()
    try:
        running = State(arguments.state).running()
    except StateError as error:
        Console(stderr=True).print(str(error), highlight=False, soft_wrap=True)
        return 1
    if arguments.command == "redrive":
        count = asyncio.run(redrive(running, arguments.place))
        console.print(f"{count} given another chance.", highlight=False)
    else:
        _show(console, asyncio.run(find(running)))
    return 0


async def find(running: Running) -> list[Dead]:
    """All that is dead in the shop: messages, then jobs."""
    async with aws_client(running, "sqs") as sqs:
        messages = [await _messages(sqs, running, queue) for queue in QUEUES]
    found = [await _jobs(place, database, table) for place, database, table in _tables(running)]
    return [dead for some in (*messages, *found) for dead in some]


async def redrive(running: Running, place: str | None = None) -> int:
    """Give all that is dead another chance, or what is at `place` alone; returns how many there were."""
    count = 0
    async with aws_client(running, "sqs") as sqs:
        for queue in QUEUES:
            if place in (None, queue.name):
                count += await _redrive_messages(sqs, running, queue)
    for name, url, table in _tables(running):
        if place in (None, name):
            database = Database(url, pool_size=2)
            try:
                count += await jobs.redrive(database, table)
            finally:
                await database.close()
    return count


async def _messages(sqs: Any, running: Running, queue: Queue) -> list[Dead]:
    found: list[Any] = []
    url = running.queue_urls[queue.dead_letter_name]
    while messages := await _receive(sqs, url):
        found += messages
    for some in _batches(found):
        shown = [{**_receipt(number, message), "VisibilityTimeout": 0} for number, message in some]
        await sqs.change_message_visibility_batch(QueueUrl=url, Entries=shown)
    return [_dead_message(queue, message) for message in found]


async def _redrive_messages(sqs: Any, running: Running, queue: Queue) -> int:
    """Send each message to its queue, then delete it: one that goes twice has the effect of one."""
    source = running.queue_urls[queue.dead_letter_name]
    found: list[Any] = []
    while messages := await _receive(sqs, source):
        found += messages
    moved = 0
    for some in _batches(found):
        entries = [_entry(number, message) for number, message in some]
        sent = await sqs.send_message_batch(QueueUrl=running.queue_urls[queue.name], Entries=entries)
        done = {entry["Id"] for entry in sent.get("Successful", [])}
        receipts = [_receipt(number, message) for number, message in some if str(number) in done]
        if receipts:
            await sqs.delete_message_batch(QueueUrl=source, Entries=receipts)
        moved += len(receipts)
    return moved


async def _receive(sqs: Any, url: str) -> list[Any]:
    """Some messages of a queue, which are then hidden for a while; none where all are hidden."""
    answer = await sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=_BATCH,
        VisibilityTimeout=_LOOK_S,
        AttributeNames=["ApproximateReceiveCount"],
        MessageAttributeNames=["All"],
    )
    messages: list[Any] = answer.get("Messages", [])
    return messages


def _batches(messages: Sequence[Any]) -> list[list[tuple[int, Any]]]:
    numbered = list(enumerate(messages))
    return [numbered[start : start + _BATCH] for start in range(0, len(numbered), _BATCH)]


def _receipt(number: int, message: Any) -> dict[str, Any]:
    return {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}


def _entry(number: int, message: Any) -> dict[str, Any]:
    kept = {
        name: {key: value for key, value in attribute.items() if key in ("DataType", "StringValue")}
        for name, attribute in message.get("MessageAttributes", {}).items()
    }
    return {"Id": str(number), "MessageBody": message["Body"], "MessageAttributes": kept}


def _dead_message(queue: Queue, message: Any) -> Dead:
    try:
        body = json.loads(message["Body"])
        kind, subject = str(body["type"]), str(body["subject"])
    except (ValueError, KeyError, TypeError):
        kind, subject = "unreadable", ""
    tries = int(message.get("Attributes", {}).get("ApproximateReceiveCount", 0))
    error = f"see the log of {queue.consumer}"
    return Dead(queue.name, message["MessageId"], kind, subject, tries, error)


async def _jobs(place: str, url: str, table: sa.Table) -> list[Dead]:
    database = Database(url, pool_size=2)
    try:
        rows = await jobs.dead(database, table)
    finally:
        await database.close()
    return [Dead(place, str(r.id), r.kind, "", r.attempts, r.last_error or "") for r in rows]


def _tables(running: Running) -> list[tuple[str, str, sa.Table]]:
    """Every table of jobs: its place, the URL of its database, the table itself."""
    return [
        (f"{service}.{table.name}", running.database_urls[service], table)
        for service in SERVICES
        for table in import_module(f"services.{service}.app").PROGRAM.job_tables
    ]


def aws_client(running: Running, service: str) -> Any:
    """A client of the shop's AWS: of its broker, or of what the environment names where it has none."""
    options = {}
    if running.aws:
        options = {
            "endpoint_url": running.aws["AWS_ENDPOINT_URL"],
            "region_name": running.aws["AWS_REGION"],
            "aws_access_key_id": running.aws["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": running.aws["AWS_SECRET_ACCESS_KEY"],
        }
    return get_session().create_client(service, **options)


def _show(console: Console, found: Sequence[Dead]) -> None:
    if not found:
        console.print("Nothing is dead.")
        return
    table = Table("place", "id", "what", "about", "tries", "error")
    for dead in found:
        table.add_row(dead.place, dead.id, dead.kind, dead.subject, str(dead.tries), dead.error)
    console.print(table)
    console.print("Mend the cause, then: ./pants dead-letters redrive")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./pants dead-letters", description=__doc__)
    parser.add_argument("command", nargs="?", default="list", choices=["list", "redrive"])
    parser.add_argument("place", nargs="?", help="only this queue or table, as the list names it")
    parser.add_argument("--state", type=Path, default=default_directory(), help="as of ./pants up")
    return parser


if __name__ == "__main__":
    sys.exit(main())
