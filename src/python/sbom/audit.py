"""Whether what is in the documents is known to be vulnerable, and what of that is left standing, and why."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sbom.advisory import Advisory, Asked, asked
from sbom.errors import SbomError

FILE = Path(__file__).parent / "ignored.toml"


class Advisories(Protocol):
    """Who knows of vulnerabilities."""

    def vulnerabilities(self, versions: Sequence[Asked]) -> Mapping[Asked, tuple[Advisory, ...]]:
        """Those of each of `versions`. Raises NotChecked where that cannot be told."""


class Ignored(BaseModel):
    """A vulnerability that is left standing, until a day, since `because`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    of: str = Field(min_length=1)
    because: str = Field(min_length=1)
    until: date


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ignored: tuple[Ignored, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A vulnerability of something, and in whose images that is."""

    of: Asked
    advisory: Advisory
    services: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """What was found, of how much, and what nobody could be asked about."""

    findings: tuple[Finding, ...]
    count: int
    unasked: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """What to say, and whether something has to be done."""

    lines: tuple[str, ...]
    refused: bool


def ignored(text: str | None = None) -> tuple[Ignored, ...]:
    """What is left standing, by `text` or by ignored.toml. Raises SbomError."""
    try:
        return _File.model_validate(tomllib.loads(FILE.read_text("utf-8") if text is None else text)).ignored
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise SbomError(f"src/python/sbom/{FILE.name} cannot be read: {error}") from error


def audit(documents: Iterable[str], source: Advisories) -> Audit:
    """Ask `source` of all that the documents have. Raises NotChecked; SbomError where one is none."""
    by: dict[Asked, list[str]] = {}
    unasked: dict[str, list[str]] = {}
    for document in documents:
        name, components, notes = _read(document)
        for component in components:
            about = asked(component.get("purl", ""))
            if about is None:
                notes.append(f"{component['name']} {component.get('version', '')}: of nothing that OSV knows")
            elif name not in by.setdefault(about, []):
                by[about].append(name)
        for note in dict.fromkeys(notes):
            unasked.setdefault(note, []).append(name)
    told = source.vulnerabilities(sorted(by))
    findings = [Finding(each, it, tuple(by[each])) for each in sorted(by) for it in told[each]]
    notes = [f"{note} (in {', '.join(services)})" for note, services in unasked.items()]
    return Audit(tuple(findings), len(by), tuple(notes))


def judge(found: Audit, accepted: Sequence[Ignored], today: date, *, only_fixed: bool = False) -> Judgement:
    """What of `found` refuses: all that is not accepted, and what was accepted for a time that is over.

    With `only_fixed` what no version mends yet is said, and does not refuse.
    """
    lines, refused = [], False
    used: set[Ignored] = set()
    for finding in found.findings:
        excuse = next((each for each in accepted if _is_of(each, finding)), None)
        used |= {excuse} if excuse else set()
        if excuse and excuse.until >= today:
            lines.append(f"ignored until {excuse.until}: {_sentence(finding)} ({excuse.because})")
        elif only_fixed and not finding.advisory.fixed:
            lines.append(f"not mended yet: {_sentence(finding)}")
        else:
            refused = True
            lines.append(f"VULNERABLE: {_sentence(finding)}")
    for each in accepted:
        entry = f"{each.id} of {each.of} in src/python/sbom/{FILE.name}"
        if each.until < today:
            refused = True
            lines.append(
                f"EXPIRED: {entry} was to be looked at by {each.until}: take it out, or argue it anew"
            )
        elif each not in used:
            lines.append(f"unused: {entry} is not found in what was asked about: take it out if that was all")
    lines += [f"not asked about: {each}" for each in found.unasked]
    known, unmended = len(found.findings), sum(line.startswith("VULNERABLE") for line in lines)
    lines.append(
        f"{found.count} versions asked about: {known} known vulnerabilities, {unmended} to be mended"
    )
    return Judgement(tuple(lines), refused)


def _is_of(accepted: Ignored, finding: Finding) -> bool:
    return accepted.id in finding.advisory.names and accepted.of == finding.of.name


def _sentence(finding: Finding) -> str:
    of, advisory = finding.of, finding.advisory
    names = ", ".join([advisory.id, *sorted(advisory.aliases)])
    mended = f"mended in {', '.join(advisory.fixed)}" if advisory.fixed else "no version is known to mend it"
    where = ", ".join(finding.services)
    return f"{of.name} {of.version} ({of.ecosystem}), in {where}: {names}: {advisory.summary}; {mended}"


def _read(document: str) -> tuple[str, list[Mapping[str, Any]], list[str]]:
    """The name of what a document is of, its components, and what it says that it does not list."""
    try:
        said = json.loads(document)
        root = said["metadata"]["component"]
        if said["bomFormat"] != "CycloneDX":
            raise ValueError(said["bomFormat"])
        notes = [each["value"] for each in root.get("properties", ()) if each["name"] == "mercato:base"]
        components = [each for each in _flat(said.get("components", ())) if _is_foreign(each)]
        return str(root["name"]), components, [f"the base: {note}" for note in notes]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SbomError(
            f"a document is no CycloneDX in JSON that ./pants sbom write makes: {error!r}"
        ) from error


def _flat(components: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for each in components:
        yield each
        yield from _flat(each.get("components", ()))


def _is_foreign(component: Mapping[str, Any]) -> bool:
    """Whether it is there, and not our own: nobody else knows of vulnerabilities of that.

    Of a system its packages are asked about.
    """
    is_system = component.get("type") == "operating-system"
    return component.get("scope") != "excluded" and component.get("group") != "mercato" and not is_system
