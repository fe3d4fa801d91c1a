"""The scaling file that a derivation comes to."""

from __future__ import annotations

import tomllib
from itertools import pairwise

from infra.scaling.policy import ScalingPolicy
from loadtests import scaling_file, testing
from loadtests.derivation import Derivation
from loadtests.scaling_file import FIRST_LINE
from loadtests.testing import DIGEST, MESSAGE_WITHIN_2_S, ROUTE, WITHIN_300_MS

WHOLE = Derivation(
    testing.profile(messages_per_s=60),
    {ROUTE: WITHIN_300_MS},
    MESSAGE_WITHIN_2_S,
    testing.forecast(messages=3, peaks=(testing.sale(),)),
)
TEXT = scaling_file.text(WHOLE, DIGEST)


def test_infra_reads_what_was_written() -> None:
    """By its own format, with all that was derived."""
    policy = ScalingPolicy(**tomllib.loads(TEXT))
    assert policy == scaling_file.policy(WHOLE, DIGEST)
    assert ("measured", DIGEST) == (policy.provenance.kind, policy.provenance.profile)
    (tracking,) = policy.target_tracking
    assert WHOLE.tracking["target_percent"].value == tracking.target_percent
    assert WHOLE.bounds["maximum"].value == policy.bounds.maximum
    assert policy.saturation is not None
    assert policy.queue is not None
    assert WHOLE.steps == [(step.from_messages, step.add_tasks) for step in policy.queue.steps]
    assert [action.cron for action in WHOLE.actions] == [action.cron for action in policy.scheduled]


def test_it_is_the_same_every_time() -> None:
    """A changed number shows in review, and nothing else does."""
    assert TEXT == scaling_file.text(WHOLE, DIGEST)


def test_each_number_stands_under_the_sentence_that_explains_it() -> None:
    """Whoever reads the file need not read the code."""
    lines = TEXT.splitlines()
    assert f"# {FIRST_LINE}" == lines[0]
    plain = (
        "service",
        "metric",
        "name",
        "cron",
        "timezone",
        "minimum",
        "maximum",
        "kind",
        "source",
        "profile",
    )
    unexplained = [
        line
        for before, line in pairwise(lines)
        if " = " in line
        and not line.startswith(("#", " "))
        and not before.startswith("#")
        and line.split(" = ")[0] not in plain
    ]
    assert [] == unexplained


def test_no_line_is_longer_than_a_reader_wants() -> None:
    """Sentences are broken."""
    assert 120 >= max(map(len, TEXT.splitlines()))


def test_a_service_without_queue_peaks_and_spikes_has_none_of_these_parts() -> None:
    """Only what follows from something is there."""
    plain = Derivation(testing.profile(), {ROUTE: WITHIN_300_MS}, None, testing.forecast(spike=1))
    policy = scaling_file.policy(plain, DIGEST)
    assert (None, None, ()) == (policy.queue, policy.saturation, policy.scheduled)
