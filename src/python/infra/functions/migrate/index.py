"""Custom resource of CloudFormation: brings a service's database to the tables of the version that comes.

It runs the service's own image once, with `migrate`, and waits for its end. CloudFormation changes the
service only after that has succeeded: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# The function itself ends after 15 minutes: what went wrong must be said before.
PATIENCE_S = 13 * 60
_PAUSE_S = 5

Answer = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Clock:
    """How late it is, in seconds since whenever, and how to wait."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


_CLOCK = Clock()


class MigrationFailed(Exception):
    """The task did not start, or ended with another status than 0; the message says where its log is."""


def handler(event: Mapping[str, Any], _: Any) -> None:
    """What Lambda calls."""
    import boto3  # pants: no-infer-dep  # part of the runtime of Lambda

    respond(event, boto3.client("ecs"), put)


def respond(event: Mapping[str, Any], ecs: Any, answer: Answer, clock: Clock = _CLOCK) -> None:
    """Do what `event` asks and tell CloudFormation by `answer`, of a failure too: it would wait in vain."""
    try:
        if _asks_for_tables(event):
            migrate(event["ResourceProperties"], ecs, clock)
        outcome = {"Status": "SUCCESS"}
    except Exception as error:  # whatever it is, CloudFormation has to hear of it
        outcome = {"Status": "FAILED", "Reason": str(error)[:1000]}
    reply = {
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        # The same for ever: a new one would have CloudFormation delete the old.
        "PhysicalResourceId": event["LogicalResourceId"],
    }
    # What cannot be said is raised: Lambda tries again, and a migration that was made is made by then.
    answer(event["ResponseURL"], reply | outcome)


def migrate(properties: Mapping[str, Any], ecs: Any, clock: Clock = _CLOCK) -> None:
    """Run the task of `properties` to its end. Raises MigrationFailed."""
    started = ecs.run_task(
        cluster=properties["Cluster"],
        taskDefinition=properties["TaskDefinition"],
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": properties["Subnets"],
                "securityGroups": properties["SecurityGroups"],
                "assignPublicIp": "DISABLED",
            }
        },
    )
    if started.get("failures"):
        raise MigrationFailed(f"the migration did not start: {started['failures']}")
    arn = started["tasks"][0]["taskArn"]
    task = _stopped(ecs, properties["Cluster"], arn, clock)
    status = task["containers"][0].get("exitCode")
    if status != 0:
        why = task["containers"][0].get("reason") or task.get("stoppedReason") or ""
        raise MigrationFailed(
            f"the migration ended with {status} ({why}); its log is in {properties['LogGroup']}, task {arn}"
        )


def _asks_for_tables(event: Mapping[str, Any]) -> bool:
    """Whether the tables are to be brought anywhere: they outlive the stack, and never go back."""
    if event["RequestType"] == "Delete":
        return False
    before = event.get("OldResourceProperties", {}).get("TaskDefinition")
    # A deployment that is rolled back asks for the version before. It would find the tables newer than itself
    # and leave them (chassis.migrations): there is no reason to have the way back wait for that.
    return before is None or _revision(event["ResourceProperties"]["TaskDefinition"]) >= _revision(before)


def _revision(task_definition: str) -> int:
    """ECS counts up: `arn:aws:ecs:REGION:ACCOUNT:task-definition/FAMILY:12`."""
    return int(task_definition.rpartition(":")[2])


def _stopped(ecs: Any, cluster: str, arn: str, clock: Clock) -> Mapping[str, Any]:
    deadline = clock.now() + PATIENCE_S
    while clock.now() < deadline:
        described = ecs.describe_tasks(cluster=cluster, tasks=[arn])["tasks"]
        # A task that was just started may not be known everywhere yet.
        if described and described[0]["lastStatus"] == "STOPPED":
            task: Mapping[str, Any] = described[0]
            return task
        clock.pause(_PAUSE_S)
    ecs.stop_task(cluster=cluster, task=arn, reason="the deployment does not wait any longer")
    raise MigrationFailed(
        f"the migration has not ended within {PATIENCE_S // 60} minutes and was stopped: {arn}"
    )


def put(url: str, reply: Mapping[str, Any]) -> None:
    """Answer CloudFormation."""
    request = urllib.request.Request(  # noqa: S310 - the address is CloudFormation's own
        url, json.dumps(reply).encode(), {"Content-Type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass
