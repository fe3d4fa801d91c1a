from __future__ import annotations

import pytest

from release.version import Bump, Version, parse


@pytest.mark.parametrize(
    ("bump", "expected"), [(Bump.PATCH, "1.9.4"), (Bump.MINOR, "1.10.0"), (Bump.MAJOR, "2.0.0")]
)
def test_what_is_less_starts_anew(bump: Bump, expected: str) -> None:
    """As https://semver.org says."""
    assert expected == str(Version(1, 9, 3).after(bump))


def test_versions_are_ordered_as_numbers() -> None:
    """Not as words."""
    assert Version(1, 10, 0) > Version(1, 9, 9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.4.0\n", Version(1, 4, 0)),
        ("0.0.10", Version(0, 0, 10)),
        ("1.4", None),
        ("1.4.0-rc1", None),
        ("01.4.0", None),
    ],
)
def test_a_version_has_three_numbers(text: str, expected: Version | None) -> None:
    """And nothing else, so that the next one is plain."""
    assert expected == parse(text)
