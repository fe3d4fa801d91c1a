"""How a service is put together, started and stopped."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
import uvicorn
from fastapi import APIRouter, FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

from chassis import health, idempotency, jobs, logs, migrations, openapi, problems, telemetry
from chassis.database import Database
from chassis.health import Check
from chassis.settings import EX_CONFIG, ServiceSettings, SettingsError, load

log = logs.get(__name__)

# Below the 30 s that ECS and the devstack give between SIGTERM and SIGKILL.
STOP_GRACE_S = 20
MAX_BODY_BYTES = 1024 * 1024  # the gateway's limit too


class Component(Protocol):
    """Something that runs beside the routes: a relay, a consumer, a sweeper."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what is under way and return."""
        ...


@dataclass
class Running:
    """What a service consists of while it runs: made by its `compose`, in this order closed by its stack."""

    state: Mapping[str, Any]  # what the routes find in `request.app.state`
    components: Sequence[Component] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)


Compose = Callable[[AsyncExitStack], Awaitable[Running]]


def create_app(
    name: str,
    version: str,
    routers: Sequence[APIRouter],
    compose: Compose,
    *,
    description: str = "",
    idempotency_table: sa.Table | None = None,
) -> FastAPI:
    """The ASGI application of a service: its routes, health, problems, limits, telemetry and components."""
    checks: dict[str, Check] = {}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            running = await compose(stack)
            for key, value in running.state.items():
                setattr(app.state, key, value)
            checks.update(running.checks)
            async with _components(app, running.components):
                yield

    app = FastAPI(
        title=f"Mercato {name}",
        version=version,
        description=description,
        lifespan=lifespan,
        docs_url=f"/api/{name}s/docs",
        openapi_url=f"/api/{name}s/openapi.json",
        redoc_url=None,
        redirect_slashes=False,
        max_body_size=MAX_BODY_BYTES,
    )
    app.state.stopping = False
    app.state.idempotency_table = idempotency_table
    problems.install(app)
    idempotency.install(app)
    openapi.install(app)
    app.include_router(health.router(name, version, checks))
    for router in routers:
        app.include_router(router)
    FastAPIInstrumentor.instrument_app(
        app, exclude_spans=["receive", "send"], excluded_urls="livez,readyz,health"
    )
    return app


@asynccontextmanager
async def _components(app: FastAPI, components: Sequence[Component]) -> AsyncIterator[None]:
    """Run `components` beside the block; one that fails takes the process down, to be started anew."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(c.run(stop), name=type(c).__name__) for c in components]
    for task in tasks:
        task.add_done_callback(_ended)
    try:
        yield
    finally:
        app.state.stopping = True
        stop.set()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_GRACE_S)
            for task in late:
                log.warning("did not finish in time", component=task.get_name())
                task.cancel()


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("a component failed, stopping", component=task.get_name(), exc_info=error)
        os.kill(os.getpid(), signal.SIGTERM)


def version_of(module_file: str) -> str:
    """The version in the VERSION file beside a service's module."""
    return (Path(module_file).parent / "VERSION").read_text(encoding="utf-8").strip()


@dataclass(frozen=True)
class Program:
    """A service as a command: `serve`, `migrate`, and what it does with dead jobs."""

    name: str
    version: str
    settings: type[ServiceSettings]
    build: Callable[[Any], FastAPI]
    migrations: Path
    job_tables: Sequence[sa.Table] = ()
    commands: Mapping[str, Callable[[Any, Sequence[str]], int]] = field(default_factory=dict)

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the command in `argv`; returns the process's exit status."""
        parser = argparse.ArgumentParser(prog=self.name, description=f"The {self.name} service.")
        choices = ["serve", "migrate", "dead-jobs", "redrive-jobs", *self.commands]
        parser.add_argument("command", nargs="?", default="serve", choices=choices)
        arguments, rest = parser.parse_known_args(argv)
        try:
            settings = load(self.settings)
        except SettingsError as error:
            print(f"{self.name} cannot start:\n{error}", file=sys.stderr)
            return EX_CONFIG
        logs.configure(self.name, self.version, settings.log_level)
        if arguments.command in self.commands:
            return self.commands[arguments.command](settings, rest)
        if rest:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        return {
            "serve": self._serve,
            "migrate": self._migrate,
            "dead-jobs": self._dead_jobs,
            "redrive-jobs": self._redrive_jobs,
        }[arguments.command](settings)

    def _serve(self, settings: ServiceSettings) -> int:
        endpoint = settings.otel_exporter_otlp_endpoint
        telemetry.configure(
            self.name, self.version, settings.environment, None if endpoint is None else str(endpoint)
        )
        config = uvicorn.Config(
            self.build(settings),
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            # Longer than the gateway keeps its own, so that it never writes into a closed connection.
            timeout_keep_alive=75,
            timeout_graceful_shutdown=STOP_GRACE_S,
        )
        server = uvicorn.Server(config)
        server.run()
        return 0 if server.started else 1

    def _migrate(self, settings: ServiceSettings) -> int:
        migrations.upgrade(self.migrations, settings.database_url.get_secret_value())
        return 0

    def _dead_jobs(self, settings: ServiceSettings) -> int:
        return asyncio.run(self._each_job_table(settings, redrive=False))

    def _redrive_jobs(self, settings: ServiceSettings) -> int:
        return asyncio.run(self._each_job_table(settings, redrive=True))

    async def _each_job_table(self, settings: ServiceSettings, *, redrive: bool) -> int:
        database = Database(settings.database_url.get_secret_value(), pool_size=2)
        try:
            for table in self.job_tables:
                if redrive:
                    print(f"{table.name}: {await jobs.redrive(database, table)} redriven")
                    continue
                for row in await jobs.dead(database, table):
                    print(f"{table.name} {row.id} {row.kind} attempts={row.attempts} error={row.last_error}")
        finally:
            await database.close()
        return 0
