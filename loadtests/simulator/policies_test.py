"""Each rule of Application Auto Scaling, as its pages have it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from infra.scaling.policy import QueueSteps, Saturation, Step, TargetTracking
from loadtests.simulator.policies import (
    Cooldown,
    Load,
    Policy,
    QueueStepper,
    SaturationStepper,
    ScalableTarget,
    Tracker,
)

TICK_S = 20


def tracker(
    target: float = 50, *, out_s: int = 300, in_s: int = 300, period_s: int = 20, metric: str = "cpu"
) -> Tracker:
    return Tracker(
        TargetTracking.model_validate(
            {
                "metric": metric,
                "target_percent": target,
                "scale_out_cooldown_s": out_s,
                "scale_in_cooldown_s": in_s,
                "period_s": period_s,
            }
        )
    )


def stepper(*steps: tuple[int, int], cooldown_s: int = 120) -> QueueStepper:
    return QueueStepper(
        QueueSteps(
            steps=tuple(Step(from_messages=start, add_tasks=added) for start, added in steps),
            cooldown_s=cooldown_s,
        )
    )


def target(*policies: Policy, desired: int = 4, minimum: int = 1, maximum: int = 100) -> ScalableTarget:
    return ScalableTarget(minimum, maximum, desired, policies)


class Clock:
    """Feeds a target tick by tick, and tells when it wanted another number."""

    def __init__(self, scaled: ScalableTarget) -> None:
        self.scaled, self.now_s, self.changes = scaled, 0, list[tuple[int, int]]()

    def run(
        self, seconds: int, cpu: float = 50, memory: float = 0, waiting: float = 0
    ) -> list[tuple[int, int]]:
        """The changes, each with its time, until `seconds` have passed."""
        for _ in range(seconds // TICK_S):
            before = self.scaled.desired
            wanted = self.scaled.judge(self.now_s)
            if wanted != before:
                self.changes.append((self.now_s, wanted))
            self.now_s += TICK_S
            self.scaled.feed(self.now_s, Load(cpu, memory, waiting))
        return self.changes


@dataclass
class Wants:
    """Always so many tasks, if any, and never fewer."""

    tasks: int | None
    scale_in_cooldown_s: int = 0

    def __post_init__(self) -> None:
        self.cooldown = Cooldown(0)

    def feed(self, until_s: int, load: Load) -> None:
        pass

    def judge(self, now_s: int) -> bool:
        return now_s >= 0

    def wanted_out(self, base: int) -> int | None:
        return self.tasks if base else None

    def wanted_in(self, desired: int) -> int | None:
        return desired


# --- target tracking


@pytest.mark.parametrize(("period_s", "seconds"), [(20, 80), (60, 320)])
def test_it_scales_out_after_three_datapoints_above_the_target(period_s: int, seconds: int) -> None:
    """3 x 20 s and 20 s until the last is published; 3 x 60 s and 140 s."""
    ((first, _), *_) = Clock(target(tracker(period_s=period_s))).run(900, cpu=60)
    assert seconds == first


def test_it_scales_out_in_proportion_and_rounds_up() -> None:
    """4 tasks at 60% where 50% are wanted would do with 4.8: "we round up"."""
    ((_, wanted), *_) = Clock(target(tracker(), desired=4)).run(300, cpu=60)
    assert 5 == wanted


def test_the_higher_the_metric_the_more_is_added() -> None:
    """Twice the target is twice the tasks."""
    ((_, wanted), *_) = Clock(target(tracker(), desired=4)).run(300, cpu=100)
    assert 8 == wanted


def test_it_does_nothing_at_the_target() -> None:
    """Above means above."""
    assert [] == Clock(target(tracker())).run(3600, cpu=50)


def test_it_does_nothing_a_little_below_the_target() -> None:
    """Nine tenths of it are not yet low."""
    assert [] == Clock(target(tracker())).run(3600, cpu=45.1)


@pytest.mark.parametrize(("period_s", "seconds"), [(20, 920), (60, 1040)])
def test_it_scales_in_after_a_quarter_of_an_hour_below_nine_tenths(period_s: int, seconds: int) -> None:
    """15 datapoints of a minute, or as long of those of 20 s."""
    ((first, _), *_) = Clock(target(tracker(period_s=period_s))).run(3600, cpu=20)
    assert seconds == first


def test_one_datapoint_that_is_not_low_begins_the_quarter_of_an_hour_anew() -> None:
    """So a busy minute keeps the tasks."""
    clock = Clock(target(tracker()))
    clock.run(800, cpu=20)
    clock.run(20, cpu=48)
    ((first, _), *_) = clock.run(2000, cpu=20)
    assert 820 + 920 == first


def test_it_scales_in_to_no_fewer_than_the_target_allows() -> None:
    """10 tasks at 20% are 4 at 50%, and 4.2 would be 5."""
    ((_, wanted), *_) = Clock(target(tracker(), desired=10)).run(1000, cpu=21)
    assert 5 == wanted


def test_it_scales_in_by_the_highest_that_was_seen() -> None:
    """What came for a minute within the quarter of an hour may come again."""
    clock = Clock(target(tracker(), desired=10))
    clock.run(600, cpu=20)
    clock.run(60, cpu=40)
    ((_, wanted), *_) = clock.run(600, cpu=20)
    assert 8 == wanted


def test_it_does_not_scale_in_where_one_task_less_would_be_above_the_target() -> None:
    """2 tasks at 30% would be one at 60%."""
    assert [] == Clock(target(tracker(), desired=2)).run(3600, cpu=30)


def test_memory_is_tracked_by_the_memory() -> None:
    """And not by the CPU beside it."""
    assert [] == Clock(target(tracker(metric="memory"))).run(600, cpu=100, memory=50)
    ((_, wanted), *_) = Clock(target(tracker(metric="memory"))).run(600, cpu=1, memory=100)
    assert 8 == wanted


# --- cooldowns


def test_while_scaling_out_cools_down_the_same_is_not_added_again() -> None:
    """What was added counts: 4 tasks at 60% still want 5, and there are 5."""
    changes = Clock(target(tracker(out_s=300), desired=4)).run(80 + 300, cpu=60)
    assert [(80, 5)] == changes


def test_when_it_has_cooled_down_more_is_added() -> None:
    """If the metric still says so, from what there is by then."""
    changes = Clock(target(tracker(out_s=300), desired=4)).run(80 + 300 + 20, cpu=60)
    assert [(80, 5), (380, 6)] == changes


def test_while_it_cools_down_a_larger_scale_out_goes_through() -> None:
    """And adds the difference: 4 at 90% want 8, of which there are 5."""
    clock = Clock(target(tracker(out_s=300), desired=4))
    clock.run(80, cpu=60)
    assert (120, 8) == clock.run(100, cpu=90)[-1]


def test_the_example_of_step_scaling() -> None:
    """ "Increase the capacity by 2", then "a more aggressive step adjustment of 3": "only 1 is added"."""
    cooldown = Cooldown(300)
    cooldown.begin(0, 10)
    assert 10 + 3 == cooldown.base(299, 12) + 3
    assert 12 + 3 == cooldown.base(300, 12) + 3


def test_while_scaling_in_cools_down_nothing_is_taken_away() -> None:
    """Conservatively, "to protect your application's availability"."""
    clock = Clock(target(tracker(in_s=300), desired=10))
    clock.run(1000, cpu=25)
    (first, _), (second, _), *_ = clock.run(600, cpu=10)
    assert first + 300 == second


def test_while_scaling_in_cools_down_it_scales_out_at_once_and_the_cooldown_ends() -> None:
    """ "The scale-in cooldown period stops and doesn't complete"."""
    clock = Clock(target(tracker(in_s=7200), desired=10))
    clock.run(940, cpu=25)
    assert 5 == clock.scaled.desired
    clock.run(100, cpu=80)
    assert 8 == clock.scaled.desired
    clock.run(940, cpu=10)
    assert 8 > clock.scaled.desired


# --- steps


@pytest.mark.parametrize(("waiting", "added"), [(9, 0), (10, 2), (49, 2), (50, 5), (100, 10), (9999, 10)])
def test_a_step_adds_by_how_many_messages_wait(waiting: int, added: int) -> None:
    """The lower bound is inclusive, the upper is not; the last has none."""
    clock = Clock(target(stepper((0, 0), (10, 2), (50, 5), (100, 10)), desired=3))
    clock.run(60 + 60 + 20, waiting=waiting)
    assert 3 + added == clock.scaled.desired


def test_a_step_needs_one_datapoint() -> None:
    """Of a minute, and a minute until it is published."""
    ((first, _),) = Clock(target(stepper((0, 0), (10, 2)))).run(200, waiting=10)
    assert 120 == first


def test_a_steps_cooldown_lets_a_larger_step_through() -> None:
    """2 were added; 5 are wanted; 3 are."""
    clock = Clock(target(stepper((0, 0), (10, 2), (50, 5), cooldown_s=600), desired=3))
    clock.run(140, waiting=10)
    assert 5 == clock.scaled.desired
    clock.run(300, waiting=60)
    assert 8 == clock.scaled.desired


def test_steps_go_on_while_the_alarm_does() -> None:
    """ "The adjustments can continue for additional alarm breaches until the alarm state returns to OK"."""
    clock = Clock(target(stepper((0, 0), (10, 2), cooldown_s=60), desired=3))
    assert [(120, 5), (180, 7), (240, 9)] == clock.run(260, waiting=10)


def test_a_step_by_percent_is_rounded_down_but_adds_one_at_least() -> None:
    """ "Values greater than 1 are rounded down. Values between 0 and 1 are rounded to 1"."""
    for tasks, wanted in ((7, 10), (1, 2)):
        saturation = Saturation(from_percent=90, add_percent=50, cooldown_s=600, period_s=20)
        clock = Clock(target(SaturationStepper(saturation), desired=tasks))
        assert [(40, wanted)] == clock.run(200, cpu=95)


# --- several policies


def test_the_largest_of_several_policies_wins() -> None:
    """If they want it at the same time; they do not add up."""
    assert 7 == target(Wants(6), Wants(7), Wants(None), desired=4).judge(0)


def test_it_scales_out_if_any_policy_is_ready() -> None:
    """A queue that waits does, whatever the CPU."""
    clock = Clock(target(tracker(), stepper((0, 0), (10, 2), cooldown_s=6000), desired=4))
    clock.run(400, cpu=10, waiting=20)
    assert 6 == clock.scaled.desired


def test_it_scales_in_only_if_all_trackers_are_ready() -> None:
    """The memory is still used, so the tasks stay."""
    both = target(tracker(), tracker(metric="memory"), desired=10)
    assert [] == Clock(both).run(3600, cpu=5, memory=49)


def test_if_all_are_ready_the_largest_capacity_wins() -> None:
    """The CPU would do with 2, the memory with 6."""
    both = target(tracker(), tracker(metric="memory"), desired=10)
    ((_, wanted), *_) = Clock(both).run(1000, cpu=10, memory=30)
    assert 6 == wanted


def test_a_queue_that_waits_keeps_the_tasks() -> None:
    """Whoever wants more keeps others from taking away."""
    clock = Clock(target(tracker(), stepper((0, 0), (10, 2), cooldown_s=60), desired=4, maximum=6))
    clock.run(3600, cpu=5, waiting=20)
    assert 6 == clock.scaled.desired


def test_a_queue_alone_takes_nothing_away() -> None:
    """Its policy has steps up only."""
    assert [] == Clock(target(stepper((0, 0), (10, 2)), desired=10)).run(3600, cpu=0)


# --- bounds


def test_it_scales_no_further_than_its_bounds() -> None:
    """However much is wanted, or little."""
    assert 6 == Clock(target(tracker(), desired=4, maximum=6)).run(300, cpu=100)[-1][1]
    assert 3 == Clock(target(tracker(), desired=4, minimum=3)).run(1000, cpu=1)[-1][1]


def test_a_scheduled_action_acts_at_once_whatever_cools_down() -> None:
    """Out to the new minimum, in to the new maximum; between them nothing changes."""
    clock = Clock(target(tracker(out_s=3000), desired=4))
    clock.run(100, cpu=60)
    clock.scaled.bound(12, 20)
    assert 12 == clock.scaled.desired
    clock.scaled.bound(2, 15)
    assert 12 == clock.scaled.desired
    clock.scaled.bound(2, 8)
    assert 8 == clock.scaled.desired
