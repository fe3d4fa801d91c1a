"""What each service's process finds in its environment: what its `settings.py` reads, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from backing.broker import Provisioned
from backing.ports import LOOPBACK
from contracts.services import SERVICES
from devstack.state import Secrets

# Set in the environment of `./pants up`, these are used in the place of what it would start.
DATABASE_URL = "DATABASE_URL"
AWS_ENDPOINT_URL = "AWS_ENDPOINT_URL"
REDIS_URL = "REDIS_URL"
SMTP_URL = "SMTP_URL"
STRIPE_API_BASE = "STRIPE_API_BASE"
STRIPE_API_KEY = "STRIPE_API_KEY"
STRIPE_WEBHOOK_SECRET = "STRIPE_WEBHOOK_SECRET"  # noqa: S105 - a name, not a secret

LOCAL_STRIPE_KEY = "sk_test_mercato"


@dataclass(frozen=True)
class Backing:
    """Where everything is that the services speak to."""

    database_urls: Mapping[str, str]
    aws: Mapping[str, str]
    provisioned: Provisioned
    redis_url: str
    smtp_url: str
    stripe_api_base: str | None
    stripe_api_key: str
    stripe_webhook_secret: str
    internal_url: str


def environment(service: str, port: int, backing: Backing, secrets: Secrets) -> dict[str, str]:
    """The environment of a replica of `service` that listens on `port`."""
    common = {
        "HOST": LOOPBACK,
        "PORT": str(port),
        "ENVIRONMENT": "local",
        "DATABASE_URL": backing.database_urls[service],
    }
    return common | dict(backing.aws) | _of_service(service, backing, secrets)


def _of_service(service: str, backing: Backing, secrets: Secrets) -> dict[str, str]:
    topics, queues = backing.provisioned.topic_arns, backing.provisioned.queue_urls
    jwks = {"JWKS_URL": backing.internal_url}
    match service:
        case "user":
            return {
                "SIGNING_KEYS": secrets.signing_keys,
                "USER_EVENTS_TOPIC_ARN": topics["user-events"],
                "NOTIFICATION_EVENTS_TOPIC_ARN": topics["notification-events"],
            }
        case "product":
            return jwks | {
                "INVENTORY_EVENTS_TOPIC_ARN": topics["inventory-events"],
                "INVENTORY_UPDATE_QUEUE_URL": queues["inventory-update-queue"],
                "IMAGES_BUCKET": backing.provisioned.bucket,
                "REDIS_URL": backing.redis_url,
            }
        case "order":
            return jwks | {
                "ORDER_EVENTS_TOPIC_ARN": topics["order-events"],
                "NOTIFICATION_EVENTS_TOPIC_ARN": topics["notification-events"],
                "ORDER_PROCESSING_QUEUE_URL": queues["order-processing-queue"],
                "PRODUCT_URL": backing.internal_url,
                "USER_URL": backing.internal_url,
            }
        case "payment":
            api = {"STRIPE_API_BASE": backing.stripe_api_base} if backing.stripe_api_base else {}
            return (
                jwks
                | api
                | {
                    "PAYMENT_EVENTS_TOPIC_ARN": topics["payment-events"],
                    "PAYMENT_PROCESSING_QUEUE_URL": queues["payment-processing-queue"],
                    "STRIPE_API_KEY": backing.stripe_api_key,
                    "STRIPE_WEBHOOK_SECRET": backing.stripe_webhook_secret,
                }
            )
        case "notification":
            return jwks | {
                "NOTIFICATION_QUEUE_URL": queues["notification-queue"],
                "SMTP_URL": backing.smtp_url,
            }
        case _ if service in SERVICES:
            return jwks
    raise ValueError(f"no service {service!r}: there are {', '.join(SERVICES)}")


def database_name(service: str) -> str:
    """The name of a service's own database, on whatever server."""
    return f"mercato_{service}"


def database_url(account: str, service: str) -> str:
    """The URL of a service's own database on the server that `account` leads to."""
    return urlunsplit(urlsplit(account)._replace(path=f"/{database_name(service)}"))
