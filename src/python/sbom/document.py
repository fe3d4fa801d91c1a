"""The document of an image: CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json.

The same contents are the same document, to the byte: its time is that of the commit, its number is made of
the rest.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from cyclonedx.contrib.hash.factories import HashTypeFactory
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from locks.lock import Pin
from sbom import syft
from sbom.contents import Bundled, Contents, Distribution, Package
from sbom.errors import SbomError
from sbom.licence import Licence, Policy

_OURS = "Apache-2.0"
_NAMESPACE = uuid.UUID("6f1c2a5e-6f0d-5c39-9f5b-0b0f5f7c6d11")
_make, _hash = LicenseFactory(), HashTypeFactory()


def text(contents: Contents, rules: Policy) -> str:
    """The document of `contents`, which fits the schema. Raises SbomError where it would not."""
    root, service = _root(contents), _service(contents)
    distributions = [_distribution(each, contents, rules) for each in contents.distributions]
    base = [_package(each) for each in contents.base]
    bom = Bom(
        metadata=_metadata(contents, root),
        components=[service, *distributions, *base],
        dependencies=_dependencies(contents),
    )
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    if contents.made is None:
        del document["metadata"]["timestamp"]
    document["compositions"] = [{"aggregate": _known(contents), "assemblies": [root.bom_ref.value]}]
    document["serialNumber"] = _number(document)
    written = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(written)
    if wrong is not None:
        raise SbomError(
            f"the document of {contents.service} does not fit CycloneDX 1.6: {wrong.data.message}"
        )
    return written


def _known(contents: Contents) -> str:
    """How complete it is. Never «complete»: most wheels do not tell what they have compiled in."""
    return "unknown" if any(each.is_debian for each in contents.base) else "incomplete"


def _number(document: dict[str, Any]) -> str:
    rest = {key: each for key, each in document.items() if key != "serialNumber"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
    return uuid.uuid5(_NAMESPACE, digest).urn


# --- what it is of


def _metadata(contents: Contents, root: Component) -> BomMetaData:
    phase = LifecyclePhase.BUILD if contents.image is None else LifecyclePhase.POST_BUILD
    metadata = BomMetaData(component=root, lifecycles=[PredefinedLifecycle(phase)], timestamp=contents.made)
    metadata.tools.components.add(Component(type=ComponentType.APPLICATION, group="mercato", name="sbom"))
    if contents.image is not None:
        metadata.tools.components.add(
            Component(type=ComponentType.APPLICATION, group="anchore", name="syft", version=syft.VERSION)
        )
    return metadata


def _root(contents: Contents) -> Component:
    if contents.image is None:
        said = [
            (
                "mercato:base",
                "not listed: no Docker Engine had the image, and the libraries alone were looked into",
            )
        ]
    elif not any(each.is_debian for each in contents.base):
        said = [("mercato:base", "its packages are not listed: it keeps no record of them")]
    else:
        said = []
    if contents.image:
        said.append(("mercato:image", contents.image))
    return Component(
        type=ComponentType.CONTAINER,
        bom_ref="image",
        group="mercato",
        name=contents.service,
        version=contents.version,
        properties=[Property(name=name, value=value) for name, value in said],
    )


def _service(contents: Contents) -> Component:
    references = []
    if contents.source:
        references.append(ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(contents.source)))
    return Component(
        type=ComponentType.APPLICATION,
        bom_ref="service",
        group="mercato",
        name=contents.service,
        version=contents.version,
        description="The service's own modules, and those of chassis and contracts that it imports.",
        licenses=[_make.make_with_id(_OURS)],
        external_references=references,
        properties=[Property(name="mercato:commit", value=contents.commit or "unknown")],
    )


# --- what it has


def _distribution(found: Distribution, contents: Contents, rules: Policy) -> Component:
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=found.purl,
        name=found.name,
        version=found.version,
        purl=PackageURL.from_string(found.purl),
        licenses=_licences(rules.licence(found.name, found.said)),
        external_references=_files(found, contents),
        scope=None if found.has_code else ComponentScope.EXCLUDED,
        components=[_bundled(each, found, rules) for each in found.bundled],
    )


def _files(found: Distribution, contents: Contents) -> Iterator[ExternalReference]:
    """The hashes of its files, one of which was installed: the lock does not say which is which."""
    pin = _pin(found, contents)
    if pin is not None:
        yield ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(f"https://pypi.org/project/{found.name}/{found.version}/"),
            comment="one of the files with these hashes, by the lock",
            hashes=map(_hash.from_composite_str, pin.hashes),
        )


def _pin(found: Distribution, contents: Contents) -> Pin | None:
    """What the lock says of it; None where it is not what the lock pins."""
    pin = contents.pins.get(found.name)
    return pin if pin is not None and pin.version == found.version else None


def _bundled(part: Bundled, of: Distribution, rules: Policy) -> Component:
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=_ref(part, of),
        name=part.name,
        version=part.version,
        purl=PackageURL.from_string(part.purl) if part.purl else None,
        licenses=_licences(rules.licence(f"{of.name}/{part.name}", part.said)),
    )


def _ref(part: Bundled, of: Distribution) -> str:
    return f"{of.purl}#{part.name}@{part.version}"


def _package(found: Package) -> Component:
    return Component(
        type=ComponentType(found.kind),
        bom_ref=found.ref,
        name=found.name,
        version=found.version,
        purl=PackageURL.from_string(found.purl) if found.purl else None,
        cpe=found.cpe or None,
        licenses=[_make.make_with_id(each) for each in found.licences],
    )


def _licences(licence: Licence) -> Iterator[License]:
    by = LicenseAcknowledgement.CONCLUDED if licence.is_concluded else LicenseAcknowledgement.DECLARED
    if licence.spdx or licence.said:
        yield _make.make_from_string(licence.spdx or licence.said, license_acknowledgement=by)


# --- what needs what


def _dependencies(contents: Contents) -> Iterator[Dependency]:
    names = {each.name: each.purl for each in contents.distributions}
    needs = {each.purl: set[str]() for each in contents.distributions}
    direct = set()
    for each in contents.distributions:
        pin = _pin(each, contents)
        for who in pin.via if pin else ():
            if who in names:
                needs[names[who]].add(each.purl)
            elif who.startswith("-r"):
                direct.add(each.purl)
    # What nobody asks for is there for the service as well: nothing is left without a reason.
    direct |= needs.keys() - set().union(*needs.values())
    base = {each.ref: set(each.needs) for each in contents.base}
    asked = set().union(*base.values())
    yield _dependency("image", {"service", *(base.keys() - asked)})
    yield _dependency("service", direct)
    for each in contents.distributions:
        yield _dependency(each.purl, needs[each.purl])
        for part in each.bundled:
            yield _dependency(_ref(part, each), ())
    for ref, asks in base.items():
        yield _dependency(ref, asks)


def _dependency(ref: str, needs: Iterable[str]) -> Dependency:
    return Dependency(BomRef(ref), [Dependency(BomRef(each)) for each in needs])
