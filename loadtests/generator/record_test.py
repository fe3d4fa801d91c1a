"""What is measured, and how it adds up."""

from __future__ import annotations

import json
import math
import random

import pytest

from loadtests.generator.record import (
    FAILED,
    OK,
    ORDER,
    REFUSED,
    Record,
    bucket,
    quantile_ms,
    slower,
    upper_ms,
)


def test_a_time_is_read_back_at_most_one_percent_too_high() -> None:
    """Over all that occurs, from below a millisecond to a minute."""
    draw = random.Random(1)
    for _ in range(1000):
        ms = 10 ** draw.uniform(-1, 4.8)
        assert ms <= upper_ms(bucket(ms)) * (1 + 1e-9)
        assert upper_ms(bucket(ms)) <= ms * 1.0101


def test_a_percentile_is_the_time_that_so_many_do_not_exceed() -> None:
    """Nearest rank: of a hundred, the 99th percentile is the 99th."""
    record = Record(1.0)
    for ms in range(1, 101):
        record.end(0.0, "GET /a", ms, OK)

    assert [50, 99, 100] == pytest.approx(
        [quantile_ms(record.times("GET /a"), p) for p in (50, 99, 100)], rel=0.01
    )
    assert 1 == pytest.approx(quantile_ms(record.times("GET /a"), 0.5), rel=0.01)


def test_of_nothing_there_is_no_percentile() -> None:
    """It is not zero, which would keep any objective."""
    assert math.isnan(quantile_ms({}, 99))


def test_what_takes_exactly_as_long_as_the_bound_is_not_slower() -> None:
    """Within includes the bound."""
    record = Record(1.0)
    for ms in (100.0, 300.0, 310.0):
        record.end(0.0, "GET /a", ms, OK)

    assert 1 == slower(record.times("GET /a"), 300.0)


def test_what_was_refused_has_no_time_and_what_failed_has() -> None:
    """A quick 404 makes nothing faster; a request that nobody answered took as long as it was waited for."""
    record = Record(1.0)
    record.end(0.0, "GET /a", 1.0, REFUSED)
    record.end(0.0, "GET /a", 30_000.0, FAILED)

    assert 1 == sum(record.times("GET /a").values())
    assert 30_000 == pytest.approx(quantile_ms(record.times("GET /a"), 1), rel=0.01)


def test_orders_are_not_counted_as_requests() -> None:
    """An order to confirmed is measured beside the requests that it consists of."""
    record = Record(1.0)
    record.end(0.0, "POST /api/orders", 10.0, OK)
    record.end(0.0, ORDER, 200.0, OK)

    assert (1, 1) == (record.count(), record.count(ORDER))


def test_records_of_workers_add_up_to_that_of_one() -> None:
    """What each says, as a message of JSON, is in the sum."""
    whole, parts, total = Record(2.0), [Record(2.0), Record(2.0)], Record(2.0)
    draw = random.Random(2)
    for number in range(500):
        due_s, ms = draw.uniform(0, 60), draw.uniform(1, 1000)
        outcome = draw.choice([OK, REFUSED, FAILED])
        for each in (whole, parts[number % 2]):
            each.arrive(due_s)
            each.sent(due_s, ms / 100)
            each.end(due_s, "GET /a", ms, outcome, f"GET /a: {outcome}")
            each.puzzle("browse, KeyError('items')")
    for part in parts:
        total.add(json.loads(json.dumps(part.drain())))

    assert whole == total
    assert Record(2.0) == parts[0]


def test_reasons_do_not_grow_without_end() -> None:
    """A shop that says something else each time must not fill the memory."""
    record = Record(1.0)
    for number in range(1000):
        record.end(0.0, "GET /a", 1.0, FAILED, f"GET /a: error {number}")
    record.end(0.0, "GET /a", 1.0, FAILED, "GET /a: error 0")

    assert 20 == len(record.reasons)
    assert 2 == record.reasons[("GET /a: error 0",)]
