"""What Git knows of a change: where it began, and which files it has."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# What GitHub says of a pull request: the branch it is to be merged into.
_TARGET = "GITHUB_BASE_REF"


class PipelineError(Exception):
    """The pipeline cannot be run; the message says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class Change:
    """What has changed in a checkout, committed or not, since the commit `base`.

    `branch` is what was compared with: `base` is where the two parted.
    """

    base: str
    branch: str
    files: tuple[str, ...]


def default_branch(environment: Mapping[str, str] = os.environ) -> str:
    """The branch that a change is compared with unless another is named."""
    return f"origin/{environment.get(_TARGET) or 'main'}"


def change(root: Path, branch: str) -> Change:
    """The change that the checkout in `root` is. Raises PipelineError where it cannot be told."""
    if _run(root, "rev-parse", "--verify", "--quiet", f"{branch}^{{commit}}").returncode:
        remote, _, name = branch.partition("/")
        # As CI clones, a remote has one branch: which to fetch, and what to call it, has to be said.
        fetch = f"git fetch {remote} {name}:refs/remotes/{branch}, or " if name else ""
        raise PipelineError(f"there is no {branch} here to compare with: {fetch}name another with --base")
    found = _run(root, "merge-base", "HEAD", branch)
    if found.returncode:
        if _git(root, "rev-parse", "--is-shallow-repository").strip() == "true":
            raise PipelineError(
                f"this clone is shallow, and does not reach back to where HEAD and {branch} parted: "
                "git fetch --unshallow"
            )
        raise PipelineError(f"HEAD and {branch} have no commit in common: name another branch with --base")
    base = found.stdout.strip()
    differing = _git(root, "diff", "--name-only", "--no-renames", "-z", base)
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    return Change(base, branch, tuple(sorted(set(filter(None, (differing + untracked).split("\0"))))))


def _git(root: Path, *arguments: str) -> str:
    done = _run(root, *arguments)
    if done.returncode:
        raise PipelineError(f"git {arguments[0]} refuses in {root}: {done.stderr.strip()}")
    return done.stdout


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", root, *arguments], capture_output=True, text=True, check=False, errors="replace"
        )
    except OSError as error:
        raise PipelineError(f"git cannot be run: {error}; what has changed is asked of it") from error
