"""The messaging stack is the contracts' topology, safe by policy; and the cache, for services only."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.topology import QUEUES, SUBSCRIPTIONS, TOPICS, Queue, Subscription
from infra.template import Resource
from infra.testing import Deployment, ingress, named, statements

_TWO_WEEKS_S = 14 * 24 * 3600
_FOUR_DAYS_S = 4 * 24 * 3600

_PLAIN_HTTP = {"Bool": {"aws:SecureTransport": "false"}}


def undelivered_name(subscription: Subscription) -> str:
    """The queue for what a subscription could not deliver; to import it from the stack would start CDK."""
    return f"{subscription.topic.name}-to-{subscription.queue.name}-dlq"


# Of a queue, what could not be handled; of a subscription, what could not be delivered.
_DEAD_LETTERS = [
    *(queue.dead_letter_name for queue in QUEUES),
    *(undelivered_name(each) for each in SUBSCRIPTIONS),
]


def id_of(name: str) -> str:
    """The logical id of the topic or queue with that name."""
    return "".join(part.title() for part in name.split("-"))


def queue_named(deployment: Deployment, name: str) -> Resource:
    """The queue with that name in the contracts."""
    return named(deployment["messaging"], id_of(name))


def policy_of(deployment: Deployment, name: str) -> list[dict[str, Any]]:
    """The statements of the one policy that the queue with that name has."""
    (policy,) = [
        policy
        for policy in deployment["messaging"].resources("AWS::SQS::QueuePolicy")
        if f"${{{id_of(name)}}}" in policy.properties["Queues"]
    ]
    return statements(policy.properties["PolicyDocument"])


def senders(deployment: Deployment, name: str) -> set[str]:
    """The topics that a queue's policy lets in, all of them by SNS and to this queue only."""
    allowed = [each for each in policy_of(deployment, name) if each["Effect"] == "Allow"]
    for statement in allowed:
        assert {"Service": "sns.amazonaws.com"} == statement["Principal"]
        assert ["sqs:SendMessage"] == statement["Action"]
        assert [f"${{{id_of(name)}.Arn}}"] == statement["Resource"]
        assert {"ArnEquals"} == set(statement["Condition"])
    return {statement["Condition"]["ArnEquals"]["aws:SourceArn"] for statement in allowed}


# --- queues


def test_every_queue_of_the_topology_is_there_with_its_limits(anywhere: Deployment) -> None:
    """Visibility timeout and receive count are those that the services were tested with."""
    found = {
        queue.properties["QueueName"]: (
            queue.properties["VisibilityTimeout"],
            queue.properties["RedrivePolicy"]["maxReceiveCount"],
        )
        for queue in anywhere["messaging"].resources("AWS::SQS::Queue")
        if "RedrivePolicy" in queue.properties
    }
    prefix = f"mercato-{anywhere.name}"
    expected = {
        f"{prefix}-{queue.name}": (queue.visibility_timeout_s, queue.max_receive_count) for queue in QUEUES
    }
    assert expected == found


def test_the_limits_are_those_of_the_design(in_prod: Deployment) -> None:
    """Order 300 s/3 receives, payment 300 s/3, notification 60 s/5, inventory 180 s/3."""
    found = {
        queue.properties["QueueName"].removeprefix("mercato-prod-"): (
            queue.properties["VisibilityTimeout"],
            queue.properties["RedrivePolicy"]["maxReceiveCount"],
        )
        for queue in in_prod["messaging"].resources("AWS::SQS::Queue")
        if "RedrivePolicy" in queue.properties
    }
    assert {
        "order-processing-queue": (300, 3),
        "payment-processing-queue": (300, 3),
        "notification-queue": (60, 5),
        "inventory-update-queue": (180, 3),
    } == found


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_a_queue_hands_what_it_cannot_deliver_to_dead_letters_of_its_own(
    anywhere: Deployment, queue: Queue
) -> None:
    """One for all would not say who failed."""
    redrive = queue_named(anywhere, queue.name).properties["RedrivePolicy"]
    assert f"${{{id_of(queue.dead_letter_name)}.Arn}}" == redrive["deadLetterTargetArn"]


@pytest.mark.parametrize("name", _DEAD_LETTERS)
def test_dead_letters_are_kept_for_14_days(anywhere: Deployment, name: str) -> None:
    """As long as SQS keeps anything: somebody has to look, on the Monday after next at the latest."""
    assert _TWO_WEEKS_S == queue_named(anywhere, name).properties["MessageRetentionPeriod"]


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_a_message_is_not_kept_longer_in_its_queue_than_among_the_dead(
    anywhere: Deployment, queue: Queue
) -> None:
    """It takes its age along: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html"""
    assert _FOUR_DAYS_S == queue_named(anywhere, queue.name).properties["MessageRetentionPeriod"]


