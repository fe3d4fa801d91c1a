"""`./pants load replicas`: measure what several tasks of a service carry at once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from loadtests import replicas as replicas_of
from loadtests.capacity import ladder
from loadtests.capacity.ladder import Step
from loadtests.capacity.measuring import Measuring, add_arguments
from loadtests.capacity.probe import Pace
from loadtests.checkout import Checkout
from loadtests.errors import LoadError
from loadtests.profile import Profile, Spread
from loadtests.replicas import QUANTILE, RealRuns, Run, Seen

REPLICAS = (1, 2, 3)
# Of what so many tasks carry by the profile.
SHARES = (0.5, 0.7, 0.85, 1.0, 1.08, 1.16)


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    replicas = commands.add_parser(
        "replicas", help="measure several tasks at once, to see how far the simulator is from that"
    )
    add_arguments(replicas, seconds=12, folder="loadtests/replicas")
    replicas.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure one, two and three replicas, and write down what became of them; returns the exit status."""
    checkout = Checkout(arguments.root)
    known = checkout.profile(arguments.service)
    measuring = Measuring(checkout, arguments.service, known.task, arguments.within)
    pace = Pace(arguments.repetitions, arguments.seconds)
    runs = []
    for replicas in REPLICAS:
        top = replicas * known.requests.capacity_per_s.median
        with measuring.probe(replicas, pace) as probe:
            climbs = probe.climbs([top * share for share in SHARES])
        runs.append(_run_of(replicas, climbs, known))
        measuring.say(f"{replicas} replicas: {runs[-1].carried_per_s.median:.1f} requests/s")
    measured = measuring.measured("cgroup", pace.repetitions)
    found = RealRuns(service=arguments.service, measured=measured, run=tuple(runs))
    measuring.say(f"wrote {replicas_of.save(found, arguments.output or checkout.replicas)}")
    return 0


def _run_of(count: int, climbs: Sequence[Sequence[Step]], known: Profile) -> Run:
    carried = [ladder.capacity(climb, known.objectives) for climb in climbs]
    if not min(carried):
        raise LoadError(f"{count} replicas did not even carry the lowest rate: measure again.")
    carries = Spread.of(carried, 2)
    return Run(
        replicas=count,
        carried_per_s=carries,
        p95_ms=_p95([[step for step in climb if step.rate_per_s <= carries.median] for climb in climbs]),
        seen=tuple(
            Seen(rate_per_s=round(steps[0].rate_per_s, 3), p95_ms=_p95([[step] for step in steps]))
            for steps in zip(*climbs, strict=True)
        ),
    )


def _p95(repeated: Sequence[Sequence[Step]]) -> Spread:
    return Spread.of([ladder.overall_ms(steps, QUANTILE) for steps in repeated], 2)
