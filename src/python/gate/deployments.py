"""What was published, verified and deployed: a Pact broker's memory as files, where there is no broker.

It answers the broker's question, whether a version may go into an environment, from the same matrix: consumer
version, pact, provider version, result. https://docs.pact.io/pact_broker/can_i_deploy
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from gate.registry import Document, Documents, RegistryError, load

M = TypeVar("M", bound=BaseModel)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Published(_Record):
    """A version of a service, with its pact as a consumer of each provider (the hash of its content)."""

    version: str
    pacts: dict[str, str]


class Verified(_Record):
    """What a version of a provider does not keep of a pact; it keeps all of it where `problems` is empty."""

    provider_version: str
    pact: str
    problems: list[str]


class _Versions(_Record):
    """Those of one service, in the order in which they were published."""

    versions: list[Published] = []


class _Verifications(_Record):
    verifications: list[Verified] = []


class Environment(_Record):
    """Which version of which service is deployed."""

    deployed: dict[str, str] = {}


@dataclass(frozen=True)
class Pair:
    """A consumer and a provider that would meet in an environment; it is safe where `problem` is empty."""

    consumer: str
    consumer_version: str
    provider: str
    provider_version: str
    problem: str = ""

    def __str__(self) -> str:
        meet = f"{self.consumer} {self.consumer_version} with {self.provider} {self.provider_version}"
        return f"{meet}: {self.problem or 'verified'}"


class Deployments:
    """The files in a folder. Every method raises RegistryError where one of them cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, service: str, version: str, pacts: Documents) -> None:
        """Note `version` of `service` with its pacts, by provider.

        Raises RegistryError if the version was published with other pacts: what it relies on is what it is.
        """
        hashes = {provider: _hash(pact) for provider, pact in sorted(pacts.items())}
        known = self._versions(service)
        for published in known.versions:
            if published.version == _checked(version):
                if published.pacts != hashes:
                    raise RegistryError(
                        f"{service} {version} was published with other pacts: give it a new version"
                    )
                return
        for pact in pacts.values():
            _write(self._pact_path(_hash(pact)), json.dumps(pact, indent=2, ensure_ascii=False))
        known.versions.append(Published(version=version, pacts=hashes))
        self._save("versions", service, known)

    def pacts_of(self, provider: str) -> list[Document]:
        """What a provider is to be verified against: of each consumer the newest, and what is deployed."""
        hashes: dict[str, None] = {}
        for consumer in self._services():
            for published in self._current(consumer):
                if provider in published.pacts:
                    hashes[published.pacts[provider]] = None
        return [self._pact(each) for each in hashes]

    def record_verification(
        self, provider: str, version: str, pact: Document, problems: Sequence[str]
    ) -> None:
        """Note what `version` of `provider` does not keep of `pact`; the last result counts."""
        known = self._verifications(provider)
        result = Verified(provider_version=_checked(version), pact=_hash(pact), problems=list(problems))
        others = [
            each
            for each in known.verifications
            if (each.provider_version, each.pact) != (version, result.pact)
        ]
        self._save("verifications", provider, _Verifications(verifications=[*others, result]))

    def record_deployment(self, service: str, version: str, environment: str) -> None:
        """Note that `version` of `service` runs in `environment`, in the place of the one before."""
        self._published(service, version)
        found = self._environment(environment)
        found.deployed[service] = version
        self._save("environments", environment, found)

    def pairs(self, service: str, version: str, environment: str) -> list[Pair]:
        """Whom `version` of `service` would meet in `environment`, as consumer and as provider.

        Who is not deployed there is not met, so that the first services can go into an empty environment.
        """
        new = self._published(service, version)
        met = {**self._environment(environment).deployed, service: version}
        as_consumer = [
            self._pair(service, version, provider, met[provider], pact)
            for provider, pact in new.pacts.items()
            if provider in met
        ]
        as_provider = [
            self._pair(consumer, met[consumer], service, version, pact)
            for consumer in sorted(set(met) - {service})
            if (pact := self._published(consumer, met[consumer]).pacts.get(service)) is not None
        ]
        return as_consumer + as_provider

    def _pair(self, consumer: str, version: str, provider: str, provider_version: str, pact: str) -> Pair:
        pair = (consumer, version, provider, provider_version)
        for verified in self._verifications(provider).verifications:
            if (verified.provider_version, verified.pact) == (provider_version, pact):
                return Pair(*pair, "; ".join(verified.problems))
        unknown = f"not verified yet: ./pants contracts verify --service {provider}"
        return Pair(*pair, f"{unknown}, at version {provider_version}")

    def _current(self, service: str) -> Iterator[Published]:
        versions = self._versions(service).versions
        deployed = {self._environment(each).deployed.get(service) for each in self._environments()}
        for published in versions:
            if published is versions[-1] or published.version in deployed:
                yield published

    def _published(self, service: str, version: str) -> Published:
        versions = self._versions(service).versions
        for published in versions:
            if published.version == version:
                return published
        known = ", ".join(each.version for each in versions) or "none"
        raise RegistryError(
            f"{service} {version} was not published ({known} was): ./pants contracts publish does that"
        )

    def _services(self) -> list[str]:
        return [path.stem for path in sorted((self._folder / "versions").glob("*.json"))]

    def _environments(self) -> list[str]:
        return [path.stem for path in sorted((self._folder / "environments").glob("*.json"))]

    def _environment(self, name: str) -> Environment:
        if name not in self._environments():
            known = ", ".join(self._environments()) or "none"
            raise RegistryError(f"there is no environment {name}; there is {known}")
        return self._load("environments", name, Environment)

    def _versions(self, service: str) -> _Versions:
        return self._load("versions", service, _Versions)

    def _verifications(self, provider: str) -> _Verifications:
        return self._load("verifications", provider, _Verifications)

    def _pact(self, content_hash: str) -> Document:
        path = self._pact_path(content_hash)
        pact = load(path)
        if _hash(pact) != content_hash:
            raise _unusable(path, "it is not what was published")
        return pact

    def _pact_path(self, content_hash: str) -> Path:
        return self._folder / "pacts" / f"{content_hash}.json"

    def _load(self, kind: str, name: str, model: type[M]) -> M:
        path = self._folder / kind / f"{_checked(name)}.json"
        if not path.exists():
            return model()
        try:
            return model.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise _unusable(path, str(error).splitlines()[0]) from error

    def _save(self, kind: str, name: str, record: BaseModel) -> None:
        _write(self._folder / kind / f"{name}.json", record.model_dump_json(indent=2))


def _hash(pact: Mapping[str, Any]) -> str:
    canonical = json.dumps(pact, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _checked(name: str) -> str:
    # It becomes the name of a file.
    if not _NAME.fullmatch(name):
        raise RegistryError(f"{name!r} is no name of a service, a version or an environment")
    return name


def _unusable(path: Path, why: object) -> RegistryError:
    return RegistryError(f"{path} cannot be used: {why}; restore it from version control")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(path)
