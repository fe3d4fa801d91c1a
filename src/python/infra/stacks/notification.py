"""The notification service: tells customers, by Amazon SES."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_ses as ses
from constructs import Construct

from contracts.topology import NOTIFICATION_QUEUE
from infra.constructs.database import InstanceSize
from infra.constructs.service import Spec
from infra.stacks.service import Ground, ServiceStack


class NotificationStack(ServiceStack):
    """May send as its own identity, and as no other."""

    def __init__(self, scope: Construct, ground: Ground) -> None:
        super().__init__(scope, "notification", ground)
        sender, identity = self._identity()
        self.deploy(
            Spec(
                "notification",
                priority=500,
                consumes=NOTIFICATION_QUEUE,
                environment={"MAIL_FROM": f"Mercato <{sender}>"},
                # What is sent is a whole message, which SES asks a second right for:
                # https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html
                statements=[
                    iam.PolicyStatement(
                        actions=["ses:SendEmail", "ses:SendRawEmail"],
                        resources=[identity.email_identity_arn],
                    )
                ],
            ),
            InstanceSize("t3.micro", storage_gib=20, maximum_storage_gib=100, backup_days=7),
        )

    def _identity(self) -> tuple[str, ses.EmailIdentity]:
        """The domain where there is one; else an address, whose owner SES asks."""
        environment = self.ground.environment
        if environment.domain_name is None or environment.hosted_zone_id is None:
            sender = environment.alert_email or "no-reply@mercato.example"
            return sender, ses.EmailIdentity(self, "Sender", identity=ses.Identity.email(sender))
        zone = route53.PublicHostedZone.from_public_hosted_zone_attributes(
            self, "Zone", hosted_zone_id=environment.hosted_zone_id, zone_name=environment.domain_name
        )
        identity = ses.EmailIdentity(
            self,
            "Sender",
            identity=ses.Identity.public_hosted_zone(zone),
            mail_from_domain=f"mail.{environment.domain_name}",
        )
        return f"no-reply@{environment.domain_name}", identity
