"""The broker's process: ministack with what it lacks or does unlike AWS put right.

Run as `python -m backing.broker_server PORT [STATE_DIRECTORY]`. With a state directory, topics, queues,
messages and objects are saved when the process is told to stop, and loaded when it starts.

The differences that are mended, each of which a service could come to rely on or suffer from:

- a message may be deleted twice, as its receipt handle stays valid;
- a waiting receive is answered when a message arrives, not at the next tenth of a second, and one whose
  client has gone takes no message along;
- receiving and deleting cost the same however many messages wait;
- an empty message is refused, and so is a second subscription with other attributes than the first.

It is served by uvicorn instead of ministack's own server, without its start-up hooks, which look for
Docker and for scripts in folders of the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import os
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Any

# ministack reads its settings from the environment while it is imported.
os.environ.setdefault("LOG_LEVEL", "WARNING")
# Another program that serves the broker may ask for more of AWS.
os.environ["SERVICES"] = ",".join(filter(None, ("s3,secretsmanager,ses,sns,sqs,sts", os.environ.get("ALSO"))))
if len(sys.argv) > 2:
    os.environ |= {
        "PERSIST_STATE": "1",
        "STATE_DIR": str(Path(sys.argv[2]) / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(Path(sys.argv[2]) / "objects"),
    }

import uvicorn
from ministack import app as ministack
from ministack.services import sns, sqs
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from backing.ports import LOOPBACK

_LONGEST_NAP_S = 1.0

# Ministack's own functions, which the ones below call after or instead of their own work.
_receive_message = sqs._act_receive_message
_collect_fifo_or_all = sqs._collect_msgs
_move_dead_letters = sqs._dlq_sweep
_expire = sqs._expire_retained
_subscribe = sns._subscribe
_publish = sns._publish
_publish_batch = sns._publish_batch


class Arrivals:
    """Wakes the receives that wait, in place of the event that ministack sets for each message."""

    def __init__(self) -> None:
        self.closing = False
        self._waiting: set[asyncio.Future[None]] = set()

    def set(self) -> None:
        """Wake every receive that waits; each looks at its own queue."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, timeout_s: float) -> None:
        """Return at the next arrival, or after `timeout_s`."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(future, timeout_s)
        self._waiting.discard(future)


arrivals = Arrivals()

# The connection on which a receive was asked for.
_connection: contextvars.ContextVar[asyncio.Transport] = contextvars.ContextVar("connection")


async def receive_message(data: dict[str, Any], queue_url: str) -> dict[str, Any]:
    """ReceiveMessage that is answered as soon as there is a message."""
    queue = sqs._get_q(data.get("QueueUrl", queue_url))
    wait = data.get("WaitTimeSeconds")
    if wait is None:
        wait = queue["attributes"].get("ReceiveMessageWaitTimeSeconds", "0")
    if not 0 <= int(wait) <= 20:
        raise sqs._Err(
            "InvalidParameterValue",
            f"Value {wait} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20.",
        )
    deadline = time.time() + int(wait)
    while not await _client_gone():
        received: dict[str, Any] = await _receive_message({**data, "WaitTimeSeconds": 0}, queue_url)
        now = time.time()
        if received or now >= deadline or arrivals.closing:
            return received
        await _something_visible(queue, deadline)
    return {}


async def _something_visible(queue: dict[str, Any], deadline: float) -> None:
    """Return when a message may be received, in a second at most, or at `deadline`.

    Each arrival wakes the receives of every queue: this look is cheap, and asking ministack is not.
    """
    nap_until = min(deadline, time.time() + _LONGEST_NAP_S)
    while not arrivals.closing:
        # A message in flight comes back when its time runs out, which no arrival announces.
        back = min((message["visible_at"] for message in queue["messages"]), default=deadline)
        now = time.time()
        if back <= now or now >= nap_until:
            return
        await arrivals.wait(max(0.001, min(nap_until, back) - now))


def collect_messages(queue: dict[str, Any], limit: int, visibility_timeout_s: int) -> list[Any]:
    """Take up to `limit` messages; looks at those in flight and those taken, not at all that wait."""
    if queue["is_fifo"]:
        _move_dead_letters(queue)
        return list(_collect_fifo_or_all(queue, limit, visibility_timeout_s))
    max_receives = _max_receives(queue)
    now = time.time()
    taken: list[Any] = []
    for message in queue["messages"]:
        if message["visible_at"] > now:
            continue
        sqs._ensure_msg_fields(message)
        if message["receive_count"] >= max_receives:
            _move_dead_letters(queue)
            return taken + collect_messages(queue, limit - len(taken), visibility_timeout_s)
        message["receipt_handle"] = str(uuid.uuid4())
        message["visible_at"] = now + visibility_timeout_s
        message["receive_count"] += 1
        if message["first_receive_at"] is None:
            message["first_receive_at"] = now
        taken.append(message)
        if len(taken) >= limit:
            break
    return taken


def leave_dead_letters(queue: dict[str, Any]) -> None:
    """In place of a sweep over all messages before each receive: collect_messages meets them in time."""


def expire_messages(queue: dict[str, Any]) -> None:
    """Drop what is past its retention; the oldest message stands first, so that one look suffices."""
    if queue["messages"]:
        oldest = queue["messages"][0]
        age = time.time() - oldest.get("enqueued_at", oldest["sent_at"])
        if age >= int(queue["attributes"].get("MessageRetentionPeriod", "345600")):
            _expire(queue)


def delete_message(data: dict[str, Any], queue_url: str) -> dict[str, Any]:
    """DeleteMessage; deleting what is already deleted succeeds."""
    queue = sqs._get_q(data.get("QueueUrl", queue_url), "sqs:DeleteMessage")
    _delete(queue, data.get("ReceiptHandle", ""))
    return {}


def delete_message_batch(data: dict[str, Any], queue_url: str) -> dict[str, Any]:
    """DeleteMessageBatch; deleting what is already deleted succeeds."""
    queue = sqs._get_q(data.get("QueueUrl", queue_url), "sqs:DeleteMessage")
    entries = data.get("Entries", [])
    sqs._validate_batch_entries(entries, "DeleteMessageBatchRequestEntry")
    done, failed = [], []
    for entry in entries:
        try:
            _delete(queue, entry.get("ReceiptHandle", ""))
            done.append({"Id": entry["Id"]})
        except sqs._Err as error:
            failed.append(
                {"Id": entry["Id"], "Code": error.code, "Message": error.message, "SenderFault": True}
            )
    return {"Successful": done, "Failed": failed}


def subscribe(params: dict[str, Any]) -> Any:
    """Subscribe; a subscription that exists with other attributes is refused, as on AWS."""
    topic = sns._topic_by_arn_any_scope(sns._p(params, "TopicArn"))
    asked = {
        sns._p(params, f"Attributes.entry.{i}.key"): sns._p(params, f"Attributes.entry.{i}.value")
        for i in range(1, 10)
        if sns._p(params, f"Attributes.entry.{i}.key")
    }
    for subscription in topic["subscriptions"] if topic else []:
        if subscription["endpoint"] == sns._p(params, "Endpoint") and any(
            subscription["attributes"].get(name) != value for name, value in asked.items()
        ):
            return sns._error(
                "InvalidParameter",
                "Invalid parameter: Attributes Reason: Subscription already exists with different attributes",
                400,
            )
    return _subscribe(params)


def publish(params: dict[str, Any]) -> Any:
    """Publish; an empty message is refused."""
    if not sns._p(params, "Message"):
        return sns._error("InvalidParameter", "Invalid parameter: Empty message", 400)
    return _publish(params)


def publish_batch(params: dict[str, Any]) -> Any:
    """PublishBatch; an empty message is refused."""
    if any(not entry.get("message") for entry in sns._parse_batch_entries(params)):
        return sns._error("InvalidParameter", "Invalid parameter: Empty message", 400)
    return _publish_batch(params)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Ministack, but a receive is dropped when its client goes: else it would take messages for nobody."""
    if (b"x-amz-target", b"AmazonSQS.ReceiveMessage") not in scope.get("headers", ()):
        await ministack.app(scope, receive, send)
        return
    _connection.set(scope["extensions"]["connection"]["transport"])
    asked = asyncio.Event()

    async def request() -> Any:
        message = await receive()
        if not message.get("more_body"):
            asked.set()
        return message

    async def gone() -> None:
        await asked.wait()
        await receive()  # the request is complete: nothing but the end of the connection comes now

    tasks = [asyncio.create_task(ministack.app(scope, request, send)), asyncio.create_task(gone())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Protocol(HttpToolsProtocol):
    """Tells the application on which connection a request came."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {"connection": {"transport": self.transport}}


class Server(uvicorn.Server):
    """Answers the waiting receives as soon as it is told to stop, instead of waiting for them."""

    def __init__(self, config: uvicorn.Config) -> None:
        """Serve `config`."""
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Note the signal and wake everyone."""
        super().handle_exit(sig, frame)
        arrivals.closing = True
        # In the loop: the handler of a signal may run between any two instructions of ours.
        if self._loop is not None:
            self._loop.call_soon_threadsafe(arrivals.set)

    async def serve(self, sockets: Any = None) -> None:
        """Serve until a signal."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)


def install() -> None:
    """Put the functions of this module in the place of ministack's."""
    sqs._HANDLERS.update(
        ReceiveMessage=receive_message, DeleteMessage=delete_message, DeleteMessageBatch=delete_message_batch
    )
    sqs._collect_msgs = collect_messages
    sqs._dlq_sweep = leave_dead_letters
    sqs._expire_retained = expire_messages
    sqs.esm_wake = sns.esm_wake = arrivals
    sns._subscribe, sns._publish, sns._publish_batch = subscribe, publish, publish_batch


def main() -> None:
    """Serve on the given port until SIGTERM, then save the state."""
    os.umask(0o077)
    install()
    ministack._load_persisted_state()
    config = uvicorn.Config(
        app,
        http=Protocol,
        host=LOOPBACK,
        port=int(sys.argv[1]),
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    # uvicorn raises the signal again when it has shut down, which would end us before the state is saved.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    Server(config).run()
    if ministack.PERSIST_STATE:
        ministack.save_all(ministack._build_persistence_save_dict())


async def _client_gone() -> bool:
    """Whether nobody would get the answer. What wakes a receive may come with the end of its own client.

    Both then lie in the sockets: the loop reads all of them before its next turn but one.
    """
    for _ in range(2):
        await asyncio.sleep(0)
    return _connection.get().is_closing()


def _delete(queue: dict[str, Any], receipt_handle: str) -> None:
    try:
        uuid.UUID(receipt_handle)
    except ValueError:
        raise sqs._Err("ReceiptHandleIsInvalid", "The input receipt handle is invalid.") from None
    for position, message in enumerate(queue["messages"]):
        if message["receipt_handle"] == receipt_handle:
            del queue["messages"][position]
            return


def _max_receives(queue: dict[str, Any]) -> float:
    policy = queue["attributes"].get("RedrivePolicy")
    if not policy:
        return float("inf")
    parsed = json.loads(policy)
    if sqs._queue_by_arn(parsed["deadLetterTargetArn"]) is None:
        return float("inf")
    return float(parsed["maxReceiveCount"])


if __name__ == "__main__":
    main()
