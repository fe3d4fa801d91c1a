"""An alarm tells the alert topic when it goes off and when it is over."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

ABOVE = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
BELOW = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD

MINUTE = Duration.minutes(1)


def alarm(
    scope: Construct,
    id: str,
    metric: cloudwatch.IMetric,
    comparison: cloudwatch.ComparisonOperator,
    threshold: float,
    *,
    periods: int,
    description: str,
    topic: sns.ITopic,
) -> cloudwatch.Alarm:
    """Alarm when `metric` is `comparison` `threshold` for `periods` on end; no data is no reason.

    `description` is for the one who is woken: what it means and where to look.
    """
    made = cloudwatch.Alarm(
        scope,
        id,
        metric=metric,
        comparison_operator=comparison,
        threshold=threshold,
        evaluation_periods=periods,
        alarm_description=description,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    notify(made, topic)
    return made


def notify(made: cloudwatch.AlarmBase, topic: sns.ITopic) -> None:
    """Have `topic` told of both ends of an alarm."""
    action = actions.SnsAction(topic)
    made.add_alarm_action(action)
    made.add_ok_action(action)
