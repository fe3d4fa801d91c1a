"""Finds the topology that a CloudFormation stack made, where it is deployed and not to be made.

As a program (`python -m backing.deployed STACK`) it prints where everything is, as `backing.provision` does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from backing.broker import Provisioned
from backing.provision import provision
from contracts.topology import QUEUES, TOPICS


class NotDeployed(Exception):
    """The stack lacks a part of the topology; the message says which."""


async def find(stack: str, **client_options: Any) -> Provisioned:
    """Where the topics and queues of `stack` are, by their names in the topology; the bucket is made.

    The bucket of a deployment is another stack's, and holds other people's images.
    Raises NotDeployed, and botocore's ClientError and BotoCoreError.
    """
    async with AsyncExitStack() as clients:
        session = get_session()
        cloudformation, sqs = [
            await clients.enter_async_context(session.create_client(service, **client_options))
            for service in ("cloudformation", "sqs")
        ]
        answer = await cloudformation.describe_stack_resources(StackName=stack)
        ids = [
            (each["ResourceType"], each["PhysicalResourceId"])
            for each in answer["StackResources"]
            if "PhysicalResourceId" in each
        ]
        topics = [each for kind, each in ids if kind == "AWS::SNS::Topic"]
        queues = [each for kind, each in ids if kind == "AWS::SQS::Queue"]
        names = [queue.name for queue in QUEUES] + [queue.dead_letter_name for queue in QUEUES]
        arns = _by_name([topic.name for topic in TOPICS], topics, ":", stack)
        # By name and not by the URL of then: who asks may reach AWS by another address.
        urls = {
            name: (await sqs.get_queue_url(QueueName=url.rpartition("/")[2]))["QueueUrl"]
            for name, url in _by_name(names, queues, "/", stack).items()
        }
    made = await provision(topics=(), queues=(), subscriptions=(), **client_options)
    return Provisioned(arns, urls, made.bucket)


def _by_name(names: Sequence[str], ids: Sequence[str], separator: str, stack: str) -> dict[str, str]:
    """Each of `names` with its id, whose last part is the name in the environment of `stack`.

    The stack mercato-dev-messaging calls its parts mercato-dev-NAME.
    """
    by_last_part = {each.rpartition(separator)[2]: each for each in ids}
    prefix = stack.rpartition("-")[0]
    missing = [name for name in names if f"{prefix}-{name}" not in by_last_part]
    if missing:
        raise NotDeployed(f"the stack {stack} lacks {', '.join(missing)}.")
    return {name: by_last_part[f"{prefix}-{name}"] for name in names}


def main() -> int:
    """Print where the topology of a stack is."""
    parser = argparse.ArgumentParser(prog="python -m backing.deployed", description=main.__doc__)
    parser.add_argument("stack", help="such as mercato-dev-messaging")
    arguments = parser.parse_args()
    try:
        found = asyncio.run(find(arguments.stack))
    except (BotoCoreError, ClientError, NotDeployed) as error:
        sys.stderr.write(f"the topology was not found: {error}\n")
        return 1
    sys.stdout.write(json.dumps(asdict(found)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
