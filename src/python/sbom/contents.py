"""What an image is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from locks.lock import Pin


@dataclass(frozen=True)
class Bundled:
    """What a wheel has compiled in, as it says itself (https://peps.python.org/pep-0770/)."""

    name: str
    version: str
    purl: str
    said: str  # of its licence; "" for nothing


@dataclass(frozen=True)
class Distribution:
    """A Python distribution, as its metadata has it."""

    name: str
    version: str
    said: str  # of its licence; "" for nothing
    bundled: tuple[Bundled, ...] = ()
    # False where no more than the metadata is left of it.
    has_code: bool = True

    @property
    def purl(self) -> str:
        """How everyone calls it: https://github.com/package-url/purl-spec."""
        return f"pkg:pypi/{self.name}@{self.version}"


@dataclass(frozen=True)
class Package:
    """Something that the base of an image has: a package of Debian, an interpreter, the system itself."""

    ref: str  # unique among packages
    kind: str  # of CycloneDX: library, application, operating-system
    name: str
    version: str
    purl: str = ""
    cpe: str = ""
    licences: tuple[str, ...] = ()  # identifiers of SPDX
    needs: tuple[str, ...] = ()  # by their refs

    @property
    def is_debian(self) -> bool:
        """Whether Debian's advisories are of it."""
        return self.purl.startswith("pkg:deb/debian/")


@dataclass(frozen=True)
class Contents:
    """All that is known to be in the image of a service.

    `image` is the id of the image that was looked into; None where there was none, and then nothing is known
    of the base. `made` is the time of the commit; None where the commit is unknown to Git.
    """

    service: str
    version: str
    distributions: tuple[Distribution, ...]
    commit: str | None = None
    made: datetime | None = None
    source: str | None = None
    image: str | None = None
    base: tuple[Package, ...] = ()
    # Of the lock that it was made by.
    pins: Mapping[str, Pin] = field(default_factory=dict)
