"""A CloudFormation template, to be asked for what it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUFFIX = ".template.json"


@dataclass(frozen=True)
class Resource:
    """A resource of a template, by its logical id."""

    id: str
    type: str
    properties: Mapping[str, Any]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Template:
    """The template of the stack `stack`."""

    stack: str
    body: Mapping[str, Any]

    def resources(self, type: str | None = None) -> Iterator[Resource]:
        """Every resource, or those of one type."""
        for logical_id, found in self.body.get("Resources", {}).items():
            if type is None or found["Type"] == type:
                yield Resource(logical_id, found["Type"], found.get("Properties", {}), found)

    def only(self, type: str) -> Resource:
        """The one resource of a type. Raises ValueError where there are none or several."""
        (found,) = self.resources(type)
        return found


def read(folder: Path) -> dict[str, Template]:
    """The templates below `folder`, as CDK writes them, by the names of their stacks."""
    return {
        stack: Template(stack, json.loads(path.read_text("utf-8"))) for stack, path in paths(folder).items()
    }


def paths(folder: Path) -> dict[str, Path]:
    """Where the templates below `folder` are, by the names of their stacks.

    A stage's stacks have its folder before their names. What a stack deploys, its assets, is no stack.
    """
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob(f"*{SUFFIX}"))}
    return {name.removesuffix(SUFFIX): path for name, path in found.items() if "/asset." not in f"/{name}"}
