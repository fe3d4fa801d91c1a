"""The images that a Docker Engine has are described whole, wherever there is one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from sbom import building, document, image
from sbom.checkout import Checkout
from sbom.licence import policy


def _images() -> list[str]:
    command = ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "mercato/order"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return said.stdout.split() if said.returncode == 0 else []


def test_an_image_of_a_service_has_a_document(tmp_path: Path) -> None:
    """The same each time, with the libraries and the interpreter in it."""
    there = _images()
    if not there:
        pytest.skip("no Docker Engine here has an image mercato/order (./pants package …/order:image)")
    building.checkout(tmp_path, "order")
    found = image.find(there[0])
    assert found is not None
    first, second = (
        document.text(image.contents(Checkout(tmp_path), "order", found), policy()) for _ in range(2)
    )
    assert first == second
    names = {each["name"] for each in json.loads(first)["components"]}
    assert {"order", "fastapi", "sqlalchemy", "debian"} <= names
    assert any(each.startswith("python") and each[6:7] in {"", "3"} for each in names)
