"""When visitors are due."""

from __future__ import annotations

import pytest

from loadtests.generator import arrivals


def test_even_arrivals_are_evenly_apart() -> None:
    """At two a second, each half a second one comes, and as many in each second."""
    assert [0.25, 0.75, 1.25, 1.75] == list(arrivals.times([2.0, 2.0], arrivals.even()))


def test_a_rate_below_one_a_second_carries_over() -> None:
    """What is owed after a second is owed in the next."""
    assert [2.0, 6.0] == pytest.approx(list(arrivals.times([0.25] * 8, arrivals.even())))


def test_nobody_comes_while_the_rate_is_zero() -> None:
    """A gap of a shape is a gap of arrivals, and what was owed before it is owed after it."""
    assert [0.5, 4.25, 4.75] == list(arrivals.times([1.0, 0.0, 0.0, 0.0, 2.0], arrivals.even()))


def test_poisson_arrivals_follow_the_rate_and_scatter() -> None:
    """Mean and variance of the counts of a Poisson process are its rate; five standard errors of 2,000."""
    due = arrivals.times([20.0] * 2000, arrivals.poisson(seed=7))
    counts = [0] * 2000
    for at in due:
        counts[min(int(at), 1999)] += 1

    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / len(counts)

    assert 20 == pytest.approx(mean, abs=0.5)
    assert 20 == pytest.approx(variance, abs=3.2)


def test_the_same_seed_is_the_same_load() -> None:
    """A run can be repeated; another seed is another run."""

    def of(seed: int) -> list[float]:
        return list(arrivals.times([5.0] * 10, arrivals.gaps(arrivals.POISSON, seed)))

    assert of(1) == of(1)
    assert of(1) != of(2)


def test_workers_together_play_what_one_plays_alone() -> None:
    """However many they are, the same visits come at the same times, each once."""

    def all_of_them() -> list[float]:
        return list(arrivals.times([7.0] * 10, arrivals.poisson(3)))

    shares = [list(arrivals.share(iter(all_of_them()), worker, 3)) for worker in range(3)]

    assert list(enumerate(all_of_them())) == sorted(shares[0] + shares[1] + shares[2])
