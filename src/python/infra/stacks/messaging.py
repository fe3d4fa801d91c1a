"""The broker: topics, queues and subscriptions of the contracts' topology; and the cache."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, SecretValue
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from contracts.topology import QUEUES, SUBSCRIPTIONS, TOPICS, Queue, Subscription, Topic
from infra.environment import Environment
from infra.nag import acknowledge
from infra.stacks.shared import SharedStack
from infra.stacks.stack import MercatoStack

CACHE_PORT = 6379
_TWO_WEEKS = Duration.days(14)


class MessagingStack(MercatoStack):
    """Everything by which services hear of each other without calling."""

    def __init__(self, scope: Construct, environment: Environment, shared: SharedStack) -> None:
        super().__init__(scope, "messaging", environment, "Mercato: topics, queues, subscriptions, cache")
        self.key = self._key()
        # By its address: to the key itself CDK would add that SNS may use it, for whomever.
        self._key_of_queues = kms.Key.from_key_arn(self, "KeyOfQueues", self.key.key_arn)
        self.topics = {topic: self._topic(topic) for topic in TOPICS}
        self.queues = {queue: self._queue(queue) for queue in QUEUES}
        for subscription in SUBSCRIPTIONS:
            self._subscribe(subscription)
        self._cache(shared)

    def _key(self) -> kms.Key:
        key = kms.Key(
            self, "Key", description="Encrypts topics and queues", enable_key_rotation=True, alias=None
        )
        # A topic hands on to a queue that is encrypted with this key:
        # https://docs.aws.amazon.com/sns/latest/dg/sns-enable-encryption-for-topic-sqs-queue-subscriptions.html
        key.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["kms:GenerateDataKey*", "kms:Decrypt"],
                principals=[iam.ServicePrincipal("sns.amazonaws.com")],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        return key

    def _topic(self, topic: Topic) -> sns.Topic:
        return sns.Topic(
            self,
            _id(topic.name),
            topic_name=f"{self.environment_.prefix}-{topic.name}",
            master_key=self.key,
            enforce_ssl=True,
        )

    def _encrypted_queue(self, name: str, **options: object) -> sqs.Queue:
        return sqs.Queue(
            self,
            _id(name),
            queue_name=f"{self.environment_.prefix}-{name}",
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=self._key_of_queues,
            # A data key serves for five minutes: fewer calls of KMS, which charges for each.
            data_key_reuse=Duration.minutes(5),
            enforce_ssl=True,
            removal_policy=RemovalPolicy.RETAIN if self.environment_.is_prod else RemovalPolicy.DESTROY,
            **options,  # type: ignore[arg-type]
        )

    def _queue(self, queue: Queue) -> sqs.Queue:
        dead_letters = self._encrypted_queue(queue.dead_letter_name, retention_period=_TWO_WEEKS)
        return self._encrypted_queue(
            queue.name,
            visibility_timeout=Duration.seconds(queue.visibility_timeout_s),
            # Shorter than that of the dead letters, where a message keeps the age it has.
            retention_period=Duration.days(4),
            receive_message_wait_time=Duration.seconds(20),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=dead_letters, max_receive_count=queue.max_receive_count
            ),
        )

    def _subscribe(self, subscription: Subscription) -> None:
        policy = subscription.filter_policy
        # What SNS cannot deliver, since a key or a policy is wrong, is kept and not lost.
        undelivered = self._encrypted_queue(undelivered_name(subscription), retention_period=_TWO_WEEKS)
        acknowledge(undelivered, {"SQS3": "it is a dead-letter queue"})
        self.topics[subscription.topic].add_subscription(
            subscriptions.SqsSubscription(
                self.queues[subscription.queue],
                raw_message_delivery=True,
                dead_letter_queue=undelivered,
                filter_policy=None
                if policy is None
                else {
                    attribute: sns.SubscriptionFilter.string_filter(allowlist=values)
                    for attribute, values in policy.items()
                },
            )
        )

    def _cache(self, shared: SharedStack) -> None:
        group = ec2.SecurityGroup(
            self, "CacheGroup", vpc=shared.vpc, description="The cache", allow_all_outbound=False
        )
        group.add_ingress_rule(shared.mesh, ec2.Port.tcp(CACHE_PORT), "services")
        self.cache_token = secretsmanager.Secret(
            self,
            "CacheToken",
            description="AUTH token of the cache",
            # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html#auth-overview
            generate_secret_string=secretsmanager.SecretStringGenerator(
                exclude_punctuation=True, password_length=64
            ),
        )
        acknowledge(
            self.cache_token,
            {"SMG4": "a rotation must change cache and secret in one: the page on deploying says how"},
        )
        subnets = elasticache.CfnSubnetGroup(
            self,
            "CacheSubnets",
            description="Where the cache is",
            subnet_ids=shared.vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED).subnet_ids,
        )
        cache = elasticache.CfnReplicationGroup(
            self,
            "Cache",
            replication_group_description="Products as they are read most",
            engine="valkey",
            engine_version="8.1",
            cache_node_type="cache.t4g.micro",
            num_cache_clusters=2,
            automatic_failover_enabled=True,
            multi_az_enabled=True,
            port=CACHE_PORT,
            cache_subnet_group_name=subnets.ref,
            security_group_ids=[group.security_group_id],
            snapshot_retention_limit=5,
            snapshot_window="03:00-05:00",
            preferred_maintenance_window="sun:05:00-sun:07:00",
            transit_encryption_enabled=True,
            at_rest_encryption_enabled=True,
            auth_token=SecretValue.secrets_manager(self.cache_token.secret_arn).unsafe_unwrap(),
        )
        cache.apply_removal_policy(RemovalPolicy.SNAPSHOT)
        acknowledge(
            cache,
            {"AEC5": "only the services' tasks reach the port, whatever its number, and with a token"},
        )
        # With one shard there is no configuration endpoint.
        self.cache_host = cache.attr_primary_end_point_address


def undelivered_name(subscription: Subscription) -> str:
    """The name of the queue that takes what a subscription could not deliver."""
    return f"{subscription.topic.name}-to-{subscription.queue.name}-dlq"


def _id(name: str) -> str:
    return "".join(part.title() for part in name.split("-"))
