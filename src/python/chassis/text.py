"""Strings and numbers that a request may hold, bounded to what the database stores and JSON carries."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from contracts.money import MAX_SAFE_INTEGER


def _without_control_characters(value: str) -> str:
    """PostgreSQL stores no NUL; other control characters break mails and logs. Line breaks, tabs may stay."""
    if any(unicodedata.category(c) == "Cc" and c not in "\n\r\t" for c in value):
        raise ValueError("must hold no control characters")
    return value


def _on_one_line(value: str) -> str:
    """A line break in a name would begin a header of its own in a mail."""
    if value.splitlines() != [value] or "\t" in value:
        raise ValueError("must be one line, without tabs")
    return value


_Clean = AfterValidator(_without_control_characters)
_OneLine = AfterValidator(_on_one_line)

Line = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, strict=True), _Clean, _OneLine
]
ShortLine = Annotated[
    str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True, strict=True), _Clean, _OneLine
]
Paragraphs = Annotated[str, StringConstraints(max_length=5000, strict=True), _Clean]
# strict: true is not 1, and "1" is not 1.
Count = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
PositiveCount = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Amount = Annotated[int, Field(strict=True, ge=1, le=MAX_SAFE_INTEGER)]
