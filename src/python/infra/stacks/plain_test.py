"""A plain service: what every service has, and nothing else."""

from __future__ import annotations

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from contracts.services import SERVICES
from infra import environment
from infra.stacks.messaging import MessagingStack
from infra.stacks.observability import ObservabilityStack
from infra.stacks.plain import PlainStack
from infra.stacks.service import Ground
from infra.stacks.shared import SharedStack

IMAGES = {f"{service}_image": "1.0.0" for service in SERVICES}


@pytest.fixture(scope="module")
def template() -> Template:
    """The stack of a service that has a log and an image there, but asks for nothing of its own here."""
    app = cdk.App()
    dev = environment.load({"environment": "dev"} | IMAGES)
    shared = SharedStack(app, dev)
    messaging = MessagingStack(app, dev, shared)
    alerts = ObservabilityStack(app, dev, shared).alerts
    return Template.from_stack(PlainStack(app, "user", Ground(dev, shared, messaging, alerts)))


def test_it_has_a_database_and_the_routes_of_its_name(template: Template) -> None:
    """Of the smallest size, at the priority of its place among the services."""
    template.has_resource_properties(
        "AWS::RDS::DBInstance", {"DBInstanceClass": "db.t3.micro", "DBName": "mercato_user"}
    )
    paths = {
        "Field": "path-pattern",
        "PathPatternConfig": {"Values": ["/api/users", "/api/users/*"]},
    }
    template.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        {"Conditions": [paths], "Priority": 100 * (1 + SERVICES.index("user"))},
    )


def test_it_publishes_nothing_and_hears_nothing(template: Template) -> None:
    """Nor does it send mails: what it may do is to read its password, and to write logs and traces."""
    actions = [
        action
        for policy in template.find_resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for action in (
            statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        )
    ]
    assert "secretsmanager:GetSecretValue" in actions
    assert [] == [each for each in actions if each.startswith(("sns:", "sqs:", "ses:", "kms:"))]
