from __future__ import annotations

import pytest

from chassis.backoff import Backoff


@pytest.mark.parametrize(("attempt", "bound_s"), [(1, 0.5), (2, 1), (3, 2), (7, 30), (10_000, 30)])
def test_the_wait_grows_up_to_its_cap(attempt: int, bound_s: float) -> None:
    """And never overflows, however often something has failed."""
    waits = [Backoff(first_s=0.5, cap_s=30).delay_s(attempt) for _ in range(200)]
    assert bound_s / 10 <= min(waits)
    assert max(waits) <= bound_s


def test_those_who_failed_together_do_not_return_together() -> None:
    """The wait is spread over most of its bound."""
    waits = [Backoff(first_s=1).delay_s(1) for _ in range(200)]
    assert max(waits) - min(waits) > 0.5
