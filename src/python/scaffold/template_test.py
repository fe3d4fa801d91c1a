from __future__ import annotations

import ast
import tomllib
from pathlib import Path, PurePosixPath

import pytest

from scaffold.name import MOST, Name
from scaffold.template import own_words, rendered

OWN = PurePosixPath("src/python/services")
LONGEST_LINE = 110
NAMES = ["qa", "review", "delivery", "box", "w" * MOST, "w" * (MOST - 1) + "y"]


def test_a_service_has_the_files_that_every_one_has() -> None:
    """Those that the README lists, but for what it has no use for yet."""
    found = {path.name for path in rendered(Name("review")) if path.parent == OWN / "review"}
    modules = {"domain", "store", "api", "settings", "app", "conftest", "__init__"}
    tests = {"domain", "store", "api", "app_integration", "access", "ends", "fuzz"}
    assert found == {
        *(f"{each}.py" for each in modules),
        *(f"{each}_test.py" for each in tests),
        *("BUILD", "VERSION", "CHANGELOG.md"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_can_be_read_whatever_the_name(name: str) -> None:
    """By Python and as TOML, in lines that ruff takes once it has formed them."""
    for path, text in rendered(Name(name)).items():
        if path.suffix == ".py":
            ast.parse(text)
        if path.suffix == ".toml":
            assert name == tomllib.loads(text)["service"]
        assert text.endswith("\n")
        # Code is broken where it has to be; what people read is not.
        prose = [line for line in text.splitlines() if line.lstrip().startswith(("#", '"""'))]
        assert [] == [line for line in prose if len(line) > LONGEST_LINE]


def test_nothing_of_another_service_is_left() -> None:
    """Two services differ in their names, and in nothing else."""
    one, other = (rendered(Name(name)) for name in ("review", "invoice"))
    assert len(one) == len(other)
    for path, text in one.items():
        there = str(path).replace("review", "invoice")
        expected = text.replace("review", "invoice").replace("Review", "Invoice").replace("REVIEW", "INVOICE")
        assert expected == other[PurePosixPath(there)]


def test_names_that_the_templates_use_are_known() -> None:
    """A service that is called so would hide what its own modules work with."""
    assert {"store", "text", "page", "limit", "pytest", "shop", "uuid", "api", "clock"} <= own_words()
    assert not {"review", "delivery", "invoice", "coupon", "shipping"} & own_words()


def test_a_word_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """Rather than a gap in the code."""
    (tmp_path / "NAME.py.j2").write_text("{{ nmae }}\n")
    with pytest.raises(Exception, match="'nmae' is undefined"):
        rendered(Name("review"), tmp_path)


def test_the_place_of_a_file_follows_from_the_name(tmp_path: Path) -> None:
    """As its text does."""
    (tmp_path / "NAME").mkdir()
    (tmp_path / "NAME" / "0001_PLURAL.txt.j2").write_text("{{ Name }} {{ path }}\n")
    assert {PurePosixPath("src/python/box/0001_boxes.txt"): "Box /api/boxes\n"} == rendered(
        Name("box"), tmp_path
    )
