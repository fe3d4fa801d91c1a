"""What becomes of a part of a stack, and how grave that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from infra.difference.templates import SECTIONS


class What(StrEnum):
    """What becomes of something; the gravest first."""

    DELETED = "deleted"
    REPLACED = "replaced"
    MAY_BE_DELETED = "may be deleted"
    MAY_BE_REPLACED = "may be replaced"
    ORPHANED = "orphaned"
    LOOSENED = "loosened"
    UNEXPORTED = "no longer exported"
    MODIFIED = "modified"
    ADDED = "added"

    @property
    def place(self) -> int:
        """Its place among all; the gravest has the first."""
        return list(What).index(self)

    @property
    def said(self) -> str:
        """As the rest of a sentence about it."""
        return _SAID.get(self, self.value)


_SAID = {
    What.DELETED: "is deleted",
    What.REPLACED: "is replaced",
    What.ORPHANED: "leaves the stack and stays in the account",
    What.LOOSENED: "is protected less",
    What.UNEXPORTED: "is exported no more",
    What.MODIFIED: "is modified",
    What.ADDED: "is added",
}

# What makes another resource of one.
NEW_IDENTITY = (What.REPLACED, What.MAY_BE_REPLACED)


@dataclass(frozen=True)
class PropertyChange:
    """One value of a resource. None is one that is not there.

    `effect` is what it does to the resource; `reason`, what it follows from when its template is as it was.
    """

    path: str
    old: Any
    new: Any
    effect: What = What.MODIFIED
    reason: str = ""


@dataclass(frozen=True)
class Change:
    """What becomes of a resource, or of another part of a stack, such as an output.

    `export` is the name that others import it by, if that or what it stands for changes.
    """

    logical_id: str
    type: str
    what: What
    stateful: bool = False
    properties: tuple[PropertyChange, ...] = ()
    note: str = ""
    export: str = ""

    @property
    def refused(self) -> bool:
        """Whether data, or the stack's hold on it, would be lost or be easier to lose."""
        return self.stateful and self.what.place < What.UNEXPORTED.place

    @property
    def rank(self) -> tuple[bool, int, bool]:
        """The dangerous things first; what is no resource is missed the least."""
        aside = self.type in SECTIONS.values()
        what = What.MODIFIED if aside and self.what is What.DELETED else self.what
        return not self.refused, what.place, aside


# The changes of each stack, by its name.
Stacks = Mapping[str, Sequence[Change]]
