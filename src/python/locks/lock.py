"""The versions that a lock pins, and which of them come with which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)")
_HASH = re.compile(r"\s+--hash=(\S+)(?: \\)?")
# `# via pydantic`, or a line for each below a bare `# via`.
_VIA = re.compile(r"\s+#\s+(?:via\s*)?(?P<who>\S.*)?")


@dataclass(frozen=True)
class Pin:
    """A version, the distributions that it was taken for, and the hashes of its files, `sha256:…`."""

    version: str
    via: frozenset[str]
    hashes: frozenset[str] = frozenset()


def distribution(requirement: str) -> str:
    """The name in a requirement such as `SQLAlchemy[asyncio]>=2`, as PyPI compares names."""
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found.group() if found else requirement).lower()


def pins(text: str) -> dict[str, Pin]:
    """What a lock in the style of requirements pins, by the names of distributions."""
    found: dict[str, Pin] = {}
    current = None
    for line in text.splitlines():
        pin = _PIN.match(line)
        if pin:
            current = distribution(pin[1])
            found[current] = Pin(pin[2], frozenset())
        elif current and (hashed := _HASH.fullmatch(line)):
            was = found[current]
            found[current] = replace(was, hashes=was.hashes | {hashed[1]})
        elif current and (via := _VIA.fullmatch(line)) and via["who"]:
            was = found[current]
            found[current] = replace(was, via=was.via | {_who(via["who"])})
    return found


def needed(pinned: Mapping[str, Pin], libraries: Iterable[str]) -> dict[str, str]:
    """The version of each distribution in `libraries` and of each that comes with them.

    What comes with a library only where an extra of it is asked for counts as well: the lock does not tell.
    """
    known = {name for name in libraries if name in pinned}
    while more := {name for name, pin in pinned.items() if name not in known and pin.via & known}:
        known |= more
    return {name: pinned[name].version for name in sorted(known)}


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Which versions differ, in words: `fastapi 0.115.0 -> 0.116.1`."""
    return [
        f"{name} {before.get(name, 'none')} -> {after.get(name, 'none')}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _who(text: str) -> str:
    # `-r requirements.txt` is nobody that could be needed.
    return text if text.startswith("-") else distribution(text)
