from __future__ import annotations

import pytest

from locks.lock import Pin, differences, distribution, needed, pins

LOCK = """\
# This file was made by build-support/lock.
Jinja2==3.1.4 \\
    --hash=sha256:01 \\
    --hash=sha256:02
    # via -r requirements.txt
markupsafe==2.1.5 \\
    --hash=sha256:03
    # via jinja2
sqlalchemy[asyncio]==2.0.1 \\
    --hash=sha256:04
    # via
    #   -r requirements.txt
    #   alembic
typing_extensions==4.12.2 ; python_version < "3.13" \\
    --hash=sha256:05
    # via
    #   jinja2
    #   sqlalchemy
"""


def test_a_lock_tells_versions_who_asks_for_them_and_hashes() -> None:
    """In one line, or in a line for each; names are compared as PyPI does."""
    assert {
        "jinja2": Pin("3.1.4", frozenset({"-r requirements.txt"}), frozenset({"sha256:01", "sha256:02"})),
        "markupsafe": Pin("2.1.5", frozenset({"jinja2"}), frozenset({"sha256:03"})),
        "sqlalchemy": Pin("2.0.1", frozenset({"-r requirements.txt", "alembic"}), frozenset({"sha256:04"})),
        "typing-extensions": Pin("4.12.2", frozenset({"jinja2", "sqlalchemy"}), frozenset({"sha256:05"})),
    } == pins(LOCK)


def test_what_comes_with_a_library_is_needed_with_it() -> None:
    """And what comes with others is not."""
    assert {"jinja2": "3.1.4", "markupsafe": "2.1.5", "typing-extensions": "4.12.2"} == needed(
        pins(LOCK), ["jinja2"]
    )
    assert {} == needed(pins(LOCK), ["unknown"])


def test_differences_are_said_in_words() -> None:
    """What is new or gone among them."""
    assert ["a 1 -> 2", "b 1 -> none", "c none -> 1"] == differences(
        {"a": "1", "b": "1", "d": "1"}, {"a": "2", "c": "1", "d": "1"}
    )


@pytest.mark.parametrize("requirement", ["Foo_Bar", "foo.bar>=2", "foo-bar[x]==1; python_version < '4'"])
def test_names_are_compared_as_pypi_does(requirement: str) -> None:
    """Requirements and locks write them as they like."""
    assert "foo-bar" == distribution(requirement)
