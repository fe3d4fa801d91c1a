"""What the checkout says of its services: versions, commits, locks."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sbom.errors import SbomError

LOCK = "3rdparty/python/shop/lock.txt"
_SERVICES = "src/python/services"
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
# https://git-scm.com/docs/git-clone#_git_urls; who signs in there is nobody's business.
_URL = re.compile(r"(https?|ssh|git)://(?:[^\s/@]*@)?([!-~]+)")
_SHORT = re.compile(r"(?:[\w.-]+@)?([\w.-]+):([!-~]+)", re.ASCII)
_WITHIN_S = 30


def address(remote: str) -> str | None:
    """The URL of a repository, without credentials; None for what is none, such as a folder."""
    if found := _URL.fullmatch(remote.strip()):
        return f"{found[1]}://{found[2]}"
    if found := _SHORT.fullmatch(remote.strip()):
        return f"ssh://{found[1]}/{found[2].lstrip('/')}"
    return None


@dataclass(frozen=True)
class Checkout:
    """A working tree, at its root."""

    root: Path

    def services(self) -> tuple[str, ...]:
        """Their names. Raises SbomError where there are none."""
        found = sorted(path.parent.name for path in (self.root / _SERVICES).glob("*/VERSION"))
        if not found:
            raise SbomError(f"{self.root / _SERVICES} has no services: run the command in a checkout")
        return tuple(found)

    def version(self, service: str) -> str:
        """Of `service` as it stands. Raises SbomError where there is no such service."""
        if service not in self.services():
            raise SbomError(f"there is no service {service!r}; there are {', '.join(self.services())}")
        return (self.root / _SERVICES / service / "VERSION").read_text("utf-8").strip()

    def commit(self) -> str | None:
        """The one that is checked out; None where there is none."""
        found = self._git("rev-parse", "HEAD")
        return found.strip() if found else None

    def source(self) -> str | None:
        """Where others get the repository from, without credentials; None where that is not said."""
        return address(self._git("config", "--get", "remote.origin.url") or "")

    def made(self, commit: str | None) -> datetime | None:
        """The time of a commit in UTC; None where Git does not know it."""
        found = self._of(commit, "show", "-s", "--format=%ct", "{}")
        return datetime.fromtimestamp(int(found), UTC) if found else None

    def lock(self, commit: str | None) -> str | None:
        """The text of the shop's lock at a commit; None where Git does not know that."""
        return self._of(commit, "show", "{}:" + LOCK)

    def lock_as_it_stands(self) -> str:
        """The text of the shop's lock in the working tree. Raises SbomError."""
        try:
            return (self.root / LOCK).read_text("utf-8")
        except OSError as error:
            raise SbomError(
                f"{self.root / LOCK} cannot be read: {error.strerror}; build-support/lock writes it"
            ) from error

    def _of(self, commit: str | None, *arguments: str) -> str | None:
        # Labels of images say it, so it may be anything.
        if commit is None or not _COMMIT.fullmatch(commit):
            return None
        return self._git(*(each.format(commit) for each in arguments))

    def _git(self, *arguments: str) -> str | None:
        command = ["git", "-C", str(self.root), *arguments]
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_WITHIN_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SbomError(
                f"git does not answer: {error}; what an image is made of is told by commits"
            ) from error
        return said.stdout if said.returncode == 0 else None
