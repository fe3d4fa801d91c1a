"""What requests and messages meet at a task, from what was measured of one.

Below what a task completes at most, it is as slow as the profile's curve says at that rate: no theory of
queues, but the measurement. Beyond, what cannot be done waits (a fluid): requests in front of all tasks
alike, since the load balancer spreads them, until their clients give up; messages in the queue, for as long
as it takes. Requests and messages share the task's processor by what they ask of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from loadtests.objectives import Objective
from loadtests.profile import Profile

Floats = NDArray[np.float64]

# What is too rare to have been seen is not taken to be nothing.
_RAREST = 1e-6
# Times that are half a percent apart.
_GRID_MS = np.geomspace(0.1, 1e5, 2800)


@dataclass(frozen=True)
class Queueing:
    """One task of a profile, judged by the objectives of its routes, and of messages if it has a queue.

    `patience_s` is how long a client waits for an answer before it has failed: infra lets the mesh give up.
    """

    profile: Profile
    routes: Mapping[str, Objective]
    message: Objective | None = None
    patience_s: float = 15.0

    @property
    def requests_per_s(self) -> float:
        """The most requests that a task completes."""
        return self.profile.requests.saturated_per_s

    @property
    def messages_per_s(self) -> float:
        """The most messages that a task gets through."""
        return self.profile.messages.drain_per_s.median if self.profile.messages else np.inf

    def cpu_percent(self, requests_per_s: float, messages_per_s: float) -> float:
        """What of the task's CPU these take, when a task does them."""
        taken = requests_per_s * self.profile.requests.cpu_ms
        if self.profile.messages:
            taken += messages_per_s * self.profile.messages.cpu_ms
        return min(100.0, self.profile.idle_cpu_percent + taken / 10 / self.profile.vcpus)

    def memory_percent(self, busy: float) -> float:
        """What of the task's memory is used, when `busy` of what it can do is done."""
        idle, loaded = self.profile.idle_memory_mib, self.profile.loaded_memory_mib
        return (idle + (loaded - idle) * min(1.0, busy)) / self.profile.task.memory_mib * 100

    @cached_property
    def weights(self) -> Floats:
        """The share of each route in the requests."""
        return np.array([self.profile.mix[route] for route in self.routes])

    @cached_property
    def allowed(self) -> Floats:
        """The share of each route that may be slow."""
        return np.array([objective.allowed for objective in self.routes.values()])

    @cached_property
    def _rates(self) -> Floats:
        return np.array([point.rate_per_s for point in self.profile.requests.curve])

    @cached_property
    def _log_slow(self) -> Floats:
        """For each route and point of the curve."""
        return np.log(
            [
                [
                    _slower(
                        point.routes[route], self.profile.requests.quantiles, np.array([objective.bound_ms])
                    )[0]
                    for point in self.profile.requests.curve
                ]
                for route, objective in self.routes.items()
            ]
        )

    def slow(self, rate_per_s: Floats) -> Floats:
        """The share of each route that is slow, by rates of a task below saturation: routes by rates."""
        return np.array([np.exp(np.interp(rate_per_s, self._rates, line)) for line in self._log_slow])

    @cached_property
    def kept_per_s(self) -> float:
        """The highest rate of a task up to which its curve keeps every objective.

        Repetitions are judged by themselves, each by a few seconds; the curve is of their medians.
        """
        allowed = np.log(self.allowed) + 1e-9
        points = zip(self._rates, self._log_slow.T, strict=True)
        before, faster = next(points)
        for rate, slower in points:
            missed = slower > allowed
            if missed.any():
                share = ((allowed - faster)[missed] / (slower - faster)[missed]).min()
                return float(before + max(0.0, share) * (rate - before))
            before, faster = rate, slower
        return float(before)

    def latency_ms(self, quantile: float, rates_per_s: Sequence[float]) -> float:
        """A quantile of the time of all requests, where a task has each rate as long, below saturation."""
        rates = np.array(rates_per_s)
        lines = np.array([np.interp(rates, self._rates, line) for line in self._log_slower])
        slower = np.exp(lines) @ (rates / rates.sum())
        return float(np.exp(np.interp(quantile, 1 - slower, np.log(_GRID_MS))))

    @cached_property
    def _log_slower(self) -> Floats:
        """The share of all requests that takes longer: times of the grid by points of the curve."""
        quantiles, mix = self.profile.requests.quantiles, self.profile.mix
        return np.log(
            [
                np.sum(
                    [
                        share * _slower(point.routes[route], quantiles, _GRID_MS)
                        for route, share in mix.items()
                    ],
                    axis=0,
                )
                for point in self.profile.requests.curve
            ]
        ).T

    def slow_after(self, waited_s: Floats) -> Floats:
        """The share of each route that is slow after waiting for a task at saturation: routes by times."""
        last, quantiles = self.profile.requests.curve[-1], self.profile.requests.quantiles
        return np.array(
            [
                _slower(last.routes[route], quantiles, objective.bound_ms - 1000 * waited_s)
                for route, objective in self.routes.items()
            ]
        )

    def late(self, waited_s: Floats) -> Floats:
        """The share of messages beyond their bound, where the queue holds as much as takes so long."""
        if self.message is None or self.profile.messages is None:
            return np.zeros_like(waited_s)
        light, quantiles = self.profile.messages.light_ms, self.profile.requests.quantiles
        return _slower(light, quantiles, self.message.bound_ms - 1000 * waited_s)


def _odds(quantile: float | Floats) -> Floats:
    """Quantiles as a scale on which the tail of an exponential is a straight line."""
    return np.asarray(-np.log1p(-np.asarray(quantile)))


def _slower(times_ms: tuple[float, ...], quantiles: tuple[float, ...], bounds_ms: Floats) -> Floats:
    """The share beyond bounds, by quantiles: straight between them, and on as between the last two."""
    odds, logs = _odds(np.array(quantiles)), np.log(times_ms)
    # Of the fastest nothing is known: none at all is faster than a tenth of the first quantile.
    odds, logs = np.concatenate([[0.0], odds]), np.concatenate([[logs[0] - np.log(10)], logs])
    log = np.log(np.maximum(bounds_ms, 1e-9))
    slope = (odds[-1] - odds[-2]) / max(logs[-1] - logs[-2], 1e-9)
    at = np.interp(log, logs, odds) + slope * np.maximum(log - logs[-1], 0)
    slower: Floats = np.maximum(np.exp(-at), _RAREST)
    return slower
