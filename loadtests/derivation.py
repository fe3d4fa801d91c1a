"""From a profile, objectives and a forecast to a scaling policy: each number, and why it is this one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from loadtests import shapes
from loadtests.errors import LoadError
from loadtests.forecast import DAYS, Asked, Day, Forecast, Peak
from loadtests.objectives import Objective
from loadtests.profile import Profile
from loadtests.shapes import MINUTE_S
from loadtests.simulator.alarms import PUBLISHED_AFTER_S
from loadtests.simulator.fleet import DEREGISTERED_AFTER_S, HEALTH_INTERVAL_S, PROVISIONED_AFTER_S, Fleet
from loadtests.simulator.policies import HIGH_DATAPOINTS
from loadtests.simulator.queueing import Queueing

# The fastest metrics there are, and when what happens is in them.
PERIOD_S = 20
SEEN_AFTER_S = PERIOD_S + PUBLISHED_AFTER_S[PERIOD_S]
# One may fail, and be replaced, and the service still answers.
REDUNDANT = 2
# Of a task's memory. Beyond it, the kernel is near that ends a task that takes more.
MEMORY_SHARE = 0.85
# How many steps a queue has, each twice as large as the one before.
QUEUE_STEPS = 4
# Below it a queue has messages on their way, and no backlog.
FEWEST_WAITING = 10
# A CPU that is used up is on average a little less than that.
USED_UP_PERCENT = 95
_WEEK_MIN = 7 * 24 * 60


class OutOfReach(LoadError):
    """No number of tasks meets an objective."""


@dataclass(frozen=True)
class Said:
    """A value, and why it is this one."""

    value: Any
    because: str


Numbers = Mapping[str, Said]


@dataclass(frozen=True)
class Action:
    """A scheduled action, by the names that the scaling file has for it."""

    name: str
    cron: str
    timezone: str
    minimum: int
    maximum: int
    because: str


@dataclass(frozen=True)
class Derivation:
    """What a service's policy follows from; `message` is what the service owes for one of its queue.

    Raises LoadError where the three do not fit each other, and OutOfReach where no number of tasks would do.
    """

    profile: Profile
    routes: Mapping[str, Objective]
    message: Objective | None
    forecast: Forecast

    def __post_init__(self) -> None:
        self._refuse_what_does_not_fit()
        self._refuse_what_is_out_of_reach()

    @cached_property
    def queueing(self) -> Queueing:
        """A task, judged by the objectives."""
        return Queueing(self.profile, self.routes, self.message)

    @property
    def service(self) -> str:
        """Whose policy it is."""
        return self.profile.service

    # --- what is refused

    def _refuse_what_does_not_fit(self) -> None:
        if self.profile.objectives != self.routes:
            raise LoadError(
                f"the profile of {self.service} was measured for other objectives than there are: measure "
                f"it again by ./pants load capacity --service {self.service}."
            )
        if self.service not in self.forecast.an_order:
            raise LoadError(f"the forecast does not say what an order asks of {self.service}.")
        if self.asked.messages and (self.profile.messages is None or self.message is None):
            raise LoadError(
                f"an order makes messages for {self.service}, of which the profile does not tell how fast "
                "it takes them, or no objective how fast it is to."
            )

    def _refuse_what_is_out_of_reach(self) -> None:
        first = self.profile.requests.curve[0].rate_per_s
        slow = self.queueing.slow(np.array([first]))[:, 0]
        for (route, objective), share in zip(self.routes.items(), slow, strict=True):
            if share > objective.allowed:
                raise OutOfReach(
                    f"{route}: {objective} is asked, and a task of {self.service} that has only {first:g} "
                    f"requests a second does it for {100 * (1 - share):.2f}%: no number of tasks meets "
                    "that."
                )
        if self.message and self._late > self.message.allowed:
            raise OutOfReach(
                f"a message of {self.service}: {self.message} is asked, and a task with nothing else to do "
                f"does it for {100 * (1 - self._late):.2f}%: no number of tasks meets that."
            )
        if self.profile.loaded_memory_mib > MEMORY_SHARE * self.profile.task.memory_mib:
            raise OutOfReach(
                f"a task of {self.service} took {self.profile.loaded_memory_mib:.0f} of its "
                f"{self.profile.task.memory_mib} MiB: measure one with more, since more tasks give each no "
                "more."
            )

    @property
    def _late(self) -> float:
        return float(self.queueing.late(np.zeros(1))[0])

    # --- what a task carries

    @property
    def asked(self) -> Asked:
        """What an order asks of the service."""
        return self.forecast.an_order[self.service]

    @cached_property
    def requests_per_s(self) -> float:
        """Requests that a task carries: by the lowest of its measurements, and by the curve of them."""
        return min(self.profile.requests.capacity_per_s.lowest, self.queueing.kept_per_s)

    @cached_property
    def orders_per_s(self) -> float:
        """Orders a second of the shop that a task carries."""
        busy = self.asked.requests / self.requests_per_s
        if self.profile.messages:
            busy += self.asked.messages / self.profile.messages.drain_per_s.lowest
        return 1 / busy

    def tasks(self, orders_per_s: float) -> int:
        """As many as carry so many orders a second."""
        return math.ceil(orders_per_s / self.orders_per_s - 1e-9)

    @cached_property
    def cpu_percent(self) -> float:
        """The CPU of a task that has as much to do as it carries."""
        orders = self.orders_per_s
        return self.queueing.cpu_percent(orders * self.asked.requests, orders * self.asked.messages)

    # --- how fast scaling is

    @cached_property
    def serves_after_s(self) -> float:
        """From asking for a task until it serves, by the slowest start that was measured."""
        return Fleet(self.profile.start_s.highest, 0).serves_after_s

    @cached_property
    def reaction_s(self) -> float:
        """From a rise of load until tasks for it serve: it may begin just after a period has."""
        return HIGH_DATAPOINTS * PERIOD_S + SEEN_AFTER_S + self.serves_after_s

    @property
    def cooldown_s(self) -> int:
        """From asking for a task until the metric shows what it did."""
        return math.ceil(self.serves_after_s + SEEN_AFTER_S)

    @cached_property
    def day(self) -> Day:
        """A usual day, grown."""
        return shapes.grown(self.forecast)

    @cached_property
    def rise(self) -> float:
        """By how much a usual week rises at most while scaling reacts, as a multiple."""
        rates = shapes.diurnal(self.day, 7, seed=0, noise=0.0)
        ahead = math.ceil(self.reaction_s)
        return float((rates[ahead:] / rates[:-ahead]).max())

    @cached_property
    def headroom(self) -> float:
        """What tasks are kept free for: so much more than there is, as a multiple."""
        return self.rise * self.forecast.surge

    # --- the numbers of the policy

    @property
    def carried(self) -> Said:
        """`orders_per_s_and_task`."""
        requests, messages = self.profile.requests, self.profile.messages
        times = self.profile.measured.repetitions
        by_curve = self.requests_per_s < requests.capacity_per_s.lowest
        by = f"the curve of {times} measurements" if by_curve else f"the lowest of {times} measurements"
        takes = (
            f", and takes {messages.drain_per_s.lowest:g} messages, the lowest of them" if messages else ""
        )
        return Said(
            round(self.orders_per_s, 3),
            f"An order asks for {self.asked.requests:g} requests and {self.asked.messages:g} messages. A "
            f"task carries {self.requests_per_s:.4g} requests a second within the objectives, by {by}"
            f"{takes}.",
        )

    @property
    def task(self) -> Numbers:
        """The size of a task."""
        return {
            "cpu": Said(self.profile.task.cpu, "As it was measured."),
            "memory_mib": Said(
                self.profile.task.memory_mib,
                f"As it was measured; {self.profile.loaded_memory_mib:.0f} MiB were used under load.",
            ),
        }

    @cached_property
    def bounds(self) -> Numbers:
        """Floor, beginning and ceiling."""
        night = self.tasks(self.day.lowest_orders_per_s * self.headroom)
        floor = max(REDUNDANT, night)
        return {
            "minimum": Said(
                floor,
                f"The night's {self.day.lowest_orders_per_s:g} orders a second and {_more(self.headroom)} "
                f"need {night}; {REDUNDANT} are there so that one may fail.",
            ),
            "desired": Said(floor, "It begins with the floor."),
            "maximum": self._ceiling(floor),
        }

    def _ceiling(self, floor: int) -> Said:
        spike = self.forecast.busiest_orders_per_s * self.forecast.spike
        sale = max((peak.orders_per_s for peak in self.forecast.peak), default=0.0)
        highest = max(spike, sale * self.forecast.growth * self.forecast.surge)
        return Said(
            max(floor, self.tasks(highest)),
            f"{highest:g} orders a second are the most that is expected: {self.forecast.spike:g} times the "
            f"busiest hour, or the highest known peak and {_more(self.forecast.surge)}.",
        )

    @property
    def tracking(self) -> Numbers:
        """Target tracking on the CPU."""
        return {
            "period_s": Said(PERIOD_S, "The fastest there is."),
            "target_percent": Said(
                math.floor(self.cpu_percent / self.headroom),
                f"A task that has as much to do as it carries uses {self.cpu_percent:.0f}%. It is kept "
                f"free for what comes until more tasks serve, {self.reaction_s:.0f} s later: a usual week "
                f"rises by up to {_more(self.rise)} in that time, and {_more(self.forecast.surge)} may "
                "come at once.",
            ),
            "scale_out_cooldown_s": Said(
                self.cooldown_s,
                f"A task serves {self.serves_after_s:.0f} s after it was asked for: {PROVISIONED_AFTER_S} "
                f"until it runs, {self.profile.start_s.highest:g}, as measured, until it is healthy, up to "
                f"{HEALTH_INTERVAL_S} until that is seen. {SEEN_AFTER_S} s later the metric shows what it "
                "did.",
            ),
            "scale_in_cooldown_s": Said(
                DEREGISTERED_AFTER_S + SEEN_AFTER_S,
                f"A task is gone {DEREGISTERED_AFTER_S} s after it was given up, and {SEEN_AFTER_S} s "
                "later the metric shows it.",
            ),
        }

    @property
    def saturation(self) -> Numbers:
        """What is done where the CPU is used up; nothing where no spikes are expected."""
        more = round(100 * (self.forecast.spike - 1))
        if more == 0:
            return {}
        return {
            "period_s": Said(PERIOD_S, "The fastest there is."),
            "from_percent": Said(
                min(math.floor(self.cpu_percent), USED_UP_PERCENT),
                "Beyond what a task carries, where more asked is no more used.",
            ),
            "add_percent": Said(more, f"At times {self.forecast.spike:g} times as much comes."),
            "cooldown_s": Said(self.cooldown_s, "As for scaling out by the target."),
        }

    @cached_property
    def steps(self) -> Sequence[tuple[int, int]]:
        """From so many waiting messages on, so many tasks more, which empty the queue within the cooldown."""
        if self.profile.messages is None or self.message is None or not self.asked.messages:
            return ()
        drain = self.profile.messages.drain_per_s.lowest
        first = max(
            FEWEST_WAITING, math.ceil(self.bounds["minimum"].value * drain * self.message.bound_ms / 1000)
        )
        found = [(0, 0), (first, 1)]
        for added in (2**step for step in range(1, QUEUE_STEPS)):
            found.append((max(found[-1][0] + 1, math.ceil((added - 1) * drain * self.cooldown_s)), added))
        return found

    @property
    def actions(self) -> Sequence[Action]:
        """Before each known peak as many tasks as it needs, and after it the floor again."""
        found = []
        for peak in self.forecast.peak:
            start = peak.starts_s // MINUTE_S
            before = (
                f"{self._at(peak):g} orders a second, as is forecast and {_more(self.forecast.surge)}; "
                f"{self._lead} min early, since a task serves after {self.serves_after_s:.0f} s."
            )
            found.append(self._action(f"{peak.name}-before", start - self._lead, before))
            after = "It is over: the floor again, unless another peak goes on."
            found.append(self._action(f"{peak.name}-after", start + peak.minutes, after))
        return found

    @property
    def _lead(self) -> int:
        return math.ceil(self.serves_after_s / MINUTE_S)

    def _at(self, peak: Peak) -> float:
        return peak.orders_per_s * self.forecast.growth * self.forecast.surge

    def _action(self, name: str, minute: int, because: str) -> Action:
        day, of_day = divmod(minute % _WEEK_MIN, 24 * 60)
        return Action(
            name=name,
            cron=f"cron({of_day % 60} {of_day // 60} ? * {DAYS[day]} *)",
            timezone=self.forecast.timezone,
            minimum=self._minimum(minute),
            maximum=self.bounds["maximum"].value,
            because=because,
        )

    def _minimum(self, minute: int) -> int:
        """What all peaks need for which tasks are to be there in a minute of the week."""
        going = (
            self.tasks(self._at(peak))
            for peak in self.forecast.peak
            if (minute - peak.starts_s // MINUTE_S + self._lead) % _WEEK_MIN < peak.minutes + self._lead
        )
        floor: int = self.bounds["minimum"].value
        return max([floor, *going])


def _more(multiple: float) -> str:
    return f"{100 * (multiple - 1):.1f}% more"
