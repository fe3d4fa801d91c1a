"""One running copy of a service."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from backing.ports import answers
from backing.process import Process, python_module
from devstack import images

# More than a service gives itself to finish (chassis.service), as ECS does.
_STOP_TIMEOUT_S = 30.0


class Replica:
    """The process of a service, as its image would run it; or its image."""

    def __init__(
        self,
        service: str,
        name: str,
        port: int,
        env: Mapping[str, str],
        *,
        log: Path,
        from_image: bool = False,
    ) -> None:
        """`env` is what the service's settings read."""
        self.service = service
        self.port = port
        self._container = f"mercato-{name}-{os.getpid()}-{port}" if from_image else None
        if self._container is None:
            self.process = python_module(
                name, f"services.{service}.app", "serve", log=log, env=env, stop_timeout_s=_STOP_TIMEOUT_S
            )
        else:
            argv = images.run(service, self._container, env, "serve")
            self.process = Process(name, argv, log=log, env=env, stop_timeout_s=_STOP_TIMEOUT_S)

    @property
    def name(self) -> str:
        """As the shop calls it."""
        return self.process.name

    def start(self) -> None:
        """Start the process; see `wait_ready`."""
        if self._container is not None:
            images.remove(self._container)
        self.process.start()

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Return once the service answers; ProcessError otherwise."""
        self.process.wait_ready(lambda: answers(self.port, "/livez"), timeout_s)

    def stop(self) -> None:
        """Have the service finish what is under way and end."""
        self.process.stop()
        if self._container is not None:
            images.remove(self._container)
