from __future__ import annotations

from pathlib import Path

import pytest

from sbom import building, pex
from sbom.checkout import Checkout
from sbom.errors import SbomError


def test_what_is_packaged_is_what_the_image_would_have(tmp_path: Path) -> None:
    """With the commit and the lock that are checked out; of the base nothing is known."""
    commit = building.checkout(tmp_path, "order")
    building.pants(tmp_path)
    building.libraries(tmp_path / "packaged", "order")
    packaged = pex.package(tmp_path, ["order"])
    assert "--no-dynamic-ui package src/python/services/order:libraries\n" == (tmp_path / "asked").read_text()
    contents = pex.contents(Checkout(tmp_path), packaged, "order")
    assert ["blue", "green"] == [each.name for each in contents.distributions]
    assert ("1.2.3", commit, None, ()) == (
        contents.version,
        contents.commit,
        contents.image,
        contents.base,
    )
    assert {"blue", "green"} == contents.pins.keys()


def test_a_pants_that_fails_is_quoted(tmp_path: Path) -> None:
    """And one that is missing is named."""
    with pytest.raises(SbomError, match="pants does not package the libraries"):
        pex.package(tmp_path, ["order"])
    (tmp_path / "pants").write_text("#!/bin/sh\necho 'BUILD:1 is wrong' >&2; exit 1\n")
    (tmp_path / "pants").chmod(0o755)
    with pytest.raises(SbomError, match="BUILD:1 is wrong"):
        pex.package(tmp_path, ["order"])


def test_libraries_that_are_not_there_are_named(tmp_path: Path) -> None:
    """With the command that makes them."""
    with pytest.raises(SbomError, match=r"\./pants package src/python/services/order:libraries makes it"):
        pex.libraries(tmp_path, "order")
