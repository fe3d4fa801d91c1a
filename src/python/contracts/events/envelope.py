"""CloudEvents 1.0 in structured JSON mode: the one shape in which every event travels.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

# The SNS message attribute that subscriptions filter on.
EVENT_TYPE_ATTRIBUTE = "event_type"
TRACEPARENT_ATTRIBUTE = "traceparent"


class Event(BaseModel):
    """What an event says. A subclass names its type and major version and is immutable.

    Readers ignore fields they do not know, so that a producer may add one without asking.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    version: ClassVar[int]

    def __init_subclass__(
        cls,
        *,
        type: str | None = None,  # noqa: A002 - reads well where a subclass names it
        version: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        if type is not None:  # a base that only shares fields has none
            cls.type = type
            cls.version = version

    @property
    def subject(self) -> uuid.UUID:
        """The id of the thing the event is about; events of one subject belong together."""
        raise NotImplementedError(f"{type(self).__name__} does not name its subject")

    def older(self) -> Event | None:
        """The same news as the major version before says it, while that is still published; else None."""
        return None


class Envelope(BaseModel):
    """A CloudEvent around an `Event`.

    `type` is `mercato.<EVENT_TYPE>.v<major>`; `traceparent` is the Distributed Tracing extension
    (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/distributed-tracing.md).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: uuid.UUID
    source: Annotated[str, Field(pattern=r"^/services/[a-z]+$")]
    type: Annotated[str, Field(pattern=r"^mercato\.[A-Z_]+\.v[1-9][0-9]*$")]
    subject: uuid.UUID
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    traceparent: str | None = None
    data: dict[str, Any]

    @classmethod
    def wrap(
        cls,
        event: Event,
        *,
        id: uuid.UUID,  # noqa: A002 - the attribute's name in CloudEvents
        source: str,
        time: dt.datetime,
        traceparent: str | None = None,
    ) -> Envelope:
        """Put `event` in an envelope; `source` is the publishing service's name, such as "order"."""
        return cls(
            id=id,
            source=f"/services/{source}",
            type=qualified_type(type(event)),
            subject=event.subject,
            time=time,
            traceparent=traceparent,
            data=event.model_dump(mode="json"),
        )

    def to_json(self) -> str:
        """The envelope as it goes on the wire."""
        return self.model_dump_json(exclude_none=True)


def qualified_type(event: type[Event]) -> str:
    """The CloudEvents `type` of an event class: `mercato.ORDER_CREATED.v1`."""
    return f"mercato.{event.type}.v{event.version}"


def routing_type(event: type[Event]) -> str:
    """What subscriptions filter on: `ORDER_CREATED`, and for a later major version `ORDER_CREATED.v2`.

    A queue that asks for one version is so not given another, which its consumer could not read.
    """
    return event.type if event.version == 1 else f"{event.type}.v{event.version}"
