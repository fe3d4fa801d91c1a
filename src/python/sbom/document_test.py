from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from locks import lock
from sbom import document
from sbom.building import LOCK
from sbom.contents import Bundled, Contents, Distribution, Package
from sbom.errors import SbomError
from sbom.licence import policy

RULES = policy("""\
allowed = []
[[clarified]]
of = "green"
says = "New BSD"
licence = "BSD-3-Clause"
because = "its LICENSE is that text"
""")
GREY = Bundled("grey-sys", "0.1.0", "pkg:cargo/grey-sys@0.1.0", "MIT OR Apache-2.0")
BLUE = Distribution("blue", "1.0", "MIT", (GREY,))
GREEN = Distribution("green", "2.0", "New BSD", (), has_code=False)
LIBC = Package(
    "libc", "library", "libc6", "2.36", "pkg:deb/debian/libc6@2.36?distro=debian-12", "", ("LGPL-2.1-only",)
)
SSL = Package("ssl", "library", "libssl3", "3.0", "pkg:deb/debian/libssl3@3.0", needs=("libc",))
PYTHON = Package(
    "python",
    "application",
    "python",
    "3.11.2",
    "pkg:generic/python@3.11.2",
    "cpe:2.3:a:python:python:3.11.2:*:*:*:*:*:*:*",
)
CONTENTS = Contents(
    "order",
    "1.2.3",
    (BLUE, GREEN),
    commit="a" * 40,
    made=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    source="https://git.example.com/mercato.git",
    image="sha256:01",
    base=(LIBC, SSL, PYTHON),
    pins=lock.pins(LOCK),
)


def made(contents: Contents) -> dict[str, Any]:
    document_: dict[str, Any] = json.loads(document.text(contents, RULES))
    return document_


def component(said: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in said["components"] if each["name"] == name)
    assert isinstance(found, dict)
    return found


def needs(said: dict[str, Any]) -> dict[str, list[str]]:
    return {each["ref"]: each["dependsOn"] for each in said["dependencies"] if "dependsOn" in each}


def test_a_document_fits_the_schema_and_lists_everything() -> None:
    """The service, its distributions with what is compiled in, and the base."""
    text = document.text(CONTENTS, RULES)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    said = json.loads(text)
    assert ["blue", "green", "libc6", "libssl3", "order", "python"] == sorted(
        each["name"] for each in said["components"]
    )
    assert ["grey-sys"] == [each["name"] for each in component(said, "blue")["components"]]


def test_the_same_contents_are_the_same_document() -> None:
    """To the byte, in whatever order they were found; and others are another, by number."""
    again = replace(CONTENTS, distributions=(GREEN, BLUE), base=(PYTHON, SSL, LIBC))
    assert document.text(CONTENTS, RULES) == document.text(again, RULES)
    assert made(CONTENTS)["serialNumber"] != made(replace(CONTENTS, version="1.2.4"))["serialNumber"]


def test_the_time_is_that_of_the_commit() -> None:
    """And none where the commit is unknown: the time of the clock would make each document another."""
    assert "2026-01-02T03:04:05+00:00" == made(CONTENTS)["metadata"]["timestamp"]
    assert "timestamp" not in made(replace(CONTENTS, made=None))["metadata"]


def test_the_service_has_its_version_and_its_commit() -> None:
    """And where its source is."""
    service = component(made(CONTENTS), "order")
    assert "1.2.3" == service["version"]
    assert [{"name": "mercato:commit", "value": "a" * 40}] == service["properties"]
    assert [{"type": "vcs", "url": "https://git.example.com/mercato.git"}] == service["externalReferences"]


def test_a_distribution_has_the_hashes_of_the_lock() -> None:
    """Of all its files: the lock does not say which one fits where."""
    (files,) = component(made(CONTENTS), "blue")["externalReferences"]
    assert [f"{1:064}", f"{2:064}"] == [each["content"] for each in files["hashes"]]
    other = replace(CONTENTS, distributions=(replace(BLUE, version="1.1"),))
    assert "externalReferences" not in component(made(other), "blue")


def test_a_licence_is_declared_by_the_metadata_or_concluded_by_us() -> None:
    """A reader must be able to tell which."""
    said = made(CONTENTS)
    assert [{"license": {"id": "MIT", "acknowledgement": "declared"}}] == component(said, "blue")["licenses"]
    assert [{"license": {"id": "BSD-3-Clause", "acknowledgement": "concluded"}}] == component(said, "green")[
        "licenses"
    ]
    unknown = made(replace(CONTENTS, distributions=(Distribution("blue", "1.0", "Mine"),)))
    assert [{"license": {"name": "Mine", "acknowledgement": "declared"}}] == component(unknown, "blue")[
        "licenses"
    ]


def test_what_needs_what_is_said_by_the_lock_and_by_debian() -> None:
    """From the image on, nothing is left without somebody who asks for it."""
    assert {
        "image": ["python", "service", "ssl"],
        "service": ["pkg:pypi/blue@1.0"],
        "pkg:pypi/blue@1.0": ["pkg:pypi/green@2.0"],
        "ssl": ["libc"],
    } == needs(made(CONTENTS))


def test_without_a_lock_the_service_needs_all() -> None:
    """An image whose commit is unknown has no relations that could be told."""
    assert ["pkg:pypi/blue@1.0", "pkg:pypi/green@2.0"] == needs(made(replace(CONTENTS, pins={})))["service"]


def test_what_is_trimmed_out_of_the_image_is_said_to_be() -> None:
    """Its metadata is there, and nothing to run."""
    said = made(CONTENTS)
    assert ("excluded", None) == (component(said, "green")["scope"], component(said, "blue").get("scope"))


@pytest.mark.parametrize(
    ("contents", "aggregate", "phase", "word"),
    [
        (CONTENTS, "unknown", "post-build", None),
        (replace(CONTENTS, base=(PYTHON,)), "incomplete", "post-build", "keeps no record"),
        (replace(CONTENTS, base=(), image=None), "incomplete", "build", "no Docker Engine"),
    ],
    ids=["all of it", "a base without a record", "the libraries alone"],
)
def test_a_document_says_how_much_it_knows(
    contents: Contents, aggregate: str, phase: str, word: str | None
) -> None:
    """A base that is not listed must not look as if there was none."""
    said = made(contents)
    assert [{"aggregate": aggregate, "assemblies": ["image"]}] == said["compositions"]
    assert [{"phase": phase}] == said["metadata"]["lifecycles"]
    properties = said["metadata"]["component"].get("properties", ())
    notes = [each["value"] for each in properties if each["name"] == "mercato:base"]
    assert (word is not None) == any(word and word in note for note in notes)


def test_a_document_that_would_not_fit_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads it would stop at it."""
    monkeypatch.setattr(document, "_known", lambda contents: "mostly")
    with pytest.raises(SbomError, match=r"of order does not fit CycloneDX 1\.6: 'mostly' is not one of"):
        document.text(CONTENTS, RULES)
