"""How a service is put together, started and stopped."""

from __future__ import annotations

import argparse
import asyncio
import gc
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

from chassis import health, idempotency, jobs, logs, openapi, problems, telemetry
from chassis.body_limit import BodyLimit
from chassis.database import Database, DatabaseUnavailable
from chassis.health import Check
from chassis.settings import EX_CONFIG, CommonSettings, SettingsError, load
from contracts.routes import path_of

log = logs.get(__name__)

EX_TEMPFAIL = 75  # sysexits.h: what it needs is away, starting again later will help
# Together below the 30 s that ECS and the devstack give between SIGTERM and SIGKILL.
REQUESTS_GRACE_S = 12
COMPONENTS_GRACE_S = 15


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
        docs_url=f"{path_of(name)}/docs",
        openapi_url=f"{path_of(name)}/openapi.json",
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.stopping = False
    app.state.failed = False
    app.state.idempotency_table = idempotency_table
    problems.install(app)
    idempotency.install(app)
    openapi.install(app)
    for router in (health.router(name, version, checks), *routers):
        # As `include_router`, without its search through one router after the other at each request.
        app.router.routes.extend(router.routes)
    app.add_middleware(BodyLimit)
    app.add_middleware(telemetry.Traced)
    return app


@asynccontextmanager
async def _components(app: FastAPI, components: Sequence[Component]) -> AsyncIterator[None]:
    """Run `components` beside the block; one that fails takes the process down, to be started anew."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(c.run(stop), name=type(c).__name__) for c in components]

    def ended(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if stop.is_set() and error is None:
            return
        log.critical("a component failed, stopping", component=task.get_name(), exc_info=error)
        app.state.failed = True
        os.kill(os.getpid(), signal.SIGTERM)

    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        app.state.stopping = True
        stop.set()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=COMPONENTS_GRACE_S)
            for task in late:
                log.warning("did not finish in time", component=task.get_name())
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def version_of(module_file: str) -> str:
    """The version in the VERSION file beside a service's module."""
    return (Path(module_file).parent / "VERSION").read_text(encoding="utf-8").strip()


@dataclass(frozen=True)
class Program:
    """A service as a command: `serve`, `migrate`, and what it does with dead jobs."""

    name: str
    version: str
    settings: type[CommonSettings]
    build: Callable[[Any], FastAPI]
    migrations: Path
    job_tables: Sequence[sa.Table] = ()
    commands: Mapping[str, Callable[[Any, Sequence[str]], int]] = field(default_factory=dict)

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the command in `argv`; returns the process's exit status."""
        # The collector never looks at what importing made: of 144,000 objects it would free 1,800, in 0.1 s.
        gc.freeze()
        gc.enable()  # chassis.start has it off
        parser = argparse.ArgumentParser(prog=self.name, description=f"The {self.name} service.")
        choices = ["serve", "migrate", "dead-jobs", "redrive-jobs", *self.commands]
        parser.add_argument("command", nargs="?", default="serve", choices=choices)
        arguments, rest = parser.parse_known_args(argv)
        try:
            settings = load(self.settings)
        except SettingsError as error:
            sys.stderr.write(f"{self.name} cannot start:\n{error}\n")
            return EX_CONFIG
        logs.configure(self.name, self.version, settings.log_level)
        if rest and arguments.command not in self.commands:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        try:
            return self._run(arguments.command, settings, rest)
        except DatabaseUnavailable as error:
            sys.stderr.write(f"{self.name} cannot {arguments.command}: {error}\n")
            return EX_TEMPFAIL

    def _run(self, command: str, settings: CommonSettings, rest: Sequence[str]) -> int:
        if command in self.commands:
            return self.commands[command](settings, rest)
        return {
            "serve": self._serve,
            "migrate": self._migrate,
            "dead-jobs": self._dead_jobs,
            "redrive-jobs": self._redrive_jobs,
        }[command](settings)

    def _serve(self, settings: CommonSettings) -> int:
        endpoint = settings.otel_exporter_otlp_endpoint
        telemetry.configure(
            self.name, self.version, settings.environment, None if endpoint is None else str(endpoint)
        )
        app = self.build(settings)
        if endpoint is not None:
            telemetry.instrument(app)
        # What it was built of stays, too.
        gc.freeze()
        config = uvicorn.Config(
            app,
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
            timeout_graceful_shutdown=REQUESTS_GRACE_S,
        )
        server = uvicorn.Server(config)
        # Having shut down, uvicorn raises the signal again: to be told to stop, and to stop, is no failure.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        server.run()
        return 0 if server.started and not app.state.failed else 1

    def _migrate(self, settings: CommonSettings) -> int:
        # Imported here because it costs 8 MiB that a process that serves need not pay.
        from chassis import migrations

        migrations.upgrade(self.migrations, settings.login())
        return 0

    def _dead_jobs(self, settings: CommonSettings) -> int:
        return asyncio.run(self._each_job_table(settings, redrive=False))

    def _redrive_jobs(self, settings: CommonSettings) -> int:
        return asyncio.run(self._each_job_table(settings, redrive=True))

    async def _each_job_table(self, settings: CommonSettings, *, redrive: bool) -> int:
        database = Database(settings.login(), pool_size=2)
        try:
            for table in self.job_tables:
                if redrive:
                    _say(f"{table.name}: {await jobs.redrive(database, table)} redriven")
                    continue
                for row in await jobs.dead(database, table):
                    _say(f"{table.name} {row.id} {row.kind} attempts={row.attempts} error={row.last_error}")
        finally:
            await database.close()
        return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
