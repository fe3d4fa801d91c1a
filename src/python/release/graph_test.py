from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from release.graph import Graph, ask, read
from release.version import ReleaseError

TARGETS: list[dict[str, Any]] = [
    {"address": "app", "dependencies": ["a.py", "reqs#SQLAlchemy"], "entry_point": "a.py"},
    {"address": "a.py", "dependencies": ["b.py"], "sources": ["a.py"], "requirements": None},
    {"address": "b.py", "dependencies": ["a.py"], "sources": ["b.py"]},
    {"address": "reqs#SQLAlchemy", "dependencies": [], "requirements": ["SQLAlchemy[asyncio]>=2"]},
    {"address": "other.py", "dependencies": ["a.py"], "sources": ["other.py"]},
]


def test_a_target_ships_what_it_depends_on() -> None:
    """However far away, and in a circle; nothing of what depends on it."""
    graph = read(json.dumps(TARGETS), "here")
    assert {"a.py", "b.py"} == graph.files(["app"])
    assert {"sqlalchemy"} == graph.libraries(["app"])


def test_a_target_that_is_none_is_named() -> None:
    """What was released would else look as if it had lost everything."""
    with pytest.raises(ReleaseError, match=r"no target gone: .*/release/thing\.py"):
        Graph(TARGETS).files(["gone"])


@pytest.mark.parametrize("text", ["", "{}x", "[1]", '[{"sources": []}]', "3"])
def test_what_is_no_graph_is_told_from_one(text: str) -> None:
    """With where it was said."""
    with pytest.raises(ReleaseError, match=r"graph\.json is not what"):
        read(text, "graph.json")


def test_a_pants_that_fails_is_quoted(tmp_path: Path) -> None:
    """A BUILD file that cannot be read, say; and a folder without Pants is named."""
    with pytest.raises(ReleaseError, match="pants peek does not tell"):
        ask(tmp_path)
    pants = tmp_path / "pants"
    pants.write_text("#!/bin/sh\necho 'BUILD:1 is wrong' >&2; exit 1\n")
    pants.chmod(0o755)
    with pytest.raises(ReleaseError, match="BUILD:1 is wrong"):
        ask(tmp_path)
    pants.write_text(f"#!/bin/sh\necho '{json.dumps(TARGETS)}'\n")
    assert {"other.py", "a.py", "b.py"} == ask(tmp_path).files(["other.py"])
