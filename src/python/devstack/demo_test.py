"""The demo where there is nothing to show it on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from backing.ports import LOOPBACK, free_port
from devstack import demo


def test_without_a_running_shop_the_demo_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1 and a sentence; no traceback."""
    assert 1 == demo.main(["--state", str(tmp_path)])
    said = capsys.readouterr().err
    assert f"no shop is running from {tmp_path}: start one with ./pants up" in said
    assert "Traceback" not in said


def test_a_shop_that_cannot_be_reached_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The address is in the sentence."""
    port = free_port()
    assert 1 == demo.main(["--url", f"http://{LOOPBACK}:{port}"])
    said = capsys.readouterr().err
    assert said.startswith("The shop cannot be reached: ")
    assert f"{LOOPBACK}:{port}" in said
    assert said.endswith("Start one with ./pants up.\n")


@pytest.mark.parametrize("key", ["of-the-plan", ""])
async def test_a_deployed_shop_is_sent_its_key(
    key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the environment, where there is one; never in what is said."""
    sent: list[str | None] = []

    async def refuse(request: web.Request) -> web.Response:
        sent.append(request.headers.get("X-Api-Key"))
        return web.json_response({"title": "Forbidden", "detail": "no such key"}, status=403)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    monkeypatch.setenv("MERCATO_API_KEY", key)
    async with TestServer(app, host=LOOPBACK) as server:
        assert 1 == await asyncio.to_thread(demo.main, ["--url", str(server.make_url("/"))])
    assert [key or None] == sent
    said = capsys.readouterr()
    assert "403 Forbidden: no such key" in said.err
    assert not key or key not in said.out + said.err


def test_an_unknown_story_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the names of those that there are."""
    with pytest.raises(SystemExit):
        demo.main(["stolen"])
    assert "bought" in capsys.readouterr().err
