"""The messaging stack is the contracts' topology, safe by policy."""

from __future__ import annotations

from contracts.topology import QUEUES
from infra.template import Template


def test_every_queue_of_the_topology_is_there_with_its_limits(dev: dict[str, Template]) -> None:
    """Visibility timeout and receive count are those that the services were tested with."""
    found = {
        queue.properties["QueueName"]: (
            queue.properties["VisibilityTimeout"],
            queue.properties["RedrivePolicy"]["maxReceiveCount"],
        )
        for queue in dev["messaging"].resources("AWS::SQS::Queue")
        if "RedrivePolicy" in queue.properties
    }
    expected = {
        f"mercato-dev-{queue.name}": (queue.visibility_timeout_s, queue.max_receive_count) for queue in QUEUES
    }
    assert expected == found
