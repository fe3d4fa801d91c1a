"""Changelogs: what stood in them by hand, and what commits say to users, under a new version."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from release.version import Version

UNRELEASED = "Unreleased"
_WIDTH = 118
_HEADING = re.compile(r"^## (.*)$", re.MULTILINE)
# https://www.conventionalcommits.org
_SUBJECT = re.compile(r"(?P<type>[a-z]+)(?:\([^)]*\))?(?P<breaking>!)?: +(?P<text>\S.*)")
_BREAKING = re.compile(
    r"^BREAKING[ -]CHANGE: +(.+?)(?=\n\n|\n[A-Z][A-Za-z-]*: |\Z)", re.MULTILINE | re.DOTALL
)
# What users notice, in the order in which they want to know it; other commits are nothing to them.
_EFFECTS = {"feat": "Added", "fix": "Fixed", "perf": "Faster"}


@dataclass(frozen=True)
class Notes:
    """Lines of a changelog: what breaks somebody, before anything else, and the rest."""

    breaking: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def notes(messages: Iterable[str], libraries: Sequence[str] = ()) -> Notes:
    """What commits say to users; `libraries` are those of other versions, in words."""
    breaking: list[str] = []
    effects: dict[str, list[str]] = {effect: [] for effect in _EFFECTS.values()}
    for message in messages:
        found = _SUBJECT.match(message)
        if not found:
            continue
        if breaks := _breaks(message, found):
            breaking.append(f"Breaking: {breaks}")
        elif effect := _EFFECTS.get(found["type"]):
            effects[effect].append(f"{effect}: {_sentence(found['text'])}")
    others = [line for lines in effects.values() for line in lines]
    if libraries:
        others.append(f"Libraries: {_sentence(', '.join(libraries), capital=False)}")
    return Notes(tuple(dict.fromkeys(breaking)), tuple(dict.fromkeys(others)))


def released(text: str, version: Version, new: Notes) -> str:
    """The changelog `text` with a section of `version` before the others.

    It has what breaks first, then what stood under Unreleased or the version by hand, word for word, then the
    rest of `new`.
    """
    head, *sections = _sections(text)
    title = str(version)
    by_hand = [body for name, body in sections if name in (UNRELEASED, title)]
    body = [*_lines(new.breaking), *filter(None, by_hand), *_lines(new.others)]
    first = (title, "\n".join(body) or "- Built anew: nothing that its users notice.")
    kept = [section for section in sections if section[0] not in (UNRELEASED, title)]
    return "\n\n".join([head[1], *(f"## {name}\n\n{body}" for name, body in (first, *kept))]) + "\n"


def section(text: str, version: Version | str) -> str:
    """What the changelog `text` says of a version, or as UNRELEASED; empty where it has no such section."""
    return dict(_sections(text)).get(str(version), "")


def _sections(text: str) -> list[tuple[str, str]]:
    """What stands before all sections, without a name, and then each by its name."""
    head, *parts = _HEADING.split(text)
    names, bodies = parts[::2], parts[1::2]
    return [
        ("", head.strip()),
        *((name.strip(), body.strip()) for name, body in zip(names, bodies, strict=True)),
    ]


def _breaks(message: str, subject: re.Match[str]) -> str:
    """What a commit says that it breaks; empty where it breaks nothing."""
    footer = _BREAKING.search(message)
    if footer:
        return _sentence(" ".join(footer[1].split()))
    return _sentence(subject["text"]) if subject["breaking"] else ""


def _sentence(text: str, *, capital: bool = True) -> str:
    text = text.strip().rstrip(".")
    return f"{text[:1].upper() if capital else text[:1]}{text[1:]}."


def _lines(notes: Iterable[str]) -> Iterator[str]:
    for note in notes:
        yield textwrap.fill(f"- {note}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
