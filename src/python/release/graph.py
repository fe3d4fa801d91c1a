"""The build graph, as Pants tells it: which files and which libraries a target depends on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from locks.lock import distribution
from release.version import ReleaseError

# All in one question: each costs the start of a client, and a look at the file system.
_PEEK = (
    "--no-dynamic-ui",
    "peek",
    "src/python::",
    "build-support/images:",
    "3rdparty/python/shop:",
    "3rdparty/python/infra:",
)
_WITHIN_S = 300


class Graph:
    """Targets by their addresses, as `./pants peek` lists them."""

    def __init__(self, targets: Iterable[Mapping[str, Any]]) -> None:
        self._targets = {target["address"]: target for target in targets}

    def files(self, roots: Iterable[str]) -> frozenset[str]:
        """The sources of `roots` and of all they depend on. Raises ReleaseError where one is no target."""
        return frozenset(path for each in self._closure(roots) for path in each.get("sources") or ())

    def libraries(self, roots: Iterable[str]) -> frozenset[str]:
        """The distributions that these ask for by name; not those that come with them."""
        found = [each for target in self._closure(roots) for each in target.get("requirements") or ()]
        return frozenset(distribution(each) for each in found)

    def _closure(self, roots: Iterable[str]) -> list[Mapping[str, Any]]:
        seen: dict[str, Mapping[str, Any]] = {}
        waiting = list(roots)
        while waiting:
            address = waiting.pop()
            if address in seen:
                continue
            if address not in self._targets:
                raise ReleaseError(
                    f"the build graph has no target {address}: what is released is listed in "
                    "src/python/release/thing.py, and its targets in BUILD files; mend the one that is wrong"
                )
            seen[address] = self._targets[address]
            waiting += seen[address].get("dependencies") or ()
        return list(seen.values())


def read(text: str, where: str) -> Graph:
    """The graph that `./pants peek` said; `where` it was said is named in the ReleaseError it may raise."""
    try:
        targets: Any = json.loads(text)
        return Graph(targets)
    except (KeyError, TypeError, ValueError) as error:
        raise ReleaseError(f"{where} is not what ./pants peek says of targets: {error!r}") from error


def ask(root: Path) -> Graph:
    """The graph of the checkout in `root`. Raises ReleaseError where Pants cannot tell it."""
    try:
        said = subprocess.run(
            [root / "pants", *_PEEK], cwd=root, capture_output=True, text=True, check=False, timeout=_WITHIN_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReleaseError(f"{root}/pants peek does not tell the build graph: {error}") from error
    if said.returncode:
        raise ReleaseError(f"./pants peek does not tell the build graph; it says:\n{said.stderr.strip()}")
    return read(said.stdout, "the answer of ./pants peek")
