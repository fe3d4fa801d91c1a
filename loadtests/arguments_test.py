"""What is no number of the kind that a command takes is refused before it does anything."""

from __future__ import annotations

import argparse

import pytest

from loadtests.arguments import whole


@pytest.mark.parametrize(("text", "number"), [("2", 2), ("007", 7), ("3600", 3600)])
def test_a_whole_number_within_the_bounds_is_read(text: str, number: int) -> None:
    """The bounds themselves among them."""
    assert number == whole(2, 3600)(text)


@pytest.mark.parametrize("text", ["1", "3601", "-2", "2.0", "", "two", "²"])
def test_anything_else_is_refused(text: str) -> None:
    """In words that say what would be taken."""
    with pytest.raises(argparse.ArgumentTypeError, match="is no whole number from 2 to 3,600"):
        whole(2, 3600)(text)
