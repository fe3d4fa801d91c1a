"""What the burn-rate alarms of the templates do on made-up days: a small CloudWatch says when they go off."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from typing import Any

import pytest

from contracts.services import SERVICES
from infra.template import Template
from infra.testing import Deployment, named

OBJECTIVE = 0.999
HOUR, DAY = 60, 24 * 60  # in minutes
QUIET = 4 * DAY  # before anything happens: longer than any window
LOAD = 10_000  # requests a minute


@dataclass(frozen=True)
class Minute:
    """What the load balancer counted."""

    requests: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Alarm:
    """A metric alarm on the share of failed requests: above `threshold` in each of `periods` on end."""

    period_min: int
    periods: int
    threshold: float

    def goes_off(self, requests: Sequence[int], failed: Sequence[int], minute: int) -> bool:
        """Whether it is in ALARM at the end of `minute`; both are sums of all that was before.

        The window slides, and ends now; where it is longer than a day, with the last full hour:
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
        """
        if self.period_min * self.periods > DAY:
            minute -= minute % HOUR
        ends = [minute - index * self.period_min for index in range(self.periods)]
        return all(_share(requests, failed, end - self.period_min, end) > self.threshold for end in ends)


def _share(requests: Sequence[int], failed: Sequence[int], start: int, end: int) -> float:
    """The alarm's expression: `IF(FILL(requests, 0) > 0, FILL(failed, 0) / requests, 0)`."""
    start = max(start, 0)
    asked = requests[end] - requests[start]
    return (failed[end] - failed[start]) / asked if asked else 0


def deployed(template: Template) -> dict[str, tuple[Alarm, Alarm]]:
    """The alarms of a service as its template has them: both windows of each composite alarm."""
    return {speed: _of(template, f"ServiceObjective{speed}") for speed in ("Fast", "Medium", "Slow")}


def _of(template: Template, composite: str) -> tuple[Alarm, Alarm]:
    rule = named(template, composite).properties["AlarmRule"]
    both = re.fullmatch(r'\(ALARM\("\$\{(\w+)\.Arn\}"\) AND ALARM\("\$\{(\w+)\.Arn\}"\)\)', rule)
    assert both is not None, rule
    return _alarm(template, both[1]), _alarm(template, both[2])


