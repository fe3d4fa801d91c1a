"""One running copy of a service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from backing.ports import answers
from backing.process import python_module

# More than a service gives itself to finish (chassis.service), as ECS does.
_STOP_TIMEOUT_S = 30.0


class Replica:
    """The process of a service, as its image would run it."""

    def __init__(self, service: str, name: str, port: int, env: Mapping[str, str], *, log: Path) -> None:
        """`env` is what the service's settings read."""
        self.service = service
        self.port = port
        self.process = python_module(
            name, f"services.{service}.app", "serve", log=log, env=env, stop_timeout_s=_STOP_TIMEOUT_S
        )

    def start(self) -> None:
        """Start the process; see `wait_ready`."""
        self.process.start()

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Return once the service answers; ProcessError otherwise."""
        self.process.wait_ready(lambda: answers(self.port, "/livez"), timeout_s)

    def stop(self) -> None:
        """Have the service finish what is under way and end."""
        self.process.stop()
