"""Where load may go, and what is said where it may not or cannot."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from loadtests.errors import LoadError
from loadtests.generator import target
from loadtests.generator.target import Target

ADMIN = {"MERCATO_ADMIN_EMAIL": "admin@example.com", "MERCATO_ADMIN_PASSWORD": "secret"}


def test_the_shop_that_runs_here_is_found_by_its_folder(tmp_path: Path) -> None:
    """With the admin that ./pants up made."""
    running = {"url": "http://127.0.0.1:8080", "admin": {"email": "a@example.com", "password": "b"}}
    (tmp_path / "running.json").write_text(json.dumps(running))

    assert Target("http://127.0.0.1:8080", "a@example.com", "b") == target.find(None, tmp_path, None, {})


def test_where_no_shop_runs_it_is_said_how_to_start_one(tmp_path: Path) -> None:
    """Or how to name another."""
    with pytest.raises(
        LoadError, match=r"no shop is running from .*: start one with \./pants up, or .* --host\."
    ):
        target.find(None, tmp_path, None, {})


def test_another_shop_is_found_by_host_and_environment(tmp_path: Path) -> None:
    """Credentials are never arguments, which others on the machine can read."""
    found = target.find(
        "https://api.staging.example.com/", tmp_path, None, {**ADMIN, "MERCATO_API_KEY": "key"}
    )

    assert Target("https://api.staging.example.com", "admin@example.com", "secret", "key") == found
    assert {"X-Api-Key": "key"} == found.headers


@pytest.mark.parametrize("missing", sorted(ADMIN))
def test_credentials_that_are_missing_are_named(tmp_path: Path, missing: str) -> None:
    """An empty one is none."""
    with pytest.raises(LoadError, match=f"^set {missing}: an admin of the shop"):
        target.find("https://api.staging.example.com", tmp_path, None, {**ADMIN, missing: ""})


def test_credentials_are_not_in_what_is_printed_of_a_target() -> None:
    """A traceback or a log that has one must not have them."""
    assert "secret" not in repr(Target("http://127.0.0.1", "a", "secret", "secret"))


@pytest.mark.parametrize(
    "host",
    [
        "https://api.staging.example.com",
        "https://dev.example.com",
        "https://mercato-test.example.com",
        "http://localhost:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ],
)
def test_a_host_that_says_what_it_is_for_may_be_loaded(tmp_path: Path, host: str) -> None:
    """By a word of its name, or as it is this machine."""
    assert host == target.find(host, tmp_path, None, ADMIN).url


@pytest.mark.parametrize(
    "host",
    [
        "https://api.example.com",
        "https://contested.example.com",
        "https://10.0.0.1",
        "https://api.devices.com",
    ],
)
def test_a_host_that_may_be_production_must_be_spelled(tmp_path: Path, host: str) -> None:
    """A word inside of another is none, and an address says nothing."""
    name = host.removeprefix("https://")
    with pytest.raises(LoadError, match=f"{name} may be production, .* --allow-host {name}"):
        target.find(host, tmp_path, None, ADMIN)
    with pytest.raises(LoadError, match="may be production"):
        target.find(host, tmp_path, "another.example.com", ADMIN)

    assert host == target.find(host, tmp_path, name, ADMIN).url


@pytest.mark.parametrize(
    ("host", "wrong"),
    [
        ("api.staging.example.com", "is no address of a shop"),
        ("ftp://api.staging.example.com", "is no address of a shop"),
        ("https://", "is no address of a shop"),
        ("https://me:pw@api.staging.example.com", "is no address of a shop"),
        ("https://api.staging.example.com:port", "is no address of a shop"),
        ("http://api.staging.example.com", "would carry passwords in the clear"),
    ],
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, host: str, wrong: str) -> None:
    """Before anything is sent there."""
    with pytest.raises(LoadError, match=wrong):
        target.find(host, tmp_path, None, ADMIN)


def test_a_host_that_does_not_answer_is_said() -> None:
    """A port that nobody listens at."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with pytest.raises(LoadError, match=f"^http://127.0.0.1:{port} does not answer: .*refused"):
            target.check(Target(f"http://127.0.0.1:{port}", "a", "b"))


@pytest.mark.parametrize(
    ("products", "login", "said"),
    [
        ((403, b"{}"), (200, b"{}"), r"asks for a key \(403\): set MERCATO_API_KEY"),
        ((200, b'{"items": [1]}'), (401, b"{}"), "does not sign in a: MERCATO_ADMIN_EMAIL or .* is wrong"),
        ((200, b'{"items": []}'), (200, b"{}"), "has nothing in stock"),
        ((200, b"<html>"), (200, b"{}"), "but not as a shop would"),
        ((503, b"{}"), (200, b"{}"), "answers /api/products with 503"),
        ((302, b""), (200, b"{}"), "answers /api/products with 302"),
    ],
)
def test_what_a_host_refuses_is_said_before_load_is_offered(
    products: tuple[int, bytes], login: tuple[int, bytes], said: str
) -> None:
    """One sentence each, that names what to change."""
    with _server(products, login) as url, pytest.raises(LoadError, match=said):
        target.check(Target(url, "a", "b"))


def test_a_shop_that_answers_and_signs_in_passes() -> None:
    """Then load may begin."""
    with _server((200, b'{"items": [1]}'), (200, b"{}")) as url:
        target.check(Target(url, "a", "b"))


@contextmanager
def _server(products: tuple[int, bytes], login: tuple[int, bytes]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(*products)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._say(*login)

        def log_message(self, *_: object) -> None:
            pass

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
