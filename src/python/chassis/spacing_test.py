from __future__ import annotations

import pytest

from chassis.spacing import Spacing


class Now:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def spacing(now: Now) -> Spacing:
    return Spacing(10, each_s=0.01, most_s=0.04, clock=now)


def test_the_first_fetch_is_made_at_once() -> None:
    """Nothing is known of how much there is."""
    assert 0.0 == spacing(Now()).pause_s


@pytest.mark.parametrize(("count", "pause_s"), [(0, 0.0), (1, 0.01), (3, 0.03), (9, 0.04), (10, 0.0)])
def test_the_more_a_fetch_found_the_longer_it_waits_for_the_next(count: int, pause_s: float) -> None:
    """Up to a bound; a full batch is followed at once, since there is more behind it."""
    subject = spacing(Now())
    subject.found(count)
    assert pytest.approx(pause_s) == subject.pause_s


def test_what_comes_after_the_pause_is_fetched_at_once() -> None:
    """The time since the last fetch counts."""
    now = Now()
    subject = spacing(now)
    subject.found(4)
    now.s += 0.03
    assert pytest.approx(0.01) == subject.pause_s
    now.s += 1
    assert 0.0 == subject.pause_s
