"""What is watched: every alarm with its numbers, who is told, traces, the monitor, the dashboard."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts.services import SERVICES
from contracts.topology import QUEUES, SUBSCRIPTIONS, Queue
from infra.scaling.policy import load
from infra.template import Resource
from infra.testing import Deployment, dimensions, may, named, rights, statements

_DEAD_LETTERS = [
    *(queue.dead_letter_name for queue in QUEUES),
    *(f"{each.topic.name}-to-{each.queue.name}-dlq" for each in SUBSCRIPTIONS),
]


def alarms(deployment: Deployment) -> dict[tuple[str, tuple[str, ...]], Resource]:
    """The alarms of the stack, by metric and its dimensions' values without the environment's prefix."""
    prefix = f"mercato-{deployment.name}"
    return {
        (
            alarm.properties["MetricName"],
            tuple(value.removeprefix(f"{prefix}-") for value in dimensions(alarm.properties).values()),
        ): alarm
        for alarm in deployment["observability"].resources("AWS::CloudWatch::Alarm")
    }


def said(alarm: Resource) -> dict[str, Any]:
    """When an alarm goes off: `periods` on end of `period_s`."""
    properties = alarm.properties
    return {
        "statistic": properties.get("Statistic", properties.get("ExtendedStatistic")),
        "comparison": properties["ComparisonOperator"],
        "threshold": properties["Threshold"],
        "periods": properties["EvaluationPeriods"],
        "period_s": properties["Period"],
    }


# --- who is told


def test_somebody_is_told_by_mail_where_customers_would_notice(with_domain: Deployment) -> None:
    """Whom the context names."""
    subscription = with_domain["observability"].only("AWS::SNS::Subscription").properties
    assert {
        "Protocol": "email",
        "Endpoint": "oncall@mercato.example.com",
        "TopicArn": "${Alerts}",
    } == subscription


def test_in_dev_nobody_has_to_be_told(in_dev: Deployment) -> None:
    """The topic is there for who wants to hear."""
    assert [] == list(in_dev["observability"].resources("AWS::SNS::Subscription"))


def test_alarms_may_tell_the_topic(anywhere: Deployment) -> None:
    """Of this account, and by TLS: a topic with a policy lets in whom that names, and nobody else."""
    policy = anywhere["observability"].only("AWS::SNS::TopicPolicy").properties
    assert ["${Alerts}"] == policy["Topics"]
    denied, allowed = statements(policy["PolicyDocument"])
    assert {
        "Sid": "AllowPublishThroughSSLOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["sns:Publish"],
        "Resource": ["${Alerts}"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    } == denied
    assert {
        "Sid": "1",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": ["sns:Publish"],
        "Resource": ["${Alerts}"],
        "Condition": {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}},
    } == allowed


def test_alarms_may_use_the_key_of_the_topic(anywhere: Deployment) -> None:
    """CloudWatch encrypts what it tells by itself; what it may not, it drops without a word."""
    template = anywhere["observability"]
    topic = template.only("AWS::SNS::Topic").properties
    key = template.only("AWS::KMS::Key")
    assert (f"mercato-{anywhere.name}-alerts", f"${{{key.id}.Arn}}") == (
        topic["TopicName"],
        topic["KmsMasterKeyId"],
    )
    _, allowed = statements(key.properties["KeyPolicy"])
    assert {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": ["*"],
        "Condition": {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}},
    } == allowed


def test_every_alarm_tells_the_topic_of_both_its_ends(anywhere: Deployment) -> None:
    """Of whatever stack; but those that scale, and those of which a composite one is made."""
    topic = {"${Alerts}", "${observability:Alerts}"}
    silent = set()
    for stack, alarm in anywhere.resources():
        if alarm.type not in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"):
            continue
        actions = alarm.properties.get("AlarmActions", [])
        if not (topic & set(actions) and actions == alarm.properties.get("OKActions")):
            silent.add((stack, alarm.id))
    expected = {
        (service, f"ServiceObjective{speed}{window}")
        for service in SERVICES
        for speed in ("Fast", "Medium", "Slow")
        for window in ("Long", "Short")
    }
    for service in SERVICES:
        scaling = load(service)
        adds = {"Queue": scaling.queue, "Saturation": scaling.saturation}
        expected |= {
            (service, f"ServiceFargateTaskCountTarget{name}UpperAlarm") for name, each in adds.items() if each
        }
    assert expected == silent


def test_every_alarm_says_what_it_means(anywhere: Deployment) -> None:
    """To the one who is woken by it."""
    for stack, alarm in anywhere.resources():
        if alarm.type in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm") and (
            "OKActions" in alarm.properties
        ):
            assert len(alarm.properties["AlarmDescription"]) > 30, (stack, alarm.id)


# --- alarms


def test_there_is_no_alarm_but_those_below(anywhere: Deployment) -> None:
    """Two of the gateway, one of each queue's age, one of each queue of dead letters."""
    where = (f"mercato-{anywhere.name}", "v1")
    assert {
        ("5XXError", where),
        ("Latency", where),
        *(("ApproximateAgeOfOldestMessage", (queue.name,)) for queue in QUEUES),
        *(("ApproximateNumberOfMessagesVisible", (name,)) for name in _DEAD_LETTERS),
    } == set(alarms(anywhere))


