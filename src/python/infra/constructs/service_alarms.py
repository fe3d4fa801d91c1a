"""What of every service is watched: its latency, its tasks, and the errors that its objective allows."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.alarms import ABOVE, BELOW, MINUTE, alarm
from infra.constructs.slo import BurnRateAlarms

OBJECTIVE = 0.999


def watch(
    scope: Construct,
    *,
    service: str,
    cluster: str,
    load_balancer: elbv2.ApplicationLoadBalancer,
    target_groups: Sequence[elbv2.ApplicationTargetGroup],
    alerts: sns.ITopic,
) -> None:
    """Tell `alerts` of trouble with `service`, whichever of `target_groups` has the traffic."""

    def of_requests(name: str, statistic: str) -> cloudwatch.IMetric:
        return _balancer_metric(name, statistic, load_balancer, target_groups)

    alarm(
        scope,
        "LatencyHigh",
        of_requests("TargetResponseTime", "p99"),
        ABOVE,
        1,
        periods=3,
        description=f"{service} needs more than 1 s for one in a hundred requests",
        topic=alerts,
    )
    alarm(
        scope,
        "TasksMissing",
        cloudwatch.MathExpression(
            expression="running - desired",
            using_metrics={
                "running": _insight("RunningTaskCount", cluster, service),
                "desired": _insight("DesiredTaskCount", cluster, service),
            },
            period=MINUTE,
        ),
        BELOW,
        0,
        periods=10,
        description=f"{service} has had too few tasks for ten minutes: they do not start, or die",
        topic=alerts,
    )
    BurnRateAlarms(
        scope,
        "Objective",
        service=service,
        objective=OBJECTIVE,
        failed=of_requests("HTTPCode_Target_5XX_Count", "Sum"),
        requests=of_requests("RequestCount", "Sum"),
        alerts=alerts,
    )


def _balancer_metric(
    name: str,
    statistic: str,
    load_balancer: elbv2.ApplicationLoadBalancer,
    target_groups: Sequence[elbv2.ApplicationTargetGroup],
) -> cloudwatch.IMetric:
    metrics = {
        f"in_{index}_{name}": cloudwatch.Metric(
            namespace="AWS/ApplicationELB",
            metric_name=name,
            dimensions_map={
                "LoadBalancer": load_balancer.load_balancer_full_name,
                "TargetGroup": group.target_group_full_name,
            },
            statistic=statistic,
        )
        for index, group in enumerate(target_groups)
    }
    if len(metrics) == 1:
        return next(iter(metrics.values()))
    together = "SUM" if statistic == "Sum" else "MAX"
    return cloudwatch.MathExpression(expression=f"{together}([{', '.join(metrics)}])", using_metrics=metrics)


def _insight(name: str, cluster: str, service: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="ECS/ContainerInsights",
        metric_name=name,
        dimensions_map={"ClusterName": cluster, "ServiceName": service},
        statistic="Average",
        period=MINUTE,
    )
