"""A topology that a stack made is found by the stack's name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiobotocore.session import get_session

from backing.broker import REGION, SECRET, Broker
from backing.deployed import NotDeployed, find
from contracts.topology import QUEUES, TOPICS


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """How to reach an emulator that deploys."""
    log = tmp_path_factory.mktemp("cloud") / "broker.log"
    broker = Broker(log=log, module="backing.cloudformation_server")
    broker.start()
    try:
        broker.wait_ready()
        yield {
            "endpoint_url": broker.endpoint,
            "region_name": REGION,
            "aws_access_key_id": "111111111111",
            "aws_secret_access_key": SECRET,
        }
    finally:
        broker.stop()


def template(prefix: str, *, without: str = "") -> str:
    """A stack with every topic and queue but one, each with `prefix` before its name."""
    names = [queue.name for queue in QUEUES] + [queue.dead_letter_name for queue in QUEUES]
    resources: dict[str, Any] = {}
    for number, topic in enumerate(TOPICS):
        properties = {"TopicName": f"{prefix}-{topic.name}"}
        resources[f"Topic{number}"] = {"Type": "AWS::SNS::Topic", "Properties": properties}
    for number, name in enumerate(names):
        if name != without:
            properties = {"QueueName": f"{prefix}-{name}"}
            resources[f"Queue{number}"] = {"Type": "AWS::SQS::Queue", "Properties": properties}
    return json.dumps({"Resources": resources})


async def deploy(name: str, body: str, options: dict[str, str]) -> None:
    """Deploy a stack, and return once it is there."""
    async with get_session().create_client("cloudformation", **options) as cloudformation:
        await cloudformation.create_stack(StackName=name, TemplateBody=body)
        async with asyncio.timeout(20):
            while True:
                (stack,) = (await cloudformation.describe_stacks(StackName=name))["Stacks"]
                if stack["StackStatus"] == "CREATE_COMPLETE":
                    return
                await asyncio.sleep(0.05)


async def test_everything_of_the_topology_is_found_by_its_own_name(options: dict[str, str]) -> None:
    """Whatever the environment puts before it; the URLs lead to where the client asks."""
    await deploy("mercato-one-messaging", template("mercato-one"), options)
    found = await find("mercato-one-messaging", **options)
    assert {topic.name for topic in TOPICS} == set(found.topic_arns)
    assert 2 * len(QUEUES) == len(found.queue_urls)
    url = found.queue_urls["order-processing-queue"]
    assert f"{options['endpoint_url']}/111111111111/mercato-one-order-processing-queue" == url


async def test_a_stack_that_lacks_a_part_is_refused_by_the_parts_name(options: dict[str, str]) -> None:
    """A shop without a queue would wait for ever."""
    body = template("mercato-two", without="payment-processing-queue-dlq")
    await deploy("mercato-two-messaging", body, options)
    with pytest.raises(NotDeployed, match="mercato-two-messaging lacks payment-processing-queue-dlq"):
        await find("mercato-two-messaging", **options)
