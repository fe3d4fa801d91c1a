"""What notifications say: as a mail in two forms, and as title and text of the list."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from contracts.events.order import CancelReason
from contracts.money import Money
from services.notification.domain import Category, Kind, Letter, Notification

FOLDER = Path(__file__).parent / "templates"

# ISO 4217, table A.1: the currencies that have other than two decimals.
_DECIMALS = {
    **dict.fromkeys(["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"], 0),
    **dict.fromkeys(["VND", "VUV", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}

_REASONS: dict[CancelReason, str] = {
    "requested": "as you asked",
    "out_of_stock": "because something in it is out of stock",
    "payment_failed": "because the payment failed",
    "deadline_passed": "because it could not be confirmed in time",
}


class Templates:
    """The templates, read and compiled once."""

    def __init__(self, folder: Path = FOLDER) -> None:
        environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=select_autoescape(["html.j2"], default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"money": money, "because": _REASONS.__getitem__}
        self._text = {kind: environment.get_template(f"{kind.lower()}.txt.j2") for kind in Kind}
        self._html = {kind: environment.get_template(f"{kind.lower()}.html.j2") for kind in Kind}

    def title(self, notification: Notification) -> str:
        """What it is about, in a line: the mail's subject."""
        return _block(self._text[notification.kind], "subject", notification)

    def summary(self, notification: Notification) -> str:
        """What there is to know, without greeting."""
        return _block(self._text[notification.kind], "text", notification)

    def text(self, letter: Letter) -> str:
        """The mail as plain text."""
        return _render(self._text, letter)

    def html(self, letter: Letter) -> str:
        """The mail as HTML."""
        return _render(self._html, letter)


def money(value: Money) -> str:
    """An amount for people: 1999 EUR is 19.99 EUR, 1999 JPY is 1,999 JPY."""
    decimals = _DECIMALS.get(value.currency, 2)
    whole, fraction = divmod(value.amount, 10**decimals)
    point = f".{fraction:0{decimals}}" if decimals else ""
    return f"{whole:,}{point} {value.currency}"


def _render(templates: dict[Kind, Template], letter: Letter) -> str:
    notification = letter.notification
    return templates[notification.kind].render(
        notification=notification,
        name=letter.recipient.display_name,
        optional=notification.category is not Category.ACCOUNT,
    )


def _block(template: Template, name: str, notification: Notification) -> str:
    context = template.new_context({"notification": notification})
    return "".join(template.blocks[name](context)).strip()