def test_no_data_is_no_alarm(anywhere: Deployment) -> None:
    """A shop at night has no errors, and queues without messages no age."""
    assert {"notBreaching"} == {alarm.properties["TreatMissingData"] for alarm in alarms(anywhere).values()}


def test_ten_errors_of_the_gateway_twice_on_end_are_told_of(anywhere: Deployment) -> None:
    """In five minutes each."""
    alarm = alarms(anywhere)["5XXError", (f"mercato-{anywhere.name}", "v1")]
    assert {
        "statistic": "Sum",
        "comparison": "GreaterThanOrEqualToThreshold",
        "threshold": 10,
        "periods": 2,
        "period_s": 300,
    } == said(alarm)


@pytest.mark.parametrize("metric", ["5XXError", "Latency"])
def test_the_gateway_is_looked_at_by_its_name_and_stage(anywhere: Deployment, metric: str) -> None:
    """As API Gateway measures it."""
    properties = alarms(anywhere)[metric, (f"mercato-{anywhere.name}", "v1")].properties
    assert "AWS/ApiGateway" == properties["Namespace"]
    assert {"ApiName": f"mercato-{anywhere.name}", "Stage": "v1"} == dimensions(properties)


def test_a_slow_gateway_is_told_of(anywhere: Deployment) -> None:
    """One request in a hundred takes more than two seconds, for a quarter of an hour."""
    alarm = alarms(anywhere)["Latency", (f"mercato-{anywhere.name}", "v1")]
    assert {
        "statistic": "p99",
        "comparison": "GreaterThanThreshold",
        "threshold": 2000,
        "periods": 3,
        "period_s": 300,
    } == said(alarm)


def test_what_is_watched_is_what_the_gateway_is_called(anywhere: Deployment) -> None:
    """By its name, since it comes later: another name would be watched in vain."""
    gateway = anywhere["gateway"]
    assert (f"mercato-{anywhere.name}", "v1") == (
        gateway.only("AWS::ApiGateway::RestApi").properties["Name"],
        gateway.only("AWS::ApiGateway::Stage").properties["StageName"],
    )


@pytest.mark.parametrize("name", _DEAD_LETTERS)
def test_one_dead_letter_is_told_of(anywhere: Deployment, name: str) -> None:
    """Of each queue, and of each subscription, within a minute."""
    assert {
        "statistic": "Maximum",
        "comparison": "GreaterThanThreshold",
        "threshold": 0,
        "periods": 1,
        "period_s": 60,
    } == said(alarms(anywhere)["ApproximateNumberOfMessagesVisible", (name,)])


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_a_message_that_waits_for_long_is_told_of(anywhere: Deployment, queue: Queue) -> None:
    """Longer than it may be handled twice, for five minutes on end."""
    assert {
        "statistic": "Maximum",
        "comparison": "GreaterThanThreshold",
        "threshold": 2 * queue.visibility_timeout_s,
        "periods": 5,
        "period_s": 60,
    } == said(alarms(anywhere)["ApproximateAgeOfOldestMessage", (queue.name,)])


