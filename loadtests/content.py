"""What is packaged of services as they are now: the releases' word for it, which load tests cannot import."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtests.errors import LoadError

# The first time in a checkout, the command itself has to be packaged.
_WITHIN_S = 900
_LINE = re.compile(r"([a-z][a-z0-9-]*) (sha256:[0-9a-f]{64})")


def packaged(root: Path, services: Sequence[str]) -> Mapping[str, str]:
    """A hash of what is packaged of each of `services`: `./pants release content`. Raises LoadError."""
    command = [str(root.absolute() / "pants"), "release", "content", *services]
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, check=False, timeout=_WITHIN_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LoadError(f"./pants release content cannot be asked what is packaged: {error}.") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1].rstrip(".")
        raise LoadError(
            f"./pants release content does not tell what is packaged and ends with {done.returncode}: {said}."
        )
    found = {line[1]: line[2] for line in map(_LINE.fullmatch, done.stdout.splitlines()) if line}
    if missing := [service for service in services if service not in found]:
        raise LoadError(f"./pants release content does not tell what is packaged of {', '.join(missing)}.")
    return {service: found[service] for service in services}
