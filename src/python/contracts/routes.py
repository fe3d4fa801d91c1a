"""Where the routes of a service are."""

from __future__ import annotations

_HISSING = ("s", "x", "z", "ch", "sh")
_VOWELS = tuple("aeiou")


def plural(noun: str) -> str:
    """Of an English noun in lower-case letters, by the rule: orders, deliveries, boxes."""
    if noun.endswith("y") and not noun[:-1].endswith(_VOWELS):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(_HISSING) else f"{noun}s"


def path_of(service: str) -> str:
    """What all routes of `service` begin with; the gateway sends it what is at this path and below."""
    return f"/api/{plural(service)}"
