from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from jinja2 import UndefinedError

from chassis.clock import new_id
from contracts.events.order import CancelReason
from contracts.money import MAX_SAFE_INTEGER, Money
from services.notification.conftest import TEMPLATES, letter, notification
from services.notification.domain import Kind, Letter, Notification
from services.notification.templates import FOLDER, money

NASTY = "<script>alert('x')</script> & {{ 7 * 7 }}"


def told(kind: Kind) -> Notification:
    about = {"order_id": new_id(), "amount": Money(amount=123456, currency="EUR")}
    match kind:
        case Kind.WELCOME:
            return notification(kind=kind, order_id=None, amount=None)
        case Kind.EMAIL_CHANGED:
            return notification(kind=kind, order_id=None, amount=None, mail_to="old@example.com")
        case Kind.ORDER_CANCELLED:
            return notification(kind=kind, reason="out_of_stock", **about)
        case Kind.PAYMENT_FAILED:
            return notification(kind=kind, reason="Too little money.", **about)
        case _:
            return notification(kind=kind, **about)


def named(some: Letter, name: str) -> Letter:
    return replace(some, recipient=replace(some.recipient, display_name=name))


@pytest.mark.parametrize("kind", Kind)
def test_every_template_says_its_thing_in_every_form(kind: Kind) -> None:
    """Title and text of the list, and the mail, as text and as HTML, with all there is to say."""
    some = letter(told(kind))
    title, summary = TEMPLATES.title(some.notification), TEMPLATES.summary(some.notification)
    text, html = TEMPLATES.text(some), TEMPLATES.html(some)
    assert 1 == len(title.splitlines())
    assert summary in text
    assert (text.startswith("Hello Ada,"), "<p>Hello Ada,</p>" in html) == (True, True)
    for fact in (some.notification.order_id, some.notification.amount and "1,234.56 EUR"):
        assert fact is None or (str(fact) in text and str(fact) in html)
    assert not {"{{", "{%", "None"} & set(text.split()) | {"{{", "{%"} & set(html.split())


def test_there_is_no_template_that_nobody_uses() -> None:
    """Each kind has its two, and the two have their frames."""
    names = {path.name for path in FOLDER.iterdir()}
    assert {f"{n}.{form}.j2" for n in [*map(str.lower, Kind), "base"] for form in ("txt", "html")} == names


@pytest.mark.parametrize("kind", Kind)
def test_a_name_is_text_in_html(kind: Kind) -> None:
    """Whatever it is made of, it is neither markup nor template; the plain text shows it as it is."""
    some = named(letter(told(kind)), NASTY)
    html = TEMPLATES.html(some)
    assert "<script>" not in html
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; {{ 7 * 7 }}" in html
    assert f"Hello {NASTY}," in TEMPLATES.text(some)


def test_what_a_bank_says_is_text_in_html() -> None:
    """It comes from outside as well."""
    some = letter(replace(told(Kind.PAYMENT_FAILED), reason=NASTY))
    assert "<script>" not in TEMPLATES.html(some)
    assert NASTY in TEMPLATES.summary(some.notification)


@pytest.mark.parametrize("reason", get_args(CancelReason))
def test_every_reason_of_a_cancellation_is_told(reason: CancelReason) -> None:
    """In words of its own."""
    others = {each for each in get_args(CancelReason) if each != reason}
    summaries = {
        each: TEMPLATES.summary(replace(told(Kind.ORDER_CANCELLED), reason=each))
        for each in (reason, *others)
    }
    assert len(summaries) == len({text.split("cancelled,")[1] for text in summaries.values()})


@pytest.mark.parametrize("kind", Kind)
def test_only_mails_that_can_be_switched_off_say_so(kind: Kind) -> None:
    """Those about the account cannot."""
    some = letter(told(kind))
    expected = some.notification.category != "account"
    assert expected == ("preferences" in TEMPLATES.text(some)) == ("preferences" in TEMPLATES.html(some))


def test_a_template_that_lacks_something_fails() -> None:
    """Rather than to say nothing where an amount should stand."""
    with pytest.raises((UndefinedError, AttributeError)):
        TEMPLATES.summary(replace(told(Kind.ORDER_CONFIRMED), amount=None))


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (0, "EUR", "0.00 EUR"),
        (5, "EUR", "0.05 EUR"),
        (1999, "EUR", "19.99 EUR"),
        (123456789, "USD", "1,234,567.89 USD"),
        (1999, "JPY", "1,999 JPY"),
        (0, "KRW", "0 KRW"),
        (1999, "KWD", "1.999 KWD"),
        (7, "BHD", "0.007 BHD"),
        (12345, "CLF", "1.2345 CLF"),
        (MAX_SAFE_INTEGER, "EUR", "90,071,992,547,409.91 EUR"),
    ],
)
def test_money_is_shown_as_its_currency_is_counted(amount: int, currency: str, shown: str) -> None:
    """With two decimals, none, three or four; to the last cent."""
    assert shown == money(Money(amount=amount, currency=currency))
