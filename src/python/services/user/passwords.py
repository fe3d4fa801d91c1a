"""Passwords: kept as Argon2id hashes, made and compared beside the event loop (RFC 9106)."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from chassis.problems import Unavailable

T = TypeVar("T")

# Each works for tens of milliseconds in tens of megabytes; more at once would only be slower.
_WORKERS = 2
_WAITING = 200


class Passwords:
    """Hashes passwords and compares them. `memory_kib` and `time_cost` are Argon2's m and t; its p is 1."""

    def __init__(
        self, *, time_cost: int, memory_kib: int, workers: int = _WORKERS, waiting: int = _WAITING
    ) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="argon2")
        self._free = workers + waiting

    async def hash(self, password: str) -> str:
        """The hash of `password`, with its salt and parameters. Raises Unavailable when too many wait."""
        return await self._beside(lambda: self._hasher.hash(_normal(password)))

    async def matches(self, password: str, hashed: str | None) -> bool:
        """Whether `hashed` was made of `password`; no, after as long a time, where there is no hash.

        Raises Unavailable when too many wait.
        """
        return await self._beside(lambda: self._matches(password, hashed))

    def is_outdated(self, hashed: str) -> bool:
        """Whether `hashed` was made with other parameters than are in force now."""
        return self._hasher.check_needs_rehash(hashed)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, password: str, hashed: str | None) -> bool:
        if hashed is None:
            # Answering sooner would tell that there is no such account.
            self._hasher.hash(_normal(password))
            return False
        try:
            return self._hasher.verify(hashed, _normal(password))
        except VerifyMismatchError:
            return False

    async def _beside(self, work: Callable[[], T]) -> T:
        if self._free <= 0:
            raise Unavailable("Too many people sign in at this moment; try again shortly.", retry_after_s=2)
        self._free -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._free += 1


def _normal(password: str) -> bytes:
    # The same characters come in different forms from different keyboards (NIST SP 800-63B, 3.1.1.2).
    return unicodedata.normalize("NFKC", password).encode()
