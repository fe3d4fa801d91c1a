from __future__ import annotations

import pytest

from release.changelog import Notes, notes, released, section
from release.version import Version

HEAD = "# Changelog of the order service\n"
OLD = "## 1.0.0\n\n- Customers place orders.\n"
NEXT = Version(1, 1, 0)


def test_what_users_notice_is_told_and_the_rest_is_not() -> None:
    """What breaks is first, then what is new, then what is mended and what is faster."""
    said = notes(
        [
            "perf(chassis): a page takes half the time",
            "fix(order): an order is not charged twice.",
            "refactor(order): names",
            "Merge branch 'main'",
            "feat(order): orders have a note\n\nSo that people can say where the bell is.",
            "feat(order)!: prices have no tax",
            "fix(order): a date is UTC\n\nBREAKING CHANGE: `placed_at` ends\nin Z.\n\nReviewed-by: Ada",
        ]
    )
    assert ("Breaking: Prices have no tax.", "Breaking: `placed_at` ends in Z.") == said.breaking
    assert (
        "Added: Orders have a note.",
        "Fixed: An order is not charged twice.",
        "Faster: A page takes half the time.",
    ) == said.others


def test_what_was_written_by_hand_is_kept_before_what_commits_say() -> None:
    """Word for word, and after what breaks somebody."""
    by_hand = "- Orders have a note,\n  of 80 characters.\n- Another."
    text = f"{HEAD}\n## Unreleased\n\n{by_hand}\n\n{OLD}"
    new = Notes(("Breaking: No tax.",), ("Fixed: A date.",))
    expected = f"{HEAD}\n## 1.1.0\n\n- Breaking: No tax.\n{by_hand}\n- Fixed: A date.\n\n{OLD}"
    assert expected == released(text, NEXT, new)


def test_a_section_of_the_version_that_stands_already_is_filled() -> None:
    """Whoever wrote the version by hand wrote what is in it, too."""
    text = f"{HEAD}\n## 1.1.0\n\n- By hand.\n\n{OLD}"
    assert f"{HEAD}\n## 1.1.0\n\n- By hand.\n- Fixed: It.\n\n{OLD}" == released(
        text, NEXT, Notes((), ("Fixed: It.",))
    )


def test_a_release_that_nobody_notices_says_so() -> None:
    """A heading without a line would look like a mistake."""
    text = released(HEAD, NEXT, notes(["build: another lock"]))
    assert "- Built anew: nothing that its users notice." == section(text, NEXT)


def test_libraries_are_told_after_all_else() -> None:
    """Whoever looks for a vulnerability finds the version."""
    said = notes(["fix: it"], ["fastapi 1.0 -> 1.1", "jinja2 3.1.4 -> 3.1.5"])
    assert ("Fixed: It.", "Libraries: fastapi 1.0 -> 1.1, jinja2 3.1.4 -> 3.1.5.") == said.others


def test_a_long_line_is_wrapped_as_the_others_are() -> None:
    """It is read as a file as well."""
    text = released(HEAD, NEXT, Notes((), ("Fixed: " + "a word " * 30,)))
    assert all(len(line) <= 118 for line in text.splitlines())
    assert text.count("\n  a word") or text.count("\n  word")


@pytest.mark.parametrize("text", ["", HEAD, f"{HEAD}\n{OLD}"])
def test_a_version_without_a_section_has_nothing_to_say(text: str) -> None:
    """Whatever else is in the file."""
    assert "" == section(text, NEXT)
