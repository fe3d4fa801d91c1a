"""The payment provider's process: localstripe, made to behave as Stripe documents where it does not.

Run as `python -m backing.stripe_server PORT [STATE_FILE]`; with WEBHOOK_URL and WEBHOOK_SECRET set, events
are posted there, those of the types in WEBHOOK_EVENTS (with commas between) or all. localstripe is under the
GPL: it runs here, in a process for development and tests, and is part of no service.

What is added (docs.stripe.com/api, as of its idempotent_requests, payment_intents and refunds pages):

- `Idempotency-Key`: the same request again gets the first answer, another request 400, a concurrent one 409;
- test cards that are declined for a reason, `card_error` with its `decline_code`;
- intents: search and list by metadata and customer, states that are refused instead of crashing,
  `amount_capturable`, `amount_received`, cancellation that frees what was authorised;
- refunds up to what is left of the charge;
- webhooks posted at once and again until they are taken;
- a store that does not write everything to /tmp at each change and does not search all of it for each read.

How it misbehaves on demand: POST a JSON object to `/_config/control` with any of

    drop_answers N   do the work of the next N writes, then close the connection without an answer
    fail N           answer the next N writes 500 without doing the work
    latency_ms MS    let each write take that much longer
    path PREFIX      count and change only writes below PREFIX (default /v1/)

and it answers with these settings and `writes`, the number of writes it has carried out.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from localstripe import resources, server

from backing import stripe_objects
from backing.ports import LOOPBACK
from backing.stripe_webhooks import Webhooks

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_KEPT_S = 24 * 3600
# Answers that say nothing was executed: the same key may be tried again.
_NOT_SAVED = frozenset({400, 401, 404, 409, 429})


_CONTROLS: dict[str, Any] = {"drop_answers": int, "fail": int, "latency_ms": int | float, "path": str}


@dataclass
class Control:
    """How the next writes are answered."""

    drop_answers: int = 0
    fail: int = 0
    latency_ms: float = 0
    path: str = "/v1/"
    writes: int = 0

    def change(self, settings: dict[str, Any]) -> None:
        """Take over `settings`; ValueError names what cannot be set."""
        for name, value in settings.items():
            kind = _CONTROLS.get(name)
            if kind is None or not isinstance(value, kind) or (kind is not str and value < 0):
                raise ValueError(f"{name}={value!r} cannot be set")
        for name, value in settings.items():
            setattr(self, name, value)

    def concerns(self, request: web.Request) -> bool:
        """Whether `request` is a write that is counted and changed."""
        return request.method == "POST" and request.path.startswith(self.path)


@dataclass
class Saved:
    """What was answered to the first request with a key."""

    fingerprint: str
    at: float
    status: int = 0
    body: bytes = b""


@dataclass
class Provider:
    """All state of the process."""

    control: Control = field(default_factory=Control)
    answers: dict[str, Saved] = field(default_factory=dict)
    webhooks: Webhooks = field(default_factory=Webhooks)

    def save(self, path: Path) -> None:
        """Write the state to `path`, all of it or nothing."""
        now = time.time()
        kept = {
            key: saved for key, saved in self.answers.items() if saved.status and now - saved.at < _KEPT_S
        }
        scratch = path.with_suffix(".tmp")
        with scratch.open("wb") as file:
            pickle.dump((dict(resources.store), kept, self.webhooks.pending), file)
        scratch.rename(path)

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote to `path`, if anything."""
        if path.exists():
            # Our own file, which nobody else may write.
            with path.open("rb") as file:
                objects, answers, self.webhooks.pending = pickle.load(file)  # noqa: S301
            self.answers.update(answers)  # in place: the middleware has this very dictionary
            for key, value in objects.items():
                resources.store[key] = value


