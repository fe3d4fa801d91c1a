from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from typing import Any

import pytest
from aiobotocore.session import get_session

from backing.broker import Provisioned, aws_environment
from backing.fixtures import Account
from backing.ports import LOOPBACK, free_port
from backing.provision import provision
from contracts.topology import QUEUES, SUBSCRIPTIONS, TOPICS, Subscription


class Topology:
    """What is in an account."""

    def __init__(self, account: Account, sns: Any, sqs: Any, s3: Any) -> None:
        self.account = account
        self.sns = sns
        self._sqs = sqs
        self._s3 = s3

    async def again(self, **changes: Any) -> Provisioned:
        """Provision the account once more."""
        return await provision(bucket=self.account.bucket, **(self.account.client_options | changes))

    async def queue(self, name: str) -> dict[str, Any]:
        """The attributes of a queue, what is JSON among them read."""
        url = self.account.queue_urls[name]
        answer = await self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: dict[str, Any] = answer["Attributes"]
        for each in ("RedrivePolicy", "Policy"):
            if each in attributes:
                attributes[each] = json.loads(attributes[each])
        return {name: value for name, value in attributes.items() if name != "LastModifiedTimestamp"}

    async def subscriptions(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The attributes of every subscription, by the names of topic and queue; each pair has one."""
        listed = [
            subscription
            async for page in self.sns.get_paginator("list_subscriptions").paginate()
            for subscription in page["Subscriptions"]
        ]
        found = {}
        for each in listed:
            answer = await self.sns.get_subscription_attributes(SubscriptionArn=each["SubscriptionArn"])
            found[_name(each["TopicArn"]), _name(each["Endpoint"])] = answer["Attributes"]
        assert len(listed) == len(found)
        return found

    async def cors(self) -> Any:
        """Who may upload to the bucket from where."""
        return (await self._s3.get_bucket_cors(Bucket=self.account.bucket))["CORSRules"]

    async def all(self) -> Any:
        """Everything that there is."""
        topics = [
            topic["TopicArn"]
            async for page in self.sns.get_paginator("list_topics").paginate()
            for topic in page["Topics"]
        ]
        urls = (await self._sqs.list_queues())["QueueUrls"]
        queues = {name: await self.queue(name) for name in self.account.queue_urls}
        buckets = [bucket["Name"] for bucket in (await self._s3.list_buckets())["Buckets"]]
        subscriptions = await self.subscriptions()
        return sorted(topics), sorted(urls), queues, subscriptions, buckets, await self.cors()


def _name(arn: str) -> str:
    return arn.rsplit(":", 1)[1]


@pytest.fixture
async def topology(broker: Account) -> AsyncIterator[Topology]:
    """An account that was provisioned once."""
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(get_session().create_client(name, **broker.client_options))
            for name in ("sns", "sqs", "s3")
        ]
        yield Topology(broker, *clients)


async def test_the_topology_made_twice_is_the_same(topology: Topology) -> None:
    """Nothing comes to be there twice, and nothing changes; so it may be made at each start."""
    before = await topology.all()
    made = await topology.again()
    assert before == await topology.all()
    account = topology.account
    assert Provisioned(account.topic_arns, account.queue_urls, account.bucket) == made


async def test_two_who_make_the_topology_at_once_do_not_hinder_each_other(topology: Topology) -> None:
    """As two deployments may."""
    before = await topology.all()
    one, other = await asyncio.gather(topology.again(), topology.again())
    assert one == other
    assert before == await topology.all()


async def test_everything_in_the_topology_is_there_and_nothing_else(topology: Topology) -> None:
    """Every topic, and every queue with its dead-letter queue."""
    topics, urls, queues, subscriptions, buckets, _ = await topology.all()
    assert sorted(topic.name for topic in TOPICS) == sorted(map(_name, topics))
    names = {name for queue in QUEUES for name in (queue.name, queue.dead_letter_name)}
    assert names == set(queues)
    assert sorted(topology.account.queue_urls.values()) == sorted(urls)
    assert {(each.topic.name, each.queue.name) for each in SUBSCRIPTIONS} == set(subscriptions)
    assert [topology.account.bucket] == buckets


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
async def test_a_queue_gives_up_on_a_message_and_keeps_it(topology: Topology, queue: Any) -> None:
    """After so many deliveries it goes to the dead-letter queue, which holds it as long as can be."""
    source, dead = await topology.queue(queue.name), await topology.queue(queue.dead_letter_name)
    assert str(queue.visibility_timeout_s) == source["VisibilityTimeout"]
    assert dead["QueueArn"] == source["RedrivePolicy"]["deadLetterTargetArn"]
    assert queue.max_receive_count == int(source["RedrivePolicy"]["maxReceiveCount"])
    assert "RedrivePolicy" not in dead  # or what nobody looked at would be lost
    assert int(source["MessageRetentionPeriod"]) < int(dead["MessageRetentionPeriod"]) == 14 * 24 * 3600


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
async def test_a_queue_takes_messages_of_its_own_topics_only(topology: Topology, queue: Any) -> None:
    """A topic of somebody else's that subscribes the queue gets nothing into it."""
    attributes = await topology.queue(queue.name)
    statement = attributes["Policy"]["Statement"]
    assert ("Allow", "sqs:SendMessage", attributes["QueueArn"]) == (
        statement["Effect"],
        statement["Action"],
        statement["Resource"],
    )
    expected = {topology.account.topic_arns[each.topic.name] for each in SUBSCRIPTIONS if each.queue == queue}
    assert expected == set(statement["Condition"]["ArnEquals"]["aws:SourceArn"])


@pytest.mark.parametrize(
    "subscription", SUBSCRIPTIONS, ids=lambda each: f"{each.topic.name} to {each.queue.name}"
)
async def test_a_subscription_filters_what_the_topology_says(
    topology: Topology, subscription: Subscription
) -> None:
    """By the type of the event; and what was published comes as it is, without an envelope of SNS's."""
    found = (await topology.subscriptions())[subscription.topic.name, subscription.queue.name]
    assert "true" == found["RawMessageDelivery"]
    expected = subscription.filter_policy
    assert (expected or {}) == json.loads(found.get("FilterPolicy") or "{}")


async def test_a_filter_comes_and_goes_with_the_topology(topology: Topology) -> None:
    """Over what an older one has left."""
    first, *others = SUBSCRIPTIONS
    key = first.topic.name, first.queue.name
    before = (await topology.subscriptions())[key]["SubscriptionArn"]
    for events in (None, first.delivered[:1], first.events):
        changed = replace(first, events=events)
        await topology.again(subscriptions=[changed, *others])
        found = (await topology.subscriptions())[key]
        assert (changed.filter_policy or {}) == json.loads(found.get("FilterPolicy") or "{}")
        assert before == found["SubscriptionArn"]  # a new one would be there beside the old


async def test_pictures_are_uploaded_from_the_origins_named_last(topology: Topology) -> None:
    """From anywhere where none is named."""
    origins = [rule["AllowedOrigins"] for rule in await topology.cors()]
    await topology.again(origins=["https://shop.example"])
    assert [["*"], ["https://shop.example"]] == [
        *origins,
        *(rule["AllowedOrigins"] for rule in await topology.cors()),
    ]


def _program(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)} | environment
    argv = [sys.executable, "-m", "backing.provision", *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=50)


async def test_the_program_provisions_the_account_of_the_environment(topology: Topology) -> None:
    """And prints where everything is, for other programs."""
    account = topology.account
    origin = "https://shop.example"
    done = await asyncio.to_thread(
        _program, account.environment, "--bucket", account.bucket, "--origin", origin
    )
    assert (0, "") == (done.returncode, done.stderr)
    expected = Provisioned(account.topic_arns, account.queue_urls, account.bucket)
    assert asdict(expected) == json.loads(done.stdout)
    assert [[origin]] == [rule["AllowedOrigins"] for rule in await topology.cors()]


def test_the_program_says_why_it_could_not() -> None:
    """In one line; nothing is printed that could be taken for an answer."""
    nowhere = aws_environment(f"http://{LOOPBACK}:{free_port()}") | {"AWS_MAX_ATTEMPTS": "1"}
    done = _program(nowhere)
    assert (1, "") == (done.returncode, done.stdout)
    (line,) = done.stderr.splitlines()
    assert line.startswith("the topology could not be provisioned: ")
