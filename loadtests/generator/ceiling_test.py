"""What a generator can offer, from what was seen at rising rates."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from loadtests.errors import LoadError
from loadtests.generator import ceiling
from loadtests.generator.ceiling import Ceiling
from loadtests.generator.record import OK, ORDER, Record


def test_the_limit_is_the_highest_rate_at_which_requests_left_in_time() -> None:
    """Late ones at a lower rate were the machine's other work; all that come after the limit are late."""
    record = _ramp(lags=[1.0, 90.0, 1.0, 1.0, 300.0, 2000.0])

    found = ceiling.limit(record)

    assert (40.0, 120.0) == (found.visits_per_s, found.requests_per_s)


def test_one_percent_may_leave_late() -> None:
    """The bound is on the 99th percentile."""
    record = _ramp(lags=[1.0])
    for _ in range(99):
        record.sent(0.5, 1.0)
    record.sent(0.5, 500.0)

    assert 10.0 == ceiling.limit(record).visits_per_s


def test_a_machine_that_is_too_busy_for_any_rate_is_said() -> None:
    """A limit of 0 would refuse every run without a word of why."""
    with pytest.raises(LoadError, match="requests left late at every rate; the machine is busy"):
        ceiling.limit(_ramp(lags=[300.0, 300.0]))


def test_a_limit_is_known_for_this_machine_and_this_generator_alone(tmp_path: Path) -> None:
    """Another machine, another version of the scenarios: another limit."""
    file = tmp_path / "ceiling.json"
    found = ceiling.limit(_ramp(lags=[1.0]))

    def kept(limit: Ceiling) -> Ceiling | None:
        file.write_text(json.dumps(dataclasses.asdict(limit)))
        return ceiling.known(file)

    assert found == kept(found)
    assert kept(dataclasses.replace(found, machine="another")) is None
    assert kept(dataclasses.replace(found, code="another")) is None


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"visits_per_s": 1}'])
def test_a_file_that_cannot_be_read_is_no_limit(tmp_path: Path, content: str | None) -> None:
    """It is measured anew."""
    file = tmp_path / "ceiling.json"
    if content is not None:
        file.write_text(content)

    assert ceiling.known(file) is None


def _ramp(lags: list[float]) -> Record:
    """Ten visits more in each second, of three requests, with this lag."""
    record = Record(1.0)
    for second, lag in enumerate(lags):
        for _ in range(10 * (second + 1)):
            record.arrive(second + 0.5)
            record.end(second + 0.5, ORDER, 1.0, OK)
            for _ in range(3):
                record.sent(second + 0.5, lag)
                record.end(second + 0.5, "GET /a", 1.0, OK)
    return record
