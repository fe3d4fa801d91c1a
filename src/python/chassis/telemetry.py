"""OpenTelemetry: traces over HTTP and queues, metrics. Without a collector, ids are made and sent on."""

from __future__ import annotations

from fastapi import FastAPI
from opentelemetry import metrics, propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from starlette.types import ASGIApp, Receive, Scope, Send

tracer = trace.get_tracer("mercato")
meter = metrics.get_meter("mercato")


def configure(service: str, version: str, environment: str, endpoint: str | None) -> None:
    """Install the tracer and, where `endpoint` names an OTLP collector, export spans and metrics to it.

    The share of traces that is kept follows OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG
    (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
    """
    resource = Resource.create(
        {"service.name": service, "service.version": version, "deployment.environment.name": environment}
    )
    if endpoint is None:
        # Nobody would read the spans: make their ids, which logs and timelines show, and nothing else.
        trace.set_tracer_provider(TracerProvider(resource=resource, sampler=ALWAYS_OFF))
        return
    # Imported here because it costs 10 MiB that a process without a collector need not pay.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor

    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[reader]))
    AsyncPGInstrumentor().instrument()


def instrument(app: FastAPI) -> None:
    """Have every request of `app` recorded as a span, by the conventions, and counted."""
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    FastAPIInstrumentor.instrument_app(
        app, exclude_spans=["receive", "send"], excluded_urls="livez,readyz,health"
    )


class Traced:
    """ASGI middleware: a request belongs to the trace that it names, or to a new one.

    Where nobody reads spans this is all that is needed of them: a fifth of a simple read goes into recording.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or trace.get_current_span().get_span_context().is_valid:
            await self._app(scope, receive, send)
            return
        sent = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
        with tracer.start_as_current_span(scope["method"], context=context_of(sent.decode("latin-1"))):
            await self._app(scope, receive, send)


def traceparent() -> str | None:
    """The W3C `traceparent` of the current span, to be sent along with an event; None outside any trace."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str | None) -> Context:
    """The trace context that `traceparent` names; an empty one where it is absent or malformed."""
    return propagate.extract({"traceparent": traceparent} if traceparent else {}, context=Context())


def link_to(traceparent: str | None) -> list[trace.Link]:
    """A link to the span that `traceparent` names, for a span that works on many messages at once."""
    context = trace.get_current_span(context_of(traceparent)).get_span_context()
    return [trace.Link(context)] if context.is_valid else []


def trace_id() -> str | None:
    """The current trace's id in hexadecimal, or None outside any trace."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
