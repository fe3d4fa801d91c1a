from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chassis.auth import Verifier
from chassis.settings import EX_CONFIG
from services.user import admins, store
from services.user.conftest import PASSWORD, Users, settings

ADMIN = "root@example.com"
ADMIN_PASSWORD = "an admin's password"


async def create_admin(url: str, *arguments: str, **changes: Any) -> int:
    """Run the command as its own process would: it makes its own event loop."""
    made = settings(url, admin_password=ADMIN_PASSWORD) if not changes else settings(url, **changes)
    return await asyncio.to_thread(admins.create_admin, made, arguments or ["--email", ADMIN])


async def test_the_first_admin_is_made_by_the_command(users: Users, migrated_url: str) -> None:
    """They sign in with the password given; the others hear of the account; a repetition changes nothing."""
    assert await create_admin(migrated_url) == 0
    session = await users.log_in(ADMIN, ADMIN_PASSWORD)
    assert await create_admin(migrated_url) == 0
    caller = await Verifier(users.keys).verify(session.json()["access_token"])
    assert caller.roles == {"admin", "customer"}
    assert (await users.refresh(session.json()["refresh_token"])).status_code == 200
    assert await users.count(store.USERS) == 1
    assert await users.events() == ["USER_REGISTERED", "WELCOME_NOTICE"]


async def test_an_account_that_is_there_becomes_an_admins(users: Users, migrated_url: str) -> None:
    """With the password of the command: whoever registered it before is signed out and stays out."""
    await users.register(ADMIN)
    before = (await users.log_in(ADMIN)).json()
    assert await create_admin(migrated_url, "--email", ADMIN.upper()) == 0
    assert (await users.refresh(before["refresh_token"])).status_code == 401
    assert (await users.log_in(ADMIN, PASSWORD)).status_code == 401
    session = (await users.log_in(ADMIN, ADMIN_PASSWORD)).json()
    assert (await Verifier(users.keys).verify(session["access_token"])).is_admin


async def test_the_command_says_what_is_missing(
    migrated_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The password, or an address that is one."""
    assert await create_admin(migrated_url, admin_password=None) == EX_CONFIG
    assert "ADMIN_PASSWORD is not set" in capsys.readouterr().err
    for arguments in (
        ["--email", "nobody"],
        ["--email", ""],
        ["--mail", ADMIN],
        ["--email", "a\0@example.com"],
    ):
        with pytest.raises(SystemExit) as caught:
            await create_admin(migrated_url, *arguments)
        assert caught.value.code == 2
        assert "--email" in capsys.readouterr().err
