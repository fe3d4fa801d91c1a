"""What is packaged, by the word of a launcher that is not the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.content import packaged
from loadtests.errors import LoadError

HASH = "sha256:" + "0" * 64


def launcher(root: Path, script: str) -> Path:
    """A checkout with a launcher that does this, in a shell."""
    (root / "pants").write_text(f"#!/bin/sh\n{script}\n")
    (root / "pants").chmod(0o755)
    return root


def test_the_launcher_is_asked_for_those_services(tmp_path: Path) -> None:
    """What it says besides is no answer."""
    root = launcher(tmp_path, f'echo "$*"; echo "order {HASH}"; echo "user {HASH}"')
    assert {"order": HASH} == packaged(root, ["order"])
    asked = launcher(tmp_path, f'[ "$*" = "release content user order" ] && echo "user {HASH}\norder {HASH}"')
    assert {"user": HASH, "order": HASH} == packaged(asked, ["user", "order"])


def test_it_is_asked_in_its_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where that is named by a path from elsewhere."""
    (tmp_path / "checkout").mkdir()
    launcher(tmp_path / "checkout", f'[ "${{PWD##*/}}" = checkout ] && echo "order {HASH}"')
    monkeypatch.chdir(tmp_path)
    assert {"order": HASH} == packaged(Path("checkout"), ["order"])


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo one >&2; echo 'the graph is torn.' >&2; exit 3", r"ends with 3: the graph is torn\.$"),
        ("exit 1", r"ends with 1: nothing\.$"),
        (f"echo 'user {HASH}'", r"does not tell what is packaged of order\.$"),
        ("echo 'order sha256:0'", r"does not tell what is packaged of order\.$"),
    ],
)
def test_an_answer_that_is_none_is_one_sentence(script: str, problem: str, tmp_path: Path) -> None:
    """Which says what it said."""
    with pytest.raises(LoadError, match=problem):
        packaged(launcher(tmp_path, script), ["order"])


def test_a_checkout_without_a_launcher_is_told_so(tmp_path: Path) -> None:
    """There is nothing to guess from."""
    with pytest.raises(LoadError, match=r"cannot be asked what is packaged: .*pants"):
        packaged(tmp_path, ["order"])
