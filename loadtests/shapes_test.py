"""How load goes over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtests import shapes, testing
from loadtests.errors import LoadError
from loadtests.shapes import DAY_S, HOUR_S, Shape

DAY = testing.forecast(lowest=4, highest=40).day


def test_a_day_is_lowest_and_highest_at_its_hours() -> None:
    """And between them it only rises, then only falls."""
    rates = shapes.diurnal(DAY, 3, seed=0, noise=0)[2 * DAY_S :]
    assert (4, 20) == (int(rates.argmin()) // HOUR_S, int(rates.argmax()) // HOUR_S)
    assert (4, 40) == pytest.approx((rates.min(), rates.max()))
    assert (np.diff(rates[4 * HOUR_S : 20 * HOUR_S]) >= 0).all()
    assert (np.diff(rates[20 * HOUR_S :]) <= 0).all()


def test_a_weekend_is_another_size_and_begins_without_a_jump() -> None:
    """A factor of 1.2, from noon to noon."""
    rates = shapes.diurnal(DAY, 7, seed=0, noise=0)
    assert 40 * 1.2 == pytest.approx(rates[5 * DAY_S + 20 * HOUR_S], rel=0.02)
    assert (np.abs(np.diff(rates)) < 0.01).all()


def test_the_same_seed_is_the_same_week_and_another_one_another() -> None:
    """Minutes differ by it, and by nothing else."""
    once, again, other = (shapes.diurnal(DAY, 7, seed) for seed in (1, 1, 2))
    assert (once == again).all()
    assert (once != other).any()
    minutes = (once / shapes.diurnal(DAY, 7, seed=0, noise=0)).reshape(-1, 60)
    assert np.allclose(minutes, minutes[:, :1])


def test_a_spike_rises_within_its_seconds() -> None:
    """And falls as fast."""
    rates = shapes.spike(10, 20, before_s=60, rise_s=10, top_s=30, after_s=60)
    assert [10, 10, 20, 20, 10] == rates[[0, 60, 70, 99, 169]].tolist()
    assert 60 + 10 + 30 + 10 + 60 == len(rates)


def test_a_flash_sale_begins_at_once_and_fades_in_its_second_half() -> None:
    """At the stroke of the hour everybody is there."""
    rates = shapes.flash_sale(10, 100, before_s=60, sale_s=100, after_s=60)
    assert [10, 100, 100, 10] == rates[[59, 60, 109, 160]].tolist()
    assert 10 < rates[140] < 100


def test_steps_are_as_long_as_each_other() -> None:
    """One after the other."""
    assert [1, 1, 3, 3, 2, 2] == shapes.steps([1, 3, 2], 2).tolist()


def test_a_known_peak_lies_on_top_of_its_time_of_the_week() -> None:
    """Where the load is higher anyway it stays."""
    rates = shapes.with_peaks(shapes.steady(5, 7 * DAY_S), [testing.sale(100)])
    start = testing.sale().starts_s
    assert [5, 100, 100, 5] == rates[[start - 1, start, start + 1799, start + 1800]].tolist()
    assert 200 == shapes.with_peaks(shapes.steady(200, 7 * DAY_S), [testing.sale(100)])[start]


def test_a_shape_tells_its_rate_at_a_time_and_none_when_it_is_over() -> None:
    """As who generates the load asks for it."""
    shape = Shape("two", shapes.steps([1, 2], 10))
    assert [1, 1, 2, 0, 0] == [shape.at(second) for second in (0, 9.9, 10, 20, -1)]


def test_the_hard_days_of_a_forecast_are_of_its_size() -> None:
    """Each shape once; no flash sale where none is known; growth on all of them."""
    found = {
        shape.name: shape
        for shape in shapes.days_of(testing.forecast(peaks=(testing.sale(),), growth=2), seed=1)
    }
    assert ["steady", "steps", "spike", "flash sale", "diurnal week"] == list(found)
    assert (200, 200) == (found["flash sale"].rates.max(), found["diurnal week"].rates.max())
    assert (8, 96) == pytest.approx((found["steps"].rates[0], found["steps"].rates[-1]))
    start = found["flash sale"].starts_s + HOUR_S
    assert testing.sale().starts_s == start
    assert "flash sale" not in {shape.name for shape in shapes.days_of(testing.forecast(), seed=1)}


def test_a_csv_is_replayed_each_rate_until_the_next(tmp_path: Path) -> None:
    """Seconds evenly apart."""
    path = tmp_path / "load.csv"
    path.write_text("second,rate\n0,1.5\n2,3\n4,0\n")
    assert [1.5, 1.5, 3, 3, 0, 0] == shapes.replay(path).tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "second,rate\n0,1\n60,2\n180,3\n",
            "line 4: second 180 comes after 60, where 120 was to come: fill the gap",
        ),
        ("second,rate\n0,1\n60,2\n60,3\n", "line 4: second 60 comes after 60, where 120 was to come"),
        ("second,rate\n0,1\n60,\n", "line 3: '60,' is no second and rate."),
        ("second,rate\n0,1\n60,2,3\n", "line 3: '60,2,3' is no second and rate."),
        ("second,rate\n0,1\n60,-2\n", "line 3: -2 is no rate."),
        ("second,rate\n0,1\n60,nan\n", "line 3: nan is no rate."),
        ("second,rate\n60,1\n120,2\n", "line 2: it begins at second 60 and not at 0."),
        ("time,orders\n0,1\n60,2\n", "line 1: the columns are to be second,rate."),
        ("second,rate\n0,1\n", "has fewer than two rates."),
        ("", "line 1: the columns are to be second,rate."),
    ],
)
def test_a_csv_with_gaps_or_without_rates_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    """What happened in between is not known, and not made up."""
    path = tmp_path / "load.csv"
    path.write_text(text)
    with pytest.raises(LoadError) as caught:
        shapes.replay(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_csv_that_is_missing_is_named(tmp_path: Path) -> None:
    """In a sentence."""
    with pytest.raises(LoadError, match=r"load\.csv is missing\.$"):
        shapes.replay(tmp_path / "load.csv")
