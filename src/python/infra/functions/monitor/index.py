"""Looks each five minutes at how many requests failed at the load balancer, and tells of many."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from typing import Any

WINDOW = dt.timedelta(minutes=5)
# CloudWatch hears of a load balancer's minute some minutes after it: what is looked at sooner is never seen.
LATE = dt.timedelta(minutes=3)
MOST_FAILURES = 10


def handler(event: Mapping[str, Any], _: Any) -> dict[str, int]:
    """What Lambda calls; EventBridge's `event` says when it was due."""
    import boto3  # pants: no-infer-dep  # part of the runtime of Lambda

    return watch(
        due(event),
        boto3.client("cloudwatch"),
        boto3.client("sns"),
        load_balancer=os.environ["LOAD_BALANCER"],
        topic=os.environ["ALERT_TOPIC_ARN"],
        environment=os.environ["ENVIRONMENT"],
    )


def watch(
    due: dt.datetime, cloudwatch: Any, sns: Any, *, load_balancer: str, topic: str, environment: str
) -> dict[str, int]:
    """Count the 5XX of the last window that is whole at `due`, and tell `topic` of more than MOST_FAILURES.

    Those of the load balancer itself and those of the services count alike: the customer sees no difference.
    """
    # Of whole minutes: a part of one would be counted with this window and with the next.
    end = due.replace(second=0, microsecond=0) - LATE
    failures = sum(
        _count(cloudwatch, name, load_balancer, end)
        for name in ("HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count")
    )
    if failures > MOST_FAILURES:
        sns.publish(
            TopicArn=topic,
            Subject=f"Mercato {environment}: {failures} requests failed in {WINDOW.seconds // 60} minutes",
            Message=(
                f"{failures} requests were answered 5XX from {end - WINDOW:%H:%M} to {end:%H:%M} UTC. "
                f"More than {MOST_FAILURES} are reported. Look at the dashboard mercato-{environment}: which "
                "service answers with errors, and whether it was just deployed."
            ),
        )
    return {"failures": failures}


def _count(cloudwatch: Any, metric: str, load_balancer: str, end: dt.datetime) -> int:
    answer = cloudwatch.get_metric_statistics(
        Namespace="AWS/ApplicationELB",
        MetricName=metric,
        Dimensions=[{"Name": "LoadBalancer", "Value": load_balancer}],
        StartTime=end - WINDOW,
        EndTime=end,
        Period=WINDOW.seconds,
        Statistics=["Sum"],
    )
    return int(sum(point["Sum"] for point in answer["Datapoints"]))


def due(event: Mapping[str, Any]) -> dt.datetime:
    """When `event` was meant to happen: one that is tried again still speaks of the same five minutes."""
    return dt.datetime.fromisoformat(event["time"])
