from __future__ import annotations

import pytest

from release.data import code_in, events_in, is_data, same_code

MODULE = '''
"""Events."""
from contracts.money import Money

REASONS = ("a",)

class _Base(Event):
    id: int

    @property
    def subject(self) -> int:
        """What it is about."""
        return self.id

class Placed(_Base, type="ORDER_PLACED"):
    """Placed."""
    total: Money

class PlacedAnew(Placed, type="ORDER_PLACED", version=2):
    def older(self) -> Event:
        return Placed(self.id)
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("total: Money", 'total: Money\n    note: str = ""'),
        ('"""Placed."""', '"""Somebody placed it."""'),
        ('"""Placed."""\n', ""),
        ("What it is about", "The id"),
        ('("a",)', '("a", "b")'),
        ("return self.id", "return self.id  # always"),
        ("from contracts.money import Money", "from contracts.money import Amount"),
        ("class Placed(", 'class Lost(_Base, type="ORDER_LOST"):\n    id: int\n\nclass Placed('),
    ],
)
def test_what_documents_say_is_no_code(old: str, new: str) -> None:
    """Fields, descriptions and constants; events that are new; remarks."""
    assert old in MODULE
    assert same_code(MODULE, MODULE.replace(old, new))
    assert code_in(MODULE, ()) == code_in(MODULE.replace(old, new), ())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return self.id", "return 0"),
        ("@property", "@cached_property"),
        ("class Placed(_Base,", "class Placed(Event,"),
        ("version=2", "version=3"),
        ("REASONS =", "def made() -> None: ...\n\nREASONS ="),
        ("return Placed(self.id)", "return Placed(self.id"),
    ],
)
def test_what_no_document_says_is_code(old: str, new: str) -> None:
    """Methods, bases and functions; and what cannot be read is not taken for harmless."""
    assert old in MODULE
    assert not same_code(MODULE, MODULE.replace(old, new))
    placed = "mercato.ORDER_PLACED.v1"
    assert code_in(MODULE, {placed}) != code_in(MODULE.replace(old, new), {placed})


def test_the_events_of_a_module_are_named_as_they_travel() -> None:
    """With their major versions; a base is none."""
    assert {"mercato.ORDER_PLACED.v1", "mercato.ORDER_PLACED.v2"} == events_in(MODULE)
    assert frozenset() == events_in("class Event:")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/python/contracts/events/order.py", True),
        ("src/python/contracts/topology.py", True),
        ("src/python/contracts/events/envelope.py", False),
        ("src/python/contracts/money.py", False),
        ("src/python/services/order/events.py", False),
    ],
)
def test_events_and_topology_are_data(path: str, expected: bool) -> None:
    """How they travel, and all else, is code."""
    assert expected is is_data(path)
