"""The gateway: Envoy in front of the services, and between them.

It listens twice on the loopback interface. The public port is what customers see: rate limit, body limit,
problem documents where a service cannot answer. The internal port is how services reach each other, as
Service Connect is on AWS: the same balancing and health checks, none of the limits.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backing.ports import LOOPBACK, answers
from backing.process import Process, installation
from contracts.routes import path_of

if TYPE_CHECKING:
    import envoy  # noqa: F401 -- names the distribution that brings the program to the build

MAX_BODY_BYTES = 1024 * 1024  # chassis.body_limit refuses what is larger, too

_EXTENSIONS = "type.googleapis.com/envoy.extensions"
_PROBLEM = "application/problem+json"
_REFRESH = "/api/users/refresh"
_UNSENT = "connect-failure,refused-stream"
# What Envoy says itself when no service does: title, and what to do about it.
_PROBLEMS = {
    400: ("bad-request", "Bad request", "The request cannot be read as HTTP; mend it."),
    404: ("not-found", "Not found", "There is nothing here; see / for what there is."),
    408: ("request-timeout", "Request timeout", "The request did not arrive in time; send it again."),
    413: ("too-large", "Body too large", f"The body is too large: at most {MAX_BODY_BYTES} bytes are taken."),
    429: ("too-many-requests", "Too many requests", "The shop takes no more for now; try again shortly."),
    431: ("headers-too-large", "Headers too large", "The request's headers are too large; shorten them."),
    502: ("bad-gateway", "Bad gateway", "The service broke off its answer; try again shortly."),
    503: ("unavailable", "Unavailable", "The service does not answer now; try again shortly."),
    504: ("gateway-timeout", "Gateway timeout", "The service did not answer in time; try again shortly."),
}
_RETRY_AFTER = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class Limit:
    """How many requests customers may make: as at the API gateway of the deployment, unless told."""

    per_s: int = 2000
    burst: int = 5000


class Gateway:
    """Envoy's process, and the files that tell it where the replicas of each service are."""

    def __init__(
        self,
        directory: Path,
        *,
        log: Path,
        port: int,
        internal_port: int,
        services: Sequence[str],
        limit: Limit = Limit(),
    ) -> None:
        """`directory` takes the configuration."""
        self.port = port
        self.internal_port = internal_port
        self._services = services
        self._limit = limit
        self._directory = directory
        self._config = directory / "gateway.json"
        program = installation("envoy") / "_bin" / "envoy"
        argv: list[str | Path] = [program, "--config-path", self._config, "--disable-hot-restart"]
        argv += ["--concurrency", "1", "--log-level", "warning"]
        self.process = Process("gateway", argv, log=log, stop_timeout_s=5.0)

    @property
    def url(self) -> str:
        """Where customers find the shop."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def internal_url(self) -> str:
        """Where services find each other."""
        return f"http://{LOOPBACK}:{self.internal_port}"

    def start(self) -> None:
        """Write the configuration and start Envoy; see `wait_ready`."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = configuration(self.port, self.internal_port, self._directory, self._services, self._limit)
        _replace(self._config, made)
        for service in self._services:
            if not self._endpoints(service).exists():
                self.set_endpoints(service, [])
        self.process.start()

    def wait_ready(self, timeout_s: float = 15.0) -> None:
        """Return once the public port answers; ProcessError otherwise."""
        self.process.wait_ready(lambda: answers(self.port, "/health"), timeout_s)

    def stop(self) -> None:
        """Stop Envoy."""
        self.process.stop()

    def set_endpoints(self, service: str, ports: Sequence[int]) -> None:
        """Tell where the replicas of `service` are; in force within a second, without a restart."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(self._endpoints(service), endpoints(service, ports))

    def _endpoints(self, service: str) -> Path:
        return self._directory / f"{service}.endpoints.json"


def configuration(
    port: int, internal_port: int, directory: Path, services: Sequence[str], limit: Limit
) -> dict[str, Any]:
    """Envoy's whole configuration; the endpoints of each service are read from files in `directory`."""
    return {
        "node": {"id": "gateway", "cluster": "mercato"},
        "static_resources": {
            "listeners": [
                _listener("public", port, services, [_rate_limit(limit), _buffer()]),
                _listener("internal", internal_port, services, []),
            ],
            "clusters": [_cluster(service, directory) for service in services],
        },
    }


