"""Metrics in periods, and alarms over them."""

from __future__ import annotations

import pytest

from loadtests.simulator.alarms import PUBLISHED_AFTER_S, Alarm, Metric


def fed(metric: Metric, *values: float) -> Metric:
    """The metric after ticks of 20 s with these values."""
    for tick, value in enumerate(values, start=1):
        metric.feed(20 * tick, value)
    return metric


def test_a_metric_of_a_minute_averages_its_ticks() -> None:
    """Three ticks of 20 s are one datapoint."""
    assert 50 == fed(Metric(60, 0), 30, 50, 70).datapoint(60)


def test_a_metric_of_20_seconds_has_a_datapoint_for_each_tick() -> None:
    """In the order in which they were."""
    metric = fed(Metric(20, 0), 30, 50)
    assert [30, 50, None] == [metric.datapoint(40) for _ in range(3)]


def test_a_datapoint_is_seen_when_it_is_published_and_once() -> None:
    """Before it is not there; afterwards it was judged."""
    metric = fed(Metric(60, 90), 1, 1, 1)
    assert [None, 1, None] == [metric.datapoint(now) for now in (149, 150, 151)]


def test_a_queues_depth_is_the_highest_of_its_period() -> None:
    """As infra asks for it: the maximum."""
    assert 70 == fed(Metric(60, 0, highest=True), 30, 70, 10).datapoint(60)


@pytest.mark.parametrize(("period_s", "measured_s"), [(60, 363), (20, 86)])
def test_three_datapoints_are_there_when_aws_measured_that_scaling_began(
    period_s: int, measured_s: int
) -> None:
    """The load may begin anywhere in a period: AWS' figure lies between, within a tick."""
    latest = 4 * period_s + PUBLISHED_AFTER_S[period_s]
    assert latest - period_s - 20 <= measured_s <= latest + 20


def test_an_alarm_needs_all_its_datapoints_in_a_row() -> None:
    """M of M: one that does not breach begins it anew."""
    alarm = Alarm(3)
    seen = [alarm.see(breaches) for breaches in (True, True, False, True, True, True, True, False)]
    assert [False, False, False, False, False, True, True, False] == seen
