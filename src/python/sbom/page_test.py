"""What the services ship has licences that may be in an image, and docs/licences.md says which."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sbom import building, licence, page, pex
from sbom.contents import Distribution

ROOT = Path(__file__).parents[3]
# Pants packages what the images are made of, and puts it into the folder in which the test is run.
PACKAGED = Path()


@pytest.fixture(scope="module")
def shipped() -> dict[str, tuple[Distribution, ...]]:
    """By the services."""
    names = [each.name.rpartition(".")[2] for each in sorted(PACKAGED.glob("src.python.services.*"))]
    return {name: pex.libraries(PACKAGED, name) for name in names}


def test_what_the_services_ship_may_be_in_an_image(shipped: dict[str, tuple[Distribution, ...]]) -> None:
    """One with another licence, or with none that is known, is named with who ships it and what to do."""
    assert len(shipped) >= 5
    refused = licence.refused(licence.policy(), shipped)
    assert [] == refused, "\n".join(refused)


def test_the_page_is_of_what_the_services_ship(shipped: dict[str, tuple[Distribution, ...]]) -> None:
    """A change of a lock, or of what a service imports, is a change of the page."""
    assert page.text(shipped, licence.policy()) == (ROOT / page.PAGE).read_text("utf-8"), (
        f"{page.COMMAND} writes it anew"
    )


def test_no_clarification_is_left_of_what_is_gone(shipped: dict[str, tuple[Distribution, ...]]) -> None:
    """Each answers something that a distribution says now."""
    rules = licence.policy()
    used = {
        (name, its.said)
        for distributions in shipped.values()
        for name, _, its in licence.parts(rules, distributions)
        if its.is_concluded
    }
    assert [] == [each.of for each in rules.clarified if (each.of, each.says) not in used]


def test_the_page_names_who_ships_what_under_which_licence(tmp_path: Path) -> None:
    """Of what all ship, that all do."""
    building.libraries(tmp_path, "order", "GPL-3.0-only")
    building.libraries(tmp_path, "user")
    said = page.text({name: pex.libraries(tmp_path, name) for name in ("order", "user")}, licence.policy())
    rows = re.findall(r"^\| (?:blue|green|is-gpl) \| .* \|$", said, re.MULTILINE)
    assert [
        "| blue | 1.0 | MIT | all |",
        "| green | 2.0 | BSD-3-Clause | all |",
        "| is-gpl | 1.0 | GPL-3.0-only | order |",
        "| blue | Apache-2.0 | openssl 4.0 |",
        "| blue | MIT OR GPL-2.0-only | grey-sys 0.1.0 |",
    ] == rows
    assert "the 3 Python" in said
