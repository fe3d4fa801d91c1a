from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sbom.advisory import Advisory, Asked, Source, asked
from sbom.errors import NotChecked, SbomError

BLUE = Asked("PyPI", "blue", "1.0")
GREEN = Asked("PyPI", "green", "2.0")
TOLD: dict[str, Any] = {
    "id": "GHSA-1",
    "aliases": ["CVE-2026-1"],
    "summary": "It leaks\x1b[31m\nall of it",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "blue"},
            "ranges": [
                {"type": "GIT", "events": [{"introduced": "0"}, {"fixed": "abc"}]},
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]},
            ],
        },
        {
            "package": {"ecosystem": "npm", "name": "blue"},
            "ranges": [{"type": "SEMVER", "events": [{"fixed": "9"}]}],
        },
    ],
}


class Played(ThreadingHTTPServer):
    """A source on this machine; answers as it is told, by paths, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, list[tuple[int, bytes]]] = {}
        self.asked: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def batch(self, *results: object, status: int = 200) -> None:
        """The next question is answered with these."""
        self.says("/v1/querybatch", {"results": results}, status)

    def tells(self, said: dict[str, Any]) -> None:
        """A vulnerability is this one."""
        self.says(f"/v1/vulns/{said['id']}", said)

    def says(self, path: str, answer: object, status: int = 200) -> None:
        """A path is answered so, once."""
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.answers.setdefault(path, []).append((status, content))


class _Handler(BaseHTTPRequestHandler):
    server: Played

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: object) -> None:
        self.server.asked.append((self.path, body))
        status, content = self.server.answers[self.path].pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def played() -> Iterator[Played]:
    """A source that runs while a test does."""
    with Played() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine has set of proxies is not for this machine itself."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.mark.parametrize(
    ("purl", "expected"),
    [
        ("pkg:pypi/jinja2@3.1.6", Asked("PyPI", "jinja2", "3.1.6")),
        ("pkg:cargo/libc@0.2.1", Asked("crates.io", "libc", "0.2.1")),
        (
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12&upstream=glibc",
            Asked("Debian:12", "glibc", "2.36-9+deb12u14"),
        ),
        (
            "pkg:deb/debian/libbz2-1.0@1.0.8-5%2Bb1?distro=debian-12&upstream=bzip2%401.0.8-5",
            Asked("Debian:12", "bzip2", "1.0.8-5"),
        ),
        ("pkg:deb/debian/zlib1g@1:1.2.13?distro=debian-12", Asked("Debian:12", "zlib1g", "1:1.2.13")),
        ("pkg:deb/debian/zlib1g@1:1.2.13", None),
        ("pkg:deb/ubuntu/zlib1g@1?distro=ubuntu-24.04", None),
        ("pkg:generic/python@3.11.2", None),
        ("pkg:pypi/jinja2", None),
        ("jinja2", None),
        ("", None),
    ],
)
def test_a_purl_is_asked_about_in_the_words_of_its_ecosystem(purl: str, expected: Asked | None) -> None:
    """A package of Debian by what it was built from; of what has no ecosystem nobody can be asked."""
    assert expected == asked(purl)


def test_versions_have_the_vulnerabilities_that_the_source_tells(played: Played) -> None:
    """All are asked about at once; of each that is found, what it is, and what mends it in that ecosystem."""
    played.batch({"vulns": [{"id": "GHSA-1", "modified": "2026-01-01T00:00:00Z"}]}, {})
    played.tells(TOLD)
    with Source(played.url) as source:
        found = source.vulnerabilities([BLUE, GREEN])
    advisory = Advisory("GHSA-1", frozenset({"CVE-2026-1"}), "It leaks [31m all of it", ("1.1",))
    assert {BLUE: (advisory,), GREEN: ()} == found
    questions = [
        {"package": {"ecosystem": "PyPI", "name": name}, "version": version}
        for name, version in (("blue", "1.0"), ("green", "2.0"))
    ]
    assert [("/v1/querybatch", {"queries": questions}), ("/v1/vulns/GHSA-1", None)] == played.asked


def test_an_answer_of_many_pages_is_read_to_its_end(played: Played) -> None:
    """Each page is asked for with the token of the one before."""
    played.batch({"vulns": [{"id": "A-1"}], "next_page_token": "more"}, {})
    played.batch({"vulns": [{"id": "A-2"}]})
    for name in ("A-1", "A-2"):
        played.tells({"id": name, "details": "It breaks\nin many ways"})
    with Source(played.url) as source:
        found = source.vulnerabilities([BLUE, GREEN])
    assert ["A-1", "A-2"] == [each.id for each in found[BLUE]]
    assert {"It breaks"} == {each.summary for each in found[BLUE]}
    query = {"package": {"ecosystem": "PyPI", "name": "blue"}, "version": "1.0", "page_token": "more"}
    assert ("/v1/querybatch", {"queries": [query]}) == played.asked[1]


def test_what_was_withdrawn_is_none(played: Played) -> None:
    """Somebody had been mistaken."""
    played.batch({"vulns": [{"id": "A-1"}]})
    played.tells({"id": "A-1", "withdrawn": "2026-01-01T00:00:00Z"})
    with Source(played.url) as source:
        assert {BLUE: ()} == source.vulnerabilities([BLUE])


def test_of_nothing_nobody_is_asked(played: Played) -> None:
    """An empty document is no question."""
    with Source(played.url) as source:
        assert {} == source.vulnerabilities([])
    assert [] == played.asked


@pytest.mark.parametrize(
    ("status", "answer", "why"),
    [
        (503, {"results": [{}]}, "is answered with the status 503"),
        (302, {"results": [{}]}, "is answered with the status 302"),
        (200, b"<html>Sign in</html>", "is not answered as OSV does"),
        (200, {"results": [{}, {}]}, "it answers 2 of 1 questions"),
        (200, {"results": []}, "it answers 0 of 1 questions"),
        (200, {}, "is not answered as OSV does"),
        (200, {"results": [{"vulns": [{"id": "../../secret"}]}]}, "is not answered as OSV does"),
        (200, b"[" * 100_000, "is not answered as OSV does"),
    ],
    ids=["busy", "elsewhere", "a page", "too much", "too little", "nothing", "a path", "depth"],
)
def test_a_source_that_does_not_answer_as_osv_has_checked_nothing(
    status: int, answer: object, why: str, played: Played
) -> None:
    """Which is told with the source and how to name another, and never taken for good news."""
    played.says("/v1/querybatch", answer, status)
    with Source(played.url) as source, pytest.raises(NotChecked) as caught:
        source.vulnerabilities([BLUE])
    said = str(caught.value)
    assert said.startswith(f"NOT CHECKED for vulnerabilities: the source {played.url} does not tell (")
    assert why in said
    assert said.endswith("name one that answers as OSV does with --source or OSV_URL")
    assert "\n" not in said
    assert 3 == caught.value.status


def test_a_vulnerability_that_the_source_names_and_does_not_tell_is_no_good_news(played: Played) -> None:
    """Whether it is mended, or ignored, cannot be said."""
    played.batch({"vulns": [{"id": "A-1"}]})
    played.says("/v1/vulns/A-1", {}, 404)
    with (
        Source(played.url) as source,
        pytest.raises(NotChecked, match=r"/v1/vulns/A-1 is answered with the status 404"),
    ):
        source.vulnerabilities([BLUE])


def test_a_source_that_is_not_there_has_checked_nothing() -> None:
    """No network, for example."""
    with Played() as server:
        url = server.url
    with Source(url) as source, pytest.raises(NotChecked, match="NOT CHECKED"):
        source.vulnerabilities([BLUE])


@pytest.mark.parametrize("times_s", [[0.0, 11.0], [0.0, 1.0, 11.0]], ids=["before an answer", "within one"])
def test_a_source_is_not_waited_for_forever(times_s: list[float], played: Played) -> None:
    """However it drips: all questions together have one bound."""
    played.batch({})
    times = iter(times_s)
    source = Source(played.url, within_s=10, now=lambda: next(times))
    with source, pytest.raises(NotChecked, match="it takes too long"):
        source.vulnerabilities([BLUE])


def test_an_answer_without_an_end_is_not_read(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do pages go on forever."""
    monkeypatch.setattr("sbom.advisory._LARGEST", 10)
    played.batch({"vulns": []})
    with Source(played.url) as source, pytest.raises(NotChecked, match="more than 10 bytes"):
        source.vulnerabilities([BLUE])
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for _ in range(20):
        played.batch({"next_page_token": "more"})
    with Source(played.url) as source, pytest.raises(NotChecked, match="more than 20 pages"):
        source.vulnerabilities([BLUE])


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://osv.example.com", "'osv.example.com' has to be one of https"),
        ("file:///etc/passwd", "has to be one of https"),
        ("osv.example.com", "has to be one of https"),
        ("https://", "'no host' has to be one of https"),
        ("https://osv.example.com:port", "is no URL"),
    ],
)
def test_a_source_that_anybody_could_play_is_refused(url: str, problem: str) -> None:
    """By status 2: it is a mistake of who named it."""
    with pytest.raises(SbomError, match=problem) as caught:
        Source(url)
    assert 2 == caught.value.status


def test_a_password_in_the_address_is_not_shown() -> None:
    """What is printed ends up in logs."""
    with Source("https://me:secret@osv.example.com/mirror/") as source:
        assert "https://osv.example.com/mirror" == str(source)
