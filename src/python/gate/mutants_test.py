from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.services import SERVICES
from gate import mutants, mutations, verification
from gate.__main__ import main
from gate.mutants import GATES, Laboratory, MutantError, Result, applied, chosen, laboratory, report, total
from gate.mutations import BREAKING, COMPATIBLE, Edit, Mutation

SOURCES = Path(importlib.import_module("services").__path__[0]).parent
REPORT = SOURCES.parents[1] / "docs/mutants.md"
EVERY = (*BREAKING, *COMPATIBLE)

MEASURED = ("notification", "order", "payment", "product", "user")

BREAKS, HARMLESS = BREAKING[0], COMPATIBLE[0]
CAUGHT = Result(BREAKS, {"schema": ["it is gone"], "topology": [], "routes": [], "pact": ["it is missing"]})
PASSED = Result(HARMLESS, {key: [] for key in GATES})


@pytest.fixture(scope="module")
def place() -> Iterator[Laboratory]:
    with laboratory(SOURCES, copies=1) as made:
        yield made


def a_folder(tmp_path: Path, text: str) -> Path:
    (tmp_path / "code.py").write_text(text)
    return tmp_path


def a_mutation(*edits: tuple[str, str]) -> Mutation:
    return Mutation("a change", "a kind", "all", tuple(Edit("code.py", old, new) for old, new in edits))


@pytest.mark.parametrize("mutation", EVERY, ids=lambda mutation: mutation.name)
def test_every_mutation_can_be_made_in_the_code_as_it_is(mutation: Mutation, tmp_path: Path) -> None:
    """One whose place has changed fails here at once, rather than in the run of all."""
    for edit in mutation.edits:
        (tmp_path / edit.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / edit.path).write_text((SOURCES / edit.path).read_text())
    with applied(mutation, tmp_path):
        for path in {edit.path for edit in mutation.edits}:
            compile((tmp_path / path).read_text(), path, "exec")


def test_there_are_enough_of_every_service() -> None:
    """A gate that sees one service alone is not measured by its sum; of a new one there may be none yet."""
    assert len(BREAKING) >= 60
    assert len(COMPATIBLE) >= 30
    for some in (BREAKING, COMPATIBLE):
        assert {*MEASURED, "all"} <= {mutation.service for mutation in some} <= {*SERVICES, "all"}
    assert min(Counter(mutation.service for mutation in BREAKING).values()) >= 10


def test_no_two_have_one_name() -> None:
    """The report and `--only` tell them apart by it."""
    assert [] == [name for name, count in Counter(each.name for each in EVERY).items() if count > 1]


def test_the_providers_are_those_that_can_be_verified() -> None:
    """The list knows nothing of the code that it changes, so that this keeps them together."""
    assert set(mutations.PROVIDERS) == set(verification.PROVIDERS)


def test_the_report_is_of_the_list_as_it_is() -> None:
    """Where it is not: run ./pants contracts mutants."""
    lines = [line for line in REPORT.read_text().splitlines() if line.startswith("| ")]
    listed = [line.split(" | ")[0].removeprefix("| ") for line in lines]
    assert [mutation.name for mutation in EVERY if mutation.name not in listed] == []
    assert len(listed) == len(EVERY) + len(GATES) + 2 * 3


@pytest.mark.parametrize(
    ("name", "gates"),
    [
        ("ORDER_CONFIRMED without total", ("schema", "pact")),
        ("a notification without its text", ("routes",)),
        ("signing keys in another object", ("pact",)),
        ("STOCK_RESERVED is published with the orders", ("topology",)),
        ("an order may be a gift", ()),
    ],
)
def test_the_gates_catch_what_breaks_somebody_and_nothing_else(
    name: str, gates: tuple[str, ...], place: Laboratory
) -> None:
    """A sample; ./pants contracts mutants runs all."""
    (mutation,) = chosen([name])
    result = place.try_out(mutation)
    assert gates == result.caught_by
    assert result.is_right


