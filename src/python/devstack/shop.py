"""The shop: every part of it as a process, started in the order that their needs allow."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from backing.broker import Broker, Provisioned, aws_environment
from backing.cache import Cache
from backing.mailbox import Mailbox
from backing.ports import free_port, is_free
from backing.postgres import Postgres
from backing.process import ProcessError
from backing.stripe import Stripe
from contracts.services import SERVICES
from devstack import environment as env
from devstack import images
from devstack.environment import Backing
from devstack.gateway import Gateway
from devstack.replica import Replica
from devstack.state import Left, Running, Secrets, State
from devstack.supervisor import Reporter, Supervisor

# What the payment service's webhook makes use of, as an endpoint at Stripe is to be set up too.
_WEBHOOK_EVENTS = (
    "payment_intent.amount_capturable_updated",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
    "payment_intent.canceled",
    "charge.refunded",
)
# A task that does not end by itself has met something that it waits for in vain.
_TASK_TIMEOUT_S = 120
# A port is free as soon as the last process that listens on it has ended.
_PORT_TIMEOUT_S = 10
# Who is asked for something when a shop is filled: see devstack.seed.
_FILLED_BY = frozenset({"user", "product", "payment"})


@dataclass(frozen=True)
class Options:
    """How a shop is to be run. `order_deadline_s` and such go to the services by `extra`.

    With a `stack` the topology is that which this CloudFormation stack made, wherever AWS is. With `images`
    the services are those that would be deployed, and not the code of this package. The replicas of the
    services in `leave` are not started: they have their ports, and whoever asked starts them.
    """

    port: int = 8080
    stack: str | None = None
    images: bool = False
    replicas: Mapping[str, int] = field(default_factory=dict)
    leave: frozenset[str] = frozenset()
    seed: bool = True
    extra: Mapping[str, str] = field(default_factory=dict)


class Shop:
    """All processes of one shop. `given` is the environment that names what is not to be started."""

    def __init__(
        self, state: State, options: Options, reporter: Reporter, *, given: Mapping[str, str] = os.environ
    ) -> None:
        self._state = state
        self._options = options
        self._given = given
        self._reporter = reporter
        self._supervisor = Supervisor(reporter, on_restart=self._on_restart)
        self._running: Running | None = None
        self._gateway = Gateway(
            state.directory / "gateway",
            log=state.log("gateway"),
            port=options.port,
            internal_port=free_port(),
            services=SERVICES,
        )
        self._replicas: list[str] = []
        self._left: list[Replica] = []

    async def start(self) -> Running:
        """Start everything and return where it is. Raises ProcessError, naming the part and its log."""
        try:
            return await self._start()
        except BaseExceptionGroup as failures:
            raise _first(failures) from None

    async def _start(self) -> Running:
        if self._options.images:
            await asyncio.to_thread(images.ensure_built, SERVICES)
        secrets = await asyncio.to_thread(self._state.secrets, SERVICES)
        backing = await self._start_backing(secrets)
        if self._options.images:
            for service in SERVICES:
                found = dict(self._options.extra) | env.environment(service, 1, backing, secrets)
                await self._service_task(f"migrations-{service}", service, "migrate", env=found)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._supervisor.start("gateway", self._gateway))
            for service in SERVICES:
                self._start_replicas(service, backing, secrets, group)
        running = Running(
            url=self._gateway.url,
            internal_url=self._gateway.internal_url,
            mailbox_url=self._mailbox_url,
            stripe_url=backing.stripe_api_base,
            database_urls=dict(backing.database_urls),
            queue_urls=backing.provisioned.queue_urls,
            aws=dict(backing.aws),
            admin=secrets.admin,
            customer=secrets.customer,
            pids={},
            left=[_left(replica) for replica in self._left],
        )
        if self._options.seed and not await asyncio.to_thread(_is_seeded, running):
            await self._seed(running, env.environment("user", 1, backing, secrets))
        await self._hand_over()
        return self._announce(running)

    async def stop(self) -> None:
        """Stop everything: first what takes work, then what it works with."""
        await self._supervisor.stop(self._replicas)
        await self._supervisor.stop()

    def _on_restart(self) -> None:
        if self._running is not None:  # else it was started again before the shop was ready
            self._announce(self._running)

    def _announce(self, running: Running) -> Running:
        self._running = Running(**{**vars(running), "pids": self._supervisor.pids})
        self._state.announce(self._running)
        return self._running

    async def _start_backing(self, secrets: Secrets) -> Backing:
        async with asyncio.TaskGroup() as group:
            databases = group.create_task(self._start_databases(secrets))
            broker = group.create_task(self._start_broker())
            redis_url = group.create_task(self._start_cache())
            smtp_url = group.create_task(self._start_mailbox())
            stripe_api_base = group.create_task(self._start_stripe(secrets))
        aws, provisioned = broker.result()
        return Backing(
            database_urls=databases.result(),
            aws=aws,
            provisioned=provisioned,
            redis_url=redis_url.result(),
            smtp_url=smtp_url.result(),
            stripe_api_base=stripe_api_base.result(),
            stripe_api_key=self._given.get(env.STRIPE_API_KEY) or env.LOCAL_STRIPE_KEY,
            stripe_webhook_secret=self._given.get(env.STRIPE_WEBHOOK_SECRET) or secrets.stripe_webhook_secret,
            internal_url=self._gateway.internal_url,
        )

    async def _start_databases(self, secrets: Secrets) -> dict[str, str]:
        account = self._given.get(env.DATABASE_URL)
        if account:
            urls = {service: env.database_url(account, service) for service in SERVICES}
        else:
            server = Postgres(self._state.directory / "postgres", log=self._state.log("postgres"))
            await asyncio.to_thread(server.initialise)
            await self._supervisor.start("postgres", server)
            urls = await asyncio.to_thread(_create_databases, server, secrets.database_passwords)
        migrated_by_images = self._options.images
        asked = {
            "databases": urls,
            "create_with": account or None,
            "services": [] if migrated_by_images else list(SERVICES),
        }
        await self._task("migrations", "devstack.migrate", asked=asked)
        return urls

    async def _start_broker(self) -> tuple[dict[str, str], Provisioned]:
        endpoint = self._given.get(env.AWS_ENDPOINT_URL)
        aws: dict[str, str] = {}
        if self._options.stack:
            found = await self._task("topology", "backing.deployed", self._options.stack)
            return aws, Provisioned(**json.loads(found))
        if endpoint:
            return aws, await self._provision(aws)
        server = Broker(log=self._state.log("broker"), state=self._state.directory / "broker")
        aws = aws_environment(server.endpoint)

        async def provision_again() -> None:
            await self._provision(aws)

        await self._supervisor.start("broker", server, restore=provision_again)
        return aws, await self._provision(aws)

    async def _provision(self, aws: Mapping[str, str]) -> Provisioned:
        return Provisioned(**json.loads(await self._task("topology", "backing.provision", env=aws)))

    async def _start_cache(self) -> str:
        url = self._given.get(env.REDIS_URL)
        if url:
            return url
        server = Cache(self._state.directory / "cache", log=self._state.log("cache"))
        await self._supervisor.start("cache", server)
        return server.url

    async def _start_mailbox(self) -> str:
        url = self._given.get(env.SMTP_URL)
        self._mailbox_url: str | None = None
        if url:
            return url
        server = Mailbox(self._state.directory / "mails", log=self._state.log("mailbox"))
        await self._supervisor.start("mailbox", server)
        self._mailbox_url = server.url
        return server.smtp_url

    async def _start_stripe(self, secrets: Secrets) -> str | None:
        base = self._given.get(env.STRIPE_API_BASE)
        if base or self._given.get(env.STRIPE_API_KEY):
            return base
        server = Stripe(
            log=self._state.log("stripe"),
            state=self._state.directory / "stripe.state",
            webhook_url=f"{self._gateway.internal_url}/api/payments/webhook",
            webhook_secret=secrets.stripe_webhook_secret,
            webhook_events=_WEBHOOK_EVENTS,
        )
        await self._supervisor.start("stripe", server)
        return server.url

    def _start_replicas(
        self, service: str, backing: Backing, secrets: Secrets, group: asyncio.TaskGroup
    ) -> None:
        count = self._options.replicas.get(service, 1)
        ports = [free_port() for _ in range(count)]
        self._gateway.set_endpoints(service, ports)
        for number, port in enumerate(ports, start=1):
            name = service if count == 1 else f"{service}-{number}"
            found = dict(self._options.extra) | env.environment(service, port, backing, secrets)
            replica = Replica(
                service, name, port, found, log=self._state.log(name), from_image=self._options.images
            )
            is_left = service in self._options.leave
            if is_left:
                self._left.append(replica)
            if not is_left or (self._options.seed and service in _FILLED_BY):
                self._replicas.append(name)
                group.create_task(self._supervisor.start(name, replica))

    async def _hand_over(self) -> None:
        """Stop what ran for the filling alone, and return once all that is left can be started."""
        lent = [replica.name for replica in self._left if replica.name in self._replicas]
        self._replicas = [name for name in self._replicas if name not in lent]
        await self._supervisor.stop(lent)
        for replica in self._left:
            try:
                async with asyncio.timeout(_PORT_TIMEOUT_S):
                    while not is_free(replica.port):  # noqa: ASYNC110 - nobody tells when a port is let go
                        await asyncio.sleep(0.05)
            except TimeoutError:
                raise ProcessError(
                    f"{replica.name} is left, and its port {replica.port} is taken: start the shop again"
                ) from None

    async def _seed(self, running: Running, user_environment: Mapping[str, str]) -> None:
        create_admin = ["create-admin", "--email", running.admin.email]
        found = dict(user_environment) | {"ADMIN_PASSWORD": running.admin.password}
        await self._service_task("admin", "user", *create_admin, env=found)
        asked = {
            "url": running.internal_url,
            "admin": vars(running.admin),
            "customer": vars(running.customer),
        }
        await self._task("seed", "devstack.seed", asked=asked)

    async def _service_task(self, name: str, service: str, *command: str, env: Mapping[str, str]) -> str:
        """Run a command of a service to its end; returns what it printed."""
        if not self._options.images:
            return await self._task(name, f"services.{service}.app", *command, env=env)
        container = f"mercato-{name}-{os.getpid()}"
        return await self._run(name, images.run(service, container, env, *command), env=env)

    async def _task(
        self,
        name: str,
        module: str,
        *args: str,
        asked: object = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run `module` to its end, with `asked` on standard input; returns what it printed."""
        return await self._run(name, [sys.executable, "-m", module, *args], asked=asked, env=env)

    async def _run(
        self,
        name: str,
        argv: Sequence[str],
        *,
        asked: object = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        self._reporter.starting(name)
        began = asyncio.get_running_loop().time()
        path = os.pathsep.join(entry for entry in sys.path if entry)
        log_path = self._state.log(name)
        with log_path.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**self._given, "PYTHONPATH": path, **(env or {})},
            )
        try:
            async with asyncio.timeout(_TASK_TIMEOUT_S):
                printed, _ = await process.communicate(json.dumps(asked).encode())
        except TimeoutError:
            raise ProcessError(f"{name} did not end within {_TASK_TIMEOUT_S} s; see {log_path}") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
        if process.returncode != 0:
            said = log_path.read_text(errors="replace").strip()
            raise ProcessError(f"{name} failed: {said[-2000:] or f'see {log_path}'}")
        self._reporter.ready(name, asyncio.get_running_loop().time() - began)
        return printed.decode()


def _create_databases(server: Postgres, passwords: Mapping[str, str]) -> dict[str, str]:
    return {
        service: server.create_database(env.database_name(service), password=passwords[service])
        for service in SERVICES
    }


def _left(replica: Replica) -> Left:
    process = replica.process
    return Left(replica.service, replica.name, replica.port, list(process.argv), dict(process.env))


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first: the rest was called off because of it."""
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _is_seeded(running: Running) -> bool:
    """Whether the customer can sign in, who is the last thing that seeding makes."""
    credentials = json.dumps(vars(running.customer))
    connection = http.client.HTTPConnection(running.internal_url.removeprefix("http://"), timeout=10)
    try:
        connection.request("POST", "/api/users/login", credentials, {"Content-Type": "application/json"})
        return connection.getresponse().status == http.HTTPStatus.OK
    finally:
        connection.close()
