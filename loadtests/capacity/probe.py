"""Measures one task of a service, and writes down what it carries as a profile."""

from __future__ import annotations

import base64
import json
import statistics
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

import psutil

from infra.scaling.policy import Task
from loadtests.capacity import ladder, messages, process
from loadtests.capacity.hold import Hold
from loadtests.capacity.ladder import Ladder, Step, Used
from loadtests.capacity.messages import Drained
from loadtests.capacity.offer import Generator
from loadtests.capacity.process import Meter, Started
from loadtests.capacity.queue import Queue, client
from loadtests.capacity.stage import Stage
from loadtests.errors import LoadError
from loadtests.generator import asks
from loadtests.objectives import Objective
from loadtests.profile import Measured, Messages, Profile, Requests, Spread

# What a service asks others for while it answers; all else stands still meanwhile. Who signs tokens is asked
# for its keys.
ASKED: Mapping[str, Sequence[str]] = {"order": ("product", "user")}
_KEYS = "user"
# Of what the CPU a request takes would allow: first coarsely, then around what was found.
_SCOUT = (0.5, 0.7, 0.85, 1.0, 1.15, 1.3)
_SHARES = (0.25, 0.5, 0.7, 0.85, 0.92, 1.0, 1.1, 1.25)
_LIGHT_PER_S = 8.0
_ORDERS, _ORDERS_PER_S = 160, 20
_QUIET_S, _SETTLED_WITHIN_S = 1.5, 90.0
_ROUNDS = 3
_ALONE = 20
_ALONE_WITHIN_S = 20.0
# Of the processors' time, what is worth a word.
_STOLEN_PERCENT = 2

Say = Callable[[str], None]


@dataclass(frozen=True)
class Pace:
    """How often all is measured, and for how many seconds each rate is offered, at first and then."""

    repetitions: int = 3
    seconds: int = 7
    light_s: int = 6
    scout_s: int = 3
    idle_s: float = 3.0
    warming_s: int = 4


