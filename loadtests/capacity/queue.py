"""A queue at the broker, as the probe needs it: how much is in it, and a few messages out of it and back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session

from loadtests.errors import LoadError

_LOOK_EVERY_S = 0.02
_AT_ONCE = 10
# Longer than a probe takes: what was taken out is put back by it, and by nothing else.
_OUT_OF_SIGHT_S = 3600


@dataclass(frozen=True)
class Waiting:
    """How many messages can be received, and how many are being worked on."""

    visible: int
    in_flight: int

    @property
    def all(self) -> int:
        """Both."""
        return self.visible + self.in_flight


class Queue:
    """The queue at `url`, by a client of SQS."""

    def __init__(self, url: str, sqs: Any) -> None:
        """See `client`."""
        self.url = url
        self._sqs = sqs

    def waiting(self) -> Waiting:
        """What is in it now."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        said = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return Waiting(*(int(said[name]) for name in names))

    def settle(self, quiet_s: float, within_s: float) -> int:
        """Wait until nothing has come for `quiet_s`; returns how many wait. Raises LoadError."""
        until, since, last = time.monotonic() + within_s, time.monotonic(), -1
        while time.monotonic() < until:
            now = self.waiting().visible
            if now != last:
                since, last = time.monotonic(), now
            elif time.monotonic() - since > quiet_s:
                return now
            time.sleep(_LOOK_EVERY_S)
        raise LoadError(f"messages were still coming into {self.url} after {within_s:.0f} s.")

    def take(self, count: int) -> list[Mapping[str, Any]]:
        """So many messages, if there are; nobody else gets them until they are put back."""
        found: list[Mapping[str, Any]] = []
        while len(found) < count:
            answer = self._sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=min(_AT_ONCE, count - len(found)),
                VisibilityTimeout=_OUT_OF_SIGHT_S,
                MessageAttributeNames=["All"],
            )
            if not answer.get("Messages"):
                break
            found += answer["Messages"]
        for message in found:
            self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def put(self, message: Mapping[str, Any]) -> None:
        """Put one back that was taken."""
        attributes = {
            name: {key: value for key, value in each.items() if key in ("DataType", "StringValue")}
            for name, each in message.get("MessageAttributes", {}).items()
        }
        self._sqs.send_message(QueueUrl=self.url, MessageBody=message["Body"], MessageAttributes=attributes)

    def emptied(self, within_s: float) -> bool:
        """Whether all that is in it was worked off in that time; returns at once when it is."""
        until = time.monotonic() + within_s
        while self.waiting().all:
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK_EVERY_S / 4)
        return True


def client(aws: Mapping[str, str]) -> Any:
    """A client of SQS at the broker that the environment `aws` names, which the shop's services are given."""
    return botocore.session.Session().create_client(
        "sqs",
        region_name=aws["AWS_REGION"],
        endpoint_url=aws["AWS_ENDPOINT_URL"],
        aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
    )
