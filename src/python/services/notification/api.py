"""The routes of the notification service: parse, call, shape the answer."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from chassis import paging
from chassis.auth import SignedIn
from chassis.clock import Clock, utc_now
from chassis.database import Database
from chassis.openapi import named
from chassis.paging import Cursor, Limit, Page
from chassis.problems import Invalid, NotFound
from services.notification import store
from services.notification.domain import Category, Kind, Notification, Preferences
from services.notification.templates import Templates

router = APIRouter(prefix="/api/notifications", tags=["notifications"])


@dataclass(frozen=True)
class Parts:
    """What the routes work with."""

    database: Database
    templates: Templates
    clock: Clock = utc_now


async def _parts(request: Request) -> Parts:
    # Async, though it waits for nothing: FastAPI would call it in a thread otherwise.
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(_parts)]


class MailsMandatory(Invalid):
    slug, title = "mails-mandatory", "Mails cannot be switched off"


class NotificationView(BaseModel):
    """Something the customer was told."""

    id: uuid.UUID
    kind: Kind
    category: Category
    title: str
    text: str
    order_id: uuid.UUID | None
    created_at: dt.datetime
    read_at: dt.datetime | None


class MailPreferences(BaseModel):
    """Which categories are mailed; what is not is in the list all the same."""

    model_config = ConfigDict(extra="forbid")

    orders: StrictBool
    payments: StrictBool
    account: Annotated[StrictBool, Field(description="Always true: these mails protect the account.")] = True


@router.get("", operation_id="list_notifications")
async def list_notifications(
    caller: SignedIn,
    parts: PartsDep,
    read: Annotated[bool | None, Query(description="only those that were read, or were not")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[NotificationView]:
    """What the caller was told, newest first."""
    before = paging.decode(cursor, uuid.UUID)[0] if cursor is not None else None
    async with parts.database.reading() as connection:
        found = await store.of_customer(connection, caller.id, read=read, before=before, limit=limit + 1)
    more = len(found) > limit
    return Page(
        items=[_view(parts, notification) for notification in found[:limit]],
        next_cursor=paging.encode(found[limit - 1].id) if more else None,
    )


@router.get("/preferences", operation_id="get_mail_preferences")
async def get_preferences(caller: SignedIn, parts: PartsDep) -> MailPreferences:
    """Which mails the caller gets."""
    async with parts.database.reading() as connection:
        wanted = await store.preferences(connection, caller.id)
    return MailPreferences(orders=wanted.orders, payments=wanted.payments)


@router.put("/preferences", responses={422: named(MailsMandatory)}, operation_id="set_mail_preferences")
async def set_preferences(body: MailPreferences, caller: SignedIn, parts: PartsDep) -> MailPreferences:
    """Say which mails to get; it holds for those that are on their way too."""
    if not body.account:
        raise MailsMandatory(
            "/account: it must be true. These mails tell of changes that somebody else may have made."
        )
    async with parts.database.transaction() as tx:
        await store.save_preferences(tx, caller.id, Preferences(body.orders, body.payments))
    return body


@router.get("/{notification_id:uuid}", operation_id="get_notification")
async def get_notification(notification_id: uuid.UUID, caller: SignedIn, parts: PartsDep) -> NotificationView:
    """A notification. Its customer and admins may see it."""
    async with parts.database.reading() as connection:
        try:
            found = await store.find(connection, notification_id)
        except store.NotificationUnknown:
            raise _unknown() from None
    # 404, not 403: whether an id exists is nobody else's business.
    if found.customer_id != caller.id and not caller.is_admin:
        raise _unknown()
    return _view(parts, found)


@router.put("/{notification_id:uuid}/read", operation_id="read_notification")
async def read_notification(
    notification_id: uuid.UUID, caller: SignedIn, parts: PartsDep
) -> NotificationView:
    """Mark one of the caller's notifications as read; the first time counts."""
    async with parts.database.transaction() as tx:
        try:
            found = await store.mark_read(tx, caller.id, notification_id, parts.clock())
        except store.NotificationUnknown:
            raise _unknown() from None
    return _view(parts, found)


def _unknown() -> NotFound:
    return NotFound("You have no such notification.")


def _view(parts: Parts, notification: Notification) -> NotificationView:
    return NotificationView(
        id=notification.id,
        kind=notification.kind,
        category=notification.category,
        title=parts.templates.title(notification),
        text=parts.templates.summary(notification),
        order_id=notification.order_id,
        created_at=notification.created_at,
        read_at=notification.read_at,
    )