def test_there_are_no_queues_and_topics_but_those_of_the_topology(anywhere: Deployment) -> None:
    """What nobody publishes on or reads is paid for, and misleads."""
    messaging, prefix = anywhere["messaging"], f"mercato-{anywhere.name}-"
    queues = {queue.properties["QueueName"] for queue in messaging.resources("AWS::SQS::Queue")}
    assert {prefix + name for name in [*(queue.name for queue in QUEUES), *_DEAD_LETTERS]} == queues
    topics = {topic.properties["TopicName"] for topic in messaging.resources("AWS::SNS::Topic")}
    assert {prefix + topic.name for topic in TOPICS} == topics


def test_the_topics_are_those_of_the_design() -> None:
    """The tutorial's three, and those of stock and of accounts."""
    assert {
        "order-events",
        "payment-events",
        "notification-events",
        "inventory-events",
        "user-events",
    } == {topic.name for topic in TOPICS}


def test_consumers_are_told_of_messages_and_do_not_ask_all_the_time(anywhere: Deployment) -> None:
    """Long polling, as long as SQS can, unless a consumer says otherwise."""
    assert {20} == {
        queue_named(anywhere, queue.name).properties["ReceiveMessageWaitTimeSeconds"] for queue in QUEUES
    }


def test_messages_of_customers_outlive_the_stack_of_prod(anywhere: Deployment) -> None:
    """Orders that were paid for are in there."""
    expected = {"Retain"} if anywhere.name == "prod" else {"Delete"}
    assert expected == {
        queue.attributes["DeletionPolicy"] for queue in anywhere["messaging"].resources("AWS::SQS::Queue")
    }


# --- who may


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_a_queue_takes_messages_of_the_topics_that_it_subscribes_to_and_of_no_other(
    anywhere: Deployment, queue: Queue
) -> None:
    """The emulator lets everybody in; SQS lets in whom the policy names."""
    topics = {each.topic.name for each in SUBSCRIPTIONS if each.queue == queue}
    assert {f"${{{id_of(name)}}}" for name in topics} == senders(anywhere, queue.name)


@pytest.mark.parametrize("subscription", SUBSCRIPTIONS, ids=undelivered_name)
def test_what_a_topic_cannot_deliver_it_may_put_aside(
    anywhere: Deployment, subscription: Subscription
) -> None:
    """Else SNS drops it: the policy of the dead letters lets in this topic and no other."""
    expected = {f"${{{id_of(subscription.topic.name)}}}"}
    assert expected == senders(anywhere, undelivered_name(subscription))


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_nobody_sends_to_the_dead_letters_of_a_queue(anywhere: Deployment, queue: Queue) -> None:
    """SQS moves messages there by itself, and needs no right for it."""
    assert set() == senders(anywhere, queue.dead_letter_name)


@pytest.mark.parametrize("name", [queue.name for queue in QUEUES] + _DEAD_LETTERS)
def test_every_queue_refuses_plain_http(anywhere: Deployment, name: str) -> None:
    """To whomever it may be allowed otherwise."""
    (denied,) = [each for each in policy_of(anywhere, name) if each["Effect"] == "Deny"]
    assert {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": ["sqs:*"],
        "Resource": [f"${{{id_of(name)}.Arn}}"],
        "Condition": _PLAIN_HTTP,
    } == denied


def test_every_topic_refuses_plain_http(anywhere: Deployment) -> None:
    """And lets in nobody by itself: services publish by the rights of their roles."""
    policies = {
        topic: statements(policy.properties["PolicyDocument"])
        for policy in anywhere["messaging"].resources("AWS::SNS::TopicPolicy")
        for topic in policy.properties["Topics"]
    }
    expected = {
        topic: [
            {
                "Sid": "AllowPublishThroughSSLOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["sns:Publish"],
                "Resource": [topic],
                "Condition": _PLAIN_HTTP,
            }
        ]
        for topic in (f"${{{id_of(topic.name)}}}" for topic in TOPICS)
    }
    assert expected == policies


def test_queues_and_topics_are_encrypted_with_a_key_of_ours(anywhere: Deployment) -> None:
    """Whose policy says who may: SNS may not use that of SQS."""
    messaging = anywhere["messaging"]
    encrypted = [*messaging.resources("AWS::SQS::Queue"), *messaging.resources("AWS::SNS::Topic")]
    assert {"${Key.Arn}"} == {each.properties["KmsMasterKeyId"] for each in encrypted}


def test_sns_may_use_the_key_for_topics_of_this_account_only(anywhere: Deployment) -> None:
    """Without it nothing reaches a queue; without the condition anybody's topic could make it work."""
    owner, sns = statements(anywhere["messaging"].only("AWS::KMS::Key").properties["KeyPolicy"])
    assert "AWS" in owner["Principal"]
    assert {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": ["*"],
        "Condition": {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}},
    } == sns


