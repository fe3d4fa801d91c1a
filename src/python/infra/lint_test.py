"""What cfn-lint, with AWS' schemas of all resources, says of the templates."""

from __future__ import annotations

from pathlib import Path

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from contracts.services import SERVICES
from infra import synthesis, template
from infra.environment import NAMES
from infra.template import Resource
from infra.testing import Deployment


@pytest.mark.parametrize("name", NAMES)
def test_cfn_lint_has_nothing_against_the_templates(name: str) -> None:
    """But what has a reason to be left."""
    paths = list(template.paths(Path("cdk.out") / name).values())
    # Of the account, network, messages, watching, gateway and experiments, and one of each service.
    assert 6 + len(SERVICES) == len(paths)
    assert [] == synthesis.lint(paths)


def test_cfn_lint_is_on(tmp_path: Path) -> None:
    """A template that CloudFormation would refuse is found out, by rule, place and what is wrong."""
    path = tmp_path / "wrong.template.json"
    path.write_text(
        '{"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"Colour": 1}}}}', "utf-8"
    )
    (found,) = [each for each in synthesis.lint([path]) if each.rule == "E3002"]
    assert "wrong.template.json Resources.Queue.Properties.Colour" == found.where
    assert "'Colour'" in found.what


def test_everything_that_can_have_tags_has_them(anywhere: Deployment) -> None:
    """Project, environment, architecture, and by what it is managed."""
    untagged = {}
    for stack, resource in anywhere.resources():
        name = _tags_of(resource.type)
        if name is None:
            continue
        expected = {
            "Project": "mercato",
            "Environment": "all" if stack == "mercato-ci" else anywhere.name,
            "Architecture": "microservices",
            "ManagedBy": "cdk",
        }
        if not expected.items() <= _tags(resource, name).items():
            untagged[stack, resource.id] = resource.properties.get(name)
    assert {} == untagged


def _tags_of(type: str) -> str | None:
    """The property in which AWS' schema of a type has tags."""
    if type.startswith("Custom::"):
        return None
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type).schema
    tagging = schema.get("tagging", {"taggable": "Tags" in schema["properties"]})
    if not tagging.get("taggable"):
        return None
    return str(tagging.get("tagProperty", "/properties/Tags")).rpartition("/")[2]


def _tags(resource: Resource, name: str) -> dict[str, str]:
    found = resource.properties.get(name, {})
    return found if isinstance(found, dict) else {pair["Key"]: pair["Value"] for pair in found}
