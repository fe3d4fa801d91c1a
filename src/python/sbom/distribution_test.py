from __future__ import annotations

from pathlib import Path

import pytest

from sbom import distribution
from sbom.building import CRATES, members, wheel
from sbom.contents import Bundled, Distribution
from sbom.errors import SbomError

BAD = {"name": "grey", "purl": "no purl"}


def test_distributions_are_read_from_wheels_by_name(tmp_path: Path) -> None:
    """As PyPI compares names; with what they have compiled in, which is somebody else's."""
    wheels = [
        wheel(tmp_path, "Green_Tea", "2.0"),
        wheel(tmp_path, "blue", "1.0", ["License-Expression: MIT"], crates=CRATES),
    ]
    assert (
        Distribution(
            "blue",
            "1.0",
            "MIT",
            (
                Bundled("grey-sys", "0.1.0", "pkg:cargo/grey-sys@0.1.0", "MIT OR GPL-2.0-only"),
                Bundled("openssl", "4.0", "", "Apache-2.0"),
            ),
        ),
        Distribution("green-tea", "2.0", ""),
    ) == distribution.read(wheels)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: MIT"], "MIT OR Apache-2.0"),
        (["License: Apache 2.0", "Classifier: License :: OSI Approved :: MIT License"], "Apache 2.0"),
        (["License: UNKNOWN", "Classifier: License :: OSI Approved :: MIT License"], "MIT License"),
        (
            ["License: A long text\n        of many lines", "Classifier: License :: Public Domain"],
            "Public Domain",
        ),
        (["License: " + "x" * 101], ""),
        (
            ["Classifier: License :: A :: B License", "Classifier: License :: C License"],
            "B License; C License",
        ),
        (["Classifier: Programming Language :: Python"], ""),
    ],
    ids=["an expression", "words", "no words", "the whole text", "a long line", "classifiers", "nothing"],
)
def test_a_licence_is_said_in_many_ways(metadata: list[str], said: str, tmp_path: Path) -> None:
    """The newest of them counts."""
    (found,) = distribution.read([wheel(tmp_path, "blue", "1.0", metadata)])
    assert said == found.said


def test_a_distribution_of_which_only_metadata_is_left_is_told(tmp_path: Path) -> None:
    """What an image trims is not in it, whatever its record says."""
    for path, content in (members("blue", "1.0") | members("green", "2.0")).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    blue, green = distribution.read([tmp_path], frozenset({"green/__init__.py"}))
    assert [False, True] == [blue.has_code, green.has_code]


@pytest.mark.parametrize(
    "document",
    [[], {"spdxVersion": "SPDX-2.3"}, {"components": [{}]}, {"components": [1]}, {"components": [BAD]}],
)
def test_a_wheel_that_says_in_another_form_what_is_in_it_is_named(document: object, tmp_path: Path) -> None:
    """Else a document would leave out what nobody knows is missing."""
    with pytest.raises(SbomError, match=r"sboms/parts\.json of blue is no CycloneDX document"):
        distribution.read([wheel(tmp_path, "blue", "1.0", parts=document)])
