from __future__ import annotations

import datetime as dt

from chassis.clock import new_id, utc_now


def test_ids_are_uuid7_and_their_order_is_that_of_their_making() -> None:
    """Indexes grow at one end, and "newest first" needs no column of its own."""
    ids = [new_id() for _ in range(1000)]
    assert {7} == {each.version for each in ids}
    assert sorted(ids) == ids
    assert len(set(ids)) == len(ids)


def test_the_time_is_aware_and_in_utc() -> None:
    """Naive times are somebody's local ones."""
    assert utc_now().utcoffset() == dt.timedelta(0)