def test_the_queues_that_are_watched_are_there(anywhere: Deployment) -> None:
    """By their names, since no stack of the broker knows of alarms."""
    there = {queue.properties["QueueName"] for queue in anywhere["messaging"].resources("AWS::SQS::Queue")}
    watched = {
        dimensions(alarm.properties)["QueueName"]
        for alarm in anywhere["observability"].resources("AWS::CloudWatch::Alarm")
        if alarm.properties["Namespace"] == "AWS/SQS"
    }
    assert there == watched


# --- traces


def test_one_trace_in_ten_is_kept_and_one_a_second(anywhere: Deployment) -> None:
    """Whatever the service, host, method and path; after every rule that is more particular."""
    rule = anywhere["observability"].only("AWS::XRay::SamplingRule").properties["SamplingRule"]
    assert {
        "RuleName": f"mercato-{anywhere.name}",
        "FixedRate": 0.1,
        "ReservoirSize": 1,
        "Priority": 9000,
        "Version": 1,
        "ServiceName": "*",
        "ServiceType": "*",
        "Host": "*",
        "HTTPMethod": "*",
        "URLPath": "*",
        "ResourceARN": "*",
    } == rule


# --- monitor


def test_the_monitor_runs_every_five_minutes(anywhere: Deployment) -> None:
    """EventBridge may call it, by this rule, and tries again twice."""
    template = anywhere["observability"]
    rule = template.only("AWS::Events::Rule")
    assert ("rate(5 minutes)", "ENABLED") == (
        rule.properties["ScheduleExpression"],
        rule.properties["State"],
    )
    (target,) = rule.properties["Targets"]
    assert ("${MonitorFunction.Arn}", {"MaximumRetryAttempts": 2}) == (target["Arn"], target["RetryPolicy"])
    assert {
        "Action": "lambda:InvokeFunction",
        "FunctionName": "${MonitorFunction.Arn}",
        "Principal": "events.amazonaws.com",
        "SourceArn": f"${{{rule.id}.Arn}}",
    } == template.only("AWS::Lambda::Permission").properties


def test_the_monitor_is_told_what_to_look_at_and_whom_to_tell(anywhere: Deployment) -> None:
    """The load balancer by the name that its metrics have."""
    function = anywhere["observability"].only("AWS::Lambda::Function").properties
    assert {
        "LOAD_BALANCER": "${shared:LoadBalancer.LoadBalancerFullName}",
        "ALERT_TOPIC_ARN": "${Alerts}",
        "ENVIRONMENT": anywhere.name,
    } == function["Environment"]["Variables"]
    assert ("index.handler", 30, "${MonitorRole.Arn}", {"LogGroup": "${MonitorLogs}"}) == (
        function["Handler"],
        function["Timeout"],
        function["Role"],
        function["LoggingConfig"],
    )


def test_the_monitor_may_count_and_tell(anywhere: Deployment) -> None:
    """And write its log. To count knows no resources."""
    assert {
        *may("logs:CreateLogStream PutLogEvents", "${MonitorLogs.Arn}"),
        *may("sns:Publish", "${Alerts}"),
        *may("kms:GenerateDataKey Decrypt", "${Key.Arn}"),
        *may("cloudwatch:GetMetricStatistics", "*"),
    } == rights(anywhere["observability"], "MonitorRole")


# --- dashboard


def graphs(deployment: Deployment) -> dict[str, list[tuple[Any, ...]]]:
    """What each graph of the dashboard shows: metrics with their dimensions and statistic."""
    dashboard = named(deployment["observability"], "Dashboard").properties
    assert f"mercato-{deployment.name}" == dashboard["DashboardName"]
    return {
        widget["properties"]["title"]: [tuple(each) for each in widget["properties"]["metrics"]]
        for widget in json.loads(dashboard["DashboardBody"])["widgets"]
    }


def shown(graph: list[tuple[Any, ...]], prefix: str) -> list[tuple[str, ...]]:
    """Metrics by name, dimensions' values without the environment's prefix, and statistic."""
    return [
        (
            name,
            *(str(value).removeprefix(f"{prefix}-").removeprefix(prefix) for value in rest[1:-1:2]),
            rest[-1].get("stat", "Average"),
        )
        for _, name, *rest in graph
    ]


