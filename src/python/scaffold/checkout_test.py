from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from scaffold import checkout
from scaffold.checkout import ASSUMPTIONS, LIST
from scaffold.name import Name, Refused

REVIEW = Name("review")
NEW = {
    PurePosixPath("src/python/services/review/domain.py"): "one\n",
    PurePosixPath("src/python/services/review/pacts/user.py"): "two\n",
    PurePosixPath("src/python/infra/scaling/review.toml"): "three\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with one service."""
    for path, text in {
        str(LIST): '"""All."""\n\nSERVICES = ("user",)\n',
        str(ASSUMPTIONS): '[[work]]\nservice = "user"\n',
        "src/python/services/user/app.py": "",
        "src/python/services/user/pacts/states.py": "",
        "src/python/infra/stacks/shared.py": 'NAME = "observability"\nLOG = "NetworkLogs"\n',
        "src/python/infra/stacks/shared_test.py": 'WORD = "coupon"\n',
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def contents(root: Path) -> Mapping[str, str | None]:
    """Every file and folder."""
    return {
        path.relative_to(root).as_posix(): path.read_text() if path.is_file() else None
        for path in root.rglob("*")
    }


@pytest.mark.parametrize(
    ("word", "by"),
    [
        ("user", "the user service"),
        ("users", "the user service"),
        ("observability", "src/python/infra/stacks/shared.py"),
        ("network", "src/python/infra/stacks/shared.py"),
        ("infra", "src/python/infra"),
        ("states", "src/python/services/user/pacts/states.py"),
    ],
)
def test_what_has_a_name_keeps_it(root: Path, word: str, by: str) -> None:
    """Services, stacks, what is in them, packages."""
    assert by in checkout.taken(root)[word]


def test_words_of_tests_are_free(root: Path) -> None:
    """They name nothing that is deployed."""
    assert "coupon" not in checkout.taken(root)


def test_a_folder_is_a_service_though_it_is_not_listed(root: Path) -> None:
    """What lies there is somebody's work."""
    (root / "src/python/services/review").mkdir()
    assert "the review service" in checkout.taken(root)["review"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('SERVICES = ("user",)\n', 'SERVICES = ("user", "review",)\n'),
        ('X = 1\nSERVICES = ("user", "order")\n', 'X = 1\nSERVICES = ("user", "order", "review")\n'),
        (
            'SERVICES = (\n    "user",\n    "order",\n)\n',
            'SERVICES = (\n    "user",\n    "order", "review",\n)\n',
        ),
    ],
)
def test_a_service_is_listed_last(root: Path, before: str, after: str) -> None:
    """However the list is written."""
    (root / LIST).write_text(before)
    assert after == checkout.edits(root, REVIEW)[LIST]


def test_a_service_takes_nothing_of_an_order_until_somebody_says_so(root: Path) -> None:
    """The pages on cost want to be told."""
    work = tomllib.loads(checkout.edits(root, REVIEW)[ASSUMPTIONS])["work"]
    assert [
        {"service": "user"},
        {"service": "review", "task_ms": 0, "database_ms": 0, "bytes": 0},
    ] == work


@pytest.mark.parametrize("text", ["", "SERVICES = ()\n", "SERVICES = [1]\n", "OTHERS = (1,)\n"])
def test_a_list_that_is_none_is_refused(root: Path, text: str) -> None:
    """Before anything is written."""
    (root / LIST).write_text(text)
    with pytest.raises(Refused, match=r"contracts/services\.py has no SERVICES = "):
        checkout.edits(root, REVIEW)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(Refused, match="run this in a checkout of the shop"):
        checkout.taken(tmp_path)


def test_all_of_it_is_written(root: Path) -> None:
    """New files in new folders, and what changes."""
    checkout.put(root, NEW, {LIST: 'SERVICES = ("user", "review")\n'})
    found = contents(root)
    assert {str(path): text for path, text in NEW.items()}.items() <= found.items()
    assert 'SERVICES = ("user", "review")\n' == found[str(LIST)]


@pytest.mark.parametrize("there", NEW)
def test_a_file_that_is_there_is_left_as_it_is(root: Path, there: PurePosixPath) -> None:
    """And nothing else is written."""
    (root / there).parent.mkdir(parents=True, exist_ok=True)
    (root / there).write_text("mine\n")
    before = contents(root)
    with pytest.raises(Refused, match=f"{there} is there already"):
        checkout.put(root, NEW, {})
    assert before == contents(root)


class Full:
    """A disk on which there is room for some files."""

    def __init__(self, room: int, failure: BaseException) -> None:
        self.room, self.failure = room, failure

    def write(self, path: Path, text: str, *, encoding: str) -> int:
        """In the place of Path.write_text."""
        if self.room == 0:
            path.touch()
            self.room = -1  # what is put back finds room again
            raise self.failure
        self.room -= 1
        return path.write_bytes(text.encode(encoding))


@pytest.mark.parametrize("room", range(len(NEW) + 2))
@pytest.mark.parametrize("failure", [OSError(28, os.strerror(28), "a file"), KeyboardInterrupt()], ids=repr)
def test_what_cannot_be_written_whole_is_not_written(
    root: Path, monkeypatch: pytest.MonkeyPatch, room: int, failure: BaseException
) -> None:
    """Wherever it stops: no file, no folder, no change is left."""
    before = contents(root)
    changed = {ASSUMPTIONS: "changed\n", LIST: "changed\n"}
    disk = Full(room, failure)
    with monkeypatch.context() as context:
        context.setattr(
            Path, "write_text", lambda path, text, encoding: disk.write(path, text, encoding=encoding)
        )
        with pytest.raises((Refused, KeyboardInterrupt)):
            checkout.put(root, NEW, changed)
    assert before == contents(root)
