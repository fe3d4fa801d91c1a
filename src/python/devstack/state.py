"""What a shop keeps between its runs, in one folder: data, secrets, logs, and where a running one is."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

FOLDER = ".mercato"
ROOT_VARIABLE = "MERCATO_ROOT"


class StateError(RuntimeError):
    """The folder cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Account:
    """Somebody who can sign in to the shop."""

    email: str
    password: str


@dataclass(frozen=True)
class Secrets:
    """What is made once for a shop and kept: keys and passwords."""

    signing_keys: str
    stripe_webhook_secret: str
    database_passwords: dict[str, str]
    admin: Account
    customer: Account


@dataclass(frozen=True)
class Left:
    """A replica that whoever asked for it starts: what would run there, and how.

    `environment` is what it would find beside that of the shop itself.
    """

    service: str
    name: str
    port: int
    command: list[str]
    environment: dict[str, str]


@dataclass(frozen=True)
class Running:
    """Where a running shop is, for the commands that speak to it. `pids` are those of its processes."""

    url: str
    internal_url: str
    mailbox_url: str | None
    stripe_url: str | None
    database_urls: dict[str, str]
    queue_urls: dict[str, str]
    aws: dict[str, str]
    admin: Account
    customer: Account
    pids: dict[str, int]
    left: list[Left] = field(default_factory=list)


def default_directory() -> Path:
    """The folder of the checkout that the launcher was called in, or of the current folder."""
    return Path(os.environ.get(ROOT_VARIABLE) or Path.cwd()) / FOLDER


class State:
    """The folder. Open it to have it for oneself; the kernel lets go of it when the process ends."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.logs = self.directory / "logs"
        self._lock: TextIO | None = None

    def open(self, *, fresh: bool) -> None:
        """Take the folder; `fresh` discards what earlier runs left. Raises StateError if it is in use."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (self.directory / "lock").open("a+")
        except OSError as error:
            raise StateError(
                f"{self.directory} cannot be used: {error}; name another with --state"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(
                f"a shop is running from {self.directory} already: stop it, or name another by --state"
            ) from None
        if fresh:
            self._discard()
        self._rotate_logs()

    def close(self) -> None:
        """Let go of the folder."""
        self.running_file.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.logs / f"{name}.log"

    def secrets(self, services: Sequence[str]) -> Secrets:
        """The shop's secrets; what is missing is made, as for a service that was not there before."""
        path = self.directory / "secrets.json"
        known = json.loads(path.read_text()) if path.exists() else _new_secrets()
        known["database_passwords"] = {
            service: known["database_passwords"].get(service) or secrets.token_urlsafe(24)
            for service in services
        }
        _write(path, known)
        return Secrets(**_with_accounts(known))

    def announce(self, running: Running) -> None:
        """Tell other commands where the shop is."""
        _write(self.running_file, asdict(running))

    def running(self) -> Running:
        """Where the shop is that runs from this folder. Raises StateError if none does."""
        try:
            known: dict[str, Any] = json.loads(self.running_file.read_text())
        except FileNotFoundError:
            raise StateError(f"no shop is running from {self.directory}: start one with ./pants up") from None
        left = [Left(**each) for each in known.pop("left", [])]
        return Running(**_with_accounts(known), left=left)

    @property
    def running_file(self) -> Path:
        """What tells other commands where the shop is; there while one runs."""
        return self.directory / "running.json"

    def _discard(self) -> None:
        for path in self.directory.iterdir():
            if path.name == "lock":
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _rotate_logs(self) -> None:
        """Each run has logs of its own; those of the run before are kept beside them."""
        self.logs.mkdir(exist_ok=True)
        for old in self.logs.glob("*.log"):
            old.rename(old.with_suffix(".log.1"))


def _new_secrets() -> dict[str, Any]:
    return {
        "signing_keys": _signing_keys(),
        "stripe_webhook_secret": f"whsec_{secrets.token_hex(16)}",
        "database_passwords": {},
        "admin": {"email": "admin@mercato.example", "password": secrets.token_urlsafe(12)},
        "customer": {"email": "ada@mercato.example", "password": secrets.token_urlsafe(12)},
    }


def _with_accounts(known: dict[str, Any]) -> dict[str, Any]:
    return known | {name: Account(**known[name]) for name in ("admin", "customer")}


def _signing_keys() -> str:
    """A key set as the user service's own command makes it."""
    done = subprocess.run(
        [sys.executable, "-m", "services.user.tokens"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StateError(f"signing keys could not be made: {done.stderr.strip()}")
    return done.stdout.strip()


def _write(path: Path, content: Any) -> None:
    """Write in one step, readable by nobody else."""
    scratch = path.with_suffix(".tmp")
    scratch.unlink(missing_ok=True)
    with open(scratch, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(content, file, indent=2)
    scratch.rename(path)
