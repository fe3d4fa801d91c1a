"""What is said of the changes, and whether they are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.difference import report
from infra.difference.building import FUNCTION, QUEUE, TOPIC, of, only, stack, write
from infra.difference.change import Change, What
from infra.difference.stacks import run


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A queue that is replaced."""
    return (
        write(tmp_path / "old", orders=stack(Queue=of(QUEUE, QueueName="one"))),
        write(tmp_path / "new", orders=stack(Queue=of(QUEUE, QueueName="other"))),
    )


def test_a_loss_is_refused_and_shown(folders: tuple[Path, Path]) -> None:
    """A line for what becomes of it, one for each reason, and how to have it nevertheless."""
    text, status = run(*folders)
    assert 1 == status
    assert text == (
        "Stateful, refused without --allow-stateful:\n"
        "  orders: Queue (AWS::SQS::Queue) is replaced: the old one is deleted\n"
        '      QueueName: "one" -> "other" (replaces it)\n'
        "\n"
        "Refused: 1 of 1 changes would lose what is kept, or guard it less."
        " If that is meant, say --allow-stateful.\n"
    )


def test_a_loss_that_is_meant_is_allowed_and_shown(folders: tuple[Path, Path]) -> None:
    """First, as ever."""
    text, status = run(*folders, allow_stateful=True)
    assert 0 == status
    assert text.startswith("Stateful, allowed by --allow-stateful:\n  orders: Queue")
    assert text.endswith("Allowed: 1 of 1 changes would lose what is kept, or guard it less.\n")


def test_nothing_is_said_in_every_form(folders: tuple[Path, Path]) -> None:
    """And is no reason to refuse."""
    old, _ = folders
    assert ("Nothing changes.\n", 0) == run(old, old)
    assert "Nothing changes." in run(old, old, form="markdown")[0]
    assert {"refused": False, "stacks": {}} == json.loads(run(old, old, form="json")[0])


def test_json_has_all_of_a_change(folders: tuple[Path, Path]) -> None:
    """For who decides by other rules."""
    text, status = run(*folders, form="json")
    name = {"path": "QueueName", "old": "one", "new": "other", "effect": "replaced", "reason": ""}
    change = {
        "logical_id": "Queue",
        "type": QUEUE,
        "what": "replaced",
        "stateful": True,
        "properties": [name],
        "note": "the old one is deleted",
        "export": "",
        "refused": True,
    }
    assert ({"refused": True, "stacks": {"orders": [change]}}, 1) == (json.loads(text), status)


def test_a_comment_shows_losses_and_folds_the_rest(folders: tuple[Path, Path]) -> None:
    """Nobody reads the rest before they know."""
    old, new = folders
    write(new, orders=stack(Queue=of(QUEUE, QueueName="other"), Topic=of(TOPIC)))
    text, _ = run(old, new, form="markdown")
    loss, rest = text.split("<details>")
    assert "> [!CAUTION]\n> Refused: 1 of 2 changes" in loss
    assert "- `orders`: `Queue` (`AWS::SQS::Queue`) is replaced" in loss
    assert '  - `QueueName`: `"one"` → `"other"` (replaces it)' in loss
    assert (
        "<summary>Modified or added: 1</summary>\n\n- `orders`: `Topic` (`AWS::SNS::Topic`) is added" in rest
    )


def test_a_value_in_a_comment_stays_code() -> None:
    """Whatever is in it."""
    change = only(of(FUNCTION, Description="a"), of(FUNCTION, Description="`b` @all <b>"))
    assert '→ `` "`b` @all <b>" ``' in report.markdown({"orders": [change]})


def test_a_comment_is_not_longer_than_one_may_be() -> None:
    """What is cut is counted, and what is open is closed."""
    added = [Change(f"Queue{number:04}", QUEUE, What.ADDED, True) for number in range(2000)]
    text = report.markdown({"orders": added})
    assert len(text) < 65_536
    assert "</details>\n\n" in text
    assert text.endswith("lines more are not shown here.\n")


def test_long_values_are_cut_to_where_they_differ() -> None:
    """Two ARNs begin alike."""
    begin = "arn:aws:iam::111122223333:role/a-role-with-a-name-of-many-words-that-nobody-reads-"
    change = only(of(FUNCTION, Role=f"{begin}a"), of(FUNCTION, Role=f"{begin}b"))
    text = report.text({"orders": [change]})
    assert 'Role: …s-that-nobody-reads-a" -> …s-that-nobody-reads-b"\n' in text
    longer = only(of(FUNCTION, Description="a" * 500), of(FUNCTION, Description="b"))
    assert max(map(len, report.text({"orders": [longer]}).splitlines())) < 160
