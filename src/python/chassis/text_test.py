from __future__ import annotations

import itertools
import re

import pytest
from pydantic import TypeAdapter, ValidationError

from chassis.text import (
    LINE_PATTERN,
    PARAGRAPHS_PATTERN,
    Amount,
    Count,
    Line,
    Paragraphs,
    PositiveCount,
    ShortLine,
)
from contracts.money import MAX_SAFE_INTEGER

LINE, SHORT, PARAGRAPHS = TypeAdapter(Line), TypeAdapter(ShortLine), TypeAdapter(Paragraphs)
COUNT, POSITIVE, AMOUNT = TypeAdapter(Count), TypeAdapter(PositiveCount), TypeAdapter(Amount)


@pytest.mark.parametrize("value", ["Ada", "Łódź", "名前", "👩‍🚀", "a" * 200])
def test_a_line_is_any_text_on_one_line(value: str) -> None:
    """In whatever script."""
    assert LINE.validate_python(value) == value


def test_a_line_has_no_space_around_it() -> None:
    """Nobody means it, and two that look alike should be alike."""
    assert LINE.validate_python("  Ada\u3000") == "Ada"


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "a" * 201,
        "a\x00b",
        "a\nb",
        "a\rb",
        "a\tb",
        "a\x7fb",
        "a\x85b",
        "a\u2028b",
        "a\ud800b",
        1,
        None,
    ],
)
def test_what_is_no_line_is_refused(value: object) -> None:
    """NUL cannot be stored; what breaks a line could begin a header in a mail; a surrogate is nothing."""
    with pytest.raises(ValidationError):
        LINE.validate_python(value)


def test_a_short_line_is_short() -> None:
    """60 characters."""
    assert SHORT.validate_python("a" * 60) == "a" * 60
    with pytest.raises(ValidationError):
        SHORT.validate_python("a" * 61)


def test_paragraphs_may_have_line_breaks_and_be_empty() -> None:
    """But no other control characters, and an end."""
    assert PARAGRAPHS.validate_python("a\r\n\tb") == "a\r\n\tb"
    assert PARAGRAPHS.validate_python("") == ""
    for wrong in ("a\x00", "a\x1b[31m", "a" * 5001):
        with pytest.raises(ValidationError):
            PARAGRAPHS.validate_python(wrong)


@pytest.mark.parametrize("value", [True, "1", 1.5, float("inf"), float("nan"), -1, 2**31, 10**30, None])
def test_what_is_no_count_is_refused(value: object) -> None:
    """A count fits its column, and neither true nor "1" is one."""
    with pytest.raises(ValidationError):
        COUNT.validate_python(value)


def test_a_whole_float_is_the_integer_that_it_is() -> None:
    """To JSON, 2.0 is 2; bounds hold for both."""
    counted = COUNT.validate_python(2.0)
    assert (2, int) == (counted, type(counted))
    with pytest.raises(ValidationError):
        POSITIVE.validate_python(0.0)
    with pytest.raises(ValidationError):
        COUNT.validate_python(1e300)


@pytest.mark.parametrize(("subject", "pattern"), [(LINE, LINE_PATTERN), (PARAGRAPHS, PARAGRAPHS_PATTERN)])
@pytest.mark.parametrize("around", ["{}", "a{}b"])
def test_the_document_says_which_characters_a_text_may_hold(
    subject: TypeAdapter[str], pattern: str, around: str
) -> None:
    """The pattern in it takes and refuses each character as the validators do."""
    documented, differing = re.compile(pattern), []
    for code in itertools.chain(range(0xD800), range(0xE000, 0x30000)):
        text = around.format(chr(code))
        try:
            subject.validate_python(text)
            taken = True
        except ValidationError:
            taken = False
        if taken != bool(documented.fullmatch(text)):
            differing.append(hex(code))
    assert [] == differing


def test_the_bounds_of_a_line_are_those_of_what_was_sent() -> None:
    """Else a text that is too long by its blanks would be taken, against the document."""
    with pytest.raises(ValidationError):
        LINE.validate_python(" " + "a" * 200)


def test_a_count_may_be_nothing_and_a_positive_one_may_not() -> None:
    """Zero is the difference."""
    assert COUNT.validate_python(0) == 0
    with pytest.raises(ValidationError):
        POSITIVE.validate_python(0)


def test_an_amount_is_what_every_json_reader_keeps_exactly() -> None:
    """Up to 2^53-1."""
    assert AMOUNT.validate_python(MAX_SAFE_INTEGER) == MAX_SAFE_INTEGER
    with pytest.raises(ValidationError):
        AMOUNT.validate_python(MAX_SAFE_INTEGER + 1)