def test_the_dashboard_shows_the_gateway(anywhere: Deployment) -> None:
    """Requests, errors, latency."""
    found, prefix = graphs(anywhere), f"mercato-{anywhere.name}"
    assert [("Count", "", "v1", "Sum")] == shown(found["Gateway: requests"], prefix)
    assert [("4XXError", "", "v1", "Sum"), ("5XXError", "", "v1", "Sum")] == shown(
        found["Gateway: errors"], prefix
    )
    assert [("Latency", "", "v1", statistic) for statistic in ("p50", "p95", "p99")] == shown(
        found["Gateway: latency"], prefix
    )


@pytest.mark.parametrize("service", SERVICES)
def test_the_dashboard_shows_each_service(anywhere: Deployment, service: str) -> None:
    """CPU and memory, under the name that the service has in the cluster."""
    graph = graphs(anywhere)[f"{service.title()}: CPU and memory"]
    assert [
        ("CPUUtilization", "", service, "Average"),
        ("MemoryUtilization", "", service, "Average"),
    ] == shown(graph, f"mercato-{anywhere.name}")
    assert service == anywhere[service].only("AWS::ECS::Service").properties["ServiceName"]


def test_the_dashboard_shows_the_cluster(anywhere: Deployment) -> None:
    """By Container Insights: ECS' own metrics of a cluster are of EC2 instances, which there are none of."""
    graph = graphs(anywhere)["Cluster: CPU and memory"]
    expressions = [each[0]["expression"] for each in graph if isinstance(each[0], dict)]
    assert ["100 * usedCpu / reservedCpu", "100 * usedMemory / reservedMemory"] == expressions
    assert {
        ("ECS/ContainerInsights", name, "ClusterName", f"mercato-{anywhere.name}", variable)
        for name, variable in {
            "CpuUtilized": "usedCpu",
            "CpuReserved": "reservedCpu",
            "MemoryUtilized": "usedMemory",
            "MemoryReserved": "reservedMemory",
        }.items()
    } == {(*each[:4], each[4]["id"]) for each in graph if not isinstance(each[0], dict)}


def test_the_dashboard_shows_the_load_balancer(anywhere: Deployment) -> None:
    """How much it does, and how much of it goes wrong."""
    balancer = "${shared:LoadBalancer.LoadBalancerFullName}"
    assert [
        (name, balancer, "Sum")
        for name in ("RequestCount", "HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count")
    ] == shown(graphs(anywhere)["Load balancer"], f"mercato-{anywhere.name}")


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_the_dashboard_shows_each_queue(anywhere: Deployment, queue: Queue) -> None:
    """What waits, and what came."""
    assert [
        ("ApproximateNumberOfMessagesVisible", queue.name, "Maximum"),
        ("NumberOfMessagesSent", queue.name, "Sum"),
    ] == shown(graphs(anywhere)[queue.name], f"mercato-{anywhere.name}")


@pytest.mark.parametrize(
    ("title", "event"),
    [
        ("Orders created", "ORDER_CREATED"),
        ("Users registered", "USER_REGISTERED"),
        ("Payments processed", "PAYMENT_COMPLETED"),
    ],
)
def test_the_dashboard_shows_the_business(anywhere: Deployment, title: str, event: str) -> None:
    """What the services count, by the collector's namespace and dimension."""
    ((namespace, name, dimension, value, options),) = graphs(anywhere)[title]
    assert ("Microservices/Business", "events.published", "event_type", event, "Sum") == (
        namespace,
        name,
        dimension,
        value,
        options["stat"],
    )


def test_what_the_dashboard_counts_is_published(anywhere: Deployment) -> None:
    """An event of another name would be counted as none."""
    routed = {
        event
        for subscription in SUBSCRIPTIONS
        for events in (subscription.filter_policy or {}).values()
        for event in events
    }
    counted = {
        graphs(anywhere)[title][0][3]
        for title in ("Orders created", "Users registered", "Payments processed")
    }
    assert set() == counted - routed
