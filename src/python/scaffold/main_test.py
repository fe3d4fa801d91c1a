from __future__ import annotations

from pathlib import Path

import pytest

from scaffold import task
from scaffold.__main__ import main
from scaffold.checkout import ASSUMPTIONS, LIST
from scaffold.task import Task

STEPS = [
    "fix fmt src/python/services/review:: src/python/contracts/services.py",
    "contracts write",
    "infra-docs",
]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose Pants notes what it is asked for, and fails where a file `fails` says so."""
    monkeypatch.setenv("MERCATO_ROOT", str(tmp_path))
    monkeypatch.setattr(
        task, "TASKS", (Task("what it keeps", "src/python/services/{name}/domain.py", "class "),)
    )
    for path, text in {
        str(LIST): 'SERVICES = ("user",)\n',
        str(ASSUMPTIONS): "",
        "src/python/services/x.py": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    pants = tmp_path / "pants"
    pants.write_text(
        '#!/bin/sh\necho "$*" >>asked\n[ "$*" != "$(cat fails)" ] || { echo "it is broken"; exit 3; }\n'
    )
    pants.chmod(0o755)
    (tmp_path / "fails").write_text("")
    return tmp_path


def asked(root: Path) -> list[str]:
    """What Pants was asked for."""
    return (root / "asked").read_text().splitlines() if (root / "asked").exists() else []


def test_a_service_is_written_and_all_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which files, which commands were run, and what is to be decided where."""
    assert 0 == main(["review"])
    said = capsys.readouterr().out.splitlines()
    assert "The review service is written; its routes are below /api/reviews:" == said[0]
    assert "  src/python/services/review/api.py" in said
    assert "  src/python/contracts/services.py (changed)" in said
    assert "  src/python/services/review/domain.py:11  what it keeps" == said[-1]
    assert (root / "src/python/services/review/api.py").exists()
    assert STEPS == asked(root)


def test_the_pages_can_be_left_for_later(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And it is said how they are written."""
    assert 0 == main(["review", "--no-pages"])
    assert STEPS[:2] == asked(root)
    assert "until ./pants infra-docs writes it" in capsys.readouterr().out


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_what_fails_afterwards_can_be_done_again(
    root: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    """With what it said, and with what is left to do."""
    (root / "fails").write_text(STEPS[number])
    assert 1 == main(["review"])
    said = capsys.readouterr()
    left = "; ".join(f"./pants {step}" for step in STEPS[number:])
    assert f"it is broken\nThat failed: the files stay; mend what it says, and then: {left}\n" == said.err
    assert "  what it keeps" in said.out


@pytest.mark.parametrize(
    ("name", "said"), [("user", "'user' is taken by"), ("Re-view", "is no name of a service")]
)
def test_a_name_that_is_none_writes_nothing(
    root: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    """One sentence, and a status of its own."""
    before = sorted(root.rglob("*"))
    assert 2 == main([name])
    assert said in capsys.readouterr().err
    assert before == sorted(root.rglob("*"))


def test_a_task_whose_line_is_gone_is_found_before_anything_is_written(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an author is told must be there."""
    monkeypatch.setattr(task, "TASKS", (Task("what", str(LIST), "no such words"),))
    assert 2 == main(["review"])
    assert "has no line with 'no such words'" in capsys.readouterr().err
    assert not (root / "src/python/services/review").exists()


def test_another_folder_than_a_checkout_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do."""
    monkeypatch.setenv("MERCATO_ROOT", str(tmp_path))
    assert 2 == main(["review"])
    assert "run this in a checkout of the shop" in capsys.readouterr().err
