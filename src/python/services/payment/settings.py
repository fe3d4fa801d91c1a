"""The payment service's environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, HttpUrl, SecretStr

from chassis.settings import ConsumerSettings, QueueUrl, ServiceSettings, TopicArn


def _api_key(key: SecretStr) -> SecretStr:
    # Publishable keys (pk_) may not do what is asked of the provider here.
    if not key.get_secret_value().startswith(("sk_", "rk_")):
        raise ValueError("it must be a secret key (sk_...) or a restricted one (rk_...)")
    return key


def _webhook_secret(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().startswith("whsec_"):
        raise ValueError("it must be a webhook endpoint's signing secret (whsec_...)")
    return secret


class Settings(ServiceSettings, ConsumerSettings):
    """What the payment service reads, beyond what every service does."""

    # Beside the routes, each worker that calls the provider holds a connection while it waits for the answer.
    database_pool_size: Annotated[int, Field(ge=14, le=100)] = 20
    payment_events_topic_arn: Annotated[TopicArn, Field(description="SNS topic payment-events")]
    payment_processing_queue_url: Annotated[QueueUrl, Field(description="SQS queue payment-processing-queue")]
    stripe_api_key: Annotated[SecretStr, AfterValidator(_api_key), Field(description="Stripe's secret key")]
    stripe_webhook_secret: Annotated[
        SecretStr,
        AfterValidator(_webhook_secret),
        Field(description="with which Stripe signs what it posts to /api/payments/webhook"),
    ]
    stripe_api_base: Annotated[
        HttpUrl | None, Field(description="where Stripe's API is; Stripe's own address without it")
    ] = None
