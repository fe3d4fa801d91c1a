"""The name of a new service, and what follows from it."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass

from contracts import routes

FEWEST, MOST = 2, 20
_LETTERS = re.compile(r"[a-z]+")


class Refused(Exception):
    """Nothing is made; the message says why, and what to do, in a sentence."""


@dataclass(frozen=True)
class Name:
    """A name in lower-case letters, such as `delivery`."""

    text: str

    @property
    def plural(self) -> str:
        """Of the routes and of the table: `deliveries`."""
        return routes.plural(self.text)

    @property
    def path(self) -> str:
        """What its routes begin with: `/api/deliveries`."""
        return routes.path_of(self.text)

    def words(self) -> Mapping[str, str]:
        """What templates say in the place of the name, in each of its forms."""
        return {
            "name": self.text,
            "Name": self.text.capitalize(),
            "plural": self.plural,
            "Plural": self.plural.capitalize(),
            "PLURAL": self.plural.upper(),
            "path": self.path,
        }


def checked(text: str, taken: Mapping[str, str]) -> Name:
    """The name, which is good for a service. Raises Refused.

    `taken` are words that it must not be, nor its plural, whatever their case, each with what has it.
    """
    if not _LETTERS.fullmatch(text):
        raise Refused(
            f"{text!r} is no name of a service: it must be lower-case letters, a to z, for it becomes "
            "a module of Python, a database and an address."
        )
    if not FEWEST <= len(text) <= MOST:
        raise Refused(f"{text!r} is no name of a service: it must have {FEWEST} to {MOST} letters.")
    name = Name(text)
    for word in (text, name.plural):
        if keyword.iskeyword(word) or keyword.issoftkeyword(word):
            raise Refused(f"{word!r} is a word of Python's own: choose another name.")
        if {word, word.capitalize()} & set(dir(builtins)):
            raise Refused(f"{word!r} is a name that Python itself gives: choose another.")
        if word in taken:
            raise Refused(f"{word!r} is taken by {taken[word]}: choose another name.")
    return name
