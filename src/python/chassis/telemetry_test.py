from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from opentelemetry import trace

from chassis import telemetry

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def run(code: str, **environment: str) -> str:
    """What a process that runs `code` prints: in a process of its own, since telemetry is the process's."""
    prepare = "from chassis import telemetry\n"
    return subprocess.run(
        [sys.executable, "-c", prepare + code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)} | environment,
    ).stdout.strip()


def test_outside_any_trace_there_is_none_to_pass_on() -> None:
    """Neither an id nor a traceparent is made up."""
    assert (None, None) == (telemetry.trace_id(), telemetry.traceparent())


def test_a_trace_goes_on_where_its_traceparent_was_sent() -> None:
    """Within the context of a traceparent, that is the current trace."""
    with telemetry.tracer.start_as_current_span("x", context=telemetry.context_of(TRACEPARENT)):
        assert telemetry.trace_id() == TRACE
        assert (telemetry.traceparent() or "").split("-")[1] == TRACE


@pytest.mark.parametrize(
    "malformed", [None, "", "nonsense", "00-0-0-00", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"]
)
def test_a_malformed_traceparent_is_none(malformed: str | None) -> None:
    """Telemetry must never stop what it tells of."""
    assert telemetry.link_to(malformed) == []
    assert not trace.get_current_span(telemetry.context_of(malformed)).get_span_context().is_valid


def test_many_messages_are_linked_to_their_traces() -> None:
    """A span over a batch has no one parent."""
    (link,) = telemetry.link_to(TRACEPARENT)
    assert trace.format_trace_id(link.context.trace_id) == TRACE


def test_without_a_collector_ids_are_made_and_sent_on() -> None:
    """Logs and timelines show them."""
    printed = run("""
telemetry.configure("order", "1", "test", None)
with telemetry.tracer.start_as_current_span("x"):
    print(telemetry.trace_id(), telemetry.traceparent())
""")
    trace_id, traceparent = printed.split()
    assert traceparent.split("-")[1] == trace_id
    assert int(trace_id, 16)


class _Collector(http.server.BaseHTTPRequestHandler):
    received: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[http.server.ThreadingHTTPServer]:
    _Collector.received = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_with_a_collector_spans_and_metrics_go_there(collector: http.server.ThreadingHTTPServer) -> None:
    """All that is there when the process ends, with the service's name."""
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    run(
        f"""
telemetry.configure("order", "1", "test", "{endpoint}")
telemetry.meter.create_counter("a.counter").add(1)
with telemetry.tracer.start_as_current_span("a span"):
    pass
""",
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
    )
    received = dict(_Collector.received)
    assert {"/v1/traces", "/v1/metrics"} == set(received)
    assert b"a span" in received["/v1/traces"]
    assert b"order" in received["/v1/traces"]
    assert b"a.counter" in received["/v1/metrics"]


def test_a_collector_that_is_away_stops_nothing() -> None:
    """The process ends as it would."""
    endpoint = "http://127.0.0.1:9"
    code = f"""
telemetry.configure("order", "1", "test", "{endpoint}")
with telemetry.tracer.start_as_current_span("a span"):
    print("done")
"""
    assert run(code, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="1") == "done"
