"""What is deployed fits what the services are: their environment, and what they may do on AWS."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import get_session

from chassis.settings import CommonSettings, SettingsError, load
from contracts.services import SERVICES
from services.user.tokens import new_signing_keys

FOLDER = Path("cdk.out")
# dev has no domain, prod has one and mails as it.
ENVIRONMENTS = ("dev", "prod")
SOURCES = Path(__file__).parents[1]

# What AWS, other people and the provider fill the secrets with.
SECRETS = {
    "SigningKeys": new_signing_keys(),
    "Stripe:api_key": "sk_live_1",
    "Stripe:webhook_secret": "whsec_1",
    "CacheToken": "token",
}

# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
# Batches are allowed as their singles are; a HEAD of an object is a GET, and asks for the right to list, too.
ACTIONS = {
    ("sns", "publish_batch"): {"sns:Publish"},
    ("sqs", "receive_message"): {"sqs:ReceiveMessage"},
    ("sqs", "delete_message_batch"): {"sqs:DeleteMessage"},
    ("sqs", "change_message_visibility_batch"): {"sqs:ChangeMessageVisibility"},
    ("s3", "head_object"): {"s3:GetObject", "s3:ListBucket"},
    ("s3", "get_object"): {"s3:GetObject"},
    ("s3", "put_object"): {"s3:PutObject"},
    ("s3", "delete_object"): {"s3:DeleteObject"},
    ("secretsmanager", "get_secret_value"): {"secretsmanager:GetSecretValue"},
    ("sesv2", "send_email"): {"ses:SendEmail", "ses:SendRawEmail"},
}
# Methods of other things that are called as operations of AWS are.
OTHERS = {("sns", "subscribe"): "Listener", ("sqs", "send_message"): "the connection to a mail server"}
# https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
READ_BY_OPENTELEMETRY = {"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}
# Of the collector beside the service, and of the key that topics and queues are encrypted with.
NOT_THE_CODES_OWN = ("xray:", "logs:", "kms:", "ssmmessages:")


@cache
def templates(environment: str) -> dict[str, Any]:
    """The templates of an environment, by the names of their stacks."""
    suffix = ".template.json"
    found = {
        path.name.removesuffix(suffix): json.loads(path.read_text("utf-8"))
        for path in (FOLDER / environment).glob(f"*{suffix}")
    }
    assert found, f"no templates of {environment} in {FOLDER}"
    return found


class Stack:
    """A stack as if it were deployed: what its template says, with values where AWS puts them."""

    def __init__(self, environment: str, name: str) -> None:
        self.environment = environment
        self.name = name
        self.resources: Mapping[str, Any] = templates(environment)[name]["Resources"]

    def value(self, said: Any) -> str:
        """What becomes of an expression of the template."""
        match said:
            case str():
                return said
            case {"Ref": name}:
                return self._reference(name)
            case {"Fn::GetAtt": [name, attribute]}:
                return self._attribute(name, attribute)
            case {"Fn::Join": [separator, parts]}:
                return str(separator).join(self.value(part) for part in parts)
            case {"Fn::ImportValue": name}:
                return self._imported(name)
        raise AssertionError(f"{self.name}: {said} is not known here")

    def _reference(self, name: str) -> str:
        if name.startswith("AWS::"):
            known = {"AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": "1" * 12}
            return known.get(name, "amazonaws.com")
        properties = self.resources[name].get("Properties", {})
        match self.resources[name]["Type"]:
            case "AWS::SNS::Topic":
                return f"arn:aws:sns:eu-central-1:111111111111:{properties['TopicName']}"
            case "AWS::SQS::Queue":
                return f"https://sqs.eu-central-1.amazonaws.com/111111111111/{properties['QueueName']}"
            case "AWS::SecretsManager::Secret":
                return f"arn:aws:secretsmanager:eu-central-1:111111111111:secret:{name}-abcdef"
        return name.lower()

    def _attribute(self, name: str, attribute: str) -> str:
        if attribute == "MasterUserSecret.SecretArn":
            return "arn:aws:secretsmanager:eu-central-1:111111111111:secret:rds!db-1-abcdef"
        if attribute == "Arn":
            return f"arn:aws:any:eu-central-1:111111111111:{self.resources[name]['Type']}/{name}"
        return f"{name.lower()}.{attribute.split('.')[0].lower()}.example"

    def _imported(self, export: str) -> str:
        for name, template in templates(self.environment).items():
            for output in template.get("Outputs", {}).values():
                if output.get("Export", {}).get("Name") == export:
                    return Stack(self.environment, name).value(output["Value"])
        raise AssertionError(f"{self.name} imports {export}, which no stack exports")

    def of_type(self, kind: str) -> Iterator[Mapping[str, Any]]:
        """The properties of each resource of a type."""
        for resource in self.resources.values():
            if resource["Type"] == kind:
                yield resource["Properties"]


def stack_of(environment: str, service: str) -> Stack:
    """A service's stack."""
    return Stack(environment, f"mercato-{environment}-{service}")


