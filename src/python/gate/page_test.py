from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gate.__main__ import main
from gate.asyncapi import document
from gate.page import page

HOSTILE = "</title></script><script>alert(1)</script><img src='https://example.com/i.png'>"


class Elements(HTMLParser):
    """What a browser would find in a page: its elements, and the text within them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag = self.found[-1][0] if self.found else ""
        self.texts[tag] = self.texts.get(tag, "") + data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each element of that name."""
        return [attributes for name, attributes in self.found if name == tag]


def test_the_page_holds_the_document() -> None:
    """All of it, for the viewer to show."""
    (viewer,) = Elements(page(document())).of("asyncapi-viewer")
    held = str(viewer["src"]).removeprefix("data:application/json;base64,")
    assert document() == json.loads(base64.b64decode(held))


def test_the_page_loads_nothing() -> None:
    """No element of it names anything to load that is not in it."""
    for _, attributes in Elements(page(document())).found:
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")


def test_the_browser_is_forbidden_to_load_anything() -> None:
    """Whatever the viewer would like to, say for an image in a description."""
    policy = next(each for each in Elements(page(document())).of("meta") if "http-equiv" in each)
    assert "Content-Security-Policy" == policy["http-equiv"]
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy["content"]).split(";"))
    assert {"default-src", "script-src", "style-src", "connect-src"} == set(rules)
    assert ("'none'", "'unsafe-inline'", "data:") == (
        rules["default-src"],
        rules["style-src"],
        rules["connect-src"],
    )


def test_the_viewer_is_the_one_script_that_may_run() -> None:
    """By the sum of its text, which is that of the file in the package: else the page would stay empty."""
    html = page(document())
    (script,) = re.findall("<script>(.*?)</script>", html, re.DOTALL)
    assert "customElements.define" in script
    allowed = base64.b64encode(hashlib.sha384(script.encode()).digest()).decode()
    assert f"script-src 'sha384-{allowed}'" in html


def test_the_viewer_comes_with_its_licence() -> None:
    """As that asks of every copy."""
    assert "<!-- asyncapi-viewer 2" in page(document())
    assert "Permission is hereby granted" in page(document())


def test_hostile_text_is_text() -> None:
    """In the title, and wherever the viewer shows it: it is not part of the page's HTML."""
    spoilt = document()
    spoilt["info"] |= {"title": HOSTILE, "description": HOSTILE}
    elements = Elements(page(spoilt))
    assert [tag for tag, _ in Elements(page(document())).found] == [tag for tag, _ in elements.found]
    assert HOSTILE in elements.texts["title"]


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it is told to, in folders that it makes, and says so."""
    file = tmp_path / "new" / "events.html"
    assert 0 == main(["page", "--to", str(file)])
    assert page(document()) == file.read_text(encoding="utf-8")
    assert str(file) in capsys.readouterr().out


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a non-zero status, and what to do."""
    assert 1 == main(["page", "--to", str(tmp_path)])
    said = capsys.readouterr().err
    assert f"{tmp_path} cannot be written" in said
    assert "--to" in said
