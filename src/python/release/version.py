"""Versions, and how far one is from the next: https://semver.org."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


class ReleaseError(Exception):
    """Something cannot be released, or not so; the message says what, where, and what to do."""


class Bump(IntEnum):
    """How far a version is from the one before, by what its users notice."""

    PATCH = 1
    MINOR = 2
    MAJOR = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, order=True)
class Version:
    """Three numbers; none before 1.0.0 is different from the others."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def after(self, bump: Bump) -> Version:
        """The next one."""
        if bump is Bump.MAJOR:
            return Version(self.major + 1, 0, 0)
        if bump is Bump.MINOR:
            return Version(self.major, self.minor + 1, 0)
        return Version(self.major, self.minor, self.patch + 1)


def parse(text: str) -> Version | None:
    """The version in `text`, which may end in a line's end; None where it is none, such as `1.4`."""
    found = _VERSION.fullmatch(text.strip())
    return Version(*map(int, found.groups())) if found else None