def misbehave(control: Control) -> Any:
    """The middleware that carries out what `/_config/control` asked for."""

    @web.middleware
    async def middleware(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not control.concerns(request):
            return await handler(request)
        if control.fail:
            control.fail -= 1
            return _error(500, "api_error", "An error occurred on the provider's side.")
        control.writes += 1
        drop = control.drop_answers > 0
        control.drop_answers -= drop
        response = await handler(request)
        if drop and request.transport is not None:
            request.transport.abort()
        return response

    return middleware


def delay(control: Control) -> Any:
    """The middleware that has writes take their time; a saved answer comes at once."""

    @web.middleware
    async def middleware(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if control.latency_ms and control.concerns(request):
            await asyncio.sleep(control.latency_ms / 1000)
        return await handler(request)

    return middleware


def idempotent(answers: dict[str, Saved]) -> Any:
    """The middleware that keeps the promise of the Idempotency-Key header."""

    @web.middleware
    async def middleware(request: web.Request, handler: _Handler) -> web.StreamResponse:
        header = request.headers.get("Idempotency-Key")
        if request.method != "POST" or header is None:
            return await handler(request)
        if len(header) > 255:
            return _error(400, "idempotency_error", "Idempotency keys may have 255 characters at most.")
        key = f"{server.get_api_key(request)} {header}"
        fingerprint = f"{request.path} {(await request.read()).decode(errors='replace')}"
        saved = answers.get(key)
        if saved is not None and saved.fingerprint != fingerprint:
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were first used "
                f"with. Try using a key other than '{header}' if you meant to execute a different request."
            )
            return _error(400, "idempotency_error", message)
        if saved is not None and not saved.status:
            message = f"There is currently another in-progress request using the key '{header}'."
            return _error(409, "idempotency_error", message, code="idempotency_key_in_use")
        if saved is not None:
            replayed = {"Idempotent-Replayed": "true"}
            return web.Response(
                status=saved.status, body=saved.body, content_type="application/json", headers=replayed
            )
        answers[key] = Saved(fingerprint, time.time())
        try:
            response = await handler(request)
        except BaseException:
            del answers[key]
            raise
        body = response.body if isinstance(response, web.Response) else None
        if response.status in _NOT_SAVED or not isinstance(body, bytes):
            del answers[key]
        else:
            answers[key] = Saved(fingerprint, time.time(), response.status, body)
        return response

    return middleware


def build(provider: Provider) -> web.Application:
    """localstripe's application with ours around it."""

    async def show(_: web.Request) -> web.Response:
        return web.json_response(asdict(provider.control))

    async def change(request: web.Request) -> web.Response:
        try:
            provider.control.change(json.loads(await request.text()))
        except (ValueError, AttributeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return await show(request)

    stripe_objects.install()
    resources.schedule_webhook = provider.webhooks.send
    app = web.Application(
        middlewares=[
            misbehave(provider.control),
            idempotent(provider.answers),
            delay(provider.control),
            server.error_middleware,
            server.auth_middleware,
        ]
    )
    app.on_startup.append(provider.webhooks.start)
    app.on_cleanup.append(provider.webhooks.stop)
    # Below the one path for which localstripe asks no API key.
    app.router.add_get("/_config/control", show)
    app.router.add_post("/_config/control", change)
    for method, path, function in stripe_objects.ROUTES:
        app.router.add_route(method, path, server.api_extra(function, path))
    for route in server.app.router.routes():
        if route.method != "HEAD" and route.resource is not None:
            app.router.add_route(route.method, route.resource.canonical, route.handler)
    return app


def main() -> None:
    """Serve until SIGTERM, then save the state."""
    os.umask(0o077)
    state = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    env = os.environ
    events = [name for name in env.get("WEBHOOK_EVENTS", "").split(",") if name]
    webhooks = Webhooks(env.get("WEBHOOK_URL"), env.get("WEBHOOK_SECRET", ""), events)
    provider = Provider(webhooks=webhooks)
    app = build(provider)
    if state is not None:
        provider.load(state)
    web.run_app(app, host=LOOPBACK, port=int(sys.argv[1]), access_log=None, print=None, shutdown_timeout=1)
    if state is not None:
        provider.save(state)


def _error(status: int, kind: str, message: str, **more: str) -> web.Response:
    return web.json_response({"error": {"type": kind, "message": message, **more}}, status=status)


if __name__ == "__main__":
    main()
