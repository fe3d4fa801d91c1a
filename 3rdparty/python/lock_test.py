"""The locks say what the requirements ask for; `build-support/lock` writes them."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

FOLDER = Path(__file__).parent
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/requirements.txt"))
TOOLS_BESIDE_THE_SHOP = ["mypy", "pytest"]


def requirements(name: str) -> list[Requirement]:
    lines = (FOLDER / name / "requirements.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def pins(name: str) -> dict[str, Version]:
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", lock(name), flags=re.MULTILINE)
    return {canonicalize_name(pinned): Version(version) for pinned, version in found}


def lock(name: str) -> str:
    return (FOLDER / name / "lock.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_requirement_is_pinned_within_its_bounds(name: str) -> None:
    """A requirement that was changed without renewing its lock is named."""
    pinned = pins(name)

    stale = [
        str(wanted)
        for wanted in requirements(name)
        if (version := pinned.get(canonicalize_name(wanted.name))) is None
        or not wanted.specifier.contains(version, prereleases=True)
    ]

    assert [] == stale, f"run build-support/lock {name}"


@pytest.mark.parametrize("name", NAMES)
def test_every_pin_has_hashes_and_no_index_is_named(name: str) -> None:
    """What is installed is what was locked, and a lock says nothing of where it was made."""
    blocks = re.split(r"^(?=[\w.-]+==)", lock(name), flags=re.MULTILINE)[1:]

    assert [] == [block.split()[0] for block in blocks if "--hash=sha256:" not in block]
    assert [] == re.findall(r"^--.*|https?://.*|file:.*", lock(name), flags=re.MULTILINE)


@pytest.mark.parametrize("name", TOOLS_BESIDE_THE_SHOP)
def test_a_tool_shares_the_versions_of_the_shop(name: str) -> None:
    """Both are imported by one process: two versions of one library would shadow each other."""
    shop = pins("shop")

    differing = {
        pinned: str(version) for pinned, version in pins(name).items() if shop.get(pinned, version) != version
    }

    assert {} == differing, f"run build-support/lock {name}"
