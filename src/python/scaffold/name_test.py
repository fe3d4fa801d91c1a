from __future__ import annotations

import pytest

from scaffold.name import MOST, Name, Refused, checked

TAKEN = {"gateway": "src/python/infra/stacks/gateway.py", "orders": "the order service"}


def test_what_follows_from_a_name_is_in_the_form_of_its_place() -> None:
    """Modules, classes, tables, constants, addresses."""
    assert {
        "name": "delivery",
        "Name": "Delivery",
        "plural": "deliveries",
        "Plural": "Deliveries",
        "PLURAL": "DELIVERIES",
        "path": "/api/deliveries",
    } == Name("delivery").words()


@pytest.mark.parametrize("text", ["review", "qa", "a" * MOST])
def test_a_name_in_lower_case_letters_is_good(text: str) -> None:
    """From two letters on, up to as many as the lines of the templates have room for."""
    assert Name(text) == checked(text, TAKEN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it must be lower-case letters"),
        ("Review", "it must be lower-case letters"),
        ("gift-card", "it must be lower-case letters"),
        ("gift_card", "it must be lower-case letters"),
        ("review2", "it must be lower-case letters"),
        ("../review", "it must be lower-case letters"),
        ("review\n", "it must be lower-case letters"),
        ("größe", "it must be lower-case letters"),
        ("{{x}}", "it must be lower-case letters"),
        ("r", "it must have 2 to 20 letters"),
        ("a" * (MOST + 1), "it must have 2 to 20 letters"),
        ("import", "a word of Python's own"),
        ("match", "a word of Python's own"),
        ("list", "a name that Python itself gives"),
        ("exception", "a name that Python itself gives"),
        ("var", "'vars' is a name that Python itself gives"),
        ("gateway", "taken by src/python/infra/stacks/gateway.py"),
        ("order", "'orders' is taken by the order service"),
    ],
)
def test_another_is_refused_in_a_sentence(text: str, said: str) -> None:
    """Which says what to do."""
    with pytest.raises(Refused) as caught:
        checked(text, TAKEN)
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
