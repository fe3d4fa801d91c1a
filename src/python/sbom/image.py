"""A service's image, as a Docker Engine has it: labels, libraries, and what its base is made of."""

from __future__ import annotations

import json
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from locks import lock
from sbom import distribution, syft
from sbom.checkout import Checkout, address
from sbom.contents import Contents, Distribution, Package
from sbom.errors import SbomError

# Where the image has what is not of its base; build-support/images/dockerfile.py says so.
APP = "/app"
_LABEL = "org.opencontainers.image."
_WITHIN_S = 120
_LARGEST = 16 * 1024 * 1024
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Image:
    """An image that the Engine has."""

    id: str
    labels: Mapping[str, str]

    def label(self, name: str) -> str | None:
        """What it says of itself under a name of https://specs.opencontainers.org/image-spec/annotations."""
        said = self.labels.get(_LABEL + name, _UNKNOWN)
        return None if said in {_UNKNOWN, ""} else said


Base = Callable[[str], Iterable[Package]]


def _base(image: str) -> Iterable[Package]:
    return syft.packages(f"docker:{image}", APP)


def find(reference: str) -> Image | None:
    """The image of that name; None where no Engine answers, or where it has none of that name."""
    try:
        said = _docker("image", "inspect", reference)
    except SbomError:
        return None
    (found,) = json.loads(said)
    return Image(found["Id"], found["Config"].get("Labels") or {})


def contents(checkout: Checkout, service: str, image: Image, base: Base = _base) -> Contents:
    """All that is in `image`, which is one of `service`; `base` tells what is in that of the image of an id.

    Raises SbomError where it cannot be looked into.
    """
    title = image.label("title")
    if title and title.rpartition("/")[2] != service:
        raise SbomError(
            f"the image {image.id} is one of {title}, not of {service}: name another with --image"
        )
    commit = image.label("revision")
    locked = checkout.lock(commit)
    return Contents(
        service,
        image.label("version") or checkout.version(service),
        _distributions(image),
        commit=commit,
        made=checkout.made(commit),
        source=address(image.label("source") or ""),
        image=image.id,
        base=tuple(base(image.id)),
        pins=lock.pins(locked or ""),
    )


def _distributions(image: Image) -> tuple[Distribution, ...]:
    with (
        _folder(image, f"{APP}/lib") as members,
        tempfile.TemporaryDirectory(prefix="mercato-sbom-") as scratch,
    ):
        files: dict[Path, set[str]] = {}
        for member, content in members:
            packages, path = _split(PurePosixPath(member.name))
            if packages is None:
                continue
            folder = Path(scratch) / packages
            files.setdefault(folder, set()).add(str(path))
            if path.parts[0].endswith(".dist-info") and content is not None and member.size <= _LARGEST:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())
        found = [
            each for folder, there in files.items() for each in distribution.read([folder], frozenset(there))
        ]
    if not found:
        raise SbomError(f"the image {image.id} has no libraries below {APP}/lib: it is none of a service")
    return tuple(found)


def _split(path: PurePosixPath) -> tuple[PurePosixPath | None, PurePosixPath]:
    """The folder of packages that a file is in, and its path from there; None for a file that is in none."""
    parts = path.parts
    if "site-packages" not in parts or ".." in parts or path.is_absolute():
        return None, path
    at = parts.index("site-packages") + 1
    if at == len(parts):
        return None, path
    return PurePosixPath(*parts[:at]), PurePosixPath(*parts[at:])


@contextmanager
def _folder(image: Image, folder: str) -> Iterator[Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]]:
    """The files below `folder` of an image, which is not run for it."""
    container = _docker("create", image.id).strip()
    try:
        with tempfile.TemporaryFile() as copied:
            _docker("cp", f"{container}:{folder}", "-", to=copied)
            copied.seek(0)
            with tarfile.open(fileobj=copied) as tar:
                yield ((member, tar.extractfile(member)) for member in tar if member.isfile())
    except tarfile.TarError as error:
        raise SbomError(f"{folder} of the image {image.id} cannot be read: {error}") from error
    finally:
        _docker("rm", "--force", container)


def _docker(*arguments: str, to: IO[bytes] | None = None) -> str:
    """What docker says, or nothing where it is written into `to`. Raises SbomError with its words."""
    command = ["docker", *arguments]
    output = subprocess.PIPE if to is None else to
    try:
        said = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=True, timeout=_WITHIN_S)
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode(errors="replace").strip()
        raise SbomError(f"docker {' '.join(arguments)} fails: {words}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SbomError(f"docker does not answer: {error}") from error
    return "" if to is not None else said.stdout.decode()
