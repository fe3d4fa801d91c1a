"""Python distributions by their metadata: https://packaging.python.org/specifications/core-metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from packageurl import PackageURL

from locks.lock import distribution
from sbom.contents import Bundled, Distribution
from sbom.errors import SbomError

_CLASSIFIER = "License :: "
# A field that older metadata fills with the whole text of a licence.
_LONGEST = 100


def read(paths: Iterable[Path], files: frozenset[str] | None = None) -> tuple[Distribution, ...]:
    """Those in `paths`, each a folder of packages or a wheel, by their names.

    `files` are the paths of what is there, from the folder of packages, where not all that is recorded is:
    then a distribution without any of its modules is told from the others. Raises SbomError.
    """
    found: dict[str, Distribution] = {}
    for each in metadata.distributions(path=[str(path) for path in paths]):
        name, version = each.metadata["Name"], each.metadata["Version"]
        if not name or not version:
            raise SbomError(
                f"a distribution in {each.locate_file('')} has no name or version: build the image anew"
            )
        name = distribution(name)
        has_code = files is None or any(path in files for path in _modules(each))
        found[name] = Distribution(name, version, _said(each), tuple(_bundled(name, each)), has_code)
    return tuple(found[name] for name in sorted(found))


def _modules(found: metadata.Distribution) -> Iterator[str]:
    for path in found.files or ():
        if path.suffix in {".py", ".so"} and ".." not in path.parts:
            yield str(path)


def _said(found: metadata.Distribution) -> str:
    """Of its licence: the expression if there is one, else what is said in words."""
    said: Any = found.metadata  # a message, whose type denies that headers may be missing
    expression, licence = said.get("License-Expression"), (said.get("License") or "").strip()
    if expression:
        return str(expression).strip()
    if licence and licence != "UNKNOWN" and "\n" not in licence and len(licence) <= _LONGEST:
        return str(licence)
    classifiers = [each for each in said.get_all("Classifier") or () if each.startswith(_CLASSIFIER)]
    return "; ".join(each.rpartition(" :: ")[2] for each in classifiers)


def _bundled(name: str, found: metadata.Distribution) -> Iterator[Bundled]:
    documents = [path for path in found.files or () if path.parent.name == "sboms" and path.suffix == ".json"]
    for path in sorted(documents):
        try:
            document = json.loads(found.read_text(f"sboms/{path.name}") or "")
            yield from map(_part, filter(_is_foreign, document["components"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SbomError(
                f"{path} of {name} is no CycloneDX document ({error!r}): what the wheel has compiled in is "
                "not known; teach sbom/distribution.py to read it"
            ) from error


def _is_foreign(component: Mapping[str, Any]) -> bool:
    """Whether a component is somebody else's: the rest is the distribution's own source."""
    return "download_url=file:" not in component.get("purl", "")


def _part(component: Mapping[str, Any]) -> Bundled:
    purl = component.get("purl", "")
    if purl:
        PackageURL.from_string(purl)  # raises ValueError where it is none
    choices = component.get("licenses", ())
    said = [
        each.get("expression") or each["license"].get("id") or each["license"]["name"] for each in choices
    ]
    return Bundled(
        component["name"],
        component.get("version", ""),
        purl,
        said[0] if len(said) == 1 else " AND ".join(f"({each})" for each in said),
    )
