"""How the rate of a queue is read off what is left in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from loadtests.capacity import messages
from loadtests.capacity.messages import Drained
from loadtests.capacity.process import Started
from loadtests.capacity.queue import Queue, Waiting
from loadtests.errors import LoadError


class Emptied(Queue):
    """A queue of which so many are gone each time somebody looks."""

    def __init__(self, waiting: int, each: int) -> None:
        """Nothing is at the broker."""
        super().__init__("queue", None)
        self._waiting, self._each = waiting, each

    def waiting(self) -> Waiting:
        """One look."""
        left, self._waiting = self._waiting, max(0, self._waiting - self._each)
        return Waiting(left, 0)


@pytest.fixture
def process() -> Iterator[Started]:
    """A process that does nothing."""
    with subprocess.Popen(["sleep", "60"]) as sleeping:
        yield Started(sleeping, 0)
        sleeping.kill()


def test_the_first_and_the_last_tenth_do_not_count(process: Started) -> None:
    """100 messages, 5 at each look, 20 looks a second."""
    found = messages.drain(Emptied(100, 5), process, 100)

    assert 80 == found.messages
    assert 16 * 0.05 == pytest.approx(found.seconds, rel=0.5)
    assert 0 <= found.cpu_s < 0.1


def test_a_queue_that_is_empty_at_once_tells_no_rate(process: Started) -> None:
    """What is too short to be measured is no measurement."""
    with pytest.raises(LoadError, match="40 messages were gone at once"):
        messages.drain(Emptied(40, 40), process, 40)


def test_a_process_that_ends_meanwhile_is_an_error() -> None:
    """It has emptied nothing."""
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        ended.wait()
        with pytest.raises(LoadError, match="ended while it was measured"):
            messages.drain(Emptied(100, 5), Started(ended, 0), 100)


def test_kinds_of_messages_count_as_often_as_they_come() -> None:
    """100 at 10 a second and 100 at 40 are 200 in 12.5 s, and not 25 a second."""
    slow, fast = Drained(80, 8, 0.8, 100), Drained(80, 2, 0.4, 120)

    found = messages.summed([(100, slow), (100, fast)])

    assert 16 == found.drain_per_s
    assert 7.5 == pytest.approx(found.cpu_ms)
    assert 120 == found.memory_mib