def endpoints(service: str, ports: Sequence[int]) -> dict[str, Any]:
    """The answer of endpoint discovery that names `ports` as the replicas of `service`."""
    hosts = [{"endpoint": {"address": _address(port)}} for port in ports]
    return {
        "resources": [
            {
                "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
                "cluster_name": service,
                "endpoints": [{"lb_endpoints": hosts}],
            }
        ]
    }


def _listener(name: str, port: int, services: Sequence[str], filters: Sequence[Any]) -> dict[str, Any]:
    public = name == "public"
    manager = {
        "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {
            "name": name,
            "virtual_hosts": [{"name": "shop", "domains": ["*"], "routes": _routes(services, public=public)}],
        },
        "http_filters": [
            *filters,
            _filter("router", f"{_EXTENSIONS}.filters.http.router.v3.Router", suppress_envoy_headers=True),
        ],
        "local_reply_config": {"mappers": [_problem_mapper(status) for status in _PROBLEMS]},
        "use_remote_address": public,
        "normalize_path": True,
        "merge_slashes": True,
        "server_header_transformation": "PASS_THROUGH",
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "60s",
        "common_http_protocol_options": {"idle_timeout": "300s"},
    }
    if public:
        manager["access_log"] = [_access_log()]
    return {
        "name": name,
        "address": _address(port),
        "per_connection_buffer_limit_bytes": 2 * MAX_BODY_BYTES,
        "filter_chains": [{"filters": [{"name": "envoy.http_connection_manager", "typed_config": manager}]}],
    }


def _routes(services: Sequence[str], *, public: bool) -> list[dict[str, Any]]:
    own = [
        _direct("/health", json.dumps({"service": "gateway"}), "application/json"),
        _direct("/", _page(services), "text/html; charset=utf-8"),
    ]
    # A refresh token serves once, and one that comes again ends its session: never send it twice.
    once = [_route("user", {"path": _REFRESH}, _UNSENT)] if "user" in services else []
    # What reached a service is retried at one layer, and services retry for themselves: chassis.http_client.
    retry_on = f"{_UNSENT},reset" if public else _UNSENT
    rest = [_route(service, {"path_separated_prefix": path_of(service)}, retry_on) for service in services]
    return (own if public else []) + once + rest


def _route(service: str, match: Mapping[str, str], retry_on: str) -> dict[str, Any]:
    return {
        "match": match,
        "route": {
            "cluster": service,
            "timeout": "30s",
            "retry_policy": {
                # A replica that dies answers nothing. Sending a write to another one is safe: it carries an
                # Idempotency-Key, or says what is to be and not what is to change.
                "retry_on": retry_on,
                "num_retries": 3,
                "retry_host_predicate": [
                    _filter(
                        "previous_hosts",
                        f"{_EXTENSIONS}.retry.host.previous_hosts.v3.PreviousHostsPredicate",
                    )
                ],
                "host_selection_retry_max_attempts": 5,
                "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
            },
        },
    }


