"""The page that compares policies is what follows from the files of this checkout."""

from __future__ import annotations

import re
from pathlib import Path

from loadtests import simulate
from loadtests.checkout import Checkout

HERE = Checkout()
PAGE = HERE.root / "docs/scaling" / simulate.PAGE


def test_the_page_says_what_follows_from_profiles_forecast_and_policies() -> None:
    """Where this fails: ./pants load simulate --output docs/scaling."""
    assert simulate.page(HERE) == PAGE.read_text("utf-8")


def test_each_picture_of_the_page_is_there_and_no_other() -> None:
    """One that nobody looks at any more would stay for ever."""
    named = re.findall(r"\]\((\S+\.svg)\)", PAGE.read_text("utf-8"))

    assert named
    assert sorted(named) == sorted(path.name for path in Path(PAGE.parent).glob("*.svg"))