@dataclass
class Probe:
    """Measures the service that a stage was left without, each replica held to the size of a task."""

    stage: Stage
    holds: Sequence[Hold]
    task: Task
    objectives: Mapping[str, Objective]
    pace: Pace
    say: Say
    _starts: list[float] = field(default_factory=list)
    _idle: list[Used] = field(default_factory=list)
    _alone_ms: list[float] = field(default_factory=list)
    _seed: int = 0

    @property
    def vcpus(self) -> float:
        """What of a vCPU the task has."""
        return self.task.cpu / 1024

    @property
    def stretch(self) -> float:
        """How many seconds of the task one of the machine is."""
        return self.holds[0].stretch

    def climbs(self, rates: Sequence[float]) -> Sequence[Sequence[Step]]:
        """What becomes of rates that rise, offered to all replicas together, each time. Raises LoadError."""
        generator = self._generator()
        return [self._climb(generator, rates) for _ in self._repetitions]

    def profile(self, measured: Callable[[], Measured]) -> Profile:
        """Measure all of it. Raises LoadError where something cannot be measured."""
        mix = asks.mix(self.stage.service)
        if mix.keys() != self.objectives.keys():
            raise LoadError(
                f"{self.stage.service} is asked for {', '.join(sorted(mix))}, and objectives are of "
                f"{', '.join(sorted(self.objectives))}: bring objectives.toml and generator/asks.py together."
            )
        generator = self._generator()
        # Before requests, whose orders would leave the others with much to do.
        drained = [self._drained(generator) for _ in self._repetitions] if self.stage.queue_url else []
        top = self._scout(generator)
        climbs = [self._climb(generator, [top * share for share in _SHARES]) for _ in self._repetitions]
        requests = self._requests(climbs)
        idle = statistics.median(used.cpu_share for used in self._idle)
        memory = max(
            [step.memory_mib for climb in climbs for step in climb] + [each.memory_mib for each in drained]
        )
        return Profile(
            service=self.stage.service,
            measured=measured(),
            task=self.task,
            mix=mix,
            objectives=self.objectives,
            requests=requests,
            messages=self._messages(drained) if drained else None,
            idle_cpu_percent=round(self._percent(idle), 2),
            idle_memory_mib=round(statistics.median(used.memory_mib for used in self._idle), 1),
            loaded_memory_mib=round(memory, 1),
            start_s=Spread.of([start * self.stretch for start in self._starts], 2),
        )

    @property
    def _repetitions(self) -> range:
        return range(self.pace.repetitions)

    def _percent(self, cpu_share: float) -> float:
        return min(99.9, 100 * cpu_share / (self.vcpus * self.stretch))

    # --- the service, in the states that it is measured in

    @property
    def _queue(self) -> Queue | None:
        url = self.stage.queue_url
        return None if url is None else Queue(url, client(self.stage.aws))

    @contextmanager
    def _started(self, *, held: bool, listening: bool) -> Iterator[Sequence[Started]]:
        """All replicas; without `listening` their queue is one in which nothing comes."""
        changed = {}
        if self.stage.queue_url and not listening:
            changed[self.stage.queue_variable] = self.stage.substitute()
        with ExitStack() as ends:
            found = []
            for left, hold in zip(self.stage.left, self.holds, strict=True):
                command = hold.held(left.command) if held else left.command
                each = process.start(left, command, self.stage.log(left.name), **changed)
                ends.callback(each.stop)
                found.append(each)
            if held:
                self._starts += [each.start_s for each in found]
            yield found

    @contextmanager
    def _still(self, *awake: str) -> Iterator[None]:
        """Those stand still that are not asked for anything, so that they take no CPU either."""
        pids = self.stage.others(but=awake)
        process.freeze(pids)
        try:
            yield
        finally:
            process.thaw(pids)

    def _generator(self) -> Generator:
        generator = Generator(self.stage.service, self.stage.target, self.stage.folder)
        with self._started(held=False, listening=True):
            generator.prepare()
            if self.stage.service == "payment":
                self._tell_of_payments(generator)
        return generator

    def _tell_of_payments(self, generator: Generator) -> None:
        """The provider's names of the payments that were made, and the secret that it signs with."""
        environment = self.stage.left[0].environment
        credentials = base64.b64encode(f"{environment['STRIPE_API_KEY']}:".encode()).decode()
        request = urllib.request.Request(  # noqa: S310 -- the shop's own provider, on loopback
            f"{self.stage.running['stripe_url']}/v1/payment_intents?limit=100",
            headers={"Authorization": f"Basic {credentials}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            known = json.load(answer)["data"]
        kept = json.loads(generator.market.read_text("utf-8"))
        kept["intents"] = [
            (each["id"], each["metadata"]["payment_id"]) for each in known if "payment_id" in each["metadata"]
        ]
        generator.market.write_text(json.dumps(kept), "utf-8")
        generator.secrets = {asks.WEBHOOK_SECRET: environment["STRIPE_WEBHOOK_SECRET"]}

    # --- requests

    def _scout(self, generator: Generator) -> float:
        """About the highest rate of the task that keeps the objectives."""
        with self._started(held=False, listening=False) as (first, *_), self._quiet():
            with Meter(first) as meter:
                offered = generator.offer((_LIGHT_PER_S,) * self.pace.light_s, self._next_seed())
            used = meter.used(offered.began, offered.began + self.pace.light_s)
        cpu_s = used.cpu_share * self.pace.light_s
        guess = self.vcpus * offered.record.count() / cpu_s
        self.say(f"a request takes about {1000 * cpu_s / offered.record.count():.1f} ms of CPU")
        climbed = self._up(generator, self._ladder([guess * each for each in _SCOUT], self.pace.scout_s))
        found = ladder.capacity(climbed, self.objectives)
        if not found:
            raise LoadError(
                f"a task of {self.stage.service} does not keep its objectives even at "
                f"{climbed[0].rate_per_s:.1f} requests a second: " + _slowest(climbed[0], self.objectives)
            )
        self.say(f"about {found:.1f} requests/s keep the objectives")
        return found

    def _climb(self, generator: Generator, rates: Sequence[float]) -> Sequence[Step]:
        climbed = self._up(generator, self._ladder(rates, self.pace.seconds))
        for step in climbed:
            self.say(
                f"  {step.rate_per_s:6.1f}/s: {step.completed_per_s:6.1f} done, "
                f"95% within {ladder.overall_ms([step], 0.95):.0f} ms, "
                f"{step.cpu_percent(self.vcpus):.0f}% CPU"
            )
        carried = ladder.capacity(climbed, self.objectives)
        self.say(f"{carried:.1f} requests/s keep the objectives")
        return climbed

    def _ladder(self, rates: Sequence[float], seconds: int) -> Ladder:
        return Ladder(rates, seconds, self.stretch, self.pace.warming_s)

    def _up(self, generator: Generator, up: Ladder) -> Sequence[Step]:
        with self._started(held=True, listening=False) as replicas, self._quiet(), ExitStack() as stack:
            meters = [stack.enter_context(Meter(each)) for each in replicas]
            began = time.perf_counter()
            time.sleep(self.pace.idle_s)
            self._idle += [meter.used(began, time.perf_counter()) for meter in meters]
            psutil.cpu_times_percent()  # from here on, says the next
            offered = generator.offer(up.offered, self._next_seed())
            if (stolen := psutil.cpu_times_percent().steal) > _STOLEN_PERCENT:
                self.say(f"other machines took {stolen:.0f}% of this one's processors: rates are too low")
            used = []
            for number in range(len(up.rates)):
                span = up.span(number)
                each = [meter.used(offered.began + span.start, offered.began + span.stop) for meter in meters]
                used.append(
                    Used(statistics.mean(one.cpu_share for one in each), max(one.memory_mib for one in each))
                )
        return ladder.steps(up, offered.record, used, list(self.objectives))

    def _quiet(self) -> AbstractContextManager[None]:
        return self._still(_KEYS, *ASKED.get(self.stage.service, ()))

    def _next_seed(self) -> int:
        self._seed += 1
        return self._seed

    def _requests(self, climbs: Sequence[Sequence[Step]]) -> Requests:
        saturated = statistics.median(ladder.saturated_per_s(climb) for climb in climbs)
        carried = [ladder.capacity(climb, self.objectives) for climb in climbs]
        if not min(carried):
            raise LoadError("in one repetition not even the lowest rate kept the objectives: measure again.")
        idle = statistics.median(used.cpu_share for used in self._idle)
        # Of the steps that have much to do and get it done, so that what was idle is little of it.
        busy = [
            (step.cpu_share - idle, step.completed_per_s * step.stretch)
            for climb in climbs
            for step in climb
            if step.rate_per_s <= min(carried)
        ]
        cpu_ms = 1000 * sum(cpu for cpu, _ in busy) / sum(rate for _, rate in busy)
        return Requests(
            capacity_per_s=Spread.of(carried, 2),
            saturated_per_s=round(max(saturated, *carried), 2),
            cpu_ms=round(cpu_ms, 3),
            quantiles=ladder.QUANTILES,
            curve=ladder.curve(climbs, max(saturated, *carried), self.vcpus),
        )

    # --- messages

    def _drained(self, generator: Generator) -> messages.Sum:
        """Fill the queue by orders, have it emptied while all else stands still, and again what follows."""
        queue = self._queue
        assert queue is not None
        parts: list[tuple[int, Drained]] = []
        # After that it is known how long one takes.
        is_first = not self._alone_ms
        for number in range(_ROUNDS):
            with self._started(held=False, listening=False):
                if number == 0:
                    self._place_orders(generator)
                waiting = queue.settle(_QUIET_S, _SETTLED_WITHIN_S)
            if waiting < messages.FEWEST:
                break
            kept = queue.take(_ALONE) if is_first else []
            with self._still(), self._started(held=True, listening=True) as (held, *_):
                parts.append((waiting, messages.drain(queue, held, waiting - len(kept))))
                self._alone_ms += [self._alone(queue, message) for message in kept]
        if not parts:
            raise LoadError(f"no messages came for {self.stage.service}: the orders that make them failed.")
        found = messages.summed(parts)
        self.say(f"{found.drain_per_s / self.stretch:.1f} messages/s")
        return found

    def _alone(self, queue: Queue, message: Mapping[str, object]) -> float:
        began = time.perf_counter()
        queue.put(message)
        if not queue.emptied(_ALONE_WITHIN_S):
            raise LoadError(f"a message was not worked off within {_ALONE_WITHIN_S:.0f} s; the log says why.")
        return 1000 * (time.perf_counter() - began)

    def _place_orders(self, generator: Generator) -> None:
        orders = Generator(asks.PLACING, generator.target, self.stage.folder)
        orders.offer((float(_ORDERS_PER_S),) * (_ORDERS // _ORDERS_PER_S), self._next_seed())

    def _messages(self, drained: Sequence[messages.Sum]) -> Messages:
        stretch = self.stretch
        alone = sorted(ms * stretch for ms in self._alone_ms)
        return Messages(
            drain_per_s=Spread.of([each.drain_per_s / stretch for each in drained], 2),
            cpu_ms=round(statistics.median(each.cpu_ms for each in drained), 3),
            light_ms=tuple(round(_quantile(alone, share), 2) for share in ladder.QUANTILES),
        )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """By nearest rank."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _slowest(step: Step, objectives: Mapping[str, Objective]) -> str:
    return "; ".join(
        f"{route} took {step.quantile_ms(route, objective.percentile / 100):.0f} ms, {objective} is asked"
        for route, objective in objectives.items()
        if step.routes[route]
    )
