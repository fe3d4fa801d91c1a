"""What is watched: the alert topic, alarms on gateway and queues, tracing, dashboard, monitoring function.

It knows services, queues and gateway by their names and not as resources: they come after it, since their own
alarms tell its topic.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_xray as xray
from constructs import Construct

from contracts.services import SERVICES
from contracts.topology import QUEUES, SUBSCRIPTIONS
from infra.constructs.alarms import ABOVE, AT_LEAST, MINUTE, alarm
from infra.constructs.function import Function
from infra.constructs.service import SAMPLED
from infra.environment import Environment
from infra.nag import ANY_RESOURCE, acknowledge
from infra.stacks.gateway import STAGE
from infra.stacks.messaging import undelivered_name
from infra.stacks.shared import SharedStack
from infra.stacks.stack import MercatoStack

BUSINESS = "Microservices/Business"
# What the dashboard says, and the events that are counted for it.
_BUSINESS_EVENTS = {
    "orders created": "ORDER_CREATED",
    "users registered": "USER_REGISTERED",
    "payments processed": "PAYMENT_COMPLETED",
}


class ObservabilityStack(MercatoStack):
    """Deployed before the services, whose alarms tell `alerts`."""

    def __init__(self, scope: Construct, environment: Environment, shared: SharedStack) -> None:
        super().__init__(scope, "observability", environment, "Mercato: alarms, tracing, dashboard")
        self._shared = shared
        self.alerts = self._topic()
        self.gateway_errors = self._gateway_alarms()
        self._queue_alarms()
        self._tracing()
        self._monitor()
        self._dashboard()

    def _topic(self) -> sns.Topic:
        key = kms.Key(self, "Key", description="Encrypts alerts", enable_key_rotation=True)
        # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
        key.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["kms:GenerateDataKey*", "kms:Decrypt"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        topic = sns.Topic(
            self,
            "Alerts",
            topic_name=f"{self.environment_.prefix}-alerts",
            master_key=key,
            enforce_ssl=True,
        )
        # A policy that refuses plain HTTP takes the place of that by which the account may publish:
        # https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        if self.environment_.alert_email:
            topic.add_subscription(subscriptions.EmailSubscription(self.environment_.alert_email))
        self._key = key
        return topic

    # --- alarms

    def _gateway_alarms(self) -> cloudwatch.Alarm:
        alarm(
            self,
            "GatewayLatency",
            self._gateway("Latency", "p99", Duration.minutes(5)),
            ABOVE,
            2000,
            periods=3,
            description="One request in a hundred takes more than 2 s, as the gateway measures it",
            topic=self.alerts,
        )
        return alarm(
            self,
            "GatewayErrors",
            self._gateway("5XXError", "Sum", Duration.minutes(5)),
            AT_LEAST,
            10,
            periods=2,
            description="The gateway answers with 5XX: services are away, or the link to them is",
            topic=self.alerts,
        )

    def _queue_alarms(self) -> None:
        for queue in QUEUES:
            self._dead_letter_alarm(queue.dead_letter_name, "could not be handled")
            alarm(
                self,
                f"{queue.name}-age",
                self._queue(queue.name, "ApproximateAgeOfOldestMessage", "Maximum"),
                ABOVE,
                2 * queue.visibility_timeout_s,
                periods=5,
                description=(
                    f"The oldest message of {queue.name} waits longer than two of its visibility timeouts: "
                    f"{queue.consumer} is too slow, or fails"
                ),
                topic=self.alerts,
            )
        for subscription in SUBSCRIPTIONS:
            self._dead_letter_alarm(undelivered_name(subscription), "could not be delivered")

    def _dead_letter_alarm(self, name: str, what: str) -> None:
        alarm(
            self,
            f"{name}-filled",
            self._queue(name, "ApproximateNumberOfMessagesVisible", "Maximum"),
            ABOVE,
            0,
            periods=1,
            description=f"A message {what} and lies in {name}: the page on operations says what to do",
            topic=self.alerts,
        )

    def _tracing(self) -> None:
        xray.CfnSamplingRule(
            self,
            "Sampling",
            sampling_rule=xray.CfnSamplingRule.SamplingRuleProperty(
                rule_name=self.environment_.prefix,
                fixed_rate=SAMPLED,
                reservoir_size=1,
                priority=9000,
                version=1,
                service_name="*",
                service_type="*",
                host="*",
                http_method="*",
                url_path="*",
                resource_arn="*",
            ),
        )

    def _monitor(self) -> None:
        load_balancer = self._shared.load_balancer.load_balancer_full_name
        monitor = Function(
            self,
            "Monitor",
            "monitor",
            description="Tells of requests that failed at the load balancer",
            timeout=Duration.seconds(30),
            environment={
                "LOAD_BALANCER": load_balancer,
                "ALERT_TOPIC_ARN": self.alerts.topic_arn,
                "ENVIRONMENT": self.environment_.name,
            },
            statements=[
                iam.PolicyStatement(actions=["sns:Publish"], resources=[self.alerts.topic_arn]),
                iam.PolicyStatement(
                    actions=["kms:GenerateDataKey", "kms:Decrypt"], resources=[self._key.key_arn]
                ),
                # CloudWatch knows no resources; to read counts is all that it is.
                # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
                iam.PolicyStatement(actions=["cloudwatch:GetMetricStatistics"], resources=["*"]),
            ],
            logs_key=self._shared.logs_key,
        )
        acknowledge(monitor, {ANY_RESOURCE: "CloudWatch's action knows no resources, and only reads"})
        events.Rule(
            self,
            "EachFiveMinutes",
            schedule=events.Schedule.rate(Duration.minutes(5)),
            targets=[targets.LambdaFunction(monitor.function, retry_attempts=2)],
        )

    # --- dashboard

    def _dashboard(self) -> None:
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=self.environment_.prefix)
        dashboard.add_widgets(
            _graph("Gateway: requests", [self._gateway("Count", "Sum", MINUTE)]),
            _graph(
                "Gateway: errors",
                [self._gateway(name, "Sum", MINUTE) for name in ("4XXError", "5XXError")],
            ),
            _graph(
                "Gateway: latency",
                [self._gateway("Latency", statistic, MINUTE) for statistic in ("p50", "p95", "p99")],
            ),
        )
        dashboard.add_widgets(
            *(
                _graph(
                    f"{service.title()}: CPU and memory",
                    [self._service(service, name) for name in ("CPUUtilization", "MemoryUtilization")],
                )
                for service in SERVICES
            ),
            _graph(
                "Cluster: CPU and memory",
                [self._cluster(resource) for resource in ("Cpu", "Memory")],
            ),
        )
        dashboard.add_widgets(
            _graph("Load balancer", self._load_balancer()),
            *(
                _graph(
                    queue.name,
                    [
                        self._queue(queue.name, "ApproximateNumberOfMessagesVisible", "Maximum"),
                        self._queue(queue.name, "NumberOfMessagesSent", "Sum"),
                    ],
                )
                for queue in QUEUES
            ),
        )
        dashboard.add_widgets(
            *(
                _graph(title.capitalize(), [self._business(event_type)])
                for title, event_type in _BUSINESS_EVENTS.items()
            )
        )

    def _gateway(self, name: str, statistic: str, period: Duration) -> cloudwatch.Metric:
        dimensions = {"ApiName": self.environment_.prefix, "Stage": STAGE}
        return _metric("AWS/ApiGateway", name, dimensions, statistic, period)

    def _queue(self, queue: str, name: str, statistic: str) -> cloudwatch.Metric:
        return _metric(
            "AWS/SQS", name, {"QueueName": f"{self.environment_.prefix}-{queue}"}, statistic, MINUTE
        )

    def _service(self, service: str, name: str) -> cloudwatch.Metric:
        dimensions = {"ClusterName": self.environment_.prefix, "ServiceName": service}
        return _metric("AWS/ECS", name, dimensions, "Average", MINUTE)

    def _cluster(self, resource: str) -> cloudwatch.IMetric:
        """What all tasks use of what they have. ECS' own metric of a cluster is of EC2 instances only:
        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
        """
        used, reserved = (
            _metric(
                "ECS/ContainerInsights",
                f"{resource}{what}",
                {"ClusterName": self.environment_.prefix},
                "Sum",
                MINUTE,
            )
            for what in ("Utilized", "Reserved")
        )
        used_id, reserved_id = f"used{resource}", f"reserved{resource}"
        return cloudwatch.MathExpression(
            expression=f"100 * {used_id} / {reserved_id}",
            using_metrics={used_id: used, reserved_id: reserved},
            label=f"{resource.upper() if resource == 'Cpu' else resource} in percent",
            period=MINUTE,
        )

    def _load_balancer(self) -> list[cloudwatch.Metric]:
        dimensions = {"LoadBalancer": self._shared.load_balancer.load_balancer_full_name}
        counts = ("RequestCount", "HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count")
        return [_metric("AWS/ApplicationELB", name, dimensions, "Sum", MINUTE) for name in counts]

    def _business(self, event_type: str) -> cloudwatch.Metric:
        return _metric(BUSINESS, "events.published", {"event_type": event_type}, "Sum", MINUTE)


def _metric(
    namespace: str, name: str, dimensions: dict[str, str], statistic: str, period: Duration
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace, metric_name=name, dimensions_map=dimensions, statistic=statistic, period=period
    )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=8)
