from __future__ import annotations

import asyncio
import json

import pytest
from aiobotocore.session import get_session

from backing.fixtures import Account
from chassis.testing import run_program, running
from services.user import app as user_app
from services.user.conftest import PASSWORD, SIGNING_KEYS, settings

PROGRAM = "services.user.app"


def environment(database_url: str, broker: Account) -> dict[str, str]:
    return {
        **broker.environment,
        "PORT": "1",
        "DATABASE_URL": database_url,
        "SIGNING_KEYS": SIGNING_KEYS,
        "USER_EVENTS_TOPIC_ARN": broker.topic_arns["user-events"],
        "NOTIFICATION_EVENTS_TOPIC_ARN": broker.topic_arns["notification-events"],
        "ARGON2_TIME_COST": "1",
        "ARGON2_MEMORY_KIB": "8",
    }


async def received(broker: Account, count: int) -> list[str]:
    """The types of the next `count` events that reach the notification service, in any order."""
    types: list[str] = []
    async with get_session().create_client("sqs", **broker.client_options) as sqs, asyncio.timeout(20):
        while len(types) < count:
            answer = await sqs.receive_message(
                QueueUrl=broker.queue_urls["notification-queue"], MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            types += [json.loads(message["Body"])["type"] for message in answer.get("Messages", [])]
    return sorted(types)


async def test_whoever_registers_is_known_to_the_notification_service(
    migrated_url: str, broker: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account's events travel from the outbox over the real topics to the queue that hears of them."""
    for name, value in broker.environment.items():
        monkeypatch.setenv(name, value)
    made = settings(
        migrated_url,
        user_events_topic_arn=broker.topic_arns["user-events"],
        notification_events_topic_arn=broker.topic_arns["notification-events"],
    )
    body = {"email": "ada@example.com", "password": PASSWORD, "display_name": "Ada"}
    async with running(user_app.build(made)) as client:
        answer = await client.post("/api/users", json=body, headers={"Idempotency-Key": "one"})
        assert answer.status_code == 201
        assert await received(broker, 2) == ["mercato.USER_REGISTERED.v1", "mercato.WELCOME_NOTICE.v1"]


def test_the_program_migrates_and_makes_an_admin(database_url: str, broker: Account) -> None:
    """As an operator does it: one process after the other, the password from the environment alone."""
    env = environment(database_url, broker) | {"ADMIN_PASSWORD": "an admin's password"}

    assert run_program(PROGRAM, env, "migrate").returncode == 0
    made = run_program(PROGRAM, env, "create-admin", "--email", "root@example.com")
    assert (made.returncode, made.stderr) == (0, "")
    assert "root@example.com is an admin" in made.stdout
    assert "an admin's password" not in made.stdout
    del env["SIGNING_KEYS"]
    refused = run_program(PROGRAM, env, "serve")
    assert refused.returncode == 78
    assert "SIGNING_KEYS is not set" in refused.stderr
