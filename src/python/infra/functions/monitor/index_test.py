"""The monitor: how many failures it tells of, of which five minutes, and what it says."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from infra.functions.monitor import index

BALANCER = "app/mercato-prod/50dc6c495c0c9188"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:mercato-prod-alerts"
NOON = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
OF_BALANCER, OF_SERVICES = "HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count"


class CloudWatch:
    """Counts failures by the minute, and sums them over periods.

    The first begins with the minute of the start; the last is the one that begins before the end, and is
    whole: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
    """

    def __init__(self) -> None:
        self.failures: dict[tuple[str, str, dt.datetime], int] = {}

    def fail(self, metric: str, minute: dt.datetime, count: int, balancer: str = BALANCER) -> CloudWatch:
        """Count failures of that minute."""
        self.failures[metric, balancer, minute] = count
        return self

    def get_metric_statistics(self, **asked: Any) -> dict[str, Any]:
        """A point for each period in which there was anything."""
        assert ("AWS/ApplicationELB", ["Sum"]) == (asked["Namespace"], asked["Statistics"])
        (dimension,) = asked["Dimensions"]
        assert "LoadBalancer" == dimension["Name"]
        start = asked["StartTime"].replace(second=0, microsecond=0)
        points = []
        while start < asked["EndTime"]:
            end = start + dt.timedelta(seconds=asked["Period"])
            counts = [
                count
                for (metric, balancer, minute), count in self.failures.items()
                if (metric, balancer) == (asked["MetricName"], dimension["Value"]) and start <= minute < end
            ]
            if counts:
                points.append({"Timestamp": start, "Sum": float(sum(counts)), "Unit": "Count"})
            start = end
        return {"Datapoints": points}


class Sns:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.published: list[dict[str, str]] = []

    def publish(self, **message: str) -> None:
        """Keep it."""
        self.published.append(message)


def told(cloudwatch: CloudWatch, due: dt.datetime = NOON) -> tuple[int, list[dict[str, str]]]:
    """How many failures are found, and what is published."""
    sns = Sns()
    found = index.watch(due, cloudwatch, sns, load_balancer=BALANCER, topic=TOPIC, environment="prod")
    return found["failures"], sns.published


@pytest.mark.parametrize(("failures", "published"), [(0, 0), (1, 0), (10, 0), (11, 1), (5000, 1)])
def test_more_than_ten_failures_are_told_of(failures: int, published: int) -> None:
    """Ten are not."""
    found, messages = told(CloudWatch().fail(OF_SERVICES, NOON - 5 * MINUTE, failures))
    assert (failures, published) == (found, len(messages))


def test_failures_of_the_load_balancer_and_of_services_count_alike() -> None:
    """Six and five are eleven: the customer sees no difference."""
    cloudwatch = CloudWatch().fail(OF_BALANCER, NOON - 4 * MINUTE, 6).fail(OF_SERVICES, NOON - 6 * MINUTE, 5)
    found, messages = told(cloudwatch)
    assert (11, 1) == (found, len(messages))


def test_nothing_reported_is_nothing_failed() -> None:
    """CloudWatch has no point where nothing was counted."""
    assert (0, []) == told(CloudWatch())


def test_what_another_load_balancer_failed_at_is_not_told_of() -> None:
    """There is one in each environment of the account."""
    cloudwatch = CloudWatch().fail(OF_SERVICES, NOON - 5 * MINUTE, 100, "app/mercato-dev/1")
    assert (0, []) == told(cloudwatch)


@pytest.mark.parametrize(
    ("minute", "counts"),
    [(-9, False), (-8, True), (-7, True), (-4, True), (-3, False), (-1, False), (0, False)],
)
def test_five_minutes_are_looked_at_that_ended_three_minutes_ago(minute: int, counts: bool) -> None:
    """CloudWatch does not know of the last ones yet: they are in the window of the next time."""
    found, _ = told(CloudWatch().fail(OF_SERVICES, NOON + minute * MINUTE, 1))
    assert counts == bool(found)


@pytest.mark.parametrize("seconds", [0, 1, 27, 59])
def test_every_minute_is_looked_at_once(seconds: int) -> None:
    """Whatever second the rule is due at."""
    cloudwatch = CloudWatch()
    for minute in range(60):
        cloudwatch.fail(OF_SERVICES, NOON + minute * MINUTE, 1)
    first = NOON + 10 * MINUTE + dt.timedelta(seconds=seconds)
    assert [5] * 10 == [told(cloudwatch, first + each * 5 * MINUTE)[0] for each in range(10)]


def test_what_was_due_is_what_the_event_says() -> None:
    """One that is late, or tried again, still speaks of the same five minutes."""
    event = {"id": "1", "detail-type": "Scheduled Event", "time": "2026-03-01T12:00:00Z"}
    assert NOON == index.due(event)


def test_the_message_says_what_failed_when_and_where_to_look() -> None:
    """In a subject that SNS takes: fewer than 100 characters, of ASCII."""
    _, (message,) = told(CloudWatch().fail(OF_SERVICES, NOON - 5 * MINUTE, 42))
    assert {
        "TopicArn": TOPIC,
        "Subject": "Mercato prod: 42 requests failed in 5 minutes",
        "Message": (
            "42 requests were answered 5XX from 11:52 to 11:57 UTC. More than 10 are reported. Look at the "
            "dashboard mercato-prod: which service answers with errors, and whether it was just deployed."
        ),
    } == message
    assert message["Subject"].isascii()
    assert len(message["Subject"]) < 100


def test_failures_are_counted_as_whole_numbers() -> None:
    """CloudWatch's sums are floats."""
    found, _ = told(CloudWatch().fail(OF_BALANCER, NOON - 5 * MINUTE, 3))
    assert "3" == str(found)
