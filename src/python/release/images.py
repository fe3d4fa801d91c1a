"""Images of services in a registry, by Docker's own command line: which there are, and how one gets there."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from release.version import ReleaseError, Version

REGISTRY = "MERCATO_REGISTRY"

# A host, with a port or not, and folders: nothing that a command line takes for an option.
_ADDRESS = re.compile(r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9._-]+)*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# How registries say that there is no such tag, by way of Docker.
_UNKNOWN = ("no such manifest", "manifest unknown", "name unknown")


class Images:
    """Those of the registry at `address`, such as `123456789012.dkr.ecr.eu-central-1.amazonaws.com`.

    Credentials are Docker's own (docker login). Every method raises ReleaseError where Docker refuses.
    """

    def __init__(self, address: str, root: Path) -> None:
        self._address = address
        self._root = root

    def name(self, service: str, version: Version) -> str:
        """What an image is called there."""
        return f"{self._address}/{local(service, version)}"

    def digest(self, service: str, version: Version) -> str | None:
        """Of the image that is there; None where there is none."""
        name = self.name(service, version)
        done = self._docker("manifest", "inspect", "--verbose", name)
        if done.returncode:
            if any(word in done.stderr.lower() for word in _UNKNOWN):
                return None
            raise ReleaseError(f"whether there is {name} cannot be told: {_last_line(done.stderr)}")
        return _digest_of(name, done.stdout)

    def push(self, service: str, version: Version) -> str:
        """Push the image that was built here; its digest there."""
        name = self.name(service, version)
        self._succeed("tag", local(service, version), name)
        self._succeed("push", "--quiet", name)
        pushed = self.digest(service, version)
        if pushed is None:
            raise ReleaseError(f"{name} was pushed, and is not there: look at the registry's own log")
        return pushed

    def revision(self, service: str, version: Version) -> str:
        """The commit that the image here says it was built from."""
        label = '{{index .Config.Labels "org.opencontainers.image.revision"}}'
        return self._succeed("image", "inspect", "--format", label, local(service, version)).strip()

    def _succeed(self, *arguments: str) -> str:
        done = self._docker(*arguments)
        if done.returncode:
            raise ReleaseError(f"docker {' '.join(arguments[:2])} refuses: {_last_line(done.stderr)}")
        return done.stdout

    def _docker(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["docker", *arguments]
        try:
            return subprocess.run(command, cwd=self._root, capture_output=True, text=True, check=False)
        except OSError as error:
            raise ReleaseError(
                f"docker cannot be run: {error.strerror}; images need a Docker Engine"
            ) from error


def of(root: Path, environment: Mapping[str, str] = os.environ) -> Images:
    """Those of the registry that the environment names. Raises ReleaseError where it names none."""
    address = environment.get(REGISTRY, "")
    if not _ADDRESS.fullmatch(address):
        said = "is not set" if not address else f"is {address!r}"
        raise ReleaseError(
            f"{REGISTRY} {said}: it names the registry, such as ACCOUNT.dkr.ecr.REGION.amazonaws.com"
        )
    return Images(address, root)


def local(service: str, version: Version) -> str:
    """What `./pants package` calls the image of a service."""
    return f"mercato/{service}:{version}"


def _digest_of(name: str, text: str) -> str:
    try:
        digest = str(json.loads(text)["Descriptor"]["digest"])
    except (KeyError, TypeError, ValueError) as error:
        raise ReleaseError(f"what docker says of {name} is no manifest of one image: {error!r}") from error
    if not _DIGEST.fullmatch(digest):
        raise ReleaseError(f"what docker says of {name} has the digest {digest!r}, which is none")
    return digest


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it does not say why"])[-1]
