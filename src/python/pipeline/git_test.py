from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pipeline.git import PipelineError, change, default_branch

_ENVIRONMENT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
_IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@localhost")


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *_IDENTITY, *arguments]
    environment = os.environ | _ENVIRONMENT
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def commit(root: Path, *files: str) -> str:
    for file in files:
        (root / file).write_text(f"{file}\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", f"feat: {files}")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A branch that left main after its first commit; main has gone on."""
    made = tmp_path / "checkout"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(made))
    commit(made, "old")
    git(made, "switch", "--quiet", "--create", "topic")
    git(made, "switch", "--quiet", "main")
    commit(made, "of_main")
    git(made, "switch", "--quiet", "topic")
    return made


def test_a_change_is_all_that_the_branch_has_since_it_left(root: Path) -> None:
    """Committed, staged, edited, new or gone; what the other branch has done since is none of it."""
    base = git(root, "rev-parse", "HEAD")
    commit(root, "committed", "gone")
    (root / "staged").write_text("x\n")
    git(root, "add", "staged")
    (root / "untracked").write_text("x\n")
    (root / "old").write_text("edited\n")
    (root / "gone").unlink()
    found = change(root, "main")
    assert (base, "main") == (found.base, found.branch)
    assert ("committed", "old", "staged", "untracked") == found.files


def test_nothing_may_have_changed(root: Path) -> None:
    """A change of no files, then."""
    assert () == change(root, "main").files


def test_a_branch_that_is_not_there_is_asked_for(root: Path) -> None:
    """With the command that gets it."""
    with pytest.raises(
        PipelineError, match=r"^there is no origin/main .*: git fetch origin main:refs/remotes/"
    ):
        change(root, "origin/main")
    with pytest.raises(
        PipelineError, match=r"^there is no gone here to compare with: name another with --base$"
    ):
        change(root, "gone")


def test_a_shallow_clone_is_told_from_branches_that_are_strangers(root: Path, tmp_path: Path) -> None:
    """Each has a way out of its own."""
    commit(root, "more")
    shallow = tmp_path / "shallow"
    git(
        tmp_path, "clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{root}", str(shallow)
    )  # of both branches the last commit
    with pytest.raises(PipelineError, match=r"this clone is shallow.*: git fetch --unshallow$"):
        change(shallow, "origin/main")
    git(root, "switch", "--quiet", "--orphan", "stranger")
    commit(root, "strange")
    with pytest.raises(PipelineError, match="HEAD and main have no commit in common"):
        change(root, "main")


def test_what_is_no_repository_is_said(tmp_path: Path) -> None:
    """There, no branch is."""
    with pytest.raises(PipelineError, match="there is no main here"):
        change(tmp_path, "main")


def test_github_says_what_a_pull_request_is_compared_with() -> None:
    """Elsewhere, and where it is no pull request, that is main."""
    assert "origin/release" == default_branch({"GITHUB_BASE_REF": "release"})
    assert "origin/main" == default_branch({"GITHUB_BASE_REF": ""}) == default_branch({})
