"""Creates the topology in an AWS account: topics, queues and dead-letter queues, subscriptions, bucket.

As a program (`python -m backing.provision`) it provisions the account that the environment names and prints
what it made as JSON. Running it again changes what differs and nothing else.
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
from contracts.topology import QUEUES, SUBSCRIPTIONS, TOPICS, Queue, Subscription, Topic

IMAGES_BUCKET = "mercato-product-images"

# One for all calls: it keeps the descriptions of the services, which take long to read.
_session = get_session()

_TWO_WEEKS_S = 14 * 24 * 3600
_NO_FILTER = "{}"


async def provision(
    *,
    bucket: str = IMAGES_BUCKET,
    origins: Sequence[str] = ("*",),
    topics: Sequence[Topic] = TOPICS,
    queues: Sequence[Queue] = QUEUES,
    subscriptions: Sequence[Subscription] = SUBSCRIPTIONS,
    **client_options: Any,
) -> Provisioned:
    """Create what is missing and set what differs.

    `origins` are the web origins from which browsers may upload to the bucket. `client_options` go to the
    AWS clients (`endpoint_url`, `region_name`, credentials); what they leave open comes by the usual chain.
    Raises botocore's ClientError or BotoCoreError.
    """
    async with AsyncExitStack() as stack:
        sns, sqs, s3 = [
            await stack.enter_async_context(_session.create_client(service, **client_options))
            for service in ("sns", "sqs", "s3")
        ]
        topic_arns, queue_urls, _ = await asyncio.gather(
            _create_topics(sns, topics), _create_queues(sqs, queues), _create_bucket(s3, bucket, origins)
        )
        queue_arns = dict(
            zip(
                queue_urls,
                await asyncio.gather(*(_arn(sqs, url) for url in queue_urls.values())),
                strict=True,
            )
        )
        await asyncio.gather(
            *(_configure(sqs, queue, queue_urls, queue_arns, topic_arns, subscriptions) for queue in queues),
            *(
                _subscribe(
                    sns,
                    topic_arns[subscription.topic.name],
                    queue_arns[subscription.queue.name],
                    subscription,
                )
                for subscription in subscriptions
            ),
        )
    return Provisioned(topic_arns, queue_urls, bucket)


async def _create_topics(sns: Any, topics: Sequence[Topic]) -> dict[str, str]:
    answers = await asyncio.gather(*(sns.create_topic(Name=topic.name) for topic in topics))
    return {topic.name: answer["TopicArn"] for topic, answer in zip(topics, answers, strict=True)}


async def _create_queues(sqs: Any, queues: Sequence[Queue]) -> dict[str, str]:
    names = [name for queue in queues for name in (queue.name, queue.dead_letter_name)]
    # Without attributes an existing queue is simply found; they are set in a second step.
    answers = await asyncio.gather(*(sqs.create_queue(QueueName=name) for name in names))
    return {name: answer["QueueUrl"] for name, answer in zip(names, answers, strict=True)}


async def _arn(sqs: Any, url: str) -> str:
    answer = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


async def _configure(
    sqs: Any,
    queue: Queue,
    urls: dict[str, str],
    arns: dict[str, str],
    topic_arns: dict[str, str],
    subscriptions: Sequence[Subscription],
) -> None:
    sources = [topic_arns[each.topic.name] for each in subscriptions if each.queue == queue]
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arns[queue.name],
            "Condition": {"ArnEquals": {"aws:SourceArn": sources}},
        },
    }
    redrive = {
        "deadLetterTargetArn": arns[queue.dead_letter_name],
        "maxReceiveCount": queue.max_receive_count,
    }
    await asyncio.gather(
        sqs.set_queue_attributes(
            QueueUrl=urls[queue.name],
            Attributes={
                "VisibilityTimeout": str(queue.visibility_timeout_s),
                "RedrivePolicy": json.dumps(redrive),
                "Policy": json.dumps(policy),
            },
        ),
        # A message keeps the age it has: the dead-letter queue must hold it longer than its source.
        sqs.set_queue_attributes(
            QueueUrl=urls[queue.dead_letter_name],
            Attributes={"MessageRetentionPeriod": str(_TWO_WEEKS_S)},
        ),
    )


async def _subscribe(sns: Any, topic_arn: str, queue_arn: str, subscription: Subscription) -> None:
    attributes = {"RawMessageDelivery": "true"}
    if subscription.filter_policy is not None:
        attributes["FilterPolicy"] = json.dumps(subscription.filter_policy)
    try:
        answer = await sns.subscribe(
            TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, Attributes=attributes
        )
        if subscription.filter_policy is None:
            # To be given none is no difference to a subscription that exists: an older filter would stay.
            await sns.set_subscription_attributes(
                SubscriptionArn=answer["SubscriptionArn"],
                AttributeName="FilterPolicy",
                AttributeValue=_NO_FILTER,
            )
    except ClientError as error:
        # It exists with other attributes: an older topology.
        if error.response["Error"]["Code"] not in ("InvalidParameter", "InvalidParameterException"):
            raise
        arn = await _subscription_arn(sns, topic_arn, queue_arn)
        for name, value in ({"FilterPolicy": _NO_FILTER} | attributes).items():
            await sns.set_subscription_attributes(
                SubscriptionArn=arn, AttributeName=name, AttributeValue=value
            )


async def _subscription_arn(sns: Any, topic_arn: str, queue_arn: str) -> str:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    async for page in pages:
        for found in page["Subscriptions"]:
            if found["Endpoint"] == queue_arn:
                return str(found["SubscriptionArn"])
    raise LookupError(f"{topic_arn} refuses a subscription of {queue_arn} and does not list one")


async def _create_bucket(s3: Any, bucket: str, origins: Sequence[str]) -> None:
    region = s3.meta.region_name
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        await s3.create_bucket(Bucket=bucket, **where)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise
    rule = {
        "AllowedOrigins": list(origins),
        "AllowedMethods": ["GET", "HEAD", "PUT", "POST"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 3600,
    }
    await s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})


def main() -> int:
    """Provision the account of the environment, and print where everything is."""
    parser = argparse.ArgumentParser(prog="python -m backing.provision", description=main.__doc__)
    parser.add_argument("--bucket", default=IMAGES_BUCKET, help="the bucket for product images (%(default)s)")
    parser.add_argument(
        "--origin", action="append", help="a web origin that may upload images (default: any)"
    )
    arguments = parser.parse_args()
    try:
        made = asyncio.run(provision(bucket=arguments.bucket, origins=arguments.origin or ["*"]))
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"the topology could not be provisioned: {error}\n")
        return 1
    sys.stdout.write(json.dumps(asdict(made)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
