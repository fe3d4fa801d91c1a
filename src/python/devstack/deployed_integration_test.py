"""The saga runs on the topology that the deployment's own template makes.

The template of the messaging stack is deployed as it was synthesised, by the emulator's CloudFormation. What
the emulator is laxer about than AWS (policies of queues, keys) is checked on the template, in infra.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import get_session

from backing.broker import Broker, aws_environment
from contracts.topology import QUEUES, TOPICS
from devstack.conftest import OpenShop, up, visit, wait_open
from devstack.saga_integration_test import (
    _invariants_hold,
    test_a_cancellation_that_overtakes_its_order_leaves_nothing_held,
    test_a_message_that_cannot_be_read_is_put_aside_listed_and_redriven,
    test_an_order_for_more_than_there_is_is_cancelled,
    test_an_order_is_cancelled_after_it_was_paid,
    test_an_order_is_confirmed_charged_and_mailed,
    test_an_order_whose_card_is_declined_is_cancelled,
    test_events_that_come_again_in_another_order_change_nothing,
    test_the_last_piece_is_sold_once,
    test_what_an_admin_refunds_in_part_is_known_to_the_order,
)

__all__ = [
    "_invariants_hold",
    "test_a_cancellation_that_overtakes_its_order_leaves_nothing_held",
    "test_a_message_that_cannot_be_read_is_put_aside_listed_and_redriven",
    "test_an_order_for_more_than_there_is_is_cancelled",
    "test_an_order_is_cancelled_after_it_was_paid",
    "test_an_order_is_confirmed_charged_and_mailed",
    "test_an_order_whose_card_is_declined_is_cancelled",
    "test_events_that_come_again_in_another_order_change_nothing",
    "test_the_last_piece_is_sold_once",
    "test_what_an_admin_refunds_in_part_is_known_to_the_order",
    "visit",
]

STACK = "mercato-dev-messaging"
TEMPLATE = Path("cdk.out/dev") / f"{STACK}.template.json"


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenShop]:
    """A shop whose topology was deployed."""
    directory = tmp_path_factory.mktemp("shop")
    broker = Broker(log=directory / "broker.log", module="backing.cloudformation_server")
    broker.start()
    process = None
    try:
        broker.wait_ready()
        aws = aws_environment(broker.endpoint)
        with pytest.MonkeyPatch.context() as environment:
            for name, value in aws.items():
                environment.setenv(name, value)
            asyncio.run(deploy(TEMPLATE.read_text("utf-8")))
            process = up(directory, "--stack", STACK, env=aws)
            process.start()
            wait_open(process, directory)
            yield OpenShop(directory, process)
    finally:
        if process is not None:
            process.stop()
        broker.stop()


async def deploy(template: str) -> None:
    """Deploy the messaging stack, and before it what its neighbour and the bootstrap give it."""
    async with (
        get_session().create_client("ssm") as ssm,
        get_session().create_client("cloudformation") as cloudformation,
    ):
        await ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="21", Type="String")
        await create(cloudformation, "neighbour", json.dumps(neighbour(template)))
        await create(cloudformation, STACK, template)


async def create(cloudformation: Any, name: str, template: str) -> None:
    """Create a stack, and return once it is whole."""
    await cloudformation.create_stack(StackName=name, TemplateBody=template)
    async with asyncio.timeout(30):
        while True:
            (stack,) = (await cloudformation.describe_stacks(StackName=name))["Stacks"]
            if not stack["StackStatus"].endswith("IN_PROGRESS"):
                break
            await asyncio.sleep(0.1)
    events = (await cloudformation.describe_stack_events(StackName=name))["StackEvents"]
    failures = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    assert ("CREATE_COMPLETE", []) == (stack["StackStatus"], failures)


def neighbour(template: str) -> dict[str, Any]:
    """What the shared stack exports to `template`: a network, and the group of the services."""
    names = sorted(set(re.findall(r'"Fn::ImportValue":\s*"([^"]+)"', template)))
    resources: dict[str, Any] = {
        "Network": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Services": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"GroupDescription": "services", "VpcId": {"Ref": "Network"}},
        },
    }
    outputs = {}
    for number, name in enumerate(names):
        value: dict[str, Any] = {"Ref": "Network"}
        if "Subnet" in name:
            subnet = f"Subnet{number}"
            cidr = f"10.0.{number}.0/24"
            resources[subnet] = {
                "Type": "AWS::EC2::Subnet",
                "Properties": {"VpcId": {"Ref": "Network"}, "CidrBlock": cidr},
            }
            value = {"Ref": subnet}
        elif "GroupId" in name:
            value = {"Fn::GetAtt": ["Services", "GroupId"]}
        outputs[f"Output{number}"] = {"Value": value, "Export": {"Name": name}}
    return {"Resources": resources, "Outputs": outputs}


async def test_the_shop_made_no_topology_of_its_own(open_shop: OpenShop) -> None:
    """All topics that there are, and all queues that it was told of, are the stack's."""
    async with get_session().create_client("sns") as sns:
        topics = (await sns.list_topics())["Topics"]
    names = [topic["TopicArn"].rpartition(":")[2] for topic in topics]
    names += [url.rpartition("/")[2] for url in open_shop.running.queue_urls.values()]
    assert len(TOPICS) + 2 * len(QUEUES) == len(names)
    assert [] == [name for name in names if not name.startswith("mercato-dev-")]
