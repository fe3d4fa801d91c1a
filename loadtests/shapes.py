"""How load goes over time: a rate a second for each second, as pure functions of their numbers and a seed.

Rates are whatever the caller means: orders, requests. The generator of load offers them in an open loop, the
simulator replays them.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtests.errors import LoadError
from loadtests.forecast import Day, Forecast, Peak

Rates = NDArray[np.float64]

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
WEEK_S = 7 * DAY_S


@dataclass(frozen=True)
class Shape:
    """A named course of load, which begins `starts_s` seconds after Monday 00:00."""

    name: str
    rates: Rates
    starts_s: int = 0

    def at(self, second: float) -> float:
        """The rate at a time after the start; 0 when it is over."""
        index = int(second)
        return float(self.rates[index]) if 0 <= index < len(self.rates) else 0.0

    @property
    def seconds(self) -> int:
        """How long it lasts."""
        return len(self.rates)


def steady(rate: float, seconds: int) -> Rates:
    """Always the same."""
    return np.full(seconds, float(rate))


def steps(rates: Sequence[float], seconds_each: int) -> Rates:
    """One after the other, each for as long."""
    return np.repeat(np.asarray(rates, dtype=np.float64), seconds_each)


def spike(base: float, top: float, before_s: int, rise_s: int, top_s: int, after_s: int) -> Rates:
    """Up within `rise_s`, stays, and back as fast: nobody knew."""
    rise = np.linspace(base, top, rise_s, endpoint=False)
    return np.concatenate(
        [steady(base, before_s), rise, steady(top, top_s), rise[::-1], steady(base, after_s)]
    )


def flash_sale(base: float, top: float, before_s: int, sale_s: int, after_s: int) -> Rates:
    """All at once at the stroke of the hour; half of it is gone at half time, and the rest by the end."""
    falling = base + (top - base) * np.clip(1.5 - np.arange(sale_s) / sale_s, 0, 1)
    falling[sale_s // 2 :] = base + (top - base) * np.linspace(1, 0, sale_s - sale_s // 2)
    return np.concatenate([steady(base, before_s), falling, steady(base, after_s)])


def diurnal(day: Day, days: int, seed: int, noise: float = 0.05) -> Rates:
    """Days from Monday on: between the lowest and the highest hour, with minutes that differ by `noise`."""
    seconds = np.arange(days * DAY_S)
    hour = seconds % DAY_S / HOUR_S
    rising = (day.highest_hour - day.lowest_hour) % 24
    since = (hour - day.lowest_hour) % 24
    # From 0 at the lowest hour to half a turn at the highest, and on to a whole one.
    phase = np.where(since < rising, since / rising, 1 + (since - rising) / (24 - rising)) * np.pi
    level = (1 - np.cos(phase)) / 2
    rate = day.lowest_orders_per_s * (day.highest_orders_per_s / day.lowest_orders_per_s) ** level
    # From noon to noon, so that no midnight has a jump.
    noons = np.arange(-1, days + 1) + 0.5
    weekend = np.where(np.arange(-1, days + 1) % 7 >= 5, day.weekend, 1.0)
    rate *= np.interp(seconds / DAY_S, noons, weekend)
    generator = np.random.default_rng(seed)
    wobble = np.repeat(generator.normal(0, noise, days * DAY_S // MINUTE_S), MINUTE_S)
    return np.maximum(rate * (1 + wobble), 0)


def with_peaks(rates: Rates, peaks: Sequence[Peak], starts_s: int = 0) -> Rates:
    """`rates` with the known peaks on top, where they fall in it; they come at once and end at once."""
    raised = rates.copy()
    for peak in peaks:
        for week in range(-1, len(rates) // WEEK_S + 2):
            start = peak.starts_s - starts_s + week * WEEK_S
            begin, end = max(start, 0), min(start + peak.minutes * MINUTE_S, len(rates))
            if begin < end:
                raised[begin:end] = np.maximum(raised[begin:end], peak.orders_per_s)
    return raised


def replay(path: Path) -> Rates:
    """The rates of a CSV with the columns `second` and `rate`, whose seconds are evenly apart from 0 on.

    Each rate holds until the next. Raises LoadError, naming the line, where one is missing or is no rate.
    """
    seconds, rates = _columns(path)
    step = seconds[1] - seconds[0]
    for line, (before, after) in enumerate(pairwise(seconds), start=3):
        if after - before != step:
            raise LoadError(
                f"{path}, line {line}: second {after} comes after {before}, where {before + step} was to "
                "come: fill the gap, since what happened in it is not known."
            )
    return np.repeat(np.asarray(rates), step)


def _columns(path: Path) -> tuple[list[int], list[float]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        raise LoadError(f"{path} is missing.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise LoadError(f"{path} is no CSV: {error}.") from None
    if not rows or rows[0] != ["second", "rate"]:
        raise LoadError(f"{path}, line 1: the columns are to be second,rate.")
    if len(rows) < 3:
        raise LoadError(f"{path} has fewer than two rates.")
    parsed = [_parsed(path, line, row) for line, row in enumerate(rows[1:], start=2)]
    if parsed[0][0] != 0:
        raise LoadError(f"{path}, line 2: it begins at second {parsed[0][0]} and not at 0.")
    return [second for second, _ in parsed], [rate for _, rate in parsed]


def _parsed(path: Path, line: int, row: list[str]) -> tuple[int, float]:
    try:
        second, rate = row
        found = int(second), float(rate)
    except ValueError:
        raise LoadError(f"{path}, line {line}: {','.join(row)!r} is no second and rate.") from None
    if not 0 <= found[1] < float("inf"):
        raise LoadError(f"{path}, line {line}: {rate} is no rate.")
    return found


def days_of(forecast: Forecast, seed: int) -> tuple[Shape, ...]:
    """The hard days of a forecast, in orders a second: each shape once, at the size that the forecast makes
    it.

    Steady and steps are of usual hours; the spike is one that nobody announced, in the middle of a usual day;
    the flash sale is the highest known peak (there is none without one), where it falls in the week; the week
    has it all.
    """
    day = grown(forecast)
    low, high = day.lowest_orders_per_s, day.busiest_orders_per_s
    middle = (low + high) / 2
    found = [
        Shape("steady", steady(middle, 2 * HOUR_S)),
        Shape("steps", steps(np.geomspace(low, high, 6).tolist(), 20 * MINUTE_S)),
        Shape("spike", spike(middle, middle * forecast.spike, HOUR_S, 10, 10 * MINUTE_S, HOUR_S)),
    ]
    peaks = [_grown(peak, forecast.growth) for peak in forecast.peak]
    if peaks:
        highest = max(peaks, key=lambda peak: peak.orders_per_s)
        found.append(
            Shape(
                "flash sale",
                flash_sale(middle, highest.orders_per_s, HOUR_S, highest.minutes * MINUTE_S, HOUR_S),
                (highest.starts_s - HOUR_S) % WEEK_S,
            )
        )
    found.append(Shape("diurnal week", with_peaks(diurnal(day, 7, seed), peaks)))
    return tuple(found)


def grown(forecast: Forecast) -> Day:
    """A usual day, when it has grown as much as is expected."""
    day = forecast.day
    return day.model_copy(
        update={
            "lowest_orders_per_s": day.lowest_orders_per_s * forecast.growth,
            "highest_orders_per_s": day.highest_orders_per_s * forecast.growth,
        }
    )


def _grown(peak: Peak, growth: float) -> Peak:
    return peak.model_copy(update={"orders_per_s": peak.orders_per_s * growth})
