"""A source of advisories that answers as OSV does: https://google.github.io/osv.dev/api.

It says which known vulnerabilities a version has. Where it does not answer, nothing is known, which is not to
say that there are none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Self, TypeVar

import httpx
from packageurl import PackageURL
from pydantic import BaseModel, StringConstraints, ValidationError

from sbom.errors import NotChecked, SbomError

SOURCE = "https://api.osv.dev"

_ECOSYSTEMS = {"pypi": "PyPI", "cargo": "crates.io"}
_AT_ONCE = 1000  # the most that OSV takes
_PAGES = 20
_LARGEST = 32 * 1024 * 1024
_LONGEST = 200
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_TIMEOUT = httpx.Timeout(10, connect=5)

_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
_Answer = TypeVar("_Answer", bound=BaseModel)


@dataclass(frozen=True, order=True)
class Asked:
    """A version of something, in the words of https://ossf.github.io/osv-schema/#defined-ecosystems."""

    ecosystem: str
    name: str
    version: str


@dataclass(frozen=True)
class Advisory:
    """What is known of a vulnerability. `fixed` are the first versions without it; there may be none."""

    id: str
    aliases: frozenset[str]
    summary: str
    fixed: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """All that it goes by."""
        return self.aliases | {self.id}


def asked(purl: str) -> Asked | None:
    """What to ask of the thing with that purl; None where it is of nothing that OSV has advisories of."""
    try:
        found = PackageURL.from_string(purl)
    except ValueError:
        return None
    if not found.version:
        return None
    if found.type in _ECOSYSTEMS:
        return Asked(_ECOSYSTEMS[found.type], found.name, found.version)
    distro, _, release = _qualifier(found, "distro").partition("-")
    if (found.type, found.namespace, distro) == ("deb", "debian", "debian") and release:
        # Debian's advisories are of what a package was built from.
        name, _, version = _qualifier(found, "upstream").partition("@")
        return Asked(f"Debian:{release}", name or found.name, version or found.version)
    return None


def _qualifier(purl: PackageURL, name: str) -> str:
    return purl.qualifiers.get(name, "")


class Source:
    """A source of advisories; a context, which closes its connections.

    All that is asked of it takes `within_s` seconds at most. What it answers is untrusted: it is bounded, and
    its words are fit to be printed. Raises NotChecked where it does not answer, or not as OSV does.
    """

    def __init__(
        self, url: str = SOURCE, *, within_s: float = 120, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = _checked(url)
        self._now, self._until = now, now() + within_s
        self._client = httpx.Client(timeout=_TIMEOUT, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def __str__(self) -> str:
        return str(self._url.copy_with(username=None, password=None)).rstrip("/")

    def vulnerabilities(self, versions: Sequence[Asked]) -> dict[Asked, tuple[Advisory, ...]]:
        """Those of each of `versions`, without what was withdrawn."""
        ids = {each: set[str]() for each in versions}
        for start in range(0, len(versions), _AT_ONCE):
            for each, found in self._ids(versions[start : start + _AT_ONCE]):
                ids[each].add(found)
        told = {each: self._vulnerability(each) for each in sorted(set().union(*ids.values()))}
        return {
            each: tuple(told[name].of(each) for name in sorted(ids[each]) if not told[name].withdrawn)
            for each in versions
        }

    def _ids(self, versions: Sequence[Asked]) -> Iterator[tuple[Asked, str]]:
        queries = [(each, "") for each in versions]
        for _ in range(_PAGES):
            if not queries:
                return
            body = {"queries": [_query(each, page) for each, page in queries]}
            answer = self._ask(_Batch, "POST", "/v1/querybatch", body)
            if len(answer.results) != len(queries):
                raise self._unanswered(f"it answers {len(answer.results)} of {len(queries)} questions")
            rest = []
            for (each, _page), result in zip(queries, answer.results, strict=True):
                yield from ((each, found.id) for found in result.vulns)
                if result.next_page_token:
                    rest.append((each, result.next_page_token))
            queries = rest
        raise self._unanswered(f"it has more than {_PAGES} pages")

    def _vulnerability(self, name: str) -> _Vulnerability:
        return self._ask(_Vulnerability, "GET", f"/v1/vulns/{name}")

    def _ask(self, answer: type[_Answer], method: str, path: str, body: object = None) -> _Answer:
        self._check_time()
        try:
            with self._client.stream(method, f"{str(self._url).rstrip('/')}{path}", json=body) as response:
                if response.status_code != httpx.codes.OK:
                    raise self._unanswered(f"{path} is answered with the status {response.status_code}")
                content = b"".join(self._bounded(response.iter_bytes()))
            return answer.model_validate_json(content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unanswered(str(error) or type(error).__name__) from error
        except ValidationError as error:
            raise self._unanswered(f"{path} is not answered as OSV does") from error

    def _bounded(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        size = 0
        for chunk in chunks:
            size += len(chunk)
            if size > _LARGEST:
                raise self._unanswered(f"its answer has more than {_LARGEST} bytes")
            self._check_time()
            yield chunk

    def _check_time(self) -> None:
        if self._now() > self._until:
            raise self._unanswered("it takes too long")

    def _unanswered(self, why: str) -> NotChecked:
        return NotChecked(
            f"NOT CHECKED for vulnerabilities: the source {self} does not tell ({_printable(why)}); "
            "name one that answers as OSV does with --source or OSV_URL"
        )


def _checked(url: str) -> httpx.URL:
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise SbomError(f"the source {url!r} is no URL: {error}") from error
    if (found.scheme == "https" and found.host) or (found.scheme == "http" and found.host in _LOOPBACK):
        return found
    raise SbomError(
        f"the source on {found.host or 'no host'!r} has to be one of https (http only on this machine): "
        "who stands between could say that there is nothing"
    )


def _query(each: Asked, page: str) -> dict[str, object]:
    query: dict[str, object] = {
        "package": {"ecosystem": each.ecosystem, "name": each.name},
        "version": each.version,
    }
    return query | ({"page_token": page} if page else {})


def _printable(text: str) -> str:
    """In one line, and nothing that a terminal obeys."""
    line = "".join(each if each.isprintable() else " " for each in text)
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


# --- what it answers, as far as it is read


class _Found(BaseModel):
    id: _Id


class _Result(BaseModel):
    vulns: list[_Found] = []
    next_page_token: str = ""


class _Batch(BaseModel):
    results: list[_Result]


class _Event(BaseModel):
    fixed: str = ""


class _Range(BaseModel):
    type: str = ""
    events: list[_Event] = []


class _Package(BaseModel):
    ecosystem: str = ""
    name: str = ""


class _Affected(BaseModel):
    package: _Package = _Package()
    ranges: list[_Range] = []


class _Vulnerability(BaseModel):
    id: _Id
    aliases: list[_Id] = []
    summary: str = ""
    details: str = ""
    withdrawn: str = ""
    affected: list[_Affected] = []

    def of(self, version: Asked) -> Advisory:
        """What it is for a version that has it."""
        about = _Package(ecosystem=version.ecosystem, name=version.name)
        ranges = [each for affected in self.affected if affected.package == about for each in affected.ranges]
        fixed = {event.fixed for each in ranges if each.type != "GIT" for event in each.events if event.fixed}
        summary = _printable(self.summary or self.details.partition("\n")[0])
        return Advisory(self.id, frozenset(self.aliases), summary, tuple(map(_printable, sorted(fixed))))
