"""What Locust runs: on each worker one user, who lets visitors of the shop arrive when they are due.

The master tells the workers the plan, and to begin once all have made their customers. Each plays its share
of the same visits, and sends what it measured. At the end the master judges and writes the report. With one
process, Locust's local runner is both.
"""

from __future__ import annotations

import random
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

import gevent
from gevent.event import AsyncResult
from gevent.pool import Group
from locust import FastHttpUser, LoadTestShape, events, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import LocalRunner, MasterRunner, Runner, WorkerRunner

from loadtests.errors import LoadError
from loadtests.generator import arrivals, asks, plan, report, scenarios, target
from loadtests.generator.market import Market
from loadtests.generator.plan import Plan
from loadtests.generator.record import Record
from loadtests.generator.shop import Visitor

# What master and workers tell each other.
PLAN, PREPARED, UNABLE, BEGIN, FINISHED = "plan", "prepared", "unable", "begin", "finished"

CUT_SHORT = "it was ended before it was over"

_PREPARE_S = 300.0
_DRAIN_S = 60.0
_BEHIND_S = 0.25
_SAY_EVERY_S = 10.0


class Conductor:
    """The master's part: tells, gathers, ends, judges."""

    def __init__(self, runner: LocalRunner | MasterRunner, to_do: Plan) -> None:
        self._runner, self._plan = runner, to_do
        self._record = Record(to_do.interval_s)
        self._troubles: list[str] = []
        self._prepared: set[str] = set()
        self._finished: set[str] = set()
        self._workers = 0
        self._began = self._visits_from = 0.0
        self._deadline = time.monotonic() + _PREPARE_S
        self._said = -_SAY_EVERY_S
        for name, listener in (
            (PREPARED, self._on_prepared),
            (UNABLE, self._on_unable),
            (FINISHED, self._on_finished),
        ):
            runner.register_message(name, listener)

    def tell(self, **_: Any) -> None:
        """Tell the workers what is to be done: before they have a user, who would ask."""
        self._runner.send_message(PLAN, asdict(self._plan))

    def users(self) -> tuple[int, float] | None:
        """One for each worker, until all have finished or there is trouble."""
        there = self._runner.worker_count
        self._workers = self._workers or there
        if there < self._workers:
            self._trouble("a worker was lost, and with it what it had to offer and had measured")
        if time.monotonic() > self._deadline:
            self._trouble("it should have been over by now and is not; what broke down is said above")
        if self._troubles or len(self._finished) == self._workers:
            return None
        self._say()
        return self._workers, float(self._workers)

    def cut_short(self) -> None:
        """End soon, and in order: Locust itself heeds SIGTERM only once a shape is through."""
        self._trouble(CUT_SHORT)

    def judge(self, environment: Environment, **_: Any) -> None:
        """At the end: the exit status, and the report if anything was offered."""
        if self._troubles and not self._began:
            sys.stderr.write("".join(f"{trouble}\n" for trouble in self._troubles))
            environment.process_exit_code = 2
            return
        if not self._troubles and len(self._finished) < self._workers:
            self._trouble(CUT_SHORT)
        troubles = tuple(self._troubles)
        environment.process_exit_code = report.conclude(self._plan, self._record, troubles, self._visits_from)

    def _on_prepared(self, msg: Any, **_: Any) -> None:
        self._prepared.add(msg.node_id)
        if len(self._prepared) == self._workers:
            self._began = time.monotonic()
            self._deadline = self._began + self._plan.seconds + 2 * _DRAIN_S
            self._runner.send_message(BEGIN, {"workers": sorted(self._prepared)})

    def _on_unable(self, msg: Any, **_: Any) -> None:
        self._trouble(msg.data["why"])

    def _on_finished(self, msg: Any, **_: Any) -> None:
        self._record.add(msg.data["record"])
        self._visits_from = msg.data["began"]
        self._finished.add(msg.node_id)
        if not msg.data["whole"] and not self._troubles:
            self._trouble(CUT_SHORT)

    def _trouble(self, what: str) -> None:
        if what not in self._troubles:
            self._troubles.append(what)

    def _say(self) -> None:
        since = time.monotonic() - self._began
        if self._began and self._plan.ceiling is not None and since - self._said >= _SAY_EVERY_S:
            self._said = since
            sys.stdout.write(f"… {min(round(since), self._plan.seconds)} of {self._plan.seconds} s\n")
            sys.stdout.flush()