def containers(environment: str, service: str) -> list[tuple[Stack, Mapping[str, Any]]]:
    """The service's own container, in the task that serves and in the one that migrates."""
    stack = stack_of(environment, service)
    return [
        (stack, container)
        for task in stack.of_type("AWS::ECS::TaskDefinition")
        for container in task["ContainerDefinitions"]
        if container["Name"] == service
    ]


def variables(stack: Stack, container: Mapping[str, Any]) -> dict[str, str]:
    """What the container finds in its environment."""
    found = {each["Name"]: stack.value(each["Value"]) for each in container["Environment"]}
    for secret in container.get("Secrets", []):
        found[secret["Name"]] = secret_value(stack.value(secret["ValueFrom"]))
    return found


def secret_value(arn: str) -> str:
    """What is in the secret, or in a field of it: ARN:FIELD::"""
    name, _, field = arn.partition(":secret:")[2].partition(":")
    known = re.sub(r"[0-9A-F]{8}-abcdef$", "", name)
    return SECRETS[f"{known}:{field.strip(':')}" if field else known]


def settings_of(service: str) -> type[CommonSettings]:
    """The class of the service's settings."""
    found: type[CommonSettings] = import_module(f"services.{service}.settings").Settings
    return found


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("service", SERVICES)
def test_a_services_settings_start_from_what_its_containers_are_given(
    service: str, environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the task that serves, and of the one that migrates."""
    found = containers(environment, service)
    assert 2 == len(found)
    for stack, container in found:
        with monkeypatch.context() as context:
            for name in settings_of(service).model_fields:
                context.delenv(name.upper(), raising=False)
            for name, value in variables(stack, container).items():
                context.setenv(name, value)
            settings = load(settings_of(service))
        assert environment == settings.environment


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_given_nothing_that_its_service_does_not_read(service: str, environment: str) -> None:
    """A name that nobody reads is a mistake, or will be taken for one that works."""
    read = {name.upper() for name in settings_of(service).model_fields} | READ_BY_OPENTELEMETRY
    for stack, container in containers(environment, service):
        assert set() == set(variables(stack, container)) - read


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_without_one_of_its_variables_does_not_start(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the first test would have noticed: each that the service cannot do without is missed by name."""
    stack, container = containers("dev", service)[0]
    given = variables(stack, container)
    fields = settings_of(service).model_fields
    for name in fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for missing in (name for name in given if name.lower() in fields and fields[name.lower()].is_required()):
        with monkeypatch.context() as context:
            for name, value in given.items():
                if name != missing:
                    context.setenv(name, value)
            with pytest.raises(SettingsError, match=missing):
                load(settings_of(service))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_on_aws_what_its_code_calls_and_no_more(service: str, environment: str) -> None:
    """Both ways: a call without a right fails at night, and a right without a call waits for an intruder."""
    stack = stack_of(environment, service)
    allowed = {action for action in allowed_actions(stack) if not action.startswith(NOT_THE_CODES_OWN)}
    assert called_actions(service) == allowed


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_use_the_topics_and_the_queue_that_it_is_told_of(service: str) -> None:
    """And no other: the names in its environment and the rights of its role are of the same things."""
    stack, container = containers("dev", service)[0]
    told = variables(stack, container)
    topics = {value for name, value in told.items() if name.endswith("_TOPIC_ARN")}
    queues = {value.rpartition("/")[2] for name, value in told.items() if name.endswith("_QUEUE_URL")}
    assert topics == allowed_resources(stack, "sns:Publish")
    assert queues == {queue_name(arn) for arn in allowed_resources(stack, "sqs:ReceiveMessage")}


def queue_name(arn: str) -> str:
    """The name of the queue whose logical id is in `arn`; see Stack."""
    logical_id = arn.rpartition("/")[2]
    messaging = Stack("dev", "mercato-dev-messaging")
    return str(messaging.resources[logical_id]["Properties"]["QueueName"])


def allowed_actions(stack: Stack) -> set[str]:
    """What the role of the service's tasks allows."""
    return {action for statement in statements(stack) for action in listed(statement["Action"])}


def allowed_resources(stack: Stack, action: str) -> set[str]:
    """What the role allows `action` on."""
    return {
        stack.value(resource)
        for statement in statements(stack)
        if action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def listed(said: Any) -> list[Any]:
    """One or several, as policies write them."""
    return said if isinstance(said, list) else [said]


def statements(stack: Stack) -> Iterator[Mapping[str, Any]]:
    """What the policy of the tasks' role says."""
    (role,) = [name for name in stack.resources if re.fullmatch(r"ServiceTaskRole[0-9A-F]{8}", name)]
    for policy in stack.of_type("AWS::IAM::Policy"):
        if {"Ref": role} in policy["Roles"]:
            yield from policy["PolicyDocument"]["Statement"]


def called_actions(service: str) -> set[str]:
    """What the service's code calls on the clients that it opens, as rights of IAM."""
    folder = SOURCES / "services" / service
    own = [path for path in folder.glob("*.py") if not path.name.endswith("_test.py")]
    shared = [path for path in (SOURCES / "chassis").glob("*.py") if not path.name.endswith("_test.py")]
    # Every service reads its database's password.
    opened = set(clients(own)) | {"secretsmanager"}
    calls = set(called(own + shared))
    return {
        action
        for (client, call), actions in ACTIONS.items()
        if client in opened and call in calls
        for action in actions
    }


def clients(paths: list[Path]) -> Iterator[str]:
    """The services of AWS that `aws.client("…")` is called for."""
    for node in nodes(paths):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="aws"), attr="client"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def called(paths: list[Path]) -> Iterator[str]:
    """Every method that is called, and what is signed for others to call."""
    for node in nodes(paths):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)):
                yield name
            case ast.Constant(value=str(text)) if ("s3", text) in ACTIONS:
                yield text


def nodes(paths: list[Path]) -> Iterator[ast.AST]:
    """Every node of the modules' syntax."""
    for path in paths:
        yield from ast.walk(ast.parse(path.read_text("utf-8")))


def test_every_call_of_aws_in_the_code_is_known_here() -> None:
    """Else a new one would need no right."""
    paths = [*SOURCES.glob("chassis/*.py"), *SOURCES.glob("services/*/*.py")]
    shipped = [path for path in paths if not path.name.endswith(("_test.py", "conftest.py", "testing.py"))]
    opened = set(clients(shipped))
    assert {client for client, _ in ACTIONS} == opened
    names = set(called(shipped))
    operations = {
        (client, xform_name(operation))
        for client in opened
        for operation in get_session().get_service_model(client).operation_names
    }
    found = {(client, name) for client, name in operations if name in names}
    assert set(ACTIONS) == found - set(OTHERS)


def test_an_image_keeps_what_describes_the_services_of_aws_that_are_called() -> None:
    """Its trimming takes the others away: a client of one of them could not be made, in images alone."""
    (kept,) = [
        ast.literal_eval(node.value)
        for node in nodes([Path("build-support/images/trim.py")])
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "AWS"
    ]
    assert {client for client, _ in ACTIONS} <= kept