def _cluster(service: str, directory: Path) -> dict[str, Any]:
    return {
        "name": service,
        "type": "EDS",
        "connect_timeout": "0.5s",
        "lb_policy": "LEAST_REQUEST",
        "eds_cluster_config": {
            "eds_config": {
                "resource_api_version": "V3",
                "path_config_source": {
                    "path": str(directory / f"{service}.endpoints.json"),
                    "watched_directory": {"path": str(directory)},
                },
            }
        },
        # A replica that is taken off the list is gone, whatever its last check said.
        "ignore_health_on_host_removal": True,
        "health_checks": [
            {
                "timeout": "1s",
                "interval": "1s",
                "no_traffic_interval": "1s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {"path": "/livez"},
            }
        ],
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 2,
            "consecutive_5xx": 1000,
            "consecutive_gateway_failure": 1000,
            "interval": "1s",
            "base_ejection_time": "1s",
        },
        "circuit_breakers": {
            # The default of 3 retries at a time is used up at once when a replica dies under load.
            "thresholds": [{"max_requests": 2048, "max_pending_requests": 2048, "max_retries": 256}]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions",
                # Shorter than the services keep theirs (75 s), so that none is closed under a request.
                "common_http_protocol_options": {"idle_timeout": "60s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _rate_limit(limit: Limit) -> dict[str, Any]:
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return _filter(
        "local_ratelimit",
        f"{_EXTENSIONS}.filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix="public",
        token_bucket={"max_tokens": limit.burst, "tokens_per_fill": limit.per_s, "fill_interval": "1s"},
        filter_enabled=always,
        filter_enforced=always,
    )


def _buffer() -> dict[str, Any]:
    return _filter("buffer", f"{_EXTENSIONS}.filters.http.buffer.v3.Buffer", max_request_bytes=MAX_BODY_BYTES)


def _problem_mapper(status: int) -> dict[str, Any]:
    slug, title, detail = _PROBLEMS[status]
    mapper: dict[str, Any] = {
        "filter": {
            "status_code_filter": {
                "comparison": {"op": "EQ", "value": {"default_value": status, "runtime_key": "none"}}
            }
        },
        "body_format_override": {
            "content_type": _PROBLEM,
            "json_format": {
                "type": f"/problems/{slug}",
                "title": title,
                "status": status,
                "detail": detail,
                "instance": "%PATH(NQ)%",
            },
        },
    }
    if status in _RETRY_AFTER:
        mapper["headers_to_add"] = [{"header": {"key": "Retry-After", "value": "1"}}]
    return mapper


def _access_log() -> dict[str, Any]:
    return _filter(
        "stdout",
        f"{_EXTENSIONS}.access_loggers.stream.v3.StdoutAccessLog",
        log_format={
            "json_format": {
                "timestamp": "%START_TIME%",
                "method": "%REQ(:METHOD)%",
                "path": "%PATH(NQ)%",  # a query may hold what is nobody else's business
                "status": "%RESPONSE_CODE%",
                "flags": "%RESPONSE_FLAGS%",
                "duration_ms": "%DURATION%",
                "upstream": "%UPSTREAM_HOST%",
            }
        },
    )


def _direct(path: str, body: str, content_type: str) -> dict[str, Any]:
    header = {"key": "Content-Type", "value": content_type}
    return {
        "match": {"path": path},
        "direct_response": {"status": 200, "body": {"inline_string": body}},
        "response_headers_to_add": [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }


def _page(services: Sequence[str]) -> str:
    rows = "".join(
        f"<li><a href='{path_of(name)}/docs'>{html.escape(name)}</a> "
        f"(<a href='{path_of(name)}/openapi.json'>OpenAPI</a>)</li>"
        for name in services
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Mercato</title>"
        "<style>body{font:16px/1.6 system-ui;margin:3rem auto;max-width:40rem;padding:0 1rem}</style>"
        "<h1>Mercato</h1><p>The shop is open. Its services:</p>"
        f"<ul>{rows}</ul>"
        "<p>Look around: <a href='/api/products'>products</a>, "
        "<a href='/api/products/categories'>categories</a>.</p></html>"
    )


def _filter(name: str, type_url: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": type_url, **settings}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def _replace(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` in one step: Envoy reads the file when it is renamed into its place."""
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps(content))
    scratch.rename(path)