class Visitors(FastHttpUser):
    """All visitors of a worker: one of this user lets them in when they are due."""

    insecure = False
    # A connection for each request that needs one, so that none waits for another's answer.
    concurrency = 10_000
    connection_timeout = 5.0
    network_timeout = 30.0
    # What the master tells.
    plan: ClassVar[AsyncResult[Mapping[str, Any]]]
    begin: ClassVar[AsyncResult[Mapping[str, Any]]]

    def __init__(self, environment: Environment) -> None:
        """As Locust makes its users."""
        super().__init__(environment)
        self.record = Record(1.0)
        self.visits = Group()
        self.whole = False
        self.began = 0.0

    def on_start(self) -> None:
        """Make what load needs."""
        self.to_do = plan.parsed(self.plan.get())
        self.record.interval_s = self.to_do.interval_s
        # A redirection is an answer that nobody expects, and would carry the token elsewhere.
        self.client.client.redirect_response_codes = frozenset()  # type: ignore[misc] # as Locust does
        try:
            self.shop = target.of_environment(self.to_do.host)
            self.market = Market(self.client, self.shop)
            self.market.open(self.to_do)
        except LoadError as error:
            self._send(UNABLE, {"why": str(error)})
        else:
            self._send(PREPARED, {})

    @task
    def arrive(self) -> None:
        """All of it, once."""
        kept_up = self._let_in(self.begin.get()["workers"])
        self.visits.join(timeout=_DRAIN_S if kept_up else 0)
        self.whole = True
        raise StopUser

    def on_stop(self) -> None:
        """Leave nobody behind, and say what was measured, if it is the whole or not."""
        self.visits.kill()
        self._send(FINISHED, {"record": self.record.drain(), "whole": self.whole, "began": self.began})

    def _let_in(self, workers: list[str]) -> bool:
        """Let visitors in when they are due; False if the ceiling is looked for and was found."""
        own = workers.index(getattr(self.environment.runner, "client_id", "")) if len(workers) > 1 else 0
        due = arrivals.times(self.to_do.rates, arrivals.gaps(self.to_do.spread, self.to_do.seed))
        began = self.began = time.perf_counter()
        for number, due_s in arrivals.share(due, own, len(workers)):
            ahead_s = began + due_s - time.perf_counter()
            if self.to_do.ceiling is None and ahead_s < -_BEHIND_S:
                return False
            gevent.sleep(max(0.0, ahead_s))
            self.record.arrive(due_s)
            self.visits.spawn(self._visit, number, began, due_s)
        gevent.sleep(max(0.0, began + self.to_do.seconds - time.perf_counter()))
        return True

    def _visit(self, number: int, began: float, due_s: float) -> None:
        draw = random.Random(f"{self.to_do.seed} {number}")
        only = self.to_do.only
        scenario = asks.pick(only, self.to_do.seed, number) if only else scenarios.pick(draw)
        visitor = Visitor(
            self.client,
            self.record,
            draw,
            began=began,
            due=began + due_s,
            think_s=self.to_do.think_s,
            headers=self.shop.headers,
        )
        try:
            scenarios.play(scenario, visitor, self.market)
        except (LookupError, TypeError, ValueError) as error:
            self.record.puzzle(f"{scenario.__name__}, {error!r}")

    def _send(self, name: str, data: Mapping[str, Any]) -> None:
        assert self.environment.runner is not None
        self.environment.runner.send_message(name, data)


class Course(LoadTestShape):
    """How many users there are; Locust asks each second. The rates are the plan's."""

    conductor: ClassVar[Conductor]

    def tick(self) -> tuple[int, float] | None:
        """One for each worker, and None when it is over."""
        return self.conductor.users()


@events.init.add_listener  # type: ignore[untyped-decorator]
def on_init(environment: Environment, runner: Runner, **_: Any) -> None:
    """Wire up what this process is of the two."""
    environment.process_exit_code = 1  # unless a verdict says otherwise
    if not isinstance(runner, MasterRunner):
        Visitors.plan, Visitors.begin = AsyncResult(), AsyncResult()
        runner.register_message(PLAN, lambda msg, **_: Visitors.plan.set(msg.data))
        runner.register_message(BEGIN, lambda msg, **_: Visitors.begin.set(msg.data))
    if isinstance(runner, WorkerRunner):
        environment.process_exit_code = 0
        return
    assert isinstance(runner, LocalRunner | MasterRunner)
    Course.conductor = conductor = Conductor(runner, plan.from_environment())
    gevent.signal_handler(signal.SIGTERM, conductor.cut_short)
    environment.events.test_start.add_listener(conductor.tell)  # type: ignore[no-untyped-call]
    environment.events.quitting.add_listener(conductor.judge)  # type: ignore[no-untyped-call]
