"""What a change concerns, by the build graph: the targets that changed, and all that depend on them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from pipeline.git import Change, PipelineError

# Of what is in no target, and yet in everything: how it is built, checked and tested.
EVERYWHERE = (
    "pants",
    "pants.toml",
    "pants.ci.toml",
    "pyproject.toml",
    "build-support/install",
    "build-support/macros.py",
    "build-support/plugins/*",
    *(f"3rdparty/python/{tool}/*" for tool in ("dockerfile", "mypy", "pants", "pex", "pytest", "ruff")),
)
ALL = "::"
# Tests that need a whole shop, or every gate, carry this tag in their BUILD files.
WHOLE = "whole"


@dataclass(frozen=True)
class Selection:
    """Tests and other targets that a change concerns, by their addresses; `specs` tells Pants of them."""

    specs: tuple[str, ...]
    tests: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    others: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.tests or self.whole or self.others)


def specs(change: Change) -> tuple[str, ...]:
    """The words that have Pants look at what changed alone; at everything where that cannot be told apart."""
    return (ALL,) if is_everywhere(change) else (f"--changed-since={change.base}",)


def question(change: Change) -> tuple[str, ...]:
    """What Pants is asked for `read`: with all that depends on what changed, however far away."""
    return (*with_dependents(specs(change)), "peek")


def with_dependents(words: Sequence[str]) -> tuple[str, ...]:
    """The same, and all that depends on it."""
    return tuple(words) if ALL in words else (*words, "--changed-dependents=transitive")


def is_everywhere(change: Change) -> bool:
    """Whether a file of it is one that no target has, and that everything is made with."""
    return any(fnmatch(file, pattern) for file in change.files for pattern in EVERYWHERE)


def read(text: str, change: Change) -> Selection:
    """The selection in what Pants said to `question`. Raises PipelineError."""
    try:
        targets: Sequence[Mapping[str, Any]] = json.loads(text) if text.strip() else []
        tests = [each for each in targets if each["target_type"] == "python_test"]
        others = {each["address"] for each in targets if each["target_type"] != "python_test"}
        return Selection(
            specs(change),
            _addresses(each for each in tests if not _is_whole(each)),
            _addresses(each for each in tests if _is_whole(each)),
            frozenset(others),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PipelineError(f"what ./pants peek says of targets cannot be read: {error!r}") from error


def _is_whole(target: Mapping[str, Any]) -> bool:
    return WHOLE in (target.get("tags") or ())


def _addresses(targets: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted(each["address"] for each in targets))
