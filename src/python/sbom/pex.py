"""The libraries of a service as Pants packages them: the very ones that its image is made of."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from locks import lock
from sbom import distribution
from sbom.checkout import Checkout
from sbom.contents import Contents, Distribution
from sbom.errors import SbomError

_WITHIN_S = 900


def package(root: Path, services: Sequence[str]) -> Path:
    """Have Pants package the libraries of `services`; returns where it puts them. Raises SbomError."""
    targets = [f"src/python/services/{service}:libraries" for service in services]
    command = [str(root / "pants"), "--no-dynamic-ui", "package", *targets]
    try:
        said = subprocess.run(
            command, cwd=root, capture_output=True, text=True, check=False, timeout=_WITHIN_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SbomError(f"{root}/pants does not package the libraries: {error}") from error
    if said.returncode:
        raise SbomError(f"./pants does not package the libraries; it says:\n{said.stderr.strip()}")
    return root / "dist"


def libraries(packaged: Path, service: str) -> tuple[Distribution, ...]:
    """The distributions in the libraries of `service`, by their names. Raises SbomError."""
    # Where Pants puts it, below dist as in the sandbox of a test.
    pex = packaged / f"src.python.services.{service}" / "libraries.pex"
    wheels = sorted((pex / ".deps").glob("*.whl"))
    if not wheels:
        raise SbomError(
            f"{pex} has no libraries: ./pants package src/python/services/{service}:libraries makes it"
        )
    return distribution.read(wheels)


def contents(checkout: Checkout, packaged: Path, service: str) -> Contents:
    """What the image of `service` would have over its base, if it were built now. Raises SbomError."""
    commit = checkout.commit()
    return Contents(
        service,
        checkout.version(service),
        libraries(packaged, service),
        commit=commit,
        made=checkout.made(commit),
        source=checkout.source(),
        pins=lock.pins(checkout.lock_as_it_stands()),
    )
