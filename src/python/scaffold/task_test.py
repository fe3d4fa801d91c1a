from __future__ import annotations

import pytest

from scaffold import task, template
from scaffold.name import Name, Refused
from scaffold.task import TASKS, Task

NAME = Name("review")


def test_a_task_names_the_first_line_with_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the service where it is the service's own."""
    monkeypatch.setattr(task, "TASKS", (Task("what it is", "of/{name}.py", "class {name}"),))
    files = {"of/review.py": "one\n\nclass review:\nclass review_2:\n"}
    assert ["of/review.py:3  what it is"] == task.listed(NAME, lambda path: files[str(path)])


def test_a_task_without_its_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is written, if it is asked for then."""
    monkeypatch.setattr(task, "TASKS", (Task("what it is", "a.py", "no such words"),))
    with pytest.raises(Refused, match=r"a\.py has no line with 'no such words': mend it, or"):
        task.listed(NAME, lambda _: "one\n")


def test_what_is_decided_in_the_service_itself_has_its_line_there() -> None:
    """In the files of the templates; build-support/test-new-service shows the same of the others."""
    new = {str(path): text for path, text in template.rendered(NAME).items()}
    own = [each for each in TASKS if "{name}" in each.file]
    assert 5 <= len(own)
    for each in own:
        file, mark = (part.replace("{name}", NAME.text) for part in (each.file, each.mark))
        assert mark in new[file]
