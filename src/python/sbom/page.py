"""The page `docs/licences.md`: what each image may be handed on under, as a reviewer reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sbom.contents import Distribution
from sbom.licence import Policy

PAGE = Path("docs/licences.md")
COMMAND = "./pants sbom licences"

_TEXT = Path(__file__).parent / "licences.md"
_MADE = f"Written by {COMMAND} from what the services ship. A change by hand is lost, and fails a test."


def text(shipped: Mapping[str, tuple[Distribution, ...]], rules: Policy) -> str:
    """The page, of what each service ships."""
    every = {each.name: each for distributions in shipped.values() for each in distributions}
    carriers = [every[name] for name in sorted(every) if every[name].bundled]
    return _TEXT.read_text("utf-8").format(
        made=_MADE,
        command=COMMAND,
        count=len(every),
        services=_lines(f"| {name} | {len(shipped[name])} |" for name in sorted(shipped)),
        summary=_lines(_summary(every.values(), rules)),
        distributions=_lines(_distributions(every, shipped, rules)),
        carriers=", ".join(each.name for each in carriers),
        bundled=_lines(row for each in carriers for row in _bundled(each, rules)),
        clarified=_lines(_clarified(rules)),
        argued=_lines(f"- **{each.licence}**: {each.because}." for each in rules.allowed if each.because),
        allowed=", ".join(each.licence for each in rules.allowed),
    )


def _summary(distributions: Iterable[Distribution], rules: Policy) -> Iterator[str]:
    counted: dict[str, int] = {}
    for each in distributions:
        licence = str(rules.licence(each.name, each.said))
        counted[licence] = counted.get(licence, 0) + 1
    for licence in sorted(counted, key=lambda each: (-counted[each], each)):
        yield f"| {licence} | {counted[licence]} |"


def _distributions(
    every: Mapping[str, Distribution], shipped: Mapping[str, tuple[Distribution, ...]], rules: Policy
) -> Iterator[str]:
    for name in sorted(every):
        found = every[name]
        by = [service for service in sorted(shipped) if found in shipped[service]]
        where = "all" if len(by) == len(shipped) else ", ".join(by)
        yield f"| {name} | {found.version} | {rules.licence(name, found.said)} | {where} |"


def _bundled(carrier: Distribution, rules: Policy) -> Iterator[str]:
    under: dict[str, list[str]] = {}
    for part in carrier.bundled:
        licence = str(rules.licence(f"{carrier.name}/{part.name}", part.said))
        under.setdefault(licence, []).append(f"{part.name} {part.version}")
    for licence in sorted(under):
        yield f"| {carrier.name} | {licence} | {', '.join(sorted(under[licence]))} |"


def _clarified(rules: Policy) -> Iterator[str]:
    for each in rules.clarified:
        yield f"| {each.of} | {each.says or 'nothing'} | {each.licence} | {each.because} |"


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)
