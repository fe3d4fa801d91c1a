from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from chassis.problems import Unavailable
from services.user.passwords import Passwords


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(time_cost=1, memory_kib=8)
    yield made
    made.close()


async def test_a_password_matches_its_own_hash_alone(passwords: Passwords) -> None:
    """Which is Argon2id, salted."""
    hashed = await passwords.hash("correct horse")
    assert hashed.startswith("$argon2id$")
    assert hashed != await passwords.hash("correct horse")
    assert await passwords.matches("correct horse", hashed)
    assert not await passwords.matches("Correct horse", hashed)


async def test_no_password_matches_no_hash(passwords: Passwords) -> None:
    """An account that is not there lets nobody in."""
    assert not await passwords.matches("correct horse", None)


async def test_one_password_matches_in_any_form_of_its_characters(passwords: Passwords) -> None:
    """Some keyboards send a letter with its accent as one character, others as two."""
    assert await passwords.matches("cafe\u0301 au lait", await passwords.hash("caf\u00e9 au lait"))


async def test_a_hash_of_other_parameters_is_outdated(passwords: Passwords) -> None:
    """It still matches, and is made anew when its password is at hand."""
    stronger = Passwords(time_cost=2, memory_kib=16)
    hashed = await passwords.hash("correct horse")
    assert (passwords.is_outdated(hashed), stronger.is_outdated(hashed)) == (False, True)
    assert await stronger.matches("correct horse", hashed)
    stronger.close()


async def test_a_crowd_is_turned_away() -> None:
    """Rather than let everybody wait for ever; whoever waits already is served."""
    passwords = Passwords(time_cost=1, memory_kib=8, workers=1, waiting=1)
    gate = threading.Event()
    passwords._threads.submit(gate.wait)
    first, second = (asyncio.create_task(passwords.hash("correct horse")) for _ in range(2))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await passwords.hash("correct horse")
    gate.set()
    assert await passwords.matches("correct horse", await first)
    await second
    passwords.close()
