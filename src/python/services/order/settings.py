"""The order service's environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, HttpUrl

from chassis.settings import ConsumerSettings, QueueUrl, ServiceSettings, TopicArn


class Settings(ServiceSettings, ConsumerSettings):
    """What the order service reads, beyond what every service does."""

    order_events_topic_arn: Annotated[TopicArn, Field(description="SNS topic order-events")]
    notification_events_topic_arn: Annotated[TopicArn, Field(description="SNS topic notification-events")]
    order_processing_queue_url: Annotated[QueueUrl, Field(description="SQS queue order-processing-queue")]
    product_url: Annotated[HttpUrl, Field(description="base URL of the product service")]
    user_url: Annotated[HttpUrl, Field(description="base URL of the user service")]
    order_deadline_s: Annotated[
        int, Field(ge=5, le=86400, description="seconds in which stock and payment must have answered")
    ] = 120
