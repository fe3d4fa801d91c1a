"""A service for tests that does nothing but use a known time of the CPU for each request.

Run as `python -m loadtests.capacity.testing PORT`: it answers as the shop of `generator.loopback` does.
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from loadtests.generator.loopback import well

CPU_S = 0.005
_FREE = "/health"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are two writes: without this the second waits for an acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Take as long as a request takes."""
        self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path != _FREE:
            until = time.thread_time() + CPU_S
            while time.thread_time() < until:
                pass
        status, body = well(f"{self.command} {self.path}")
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 -- as the library calls it

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


if __name__ == "__main__":
    _Server(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
