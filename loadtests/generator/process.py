"""How Locust is started: with this interpreter, and with plan and credentials in the environment."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtests.generator.plan import VARIABLE
from loadtests.generator.target import Target


def python(module: str, *arguments: str) -> list[str]:
    """A command line that runs `module`."""
    return [sys.executable, "-m", module, *arguments]


def locust(*arguments: str) -> list[str]:
    """Locust's command line for the visitors; it says only what goes wrong, and has no web page."""
    found = importlib.util.find_spec("loadtests.generator.locustfile")
    assert found is not None
    assert found.origin is not None
    return python("locust", "-f", found.origin, "--headless", "--skip-log-setup", *arguments)


def environment(plan: Path | None = None, target: Target | None = None) -> Mapping[str, str]:
    """What such a process needs of ours."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    made = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    if plan is not None:
        made[VARIABLE] = str(plan)
    return made | (target.environment if target else {})


def become(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Go on as that program: signals and exit status are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], list(command), dict(environment))  # noqa: S606 -- our own interpreter, no shell


def free_port() -> int:
    """A port of loopback on which nobody listens now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
