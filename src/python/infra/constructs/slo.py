"""Alarms on how fast an error budget burns, over several windows (The Site Reliability Workbook, chapter 5).

A service that promises 99.9 % of its requests over 30 days has a budget of 0.1 %. At burn rate 1 the budget
lasts the 30 days, at 14.4 it is used up in two. Each alarm asks for a long window, so that a blip wakes
nobody, and a short one, so that it is over soon after the trouble is.
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.alarms import ABOVE, notify

_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S


@dataclass(frozen=True)
class Window:
    """A time over which the share of failed requests is looked at, as CloudWatch can: periods on end.

    An alarm's period is a day at most, so three days are three periods, each of which must be above.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """

    seconds: int

    @property
    def period_s(self) -> int:
        """The length of a period."""
        return min(self.seconds, _DAY_S)

    @property
    def periods(self) -> int:
        """How many there are."""
        return self.seconds // self.period_s


@dataclass(frozen=True)
class BurnRate:
    """A speed at which the budget burns, and the two windows in which it must be seen."""

    name: str
    rate: float
    long: Window
    short: Window

    def threshold(self, objective: float) -> float:
        """The share of failed requests above which `objective`'s budget burns faster than `rate`."""
        return self.rate * (1 - objective)


BURN_RATES = (
    BurnRate("Fast", 14.4, Window(_HOUR_S), Window(300)),
    BurnRate("Medium", 6, Window(6 * _HOUR_S), Window(1800)),
    BurnRate("Slow", 1, Window(3 * _DAY_S), Window(6 * _HOUR_S)),
)


class BurnRateAlarms(Construct):
    """An alarm for each of BURN_RATES over `failed` of `requests`, both counts."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: str,
        objective: float,
        failed: cloudwatch.IMetric,
        requests: cloudwatch.IMetric,
        alerts: sns.ITopic,
    ) -> None:
        super().__init__(scope, id)
        for burn in BURN_RATES:
            threshold = burn.threshold(objective)
            windows = [
                self._window(f"{burn.name}{label}", window, threshold, failed, requests)
                for label, window in (("Long", burn.long), ("Short", burn.short))
            ]
            composite = cloudwatch.CompositeAlarm(
                self,
                burn.name,
                alarm_rule=cloudwatch.AlarmRule.all_of(*windows),
                alarm_description=(
                    f"{service} fails more than {threshold:.2%} of its requests: {burn.rate:g} times "
                    f"as fast as its objective of {objective:.1%} in 30 days allows"
                ),
            )
            notify(composite, alerts)

    def _window(
        self,
        id: str,
        window: Window,
        threshold: float,
        failed: cloudwatch.IMetric,
        requests: cloudwatch.IMetric,
    ) -> cloudwatch.Alarm:
        share = cloudwatch.MathExpression(
            # No request is no failure; a count of nothing is not reported at all.
            expression="IF(FILL(requests, 0) > 0, FILL(failed, 0) / requests, 0)",
            using_metrics={"failed": failed, "requests": requests},
            period=Duration.seconds(window.period_s),
        )
        return cloudwatch.Alarm(
            self,
            id,
            metric=share,
            comparison_operator=ABOVE,
            threshold=threshold,
            evaluation_periods=window.periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