# --- subscriptions


def subscription_of(deployment: Deployment, subscription: Subscription) -> dict[str, Any]:
    """The properties of a subscription of the topology."""
    (found,) = [
        each.properties
        for each in deployment["messaging"].resources("AWS::SNS::Subscription")
        if each.properties["TopicArn"] == f"${{{id_of(subscription.topic.name)}}}"
        and each.properties["Endpoint"] == f"${{{id_of(subscription.queue.name)}.Arn}}"
    ]
    return dict(found)


def test_the_subscriptions_are_those_of_the_topology(anywhere: Deployment) -> None:
    """No more and no fewer: each of them is looked at below."""
    assert len(SUBSCRIPTIONS) == len(list(anywhere["messaging"].resources("AWS::SNS::Subscription")))


@pytest.mark.parametrize("subscription", SUBSCRIPTIONS, ids=undelivered_name)
def test_a_subscription_is_as_the_topology_says(anywhere: Deployment, subscription: Subscription) -> None:
    """Filtered by the same events, delivered raw, and with a place for what cannot be delivered."""
    found = subscription_of(anywhere, subscription)
    # By attributes, which is SNS' default: https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering-scope.html
    assert (subscription.filter_policy, None) == (found.get("FilterPolicy"), found.get("FilterPolicyScope"))
    assert ("sqs", True) == (found["Protocol"], found["RawMessageDelivery"])
    undelivered = f"${{{id_of(undelivered_name(subscription))}.Arn}}"
    assert {"deadLetterTargetArn": undelivered} == found["RedrivePolicy"]


def test_a_filter_holds_no_more_than_sns_takes(anywhere: Deployment) -> None:
    """150 combinations of values: https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html"""
    for subscription in anywhere["messaging"].resources("AWS::SNS::Subscription"):
        policy = subscription.properties.get("FilterPolicy", {})
        assert 150 >= sum(len(values) for values in policy.values())


# --- cache


def test_the_cache_is_two_nodes_of_which_one_may_be_away(anywhere: Deployment) -> None:
    """In two zones, and the other takes over by itself."""
    cache = anywhere["messaging"].only("AWS::ElastiCache::ReplicationGroup").properties
    assert ("valkey", 2, True, True) == (
        cache["Engine"],
        cache["NumCacheClusters"],
        cache["AutomaticFailoverEnabled"],
        cache["MultiAZEnabled"],
    )


def test_the_cache_is_kept_five_times_and_tended_at_night(anywhere: Deployment) -> None:
    """Snapshots from 03:00 to 05:00, maintenance on Sunday from 05:00 to 07:00."""
    cache = anywhere["messaging"].only("AWS::ElastiCache::ReplicationGroup").properties
    assert (5, "03:00-05:00", "sun:05:00-sun:07:00") == (
        cache["SnapshotRetentionLimit"],
        cache["SnapshotWindow"],
        cache["PreferredMaintenanceWindow"],
    )


def test_the_cache_is_encrypted_and_asks_for_the_token_in_a_secret(anywhere: Deployment) -> None:
    """The template names the secret; what is in it CloudFormation puts in."""
    messaging = anywhere["messaging"]
    cache = messaging.only("AWS::ElastiCache::ReplicationGroup").properties
    assert (True, True) == (cache["TransitEncryptionEnabled"], cache["AtRestEncryptionEnabled"])
    secret = messaging.only("AWS::SecretsManager::Secret")
    assert "{{resolve:secretsmanager:${" + secret.id + "}:SecretString:::}}" == cache["AuthToken"]
    # 16 to 128 characters: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html
    generated = secret.properties["GenerateSecretString"]
    assert (64, True) == (generated["PasswordLength"], generated["ExcludePunctuation"])


def test_the_cache_is_reached_from_services_only(anywhere: Deployment) -> None:
    """On its port, where nothing goes out from."""
    messaging = anywhere["messaging"]
    cache = messaging.only("AWS::ElastiCache::ReplicationGroup").properties
    assert (["${CacheGroup.GroupId}"], 6379) == (cache["SecurityGroupIds"], cache["Port"])
    assert {(6379, "shared:Mesh")} == ingress(anywhere, "messaging:CacheGroup")
    subnets = messaging.only("AWS::ElastiCache::SubnetGroup")
    assert f"${{{subnets.id}}}" == cache["CacheSubnetGroupName"]
    assert [f"${{shared:VpcisolatedSubnet{zone}Subnet}}" for zone in (1, 2, 3)] == subnets.properties[
        "SubnetIds"
    ]
