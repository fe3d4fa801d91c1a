from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pytest

from sbom import audit
from sbom.advisory import Advisory, Asked
from sbom.audit import Audit, Finding, Ignored
from sbom.errors import SbomError

TODAY = date(2026, 6, 1)
BLUE = Asked("PyPI", "blue", "1.0")
GREY = Asked("crates.io", "grey-sys", "0.1.0")
LEAK = Advisory("GHSA-1", frozenset({"CVE-2026-1"}), "It leaks", ("1.1",))
CRASH = Advisory("RUSTSEC-1", frozenset(), "It crashes", ())
IGNORED = Ignored(id="CVE-2026-1", of="blue", because="it is not used", until=TODAY)


class Known:
    """A source that knows this much."""

    def __init__(self, known: Mapping[Asked, tuple[Advisory, ...]]) -> None:
        self._known = known
        self.asked: Sequence[Asked] = ()

    def vulnerabilities(self, versions: Sequence[Asked]) -> Mapping[Asked, tuple[Advisory, ...]]:
        """Those of `versions`."""
        self.asked = versions
        return {each: self._known.get(each, ()) for each in versions}


def document(name: str, *components: object, base: str = "") -> str:
    properties = [{"name": "mercato:base", "value": base}] if base else []
    root = {"name": name, "properties": properties}
    return json.dumps({"bomFormat": "CycloneDX", "metadata": {"component": root}, "components": components})


def part(name: str, version: str, purl: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": version, "purl": purl} | more


CARRIER = part(
    "blue", "1.0", "pkg:pypi/blue@1.0", components=[part("grey-sys", "0.1.0", "pkg:cargo/grey-sys@0.1.0")]
)
FOUND = Audit((Finding(BLUE, LEAK, ("order", "user")),), 2, ())


def test_all_that_documents_list_is_asked_about_once() -> None:
    """Also what wheels have compiled in; a finding names each image that has it."""
    source = Known({BLUE: (LEAK,), GREY: (CRASH,)})
    found = audit.audit([document("order", CARRIER), document("user", CARRIER)], source)
    assert [BLUE, GREY] == list(source.asked)
    assert (
        Audit((Finding(BLUE, LEAK, ("order", "user")), Finding(GREY, CRASH, ("order", "user"))), 2, ())
        == found
    )


def test_what_nobody_can_be_asked_about_is_told() -> None:
    """Else it would count as sound: parts without an ecosystem, and a base that is not listed."""
    python = part("python", "3.11.2", "pkg:generic/python@3.11.2")
    documents = [document(name, python, base="not listed") for name in ("order", "user")]
    found = audit.audit(documents, Known({}))
    assert (
        "the base: not listed (in order, user)",
        "python 3.11.2: of nothing that OSV knows (in order, user)",
    ) == found.unasked
    assert 0 == found.count


def test_what_is_not_in_the_image_and_what_is_ours_is_not_asked_about() -> None:
    """A distribution without its code has no vulnerability; of a system its packages are asked about."""
    gone = part("blue", "1.0", "pkg:pypi/blue@1.0", scope="excluded")
    ours = {"name": "order", "version": "1.2.3", "group": "mercato"}
    system = {"name": "debian", "version": "12", "type": "operating-system"}
    assert Audit((), 0, ()) == audit.audit([document("order", gone, ours, system)], Known({}))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"bomFormat": "SPDX", "metadata": {"component": {"name": "x"}}}']
)
def test_what_is_no_document_is_refused(text: str) -> None:
    """It would have nothing that is vulnerable."""
    with pytest.raises(SbomError, match="is no CycloneDX"):
        audit.audit([text], Known({}))


def test_a_vulnerability_refuses_and_says_what_mends_it() -> None:
    """With all names it goes by, and whose images have it."""
    judged = audit.judge(FOUND, (), TODAY)
    assert judged.refused
    assert (
        "VULNERABLE: blue 1.0 (PyPI), in order, user: GHSA-1, CVE-2026-1: It leaks; mended in 1.1",
        "2 versions asked about: 1 known vulnerabilities, 1 to be mended",
    ) == judged.lines


def test_without_vulnerabilities_the_count_of_what_was_asked_about_is_told() -> None:
    """So that a reader sees that something was."""
    judged = audit.judge(Audit((), 300, ("the base: not listed (in order)",)), (), TODAY)
    assert not judged.refused
    assert (
        "not asked about: the base: not listed (in order)",
        "300 versions asked about: 0 known vulnerabilities, 0 to be mended",
    ) == judged.lines


def test_what_is_ignored_is_told_with_its_reason_and_does_not_refuse() -> None:
    """By any name of the advisory, until the end of its day."""
    judged = audit.judge(FOUND, (IGNORED,), TODAY)
    assert not judged.refused
    assert judged.lines[0].startswith("ignored until 2026-06-01: blue 1.0")
    assert judged.lines[0].endswith("(it is not used)")


@pytest.mark.parametrize(
    "other",
    [
        IGNORED.model_copy(update={"of": "green"}),
        IGNORED.model_copy(update={"id": "CVE-2026-2"}),
    ],
    ids=["of something else", "something else"],
)
def test_what_is_ignored_is_no_other(other: Ignored) -> None:
    """And an entry that nothing is left of is told."""
    judged = audit.judge(FOUND, (other,), TODAY)
    assert judged.refused
    assert any(line.startswith(f"unused: {other.id} of {other.of}") for line in judged.lines)


def test_an_entry_whose_day_is_over_refuses() -> None:
    """The vulnerability is open again, and where it is gone the entry has to go, too."""
    late = date(2026, 6, 2)
    judged = audit.judge(FOUND, (IGNORED,), late)
    assert judged.refused
    assert judged.lines[0].startswith("VULNERABLE: blue 1.0")
    assert judged.lines[1].startswith("EXPIRED: CVE-2026-1 of blue in src/python/sbom/ignored.toml")
    assert audit.judge(Audit((), 1, ()), (IGNORED,), late).refused


def test_what_no_version_mends_may_be_left_to_wait() -> None:
    """Only if that is asked for; what is mended refuses nevertheless."""
    found = Audit((Finding(GREY, CRASH, ("order",)),), 1, ())
    assert audit.judge(found, (), TODAY).refused
    judged = audit.judge(found, (), TODAY, only_fixed=True)
    assert not judged.refused
    assert judged.lines[0].startswith("not mended yet: grey-sys 0.1.0")
    assert judged.lines[0].endswith("no version is known to mend it")
    assert audit.judge(FOUND, (), TODAY, only_fixed=True).refused


def test_the_list_of_what_is_ignored_can_be_read() -> None:
    """The one of the repository, and the example in it."""
    audit.ignored()
    text = audit.FILE.read_text("utf-8")
    example = "\n".join(line[2:] for line in text.partition("#\n")[2].splitlines())
    assert ["CVE-2099-0001"] == [each.id for each in audit.ignored(example)]


@pytest.mark.parametrize(
    "text",
    [
        "[[ignored]]\nid = 'A'\nof = 'blue'\nbecause = 'so'",
        "[[ignored]]\nid = 'A'\nof = 'blue'\nbecause = ''\nuntil = 2026-01-01",
        "[[ignored]]\nid = 'A'\nof = 'blue'\nbecause = 'so'\nuntil = 'never'",
        "[[ignore]]",
        "= x",
    ],
    ids=["no day", "no reason", "no date", "another name", "no TOML"],
)
def test_nothing_is_ignored_without_a_reason_and_a_day(text: str) -> None:
    """The file is refused as a whole."""
    with pytest.raises(SbomError, match=r"ignored\.toml cannot be read"):
        audit.ignored(text)
