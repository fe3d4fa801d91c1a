"""The migration of a deployment: what it runs, what it waits for, and that CloudFormation hears of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from infra.functions.migrate import index
from infra.functions.migrate.index import Clock

TASK = "arn:aws:ecs:eu-central-1:123456789012:task/mercato-dev/1"
FAMILY = "arn:aws:ecs:eu-central-1:123456789012:task-definition/mercato-dev-order-migrate"
PROPERTIES = {
    "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:migrator",
    "Cluster": "mercato-dev",
    "TaskDefinition": f"{FAMILY}:12",
    "Subnets": ["subnet-1", "subnet-2"],
    "SecurityGroups": ["sg-1"],
    "LogGroup": "/mercato/dev/order",
}


class Ecs:
    """An ECS whose task goes through `states`, one each time it is looked at, and stays in the last."""

    def __init__(
        self, *states: Mapping[str, Any] | None, failures: list[Mapping[str, str]] | None = None
    ) -> None:
        self.states = list(states)
        self.failures = failures or []
        self.started: list[dict[str, Any]] = []
        self.stopped: list[dict[str, Any]] = []

    def run_task(self, **asked: Any) -> dict[str, Any]:
        """Start the task, or say why not."""
        self.started.append(asked)
        tasks = [] if self.failures else [{"taskArn": TASK}]
        return {"tasks": tasks, "failures": self.failures}

    def describe_tasks(self, *, cluster: str, tasks: list[str]) -> dict[str, Any]:
        """The task as it is now; not at all where it is not known yet."""
        assert ("mercato-dev", [TASK]) == (cluster, tasks)
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"tasks": [] if state is None else [state]}

    def stop_task(self, **asked: Any) -> None:
        """End the task."""
        self.stopped.append(asked)


class Broken(Ecs):
    """An ECS that refuses everything."""

    def run_task(self, **_: Any) -> dict[str, Any]:
        """Refuse."""
        raise PermissionError("not authorized to perform: ecs:RunTask " + 2000 * "x")


class CloudFormation:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Mapping[str, Any]]] = []

    def answer(self, url: str, reply: Mapping[str, Any]) -> None:
        """Hear of it."""
        self.heard.append((url, reply))


class Time:
    """Passes only while somebody waits for it."""

    def __init__(self) -> None:
        self.s = 1000.0

    def clock(self) -> Clock:
        """This time."""
        return Clock(now=lambda: self.s, pause=self.pass_by)

    def pass_by(self, seconds: float) -> None:
        """Wait."""
        self.s += seconds


def running(status: str = "RUNNING") -> dict[str, Any]:
    """A task that has not ended."""
    return {"lastStatus": status, "containers": [{"name": "order"}]}


def ended(status: int | None = 0, **said: str) -> dict[str, Any]:
    """A task that has ended; where its container did not run there is no status, and ECS says why."""
    container = {"name": "order"} if status is None else {"name": "order", "exitCode": status}
    reason = {"reason": said["reason"]} if "reason" in said else {}
    return {
        "lastStatus": "STOPPED",
        "containers": [container | reason],
        "stoppedReason": said.get("stopped", ""),
    }


def event(request: str = "Create", **more: Any) -> dict[str, Any]:
    """What CloudFormation asks."""
    return {
        "RequestType": request,
        "ResponseURL": "https://cloudformation.example/answer",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "ServiceMigration",
        "ResourceProperties": PROPERTIES,
        **more,
    }


def told(ecs: Ecs, asked: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """The one thing that CloudFormation hears."""
    cloudformation = CloudFormation()
    index.respond(asked or event(), ecs, cloudformation.answer, Time().clock())
    ((url, reply),) = cloudformation.heard
    assert "https://cloudformation.example/answer" == url
    return reply


SUCCESS = {
    "Status": "SUCCESS",
    "StackId": "stack",
    "RequestId": "request",
    "LogicalResourceId": "ServiceMigration",
    "PhysicalResourceId": "ServiceMigration",
}


# --- what it does


def test_the_task_runs_where_the_service_does() -> None:
    """In its subnets and with its group, which the database lets in; without an address of its own."""
    ecs = Ecs(ended())
    told(ecs)
    assert [
        {
            "cluster": "mercato-dev",
            "taskDefinition": f"{FAMILY}:12",
            "launchType": "FARGATE",
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": ["subnet-1", "subnet-2"],
                    "securityGroups": ["sg-1"],
                    "assignPublicIp": "DISABLED",
                }
            },
        }
    ] == ecs.started


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_a_migration_that_ends_well_is_told_of(request_type: str) -> None:
    """Under a name that stays: with another one CloudFormation would delete the one before."""
    assert SUCCESS == told(Ecs(ended()), event(request_type))


def test_it_waits_until_the_task_has_ended() -> None:
    """Which may not be known at first, and takes its time to be started and to stop."""
    ecs = Ecs(
        None, running("PROVISIONING"), running("PENDING"), running(), running("DEPROVISIONING"), ended()
    )
    assert "SUCCESS" == told(ecs)["Status"]
    assert [ended()] == ecs.states


def test_tables_outlive_the_stack() -> None:
    """A stack that is deleted, or a resource that is taken out, runs nothing."""
    ecs = Ecs(ended())
    assert SUCCESS == told(ecs, event("Delete"))
    assert [] == ecs.started


@pytest.mark.parametrize(("before", "runs"), [(11, True), (9, True), (12, True), (13, False), (100, False)])
def test_a_rollback_leaves_the_tables_as_they_are(before: int, runs: bool) -> None:
    """It asks for the version before, which knows nothing of the new tables: it would fail."""
    ecs = Ecs(ended())
    old = PROPERTIES | {"TaskDefinition": f"{FAMILY}:{before}"}
    assert SUCCESS == told(ecs, event("Update", OldResourceProperties=old))
    assert runs == bool(ecs.started)


# --- what goes wrong


def test_a_migration_that_fails_is_told_of_with_the_place_of_its_log() -> None:
    """Whoever deploys reads it where the deployment failed."""
    assert {
        **SUCCESS,
        "Status": "FAILED",
        "Reason": f"the migration ended with 1 (); its log is in /mercato/dev/order, task {TASK}",
    } == told(Ecs(running(), ended(1)))


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (
            ended(None, stopped="CannotPullContainerError: no such tag"),
            "CannotPullContainerError: no such tag",
        ),
        (
            ended(None, reason="ResourceInitializationError: no secret"),
            "ResourceInitializationError: no secret",
        ),
        (ended(137, reason="OutOfMemoryError", stopped="Essential container exited"), "OutOfMemoryError"),
    ],
)
def test_a_task_that_did_not_come_to_run_is_told_of_with_the_reason(state: dict[str, Any], why: str) -> None:
    """That of its container, else that of the task."""
    reply = told(Ecs(state))
    assert "FAILED" == reply["Status"]
    assert f"({why})" in reply["Reason"]


def test_a_task_that_does_not_start_is_told_of() -> None:
    """There is nothing to wait for."""
    reply = told(Ecs(failures=[{"reason": "RESOURCE:ENI"}]))
    assert ("FAILED", "the migration did not start: [{'reason': 'RESOURCE:ENI'}]") == (
        reply["Status"],
        reply["Reason"],
    )


def test_a_task_that_does_not_end_is_stopped_while_there_is_time_to_say_so() -> None:
    """After 13 minutes: the function itself is ended after 15, and could tell nobody."""
    ecs, time, cloudformation = Ecs(running()), Time(), CloudFormation()
    index.respond(event(), ecs, cloudformation.answer, time.clock())
    assert 13 * 60 == time.s - 1000
    assert [
        {"cluster": "mercato-dev", "task": TASK, "reason": "the deployment does not wait any longer"}
    ] == ecs.stopped
    ((_, reply),) = cloudformation.heard
    assert ("FAILED", f"the migration has not ended within 13 minutes and was stopped: {TASK}") == (
        reply["Status"],
        reply["Reason"],
    )


def test_whatever_goes_wrong_cloudformation_hears_of() -> None:
    """Else it would wait for long. It takes 4096 bytes: a reason is cut to 1000 characters."""
    reply = told(Broken())
    assert "FAILED" == reply["Status"]
    assert reply["Reason"].startswith("not authorized to perform: ecs:RunTask")
    assert 1000 == len(reply["Reason"])


def test_a_success_that_cannot_be_told_is_not_told_as_a_failure() -> None:
    """It is raised: Lambda calls again, and the second time there is nothing left to migrate."""

    def away(_: str, reply: Mapping[str, Any]) -> None:
        heard.append(reply["Status"])
        raise ConnectionError("away")

    heard: list[str] = []
    with pytest.raises(ConnectionError, match="away"):
        index.respond(event(), Ecs(ended()), away, Time().clock())
    assert ["SUCCESS"] == heard


# --- how CloudFormation is told


class Bucket(HTTPServer):
    """S3, where CloudFormation has its answers put; keeps path, content type and what was put."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Put)
        self.heard: list[tuple[str, str | None, Any]] = []


class _Put(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        assert isinstance(self.server, Bucket)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """A server that takes answers."""
    server = Bucket()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_answer_is_put_where_cloudformation_said(bucket: Bucket) -> None:
    """As JSON, without a content type: with one the signature of the address would be another."""
    index.put(f"http://127.0.0.1:{bucket.server_port}/answer?Signature=s", SUCCESS)
    assert [("/answer?Signature=s", "", SUCCESS)] == bucket.heard