def _alarm(template: Template, logical_id: str) -> Alarm:
    found = named(template, logical_id).properties
    assert ("GreaterThanThreshold", "notBreaching") == (
        found["ComparisonOperator"],
        found["TreatMissingData"],
    )
    assert "DatapointsToAlarm" not in found  # all of them
    (period_s,) = {each["MetricStat"]["Period"] for each in found["Metrics"] if "MetricStat" in each}
    return Alarm(period_s // 60, found["EvaluationPeriods"], found["Threshold"])


def when(alarms: Mapping[str, tuple[Alarm, Alarm]], what: Sequence[Minute]) -> dict[str, range]:
    """From which minute of `what` to which each alarm is on, after four days without a failure.

    An alarm that does not go off is left out; one that goes off twice is an error.
    """
    minutes = [Minute(LOAD)] * QUIET + list(what)
    requests = list(accumulate((minute.requests for minute in minutes), initial=0))
    failed = list(accumulate((minute.failed for minute in minutes), initial=0))
    found = {}
    for name, both in alarms.items():
        on = [
            end - QUIET
            for end in range(QUIET, len(minutes) + 1)
            if all(alarm.goes_off(requests, failed, end) for alarm in both)
        ]
        if on:
            assert on == list(range(on[0], on[-1] + 1)), f"{name} goes off more than once"
            found[name] = range(on[0], on[-1] + 1)
    return found


def first(alarms: Mapping[str, tuple[Alarm, Alarm]], what: Sequence[Minute]) -> dict[str, int]:
    """In which minute of `what` each alarm goes off."""
    return {name: minutes[0] for name, minutes in when(alarms, what).items()}


def in_thousand(failed: float, minutes: int) -> list[Minute]:
    """So many of a thousand requests fail, each minute."""
    return [Minute(LOAD, round(LOAD * failed / 1000))] * minutes


def workbook(rate: float, window_min: int, share: float) -> int:
    """After how many minutes an alarm of the workbook goes off, when `share` of all requests fail.

    The Site Reliability Workbook, chapter 5: (1 - objective) / share * window * burn rate.
    """
    return ceil(round((1 - OBJECTIVE) / share * window_min * rate, 6))


@pytest.fixture(scope="session")
def alarms(in_prod: Deployment) -> dict[str, tuple[Alarm, Alarm]]:
    """Those of the order service in prod; every service has the same."""
    return deployed(in_prod["order"])


# --- what is deployed


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_alarms_of_the_workbook(anywhere: Deployment, service: str) -> None:
    """14.4 times over an hour and 5 min, 6 times over 6 h and 30 min, once over three days and 6 h.

    Three days are three periods of one day, each of which must be above.
    """
    assert {
        "Fast": [(60, 1, 0.0144), (5, 1, 0.0144)],
        "Medium": [(360, 1, 0.006), (30, 1, 0.006)],
        "Slow": [(DAY, 3, 0.001), (360, 1, 0.001)],
    } == {
        speed: [(alarm.period_min, alarm.periods, round(alarm.threshold, 12)) for alarm in both]
        for speed, both in deployed(anywhere[service]).items()
    }


def test_the_templates_are_made_of_the_burn_rates(alarms: dict[str, tuple[Alarm, Alarm]]) -> None:
    """Of the same numbers, to the last digit."""
    # Here and not above: it starts CDK's engine, which takes seconds.
    from infra.constructs.service_alarms import OBJECTIVE as PROMISED
    from infra.constructs.slo import BURN_RATES

    assert OBJECTIVE == PROMISED
    assert {
        burn.name: tuple(
            Alarm(window.period_s // 60, window.periods, burn.threshold(PROMISED))
            for window in (burn.long, burn.short)
        )
        for burn in BURN_RATES
    } == alarms


@pytest.mark.parametrize("service", SERVICES)
def test_what_counts_is_what_the_load_balancer_had_of_the_service(anywhere: Deployment, service: str) -> None:
    """Requests that reached its tasks, and 5XX of theirs: where there are no requests nothing failed."""
    expression, *metrics = named(anywhere[service], "ServiceObjectiveFastLong").properties["Metrics"]
    assert "IF(FILL(requests, 0) > 0, FILL(failed, 0) / requests, 0)" == expression["Expression"]
    assert expression["ReturnData"]
    assert {
        "failed": ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum"),
        "requests": ("AWS/ApplicationELB", "RequestCount", "Sum"),
    } == {each["Id"]: _metric(each) for each in metrics}
    assert [
        {"Name": "LoadBalancer", "Value": "${shared:LoadBalancer.LoadBalancerFullName}"},
        {"Name": "TargetGroup", "Value": "${ServiceTargets.TargetGroupFullName}"},
    ] == metrics[0]["MetricStat"]["Metric"]["Dimensions"]


def _metric(each: Mapping[str, Any]) -> tuple[str, str, str]:
    stat = each["MetricStat"]
    return stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], stat["Stat"]


# --- what it does


def test_a_total_outage_is_told_of_within_a_minute(alarms: dict[str, tuple[Alarm, Alarm]]) -> None:
    """The workbook says 52 seconds: CloudWatch looks each minute. The slower alarms follow."""
    assert 1 == workbook(14.4, HOUR, 1)
    found = first(alarms, in_thousand(1000, 2 * HOUR))
    assert ("Fast", 1) == min(found.items(), key=lambda each: each[1])
    assert workbook(6, 6 * HOUR, 1) == found["Medium"]


def test_what_is_just_within_the_budget_is_told_of_never(alarms: dict[str, tuple[Alarm, Alarm]]) -> None:
    """One request in a thousand, for a week: the budget lasts its 30 days."""
    assert {} == first(alarms, in_thousand(1, 7 * DAY))


def test_15_in_a_thousand_are_told_of_by_the_fast_alarm(alarms: dict[str, tuple[Alarm, Alarm]]) -> None:
    """After an hour, when 2 % of the budget of 30 days are gone, as the workbook says."""
    assert {"Fast": workbook(14.4, HOUR, 0.015)} == first(alarms, in_thousand(15, 2 * HOUR))


def test_7_in_a_thousand_are_told_of_by_the_medium_alarm(alarms: dict[str, tuple[Alarm, Alarm]]) -> None:
    """After five hours; the fast one has nothing against them."""
    assert {"Medium": workbook(6, 6 * HOUR, 0.007)} == first(alarms, in_thousand(7, DAY))


def test_one_and_a_half_in_a_thousand_are_told_of_by_the_slow_alarm(
    alarms: dict[str, tuple[Alarm, Alarm]],
) -> None:
    """On the third day. The workbook says after two: here the oldest of three days must be above as well."""
    assert 2 * DAY == workbook(1, 3 * DAY, 0.0015)
    assert {"Slow": 2 * DAY + 17 * HOUR} == first(alarms, in_thousand(1.5, 4 * DAY))


def test_what_lasts_for_two_days_at_most_the_slow_alarm_does_not_see(
    alarms: dict[str, tuple[Alarm, Alarm]],
) -> None:
    """Five in a thousand use up a sixth of the budget in a day: below what the medium one asks for."""
    assert {} == first(alarms, in_thousand(5, 2 * DAY) + in_thousand(0, 3 * DAY))


@pytest.mark.parametrize("failed", [100, 500, 800])
def test_a_blip_of_a_minute_is_told_of_never(alarms: dict[str, tuple[Alarm, Alarm]], failed: int) -> None:
    """Even where most requests fail: an hour's share is what is asked for."""
    assert {} == first(alarms, in_thousand(failed, 1) + in_thousand(0, 3 * DAY))


def test_a_whole_minute_without_an_answer_is_no_blip(alarms: dict[str, tuple[Alarm, Alarm]]) -> None:
    """It takes more than 2 % of the budget of 30 days, which is what the fast alarm is for."""
    lost = 1 / (30 * DAY * (1 - OBJECTIVE))
    assert lost > 0.02
    assert {"Fast": 1} == first(alarms, in_thousand(1000, 1) + in_thousand(0, DAY))


@pytest.mark.parametrize(
    ("speed", "failed", "lasts", "over_within"),
    [
        ("Fast", 1000, 2 * HOUR, 5),
        ("Fast", 15, 2 * HOUR, 5),
        ("Medium", 7, DAY, 30),
        ("Slow", 1.5, 4 * DAY, 7 * HOUR),
    ],
)
def test_an_alarm_is_over_soon_after_the_trouble(
    alarms: dict[str, tuple[Alarm, Alarm]], speed: str, failed: float, lasts: int, over_within: int
) -> None:
    """By its short window: the long one would go on for an hour, six, or three days."""
    on = when(alarms, in_thousand(failed, lasts) + in_thousand(0, DAY))[speed]
    assert on[0] < lasts <= on[-1] < lasts + over_within


def test_no_traffic_is_no_failure(alarms: dict[str, tuple[Alarm, Alarm]]) -> None:
    """At night nobody asks, and nothing is told of: neither a zero nor what is missing."""
    assert {} == first(alarms, [Minute()] * (4 * DAY))


def test_a_single_failure_at_night_counts_by_what_else_was_asked(
    alarms: dict[str, tuple[Alarm, Alarm]],
) -> None:
    """One of ten is more than one in a hundred: where few ask, an alarm is quick to go off."""
    night = [Minute(1, 0)] * 5 + [Minute(1, 1)] + [Minute(1, 0)] * 4
    assert {"Fast"} == set(first(alarms, [Minute()] * (2 * HOUR) + night + [Minute()] * HOUR))


def test_trouble_that_comes_and_goes_is_told_of(alarms: dict[str, tuple[Alarm, Alarm]]) -> None:
    """A tenth of all requests in ten minutes of each hour: 17 in a thousand, over the hour."""
    hour = in_thousand(100, 10) + in_thousand(0, 50)
    assert 9 == first(alarms, hour)["Fast"]
