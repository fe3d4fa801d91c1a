"""The services as the images that are deployed, run by a Docker Engine on this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from importlib import import_module

from backing.process import ProcessError, installation

# Not the service's own to read, and read by the libraries that it uses.
_OTHERS = ("AWS_", "OTEL_")
_BUILD = "./pants package src/python/services::"


def image_of(service: str) -> str:
    """The image of `service` at the version in the checkout."""
    version = (installation(f"services.{service}") / "VERSION").read_text("utf-8").strip()
    return f"mercato/{service}:{version}"


def ensure_built(services: Iterable[str]) -> None:
    """Raise ProcessError, saying what to do, unless an Engine answers and has the images of `services`."""
    for service in services:
        try:
            found = subprocess.run(
                ["docker", "image", "inspect", image_of(service)],
                capture_output=True,
                timeout=30,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ProcessError(f"there is no Docker Engine to run images: {error}") from error
        if found.returncode != 0:
            said = found.stderr.decode(errors="replace").strip()
            raise ProcessError(
                f"the image {image_of(service)} cannot be run: build it with {_BUILD} ({said})"
            )


def run(service: str, container: str, given: Iterable[str], *command: str) -> Sequence[str]:
    """How a command of a service is run from its image, as little as on AWS may it do.

    Of the environment it finds what its settings read and what is in `given`: by name, so that no secret is
    an argument. It is reached, and reaches all, by this host's own loopback addresses.
    """
    names = sorted({*given, *_read_by(service)} & set(os.environ) | set(given))
    return [
        "docker",
        "run",
        "--rm",
        f"--name={container}",
        "--network=host",
        "--read-only",
        "--tmpfs=/tmp",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        *(f"--env={name}" for name in names),
        image_of(service),
        *command,
    ]


def remove(container: str) -> None:
    """End a container that is left, however its client ended."""
    subprocess.run(["docker", "rm", "--force", container], capture_output=True, timeout=60, check=False)


def _read_by(service: str) -> set[str]:
    settings = import_module(f"services.{service}.settings").Settings
    own = {name.upper() for name in settings.model_fields}
    return own | {name for name in os.environ if name.startswith(_OTHERS)}
