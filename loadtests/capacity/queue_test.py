"""A queue in front of a broker that keeps messages as SQS does."""

from __future__ import annotations

from typing import Any

import pytest

from loadtests.capacity.queue import Queue, Waiting
from loadtests.errors import LoadError

MESSAGE = {
    "Body": '{"id": 1}',
    "MessageAttributes": {"type": {"DataType": "String", "StringValue": "ORDER", "BinaryListValues": []}},
}


class Broker:
    """The operations that the probe uses, on one queue."""

    def __init__(self, count: int = 0) -> None:
        """So many wait."""
        self.visible: list[dict[str, Any]] = [MESSAGE | {"ReceiptHandle": str(each)} for each in range(count)]
        self.taken: dict[str, dict[str, Any]] = {}
        self.sent: list[dict[str, Any]] = []

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        """As strings, as SQS does."""
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": str(len(self.visible)),
                "ApproximateNumberOfMessagesNotVisible": str(len(self.taken)),
            }
        }

    def receive_message(self, *, MaxNumberOfMessages: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        """No key where there are none, as SQS does."""
        found, self.visible = self.visible[:MaxNumberOfMessages], self.visible[MaxNumberOfMessages:]
        self.taken |= {each["ReceiptHandle"]: each for each in found}
        return {"Messages": found} if found else {}

    def delete_message(self, *, ReceiptHandle: str, **_: Any) -> None:  # noqa: N803
        """It is gone."""
        del self.taken[ReceiptHandle]

    def send_message(self, **said: Any) -> None:
        """Take it."""
        self.sent.append(said)


def test_what_can_be_received_and_what_is_under_way_wait_both() -> None:
    """A queue is empty when neither is left."""
    broker = Broker(5)
    broker.receive_message(MaxNumberOfMessages=2)

    assert Waiting(3, 2) == Queue("url", broker).waiting()
    assert 5 == Queue("url", broker).waiting().all
    assert not Queue("url", broker).emptied(0.01)
    assert Queue("url", Broker()).emptied(0.01)


def test_as_many_are_taken_as_are_wanted_or_are_there() -> None:
    """In batches of ten, which is the most that SQS gives."""
    broker = Broker(25)

    assert 23 == len(Queue("url", broker).take(23))
    assert 2 == len(Queue("url", broker).take(20))
    assert Waiting(0, 0) == Queue("url", broker).waiting()


def test_a_message_is_put_back_as_it_was() -> None:
    """With its attributes, and without what SQS refuses to be sent."""
    broker = Broker()

    Queue("url", broker).put(MESSAGE)

    assert [
        {
            "QueueUrl": "url",
            "MessageBody": '{"id": 1}',
            "MessageAttributes": {"type": {"DataType": "String", "StringValue": "ORDER"}},
        }
    ] == broker.sent


def test_a_queue_has_settled_when_nothing_comes_any_more() -> None:
    """And one into which messages keep coming never does."""
    assert 3 == Queue("url", Broker(3)).settle(quiet_s=0.05, within_s=5)

    class Coming(Broker):
        def get_queue_attributes(self, **said: Any) -> dict[str, Any]:
            self.visible.append(MESSAGE)
            return super().get_queue_attributes(**said)

    with pytest.raises(LoadError, match="were still coming"):
        Queue("url", Coming()).settle(quiet_s=0.05, within_s=0.3)
