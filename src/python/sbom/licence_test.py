from __future__ import annotations

import pytest

from sbom.contents import Bundled, Distribution
from sbom.errors import SbomError
from sbom.licence import Licence, policy, refused

POLICY = policy("""\
[[allowed]]
licence = "MIT"
[[allowed]]
licence = "Apache-2.0"
[[allowed]]
licence = "Apache-2.0 WITH LLVM-exception"
because = "it is argued"
[[clarified]]
of = "blue"
says = "MIT License"
licence = "MIT"
because = "its LICENSE is that text"
""")


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ("MIT", True),
        ("mit", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND Apache-2.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT AND (GPL-2.0-only OR Apache-2.0)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT AND GPL-3.0-only WITH GCC-exception-3.1", False),
        ("LGPL-2.1+", False),
        ("AGPL-3.0-or-later", False),
        ("LicenseRef-Proprietary", False),
        ("MIT License", False),
        ("MIT/Apache-2.0", False),
        ("(", False),
        ("", False),
    ],
)
def test_an_expression_is_allowed_by_its_parts(said: str, allowed: bool) -> None:
    """One of several to choose from suffices; of those that hold together each has to be allowed."""
    assert allowed == POLICY.allows(POLICY.licence("green", said))


def test_a_clarification_holds_for_one_distribution_and_what_it_says() -> None:
    """One that says something else in its next version has to be looked at again."""
    assert Licence("MIT", "MIT License", "its LICENSE is that text") == POLICY.licence("blue", "MIT License")
    assert Licence(None, "BSD License") == POLICY.licence("blue", "BSD License")
    assert Licence(None, "MIT License") == POLICY.licence("green", "MIT License")


def test_what_is_refused_is_named_with_its_licence_and_who_ships_it() -> None:
    """And with what to do."""
    gpl = Distribution("green", "2.0", "GPL-3.0-only")
    fine = Distribution("blue", "1.0", "MIT", (Bundled("grey-sys", "0.1", "", ""),))
    said = refused(POLICY, {"order": (gpl, fine), "user": (gpl,)})
    assert [
        "blue/grey-sys 0.1, of order, is under a licence that is not allowed in an image: unknown.",
        "green 2.0, of order, user, is under a licence that is not allowed in an image: GPL-3.0-only.",
    ] == [each.partition(" Take another distribution, or argue")[0] for each in said]
    assert all("src/python/sbom/licences.toml" in each for each in said)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("allowed = 1", "cannot be read"),
        ("[[allowed]]\nlicense = 'MIT'", "cannot be read"),
        ("[[allowed]]\nlicence = 'MIT License'", "'MIT License' is no licence of SPDX"),
        ("= x", "cannot be read"),
    ],
)
def test_a_policy_that_is_none_is_refused(text: str, problem: str) -> None:
    """A licence with a slip of the pen would be one that nothing has."""
    with pytest.raises(SbomError, match=problem):
        policy(text)
