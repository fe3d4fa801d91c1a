"""How much is expected."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from loadtests import testing
from loadtests.forecast import Day, Forecast, Peak


def test_a_peak_begins_at_a_second_of_the_week() -> None:
    """Friday, 18:00."""
    assert (4 * 24 + 18) * 3600 == testing.sale().starts_s


def test_the_busiest_hour_is_of_the_weekend_when_that_is_busier() -> None:
    """And grown."""
    assert 40 * 1.2 * 1.5 == pytest.approx(testing.forecast(highest=40, growth=1.5).busiest_orders_per_s)


def test_what_contradicts_itself_is_refused() -> None:
    """A sentence for each."""
    day = {
        "lowest_orders_per_s": 2,
        "highest_orders_per_s": 1,
        "lowest_hour": 4,
        "highest_hour": 20,
        "weekend": 1,
    }
    with pytest.raises(ValidationError, match="the lowest is above the highest"):
        Day.model_validate(day)
    with pytest.raises(ValidationError, match="it is lowest and highest at the same hour"):
        Day.model_validate({**day, "highest_orders_per_s": 3, "highest_hour": 4})
    with pytest.raises(ValidationError, match="a day is one of MON"):
        Peak(name="sale", day="Friday", hour=18, minutes=30, orders_per_s=3)
    with pytest.raises(ValidationError, match="there is no time zone Europe/Nowhere"):
        Forecast.model_validate({**testing.forecast().model_dump(), "timezone": "Europe/Nowhere"})
