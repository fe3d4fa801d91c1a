"""What is said of the changes: as plain text, as a comment for a pull request, as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import accumulate, groupby
from typing import Literal

from infra.difference.change import Change, PropertyChange, Stacks, What
from infra.difference.values import canonical

Form = Literal["text", "markdown", "json"]

FLAG = "--allow-stateful"

# Of a comment on GitHub, which has 65,536 characters; some are for what others write around it.
_COMMENT_CHARACTERS = 60_000
_VALUE_CHARACTERS = 60

_SAID_OF_PROPERTIES = {
    What.REPLACED: "replaces it",
    What.MAY_BE_REPLACED: "may replace it",
    What.MAY_BE_DELETED: "may delete it",
    What.LOOSENED: "protects it less",
}


def is_refused(stacks: Stacks, allow_stateful: bool) -> bool:
    """Whether it must not be deployed: something would be lost, and nobody says that it is meant."""
    return not allow_stateful and any(each.refused for changes in stacks.values() for each in changes)


def text(stacks: Stacks, allow_stateful: bool = False) -> str:
    """A line for each change, the dangerous ones first, and below it what of it changes."""
    lines = []
    for heading, found in _groups(stacks, allow_stateful):
        lines += [f"{heading}:", *(line for each in found for line in _lines(*each)), ""]
    return "\n".join([*lines, _verdict(stacks, allow_stateful)]) + "\n"


def markdown(stacks: Stacks, allow_stateful: bool = False) -> str:
    """As a comment for a pull request: what is not dangerous is folded, what is too much for one is cut."""
    mark = "CAUTION" if is_refused(stacks, allow_stateful) else "NOTE"
    lines = ["### What deploying changes", "", f"> [!{mark}]", f"> {_verdict(stacks, allow_stateful)}", ""]
    for heading, found in _groups(stacks, allow_stateful):
        items = [line for each in found for line in _lines(*each, "- ", "  - ", "→", _code)]
        if found[0][1].refused:
            lines += [f"**{heading}**", "", *items, ""]
        else:
            summary = f"<details><summary>{heading}: {len(found)}</summary>"
            lines += [summary, "", *items, "", "</details>", ""]
    return _cut(lines)


def data(stacks: Stacks, allow_stateful: bool = False) -> str:
    """As JSON, with all there is of each change."""
    found = {
        name: [asdict(change) | {"refused": change.refused} for change in changes]
        for name, changes in stacks.items()
    }
    return json.dumps({"refused": is_refused(stacks, allow_stateful), "stacks": found}, indent=2) + "\n"


FORMS: Mapping[Form, Callable[[Stacks, bool], str]] = {"text": text, "markdown": markdown, "json": data}


def _groups(stacks: Stacks, allow_stateful: bool) -> list[tuple[str, list[tuple[str, Change]]]]:
    """The changes with their stacks, by how much they matter; no group is empty."""

    def heading(found: tuple[str, Change]) -> str:
        _, change = found
        if change.refused:
            return f"Stateful, {'allowed by' if allow_stateful else 'refused without'} {FLAG}"
        if change.rank < (True, What.MODIFIED.place):
            return "Replaced, deleted, protected less or exported no more"
        return "Modified or added"

    found = [(stack, change) for stack, changes in stacks.items() for change in changes]
    found.sort(key=lambda each: each[1].rank)
    return [(head, list(group)) for head, group in groupby(found, heading)]


def _verdict(stacks: Stacks, allow_stateful: bool) -> str:
    changes = [change for found in stacks.values() for change in found]
    lost = sum(change.refused for change in changes)
    if lost:
        said = f"{lost} of {len(changes)} changes would lose what is kept, or guard it less."
        return f"Allowed: {said}" if allow_stateful else f"Refused: {said} If that is meant, say {FLAG}."
    return f"None of {len(changes)} changes would lose what is kept." if changes else "Nothing changes."


def _lines(
    stack: str,
    change: Change,
    begin: str = "  ",
    begin_below: str = "      ",
    arrow: str = "->",
    quote: Callable[[str], str] = str,
) -> Iterator[str]:
    note = f": {change.note}" if change.note else ""
    of = f"{quote(stack)}: {quote(change.logical_id)} ({quote(change.type)})"
    yield f"{begin}{of} {change.what.said}{note}"
    for each in change.properties:
        path = f"{quote(each.path)}: " if each.path else ""
        values = f" {arrow} ".join(map(quote, _brief(each)))
        reason = f"as {each.reason}" if each.reason else ""
        why = ", ".join(filter(None, [_SAID_OF_PROPERTIES.get(each.effect), reason]))
        yield f"{begin_below}{path}{values}" + (f" ({why})" if why else "")


def _code(text: str) -> str:
    """As code in Markdown, whatever it holds."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"{fence}{text}{fence}"


def _brief(change: PropertyChange) -> list[str]:
    """The old and the new value, or what both are, cut to where they differ."""
    texts = ["nothing" if each is None else canonical(each) for each in (change.old, change.new)]
    if change.reason:
        return [_short(texts[0])]
    shared = next((place for place, pair in enumerate(zip(*texts, strict=False)) if pair[0] != pair[1]), 0)
    start = max(0, shared - _VALUE_CHARACTERS // 3) if max(map(len, texts)) > _VALUE_CHARACTERS else 0
    return [("…" if start else "") + _short(text[start:]) for text in texts]


def _short(text: str) -> str:
    return text if len(text) <= _VALUE_CHARACTERS else text[: _VALUE_CHARACTERS - 1] + "…"


def _cut(lines: Sequence[str]) -> str:
    sizes = accumulate(len(line) + 1 for line in lines)
    kept = [line for line, size in zip(lines, sizes, strict=True) if size <= _COMMENT_CHARACTERS]
    if len(kept) < len(lines):
        opened = sum(line.startswith("<details>") for line in kept) > kept.count("</details>")
        end = ["", "</details>"] if opened else []
        kept += [*end, "", f"{len(lines) - len(kept)} lines more are not shown here."]
    return "\n".join(kept) + "\n"
