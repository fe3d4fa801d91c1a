"""A container's health is what the service in it answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from backing.ports import free_port
from chassis import probe


@contextmanager
def server(status: int) -> Iterator[int]:
    """A server that answers `status` to /health and 404 to the rest, at the port that it yields."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_: object, **__: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield listening.server_port
        finally:
            listening.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (503, 1), (302, 1)])
def test_a_service_is_well_as_it_says(status: int, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 and nothing else."""
    with server(status) as port:
        monkeypatch.setenv("PORT", str(port))
        assert expected == probe.main()


def test_a_service_that_does_not_answer_is_not_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the probe ends with a sentence instead of a traceback."""
    monkeypatch.setenv("PORT", str(free_port()))
    assert 1 == probe.main()
    assert "no answer" in capsys.readouterr().err