def test_a_mutation_that_the_gates_cannot_judge_is_wrong(place: Laboratory) -> None:
    """What does not even start shows nothing of the gates."""
    broken = Mutation(
        "broken", "none", "order", (Edit("gate/registry.py", "import json\n", "import jason\n"),)
    )
    result = place.try_out(broken)
    assert not result.is_right
    assert "WRONG broken: the gates cannot judge it" in str(result)
    assert "No module named 'jason'" in result.fault


def test_an_edit_is_made_and_taken_back(tmp_path: Path) -> None:
    """Also several in one file."""
    folder = a_folder(tmp_path, "a = 1\nb = 2\n")
    with applied(a_mutation(("a = 1", "a = 3"), ("b = 2", "b = 4")), folder):
        assert (folder / "code.py").read_text() == "a = 3\nb = 4\n"
    assert (folder / "code.py").read_text() == "a = 1\nb = 2\n"


@pytest.mark.parametrize("text", ["b = 1\n", "a = 1\na = 1\n"])
def test_an_edit_without_its_one_place_is_an_error(text: str, tmp_path: Path) -> None:
    """It says which; and the first of two is taken back."""
    folder = a_folder(tmp_path, text + "c = 1\n")
    mutation = a_mutation(("c = 1", "c = 2"), ("a = 1", "a = 2"))
    said = r"code\.py has 'a = 1' \d times, not once"
    with pytest.raises(MutantError, match=said), applied(mutation, folder):
        pass
    assert (folder / "code.py").read_text() == text + "c = 1\n"


def test_a_name_that_is_not_known_is_an_error() -> None:
    """None is all."""
    assert chosen([]) == EVERY
    with pytest.raises(MutantError, match="there is no mutation 'nothing'"):
        chosen(["nothing"])


def test_a_survivor_and_a_false_alarm_are_wrong() -> None:
    """And are said to be."""
    survivor, alarm = Result(BREAKS, PASSED.verdict), Result(HARMLESS, CAUGHT.verdict)
    assert [True, True, False, False] == [each.is_right for each in (CAUGHT, PASSED, survivor, alarm)]
    assert str(survivor) == f"WRONG {BREAKS.name}: passes"
    assert str(CAUGHT) == f"ok    {BREAKS.name}: caught by schema, pact"
    assert total([CAUGHT, survivor, PASSED, alarm]) == "1/2 caught, 1/2 refused"


def test_the_report_says_which_gate_caught_what() -> None:
    """And how many each caught, and caught alone."""
    lines = report([CAUGHT, PASSED]).splitlines()
    assert lines[0] == "# Mutants: 1/1 caught, 0/1 refused"
    assert f"| {BREAKS.name} | {BREAKS.kind} | order | ✓ |   |   | ✓ |" in lines
    assert f"| {HARMLESS.name} | {HARMLESS.kind} | order |   |   |   |   |" in lines
    assert [line[-10:] for line in lines if line.startswith("| schema")] == [" | 1 | 0 |"]


def test_the_command_writes_the_report_and_fails_for_a_survivor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which it names."""
    survivor = Result(BREAKS, PASSED.verdict)
    monkeypatch.setattr(mutants, "run", lambda *_, **__: [survivor, PASSED])
    file = tmp_path / "mutants.md"
    assert main(["mutants", "--sources", str(SOURCES), "--report", str(file)]) == 1
    assert file.read_text().startswith("# Mutants: 0/1 caught, 0/1 refused\n")
    assert f"WRONG {BREAKS.name}: passes" in capsys.readouterr().err


def test_some_alone_make_no_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would not be of all."""
    monkeypatch.setattr(mutants, "run", lambda *_, **__: [CAUGHT])
    file = tmp_path / "mutants.md"
    argv = ["mutants", "--only", BREAKS.name, "--sources", str(SOURCES), "--report", str(file)]
    assert main(argv) == 0
    assert not file.exists()


def test_the_command_says_what_it_cannot_find(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mutation, or the sources."""
    assert main(["mutants", "--only", "nothing"]) == 1
    assert "there is no mutation 'nothing'" in capsys.readouterr().err
    assert main(["mutants", "--sources", str(tmp_path / "gone")]) == 1
    assert "there are no sources in" in capsys.readouterr().err
