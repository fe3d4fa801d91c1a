from __future__ import annotations

import copy
from pathlib import Path

import pytest

import contracts
from gate.__main__ import main
from gate.registry import Registry, RegistryError, event_schemas, refusals, staleness

PUBLISHED = Path(next(iter(contracts.__path__))) / "registry"
NAME = "mercato.ORDER_CANCELLED.v1"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry in which everything was released as it is."""
    made = Registry(tmp_path)
    made.publish(event_schemas())
    made.release()
    return made


def test_the_registry_is_as_the_models_are() -> None:
    """Else: ./pants contracts write."""
    assert [] == [str(each) for each in staleness(Registry(PUBLISHED).published(), event_schemas())]


def test_no_event_breaks_what_was_released() -> None:
    """Nobody who is deployed would trip over what is about to be published."""
    released = Registry(PUBLISHED).released()
    assert released
    assert [] == [str(each) for each in refusals(released, event_schemas())]


def test_a_breaking_change_is_not_written(registry: Registry) -> None:
    """And what stands against it is said; the other events are as they were too."""
    schemas = copy.deepcopy(event_schemas())
    del schemas[NAME]["properties"]["reason"]
    schemas["mercato.STOCK_RESERVED.v1"]["description"] = "changed"
    assert [f"{NAME}: reason is gone"] == [str(each) for each in registry.publish(schemas)]
    assert event_schemas() == registry.published()


def test_an_additive_change_is_written_and_stands_from_its_release_on(registry: Registry) -> None:
    """Before that it may be taken back."""
    schemas = copy.deepcopy(event_schemas())
    schemas[NAME]["properties"]["note"] = {"type": "string", "default": ""}
    assert [] == registry.publish(schemas)
    assert [] == registry.publish(event_schemas())
    registry.publish(schemas)
    registry.release()
    assert [f"{NAME}: note is gone"] == [str(each) for each in registry.publish(event_schemas())]


def test_a_released_event_does_not_vanish(registry: Registry) -> None:
    """Somebody deployed may still read it."""
    schemas = {name: schema for name, schema in event_schemas().items() if name != NAME}
    (found,) = registry.publish(schemas)
    assert str(found).startswith(f"{NAME}: is gone")


def test_a_new_major_version_beside_the_old_passes(registry: Registry) -> None:
    """The way out of a change that breaks."""
    schemas = event_schemas()
    assert [] == registry.publish(schemas | {"mercato.ORDER_CANCELLED.v2": {"type": "object"}})
    assert "mercato.ORDER_CANCELLED.v2" in registry.published()


def test_what_is_retired_is_gone_after_the_release(registry: Registry) -> None:
    """Its files are not left behind."""
    registry.retire(NAME)
    assert [] == registry.publish({name: s for name, s in event_schemas().items() if name != NAME})
    assert NAME not in registry.published()
    with pytest.raises(RegistryError, match="was not released"):
        registry.retire(NAME)


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(
    registry: Registry, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a non-zero status, and nothing written."""
    broken = tmp_path / "released" / "events" / f"{NAME}.json"
    broken.write_text(text, encoding="latin-1")
    before = _changed_at(tmp_path)
    assert 1 == main(["write", "--registry", str(tmp_path)])
    assert str(broken) in capsys.readouterr().err
    assert before == _changed_at(tmp_path)


def test_the_command_says_what_is_stale_and_what_to_do(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then does it."""
    (tmp_path / "events" / f"{NAME}.json").unlink()
    assert 1 == main(["check", "--registry", str(tmp_path)])
    said = capsys.readouterr().err
    assert f"{NAME}: is not published" in said
    assert "./pants contracts write" in said
    assert 0 == main(["write", "--registry", str(tmp_path)])
    assert 0 == main(["check", "--registry", str(tmp_path)])
    assert 0 == main(["release", "--registry", str(tmp_path)])


def test_the_command_refuses_what_breaks(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever it is told to do: a field was released that the model has no more."""
    path = tmp_path / "released" / "events" / f"{NAME}.json"
    path.write_text(path.read_text().replace('"reason"', '"why"'))
    for command in ("check", "write", "release"):
        assert 1 == main([command, "--registry", str(tmp_path)])
        said = capsys.readouterr().err
        assert f"{NAME}: why is gone" in said
        assert "docs/contracts.md" in said


def test_a_folder_without_a_registry_is_said_to_be_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped path must not look like a registry in which nothing was released."""
    assert 1 == main(["check", "--registry", str(tmp_path / "nowhere")])
    assert "nowhere" in capsys.readouterr().err


def _changed_at(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")}
