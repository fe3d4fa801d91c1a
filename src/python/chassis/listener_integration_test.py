from __future__ import annotations

from backing.postgres import Postgres
from chassis.database import Database
from chassis.listener import Listener
from chassis.listener_test import heard, listening, notify
from chassis.testing import eventually


async def test_it_listens_again_after_the_server_was_killed_and_started(
    own_postgres: Postgres, own_database: Database
) -> None:
    """And wakes everybody, since what happened meanwhile went unheard."""
    listener = Listener(own_database.url)
    event = listener.subscribe("jobs")
    async with listening(listener):
        await heard(event)
        own_postgres.process.kill()
        await heard(event)
        own_postgres.start()
        await heard(event, 20)

        async def notified() -> bool:
            try:
                await notify(own_database, "jobs")
            except Exception:
                return False  # the pool still holds connections of the server that was killed
            return True

        await eventually(notified)
        await heard(event, 1)
