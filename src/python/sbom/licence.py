"""Which licences may be in an image, and which one a distribution has: by `licences.toml`, in SPDX' terms."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cyclonedx.spdx import fixup_id
from license_expression import AND, OR, Licensing, get_spdx_licensing
from pydantic import BaseModel, ConfigDict, ValidationError

from sbom.contents import Distribution
from sbom.errors import SbomError

FILE = Path(__file__).parent / "licences.toml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Allowed(_Strict):
    """A licence that may be in an image; `because` where somebody would ask."""

    licence: str
    because: str = ""


class Clarified(_Strict):
    """What the metadata of a distribution, or of a part of it, means where it is not in SPDX' terms.

    It holds only while the metadata `says` that.
    """

    of: str
    says: str
    licence: str
    because: str


class Policy(_Strict):
    """What may be in an image."""

    allowed: tuple[Allowed, ...]
    clarified: tuple[Clarified, ...] = ()

    def licence(self, name: str, said: str) -> Licence:
        """The licence of `name`, whose metadata says that much."""
        for each in self.clarified:
            if each.of == name and each.says == said:
                return Licence(_normal(each.licence), said, because=each.because)
        return Licence(_normal(said), said)

    def allows(self, licence: Licence) -> bool:
        """Whether it may be in an image: of several that one may choose from, one suffices."""
        return licence.spdx is not None and self._allows(_licensing().parse(licence.spdx))

    def _allows(self, parsed: Any) -> bool:
        if isinstance(parsed, OR):
            return any(map(self._allows, parsed.args))
        if isinstance(parsed, AND):
            return all(map(self._allows, parsed.args))
        # With an exception it is another licence, which has to be listed as such.
        return str(parsed) in {each.licence for each in self.allowed}


@dataclass(frozen=True)
class Licence:
    """A licence: as an expression of SPDX, None where it cannot be told, and in the words of the metadata."""

    spdx: str | None
    said: str
    because: str = ""

    def __str__(self) -> str:
        return self.spdx or (f"unknown ({self.said!r})" if self.said else "unknown")

    @property
    def is_concluded(self) -> bool:
        """Whether we say so, and not the metadata."""
        return bool(self.because)


def refused(rules: Policy, shipped: Mapping[str, Iterable[Distribution]]) -> list[str]:
    """What in `shipped`, by services, may not be there by its licence; a sentence for each."""
    by: dict[tuple[str, str, Licence], list[str]] = {}
    for service, distributions in sorted(shipped.items()):
        for name, version, licence in parts(rules, distributions):
            if not rules.allows(licence):
                by.setdefault((name, version, licence), []).append(service)
    return [
        f"{name} {version}, of {', '.join(services)}, is under a licence that is not allowed in an image: "
        f"{licence}. Take another distribution, or argue the licence in src/python/sbom/{FILE.name}: under "
        f"allowed, or under clarified if its metadata only says it in other words than SPDX."
        for (name, version, licence), services in sorted(by.items(), key=lambda each: each[0][:2])
    ]


def parts(rules: Policy, distributions: Iterable[Distribution]) -> Iterator[tuple[str, str, Licence]]:
    """Name, version and licence of each distribution, and of what each has compiled in (`orjson/libc`)."""
    for each in distributions:
        yield each.name, each.version, rules.licence(each.name, each.said)
        for part in each.bundled:
            name = f"{each.name}/{part.name}"
            yield name, part.version, rules.licence(name, part.said)


def policy(text: str | None = None) -> Policy:
    """The policy in `text`, or in licences.toml. Raises SbomError where it is none."""
    try:
        found = Policy.model_validate(tomllib.loads(FILE.read_text("utf-8") if text is None else text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise SbomError(f"src/python/sbom/{FILE.name} cannot be read: {error}") from error
    named = [each.licence for each in found.allowed] + [each.licence for each in found.clarified]
    for each in named:
        if _normal(each) != each:
            raise SbomError(
                f"src/python/sbom/{FILE.name}: {each!r} is no licence of SPDX (https://spdx.org/licenses)"
            )
    return found


@cache
def _normal(said: str) -> str | None:
    """As SPDX writes it; None where that is none of its expressions."""
    if not said:
        return None
    if known := fixup_id(said):
        return known
    try:
        checked = _licensing().validate(said)
    except Exception:  # the parser breaks in many ways over what is no expression
        return None
    return None if checked.errors else str(checked.normalized_expression)


@cache
def _licensing() -> Licensing:
    return get_spdx_licensing()
