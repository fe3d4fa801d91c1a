"""The product service's environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from chassis.settings import ConsumerSettings, QueueUrl, ServiceSettings, TopicArn


def _redis(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("redis://", "rediss://")):
        raise ValueError("it must look like redis://:password@host:6379/0, or rediss:// with TLS")
    return url


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BucketName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis)]


class Settings(ServiceSettings, ConsumerSettings):
    """What the product service reads, beyond what every service does."""

    inventory_events_topic_arn: Annotated[TopicArn, Field(description="SNS topic inventory-events")]
    inventory_update_queue_url: Annotated[QueueUrl, Field(description="SQS queue inventory-update-queue")]
    images_bucket: Annotated[BucketName, Field(description="S3 bucket of the products' images")]
    redis_url: Annotated[RedisUrl, Field(description="cache, redis://:password@host:port/0")]
    redis_password: Annotated[
        SecretStr | None, Field(description="AUTH token of the cache, where its URL carries none")
    ] = None
