"""Strings and numbers that a request may hold, bounded to what the database stores and JSON carries."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from contracts.money import MAX_SAFE_INTEGER

# What the validators below take, for those who read the OpenAPI document. Not as `pattern`: that was missing
# when the documents were released, and to narrow what they offer is a breaking change. Each character is
# spelled out, because dialects of regular expressions disagree about what a space is.
PATTERN = "x-pattern"
_BREAKS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_SPACES = r"\x20\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
LINE_PATTERN = rf"^[^{_BREAKS}]*[^{_BREAKS}{_SPACES}][^{_BREAKS}]*$"
PARAGRAPHS_PATTERN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"


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


def _stripped(value: str) -> str:
    """Last of all, so that the bounds in the document are those of what was sent."""
    if not (stripped := value.strip()):
        raise ValueError("must not be blank")
    return stripped


_Clean = AfterValidator(_without_control_characters)
_OneLine = AfterValidator(_on_one_line)
_Stripped = AfterValidator(_stripped)
_LineSchema = Field(json_schema_extra={PATTERN: LINE_PATTERN})

Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, strict=True),
    _Clean,
    _OneLine,
    _Stripped,
    _LineSchema,
]
ShortLine = Annotated[
    str, StringConstraints(min_length=1, max_length=60, strict=True), _Clean, _OneLine, _Stripped, _LineSchema
]
Paragraphs = Annotated[
    str,
    StringConstraints(max_length=5000, strict=True),
    _Clean,
    Field(json_schema_extra={PATTERN: PARAGRAPHS_PATTERN}),
]


def _whole(value: object) -> object:
    """To JSON, 2.0 is 2, and "integer" in a document means both."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)
# strict: true is not 1, and "1" is not 1.
Count = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1), Whole]
PositiveCount = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1), Whole]
Amount = Annotated[int, Field(strict=True, ge=1, le=MAX_SAFE_INTEGER), Whole]
