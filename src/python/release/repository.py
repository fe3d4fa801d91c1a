"""What Git remembers: releases as tags, what has changed since, and a release written whole or not at all."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Protocol

from release.thing import Thing
from release.version import ReleaseError, Version, parse

_HEAD = "HEAD"


class State(Protocol):
    """The files of the checkout at some time, by their paths from its root."""

    def read(self, path: str) -> str | None:
        """The text of a file; None where there is none."""

    def below(self, folder: str) -> dict[str, str]:
        """The text of each file in `folder` itself, by its path."""


class Checkout:
    """The files as they lie in the working tree."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> str | None:
        """The text of a file; None where there is none."""
        file = self._root / path
        return file.read_text(encoding="utf-8") if file.is_file() else None

    def below(self, folder: str) -> dict[str, str]:
        """The text of each file in `folder` itself, by its path."""
        files = [path for path in sorted((self._root / folder).glob("*")) if path.is_file()]
        return {str(path.relative_to(self._root)): path.read_text(encoding="utf-8") for path in files}


class Snapshot:
    """The files of a commit below some folders, read at once: a process for each file would take longer."""

    def __init__(self, archive: bytes) -> None:
        self._files: dict[str, bytes] = {}
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None:
                    self._files[member.name] = content.read()

    def read(self, path: str) -> str | None:
        """The text of a file; None where there is none."""
        content = self._files.get(path)
        return None if content is None else content.decode(encoding="utf-8")

    def below(self, folder: str) -> dict[str, str]:
        """The text of each file in `folder` itself, by its path."""
        return {
            path: content.decode(encoding="utf-8")
            for path, content in self._files.items()
            if path.rpartition("/")[0] == folder
        }


class Repository:
    """The Git repository of a checkout. Every method raises ReleaseError where Git refuses."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # Several were released at once, as a rule.
        self.changed_since = cache(self._changed_since)
        self.snapshot = cache(self._snapshot)

    @property
    def checkout(self) -> Checkout:
        """Its files as they lie there."""
        return Checkout(self.root)

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return self._git("rev-parse", _HEAD).strip()

    @cached_property
    def tags(self) -> frozenset[str]:
        """All of them, also those of commits that are no part of this history."""
        return frozenset(self._git("tag").splitlines())

    def last_release(self, thing: Thing) -> Version | None:
        """The highest version of `thing` that was released in this history; None where none was."""
        prefix = thing.tag("")
        found = [parse(tag.removeprefix(prefix)) for tag in self._merged_tags if tag.startswith(prefix)]
        return max((version for version in found if version), default=None)

    def commit_of(self, tag: str) -> str:
        """The commit that a tag is on."""
        return self._git("rev-parse", f"refs/tags/{tag}^{{commit}}").strip()

    def messages(self, since: str, paths: Iterable[str]) -> list[str]:
        """Those of the commits since `since` that touch one of `paths`, the oldest first."""
        log = ("log", "--reverse", "--no-merges", "--format=%B%x00", f"{since}..{_HEAD}", "--", *paths)
        return [message.strip() for message in self._git(*log).split("\0") if message.strip()]

    def refuse_unclean(self, why: str) -> None:
        """Raise ReleaseError with `why`, and with what is not committed, as `git status` says it."""
        found = self._git("status", "--porcelain").splitlines()
        if found:
            raise ReleaseError(f"{why}; commit, stash or remove them:\n" + "\n".join(found))

    def release(self, files: Mapping[str, str], message: str, tags: Mapping[str, str]) -> None:
        """Commit `files` by their paths, and tag the commit; `tags` are annotations by the names of tags.

        All of it or nothing: the branch and the tags move in one transaction, and where that fails the
        working tree, which has to be clean, is put back. Nothing is signed, and no hook is run.
        """
        before = self.head
        commit = self._commit(before, files, message)
        moves = [f"update {_HEAD} {commit} {before}"]
        moves += [f"create refs/tags/{name} {self._tag(name, commit, tags[name])}" for name in tags]
        try:
            self._git("read-tree", "-m", "-u", before, commit)
            self._git("update-ref", "-m", f"release: {message}", "--stdin", stdin="\n".join(moves) + "\n")
        except BaseException:
            self._git("reset", "--quiet", "--hard")  # to where the branch is, whatever was interrupted
            raise

    @cached_property
    def _merged_tags(self) -> list[str]:
        return self._git("tag", "--merged", _HEAD).splitlines()

    def _changed_since(self, commit: str) -> frozenset[str]:
        """The paths whose content is not that of `commit`; those that are new or gone are among them."""
        differing = self._git("diff", "--name-only", "--no-renames", "-z", commit)
        untracked = self._git("ls-files", "--others", "--exclude-standard", "-z")
        return frozenset(filter(None, (differing + untracked).split("\0")))

    def _snapshot(self, commit: str, folders: tuple[str, ...]) -> Snapshot:
        known = [each for each in folders if self._git("ls-tree", "--name-only", commit, "--", each)]
        return Snapshot(self._run("archive", "--format=tar", commit, "--", *known) if known else _NOTHING)

    def _commit(self, parent: str, files: Mapping[str, str], message: str) -> str:
        """A commit that no branch has yet."""
        with tempfile.TemporaryDirectory(prefix="mercato-release-") as scratch:
            index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
            self._git("read-tree", parent, env=index)
            for path, text in files.items():
                blob = self._git("hash-object", "-w", "--stdin", stdin=text).strip()
                self._git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", env=index)
            tree = self._git("write-tree", env=index).strip()
        return self._git("commit-tree", tree, "-p", parent, "-m", message).strip()

    def _tag(self, name: str, commit: str, annotation: str) -> str:
        """An annotated tag that no reference has yet."""
        tagger = self._git("var", "GIT_COMMITTER_IDENT").strip()
        head = f"object {commit}\ntype commit\ntag {name}\ntagger {tagger}\n\n"
        return self._git("mktag", stdin=head + annotation.strip() + "\n").strip()

    def _git(self, *arguments: str, stdin: str | None = None, env: Mapping[str, str] | None = None) -> str:
        return self._run(*arguments, stdin=stdin, env=env).decode(encoding="utf-8")

    def _run(self, *arguments: str, stdin: str | None = None, env: Mapping[str, str] | None = None) -> bytes:
        try:
            return subprocess.run(
                ["git", "-C", self.root, *arguments],
                input=None if stdin is None else stdin.encode(),
                env=os.environ | (env or {}),
                capture_output=True,
                check=True,
            ).stdout
        except OSError as error:
            raise ReleaseError(f"git cannot be run: {error}; a release needs it") from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip()
            raise ReleaseError(f"git {arguments[0]} refuses in {self.root}: {said}") from error


def _empty() -> bytes:
    written = io.BytesIO()
    tarfile.open(fileobj=written, mode="w").close()
    return written.getvalue()


_NOTHING = _empty()
