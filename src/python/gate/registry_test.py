from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest

import contracts
from gate import asyncapi, events
from gate.__main__ import KINDS, main
from gate.registry import Kind, Registry

PUBLISHED = Path(next(iter(contracts.__path__))) / "registry"
NAME = "mercato.ORDER_CANCELLED.v1"


@pytest.fixture(scope="module")
def _released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests: to copy it takes less than to make it."""
    made = tmp_path_factory.mktemp("registry")
    assert 0 == main(["write", "--registry", str(made)])
    assert 0 == main(["release", "--registry", str(made)])
    return made


@pytest.fixture
def folder(_released: Path, tmp_path: Path) -> Path:
    """A registry in which everything was released as it is."""
    return shutil.copytree(_released, tmp_path, dirs_exist_ok=True)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.folder)
def test_the_registry_is_as_the_code_is(kind: Kind) -> None:
    """Else: ./pants contracts write."""
    assert [] == [str(each) for each in Registry(PUBLISHED, kind).staleness(kind.current())]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.breaches], ids=lambda kind: kind.folder)
def test_nothing_breaks_what_was_released(kind: Kind) -> None:
    """Nobody who is deployed would trip over what is about to be published."""
    registry = Registry(PUBLISHED, kind)
    assert registry.released()
    assert [] == [str(each) for each in registry.refusals(kind.current())]


def test_a_change_is_judged_by_what_was_released(folder: Path) -> None:
    """What was published since may be taken back; what was released is a promise."""
    registry = Registry(folder, events.KIND)
    schemas = copy.deepcopy(events.current())
    schemas[NAME]["properties"]["note"] = {"type": "string", "default": ""}
    registry.publish(schemas)
    assert [] == registry.refusals(events.current())
    registry.release()
    assert [f"{NAME}: note is gone"] == [str(each) for each in registry.refusals(events.current())]


def test_a_released_event_does_not_vanish(folder: Path) -> None:
    """Somebody deployed may still read it."""
    schemas = {name: schema for name, schema in events.current().items() if name != NAME}
    (found,) = Registry(folder, events.KIND).refusals(schemas)
    assert str(found).startswith(f"{NAME}: is gone")


def test_a_new_major_version_beside_the_old_passes(folder: Path) -> None:
    """The way out of a change that breaks."""
    registry = Registry(folder, events.KIND)
    both = {**events.current(), "mercato.ORDER_CANCELLED.v2": {"type": "object"}}
    assert [] == registry.refusals(both)
    registry.publish(both)
    assert "mercato.ORDER_CANCELLED.v2" in registry.published()


def test_a_retired_event_may_leave_its_topic(folder: Path) -> None:
    """It is retired once: its schema and its place in the topology go together."""
    document = copy.deepcopy(asyncapi.document())
    del document["channels"]["order-events"]["messages"][NAME]
    registry = Registry(folder, asyncapi.KIND)
    (found,) = registry.refusals({asyncapi.NAME: document})
    assert f"{asyncapi.NAME}: {NAME} leaves order-events" in str(found)
    assert 0 == main(["retire", NAME, "--registry", str(folder)])
    assert [] == registry.refusals({asyncapi.NAME: document})
    assert NAME not in Registry(folder, events.KIND).released()


def test_a_part_of_the_topology_is_retired_alone(folder: Path) -> None:
    """A service that does not want to hear of something any more takes nothing from the others."""
    part = f"inventory-update-queue-from-order-events/{NAME}"
    assert 0 == main(["retire", part, "--registry", str(folder)])
    document = copy.deepcopy(asyncapi.document())
    operations = document["operations"]
    for name in ("inventory-update-queue-from-order-events", "payment-processing-queue-from-order-events"):
        operations[name]["messages"] = [
            each for each in operations[name]["messages"] if not each["$ref"].endswith(NAME)
        ]
    (found,) = Registry(folder, asyncapi.KIND).refusals({asyncapi.NAME: document})
    assert f"payment-processing-queue is given no {NAME}" in str(found)


def test_what_is_retired_may_go(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its files are not left behind; and a mistyped name is said to be one."""
    assert 0 == main(["retire", NAME, "--registry", str(folder)])
    registry = Registry(folder, events.KIND)
    schemas = {name: s for name, s in events.current().items() if name != NAME}
    assert [] == registry.refusals(schemas)
    registry.publish(schemas)
    assert NAME not in registry.published()
    assert 1 == main(["retire", NAME, "--registry", str(folder)])
    assert f"{NAME} was not released; these were: " in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(
    folder: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a non-zero status, and nothing written."""
    broken = folder / "released" / "events" / f"{NAME}.json"
    broken.write_text(text, encoding="latin-1")
    before = _changed_at(folder)
    assert 1 == main(["write", "--registry", str(folder)])
    assert str(broken) in capsys.readouterr().err
    assert before == _changed_at(folder)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (f"events/{NAME}", '{"properties": {"a": {"$ref": "#/$defs/B"}}}'),
        ("openapi/order", '{"paths": []}'),
        ("openapi/order", '{"paths": {"/api/orders": {"get": []}}}'),
    ],
)
def test_a_file_that_is_no_such_document_is_named(
    folder: Path, name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence, whatever the comparer made of it."""
    broken = folder / "released" / f"{name}.json"
    broken.write_text(text)
    assert 1 == main(["check", "--registry", str(folder)])
    assert f"{broken} cannot be compared" in capsys.readouterr().err


def test_the_command_says_what_is_stale_and_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then does it."""
    (folder / "events" / f"{NAME}.json").unlink()
    assert 1 == main(["check", "--registry", str(folder)])
    said = capsys.readouterr().err
    assert f"{NAME}: is not published" in said
    assert "./pants contracts write" in said
    assert 0 == main(["write", "--registry", str(folder)])
    assert 0 == main(["check", "--registry", str(folder)])
    assert 0 == main(["release", "--registry", str(folder)])


def test_the_command_refuses_what_breaks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever it is told to do: a field was released that the model has no more."""
    path = folder / "released" / "events" / f"{NAME}.json"
    path.write_text(path.read_text().replace('"reason"', '"why"'))
    for command in ("check", "write", "release"):
        assert 1 == main([command, "--registry", str(folder)])
        said = capsys.readouterr().err
        assert f"{NAME}: why is gone" in said
        assert "docs/contracts.md" in said


def test_the_command_refuses_what_is_not_valid(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is told to do, and before anything is written."""
    monkeypatch.setattr(asyncapi, "_BINDINGS", "9.9.9")
    before = _changed_at(folder)
    for command in ("check", "write", "release"):
        assert 1 == main([command, "--registry", str(folder)])
        said = capsys.readouterr().err
        assert 'mercato: channels/order-events/bindings/sns/bindingVersion: "9.9.9" is not one of' in said
        assert "src/python/gate/asyncapi.py" in said
    assert before == _changed_at(folder)


def test_a_folder_without_a_registry_is_said_to_be_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped path must not look like a registry in which nothing was released."""
    assert 1 == main(["check", "--registry", str(tmp_path / "nowhere")])
    assert "nowhere" in capsys.readouterr().err


def _changed_at(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")}
