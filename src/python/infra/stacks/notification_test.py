"""The notification stack: it may send as its own identity, and as no other."""

from __future__ import annotations

from infra.stacks.testing import health, instance, routing, variables
from infra.testing import Deployment


def test_the_database_is_a_t3_micro(anywhere: Deployment) -> None:
    """Backed up for seven days: what was sent cannot be sent back."""
    assert {
        "class": "db.t3.micro",
        "storage": (20, 100),
        "backup days": 7,
        "performance insights": False,
    } == instance(anywhere["notification"])


def test_it_answers_notifications_at_priority_500(anywhere: Deployment) -> None:
    """After payments."""
    assert (["/api/notifications", "/api/notifications/*"], 500) == routing(anywhere["notification"])
    assert ("/health", 30, 5, 3) == health(anywhere["notification"])


def test_with_a_domain_it_sends_as_that(with_domain: Deployment) -> None:
    """By an identity that SES knows to be ours: its keys and its return path are in the zone."""
    template = with_domain["notification"]
    identity = template.only("AWS::SES::EmailIdentity")
    assert ("mercato.example.com", "mail.mercato.example.com") == (
        identity.properties["EmailIdentity"],
        identity.properties["MailFromAttributes"]["MailFromDomain"],
    )
    records = [record.properties for record in template.resources("AWS::Route53::RecordSet")]
    assert {"Z0123456789ABC"} == {record["HostedZoneId"] for record in records}
    assert ["CNAME", "CNAME", "CNAME", "MX", "TXT"] == sorted(record["Type"] for record in records)
    assert {f"${{{identity.id}.DkimDNSTokenValue{index}}}" for index in (1, 2, 3)} == {
        value for record in records if record["Type"] == "CNAME" for value in record["ResourceRecords"]
    }
    assert "Mercato <no-reply@mercato.example.com>" == variables(template, "notification")["MAIL_FROM"]


def test_without_a_domain_it_sends_as_an_address_whose_owner_ses_asks(in_dev: Deployment) -> None:
    """There is no zone in which anything could be proved."""
    template = in_dev["notification"]
    sender = template.only("AWS::SES::EmailIdentity").properties["EmailIdentity"]
    assert f"Mercato <{sender}>" == variables(template, "notification")["MAIL_FROM"]
    assert [] == list(template.resources("AWS::Route53::RecordSet"))


def test_mails_go_out_by_ses(anywhere: Deployment) -> None:
    """By the role of the task: there is no mail server, and no password of one."""
    assert "SMTP_URL" not in variables(anywhere["notification"], "notification")
