"""The pages of docs/deployment are those that the templates make, and say plainly what is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra import cost, pages
from infra.__main__ import main
from infra.prices import assumptions, price_list

TEMPLATES = Path("cdk.out")
DOCS = Path(__file__).parents[3] / pages.FOLDER


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """The pages as they would be written now."""
    return pages.pages(TEMPLATES)


def test_the_pages_are_of_the_templates_as_they_are(made: dict[str, str]) -> None:
    """A change of a stack, of a price or of an assumption is a change of the pages."""
    assert [] == pages.stale(made, DOCS), f"{pages.COMMAND} writes these anew"


def test_a_page_that_is_missing_or_changed_by_hand_is_stale(made: dict[str, str], tmp_path: Path) -> None:
    """Whatever stands there, it must be what would be written."""
    (tmp_path / "cost.md").write_text("It costs little.", "utf-8")
    assert ["architecture.md", "cost.md"] == pages.stale(made, tmp_path)


def test_the_command_writes_what_is_stale_and_then_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --check it writes nothing, and fails."""
    monkeypatch.setattr("infra.__main__.ROOT", tmp_path)
    arguments = ["docs", "--templates", str(TEMPLATES)]
    assert 1 == main([*arguments, "--check"])
    assert "docs/deployment/cost.md is stale: ./pants infra-docs writes it anew" in capsys.readouterr().out
    assert not (tmp_path / pages.FOLDER).exists()
    assert 0 == main(arguments)
    assert 0 == main([*arguments, "--check"])
    assert "the pages are of the templates as they are" in capsys.readouterr().out


def test_a_rate_that_is_not_carried_is_told_in_the_table(made: dict[str, str]) -> None:
    """A total without a word beside it would read as an offer."""
    (row,) = re.findall(r"^\| \*\*suffices for that\?\*\* .*$", made["cost.md"], re.MULTILINE)
    assert 2 == row.count("**no**")


def test_the_totals_are_the_sums_of_their_columns(made: dict[str, str]) -> None:
    """What is shown adds up, but for the rounding of each row."""
    rows = re.findall(r"^\| (.*) \|$", made["cost.md"].partition("## The largest")[0], re.MULTILINE)
    cells = {row.split(" | ")[0]: [_amount(cell) for cell in row.split(" | ")[1:]] for row in rows}
    total = cells["**all of it**"]
    groups = [cells[f"**{group}**"] for group in cost.GROUPS]
    assert total == [pytest.approx(sum(column), abs=len(groups)) for column in zip(*groups, strict=True)]


def _amount(cell: str) -> float:
    text = cell.replace("*", "").replace(",", "").strip()
    return float(text) if re.fullmatch(r"[\d.]+", text) else 0.0


def test_every_assumption_and_every_price_is_shown(made: dict[str, str]) -> None:
    """Who does not believe a figure must be able to find what it is made of."""
    page = made["cost.md"]
    assert [] == [each.name for each in assumptions().assumption if each.says not in page]
    assert [] == [each.name for each in price_list().price if each.page not in page]


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(0, ""), (0.3, "< 1"), (1, "1"), (1234.6, "1,235")],
    ids=["nothing", "little", "one", "much"],
)
def test_an_amount_is_written_so_that_it_is_read(amount: float, expected: str) -> None:
    """Whole dollars suffice, and what is little is not nothing."""
    assert expected == pages._usd(amount)


@pytest.mark.parametrize(
    ("value", "expected"), [(9531392, "9,531,392"), (0.00000024, "0.00000024"), (0.10, "0.1"), (4, "4")]
)
def test_a_number_is_written_out(value: float, expected: str) -> None:
    """A price of a request has seven digits behind the point, and no exponent."""
    assert expected == pages._number(value)
