from __future__ import annotations

import json

import pytest

from pipeline.git import Change, PipelineError
from pipeline.selection import Selection, question, read, with_dependents

CHANGE = Change("abc", "origin/main", ("src/python/services/order/domain.py",))
TARGETS = [
    {"address": "b_test.py:tests", "target_type": "python_test", "tags": None},
    {"address": "a_test.py:tests", "target_type": "python_test"},
    {"address": "saga_test.py:tests", "target_type": "python_test", "tags": ["whole"]},
    {"address": "a.py", "target_type": "python_source", "tags": []},
]


def test_tests_are_told_from_those_of_the_whole_shop_and_from_what_is_no_test() -> None:
    """By the type of the target, and by its tag."""
    assert Selection(
        ("--changed-since=abc",),
        ("a_test.py:tests", "b_test.py:tests"),
        ("saga_test.py:tests",),
        frozenset({"a.py"}),
    ) == read(json.dumps(TARGETS), CHANGE)


def test_pants_is_asked_for_all_that_depends_on_a_change() -> None:
    """However far away: a provider's test is two steps from the model that it verifies."""
    assert ("--changed-since=abc", "--changed-dependents=transitive", "peek") == question(CHANGE)


@pytest.mark.parametrize(
    "file",
    [
        "pants.toml",
        "pyproject.toml",
        "build-support/macros.py",
        "build-support/plugins/pants_ruff/register.py",
        "3rdparty/python/mypy/lock.txt",
    ],
)
def test_what_everything_is_made_with_concerns_everything(file: str) -> None:
    """No target has it, so that the graph would say that it concerns nothing."""
    change = Change("abc", "origin/main", ("docs/pipeline.md", file))
    assert ("::", "peek") == question(change)
    assert ("::",) == read("[]", change).specs == with_dependents(["::"])


@pytest.mark.parametrize("file", ["docs/pants.toml", "README.md", "3rdparty/python/shop/lock.txt"])
def test_what_the_graph_knows_or_nothing_is_made_with_does_not(file: str) -> None:
    """A lock of ours is in the graph; a page is read by people."""
    assert "::" not in question(Change("abc", "origin/main", (file,)))


def test_nothing_may_be_concerned() -> None:
    """A page was edited, say; Pants then says nothing, or an empty list."""
    assert not read("", CHANGE)
    assert not read("[]\n", CHANGE)


@pytest.mark.parametrize("text", ["x", "3", '[{"address": "a"}]', "[1]"])
def test_what_is_no_list_of_targets_is_told_from_one(text: str) -> None:
    """A sentence, and no traceback."""
    with pytest.raises(PipelineError, match=r"^what \./pants peek says of targets cannot be read"):
        read(text, CHANGE)
