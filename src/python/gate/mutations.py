"""Changes of providers and producers: those that break somebody, and those that break nobody.

Each is an edit of the sources as somebody could make it; `gate.mutants` makes it and asks the gates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

# Those that others rely on.
PROVIDERS = ("order", "payment", "product", "user")


class Edit(NamedTuple):
    """In the file `path`, below src/python, `old` becomes `new`; it stands there exactly once."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutation:
    """A change of `service`, or of "all"; `kind` says what sort of change it is."""

    name: str
    kind: str
    service: str
    edits: tuple[Edit, ...]

    @property
    def providers(self) -> tuple[str, ...]:
        """The services of which consumers have to find the pacts kept."""
        return PROVIDERS if self.service == "all" else tuple({self.service}.intersection(PROVIDERS))


def _mutation(name: str, kind: str, service: str, *edits: tuple[str, str, str]) -> Mutation:
    return Mutation(name, kind, service, tuple(Edit(*each) for each in edits))


_ENVELOPE = "contracts/events/envelope.py"
_INVENTORY_EVENTS = "contracts/events/inventory.py"
_MONEY = "contracts/money.py"
_NOTICES = "contracts/events/notification.py"
_ORDER_EVENTS = "contracts/events/order.py"
_PAYMENT_EVENTS = "contracts/events/payment.py"
_TOPOLOGY = "contracts/topology.py"
_USER_EVENTS = "contracts/events/user.py"
_OUTBOX = "chassis/outbox.py"
_PAGING = "chassis/paging.py"
_NOTIFICATION = "services/notification/api.py"
_ORDER = "services/order/api.py"
_ORDERS = "services/order/domain.py"
_PAYMENT = "services/payment/api.py"
_PAYMENTS = "services/payment/domain.py"
_PRODUCT = "services/product/api.py"
_PRODUCT_VIEWS = "services/product/views.py"
_QUOTES = "services/product/cache.py"
_IMAGES = "services/product/image_api.py"
_STOCK = "services/product/domain.py"
_USER = "services/user/api.py"
_ADDRESSES = "services/user/addresses.py"
_BODIES = "services/user/bodies.py"
_SESSIONS = "services/user/sessions.py"
_TOKENS = "services/user/tokens.py"
_USERS = "services/user/domain.py"

_EVENTS_OF_ORDERS = (
    # Order
    _mutation(
        "ORDER_CREATED without expires_at",
        "field removed",
        "order",
        (_ORDER_EVENTS, "    expires_at: AwareDatetime\n", ""),
    ),
    _mutation(
        "ORDER_CREATED says pay_with instead of payment_method_id",
        "field renamed",
        "order",
        (_ORDER_EVENTS, "payment_method_id: uuid.UUID", "pay_with: uuid.UUID"),
        (_ORDERS, "payment_method_id=order.payment_method_id", "pay_with=order.payment_method_id"),
    ),
    _mutation(
        "ORDER_CREATED may lack its total",
        "made optional",
        "order",
        (
            _ORDER_EVENTS,
            "total: Money\n    payment_method_id",
            "total: Money | None = None\n    payment_method_id",
        ),
    ),
    _mutation(
        "ORDER_CREATED with a date instead of an instant",
        "unit changed",
        "order",
        (_ORDER_EVENTS, "import uuid\n", "import datetime as dt\nimport uuid\n"),
        (_ORDER_EVENTS, "expires_at: AwareDatetime", "expires_at: dt.date"),
        (_ORDERS, "expires_at=order.expires_at,", "expires_at=order.expires_at.date(),"),
    ),
    _mutation(
        "ORDER_CREATED with its lines in an object",
        "list wrapped",
        "order",
        (
            _ORDER_EVENTS,
            "class _OrderEvent(Event):",
            "class Lines(BaseModel):\n    items: tuple[OrderLine, ...]\n\n\nclass _OrderEvent(Event):",
        ),
        (_ORDER_EVENTS, "lines: Annotated[tuple[OrderLine, ...], Field(min_length=1)]", "lines: Lines"),
        (_ORDERS, "lines=order.lines,", 'lines={"items": order.lines},'),
    ),
    _mutation(
        "ORDER_CREATED as version 2",
        "version bumped",
        "order",
        (_ORDER_EVENTS, 'type="ORDER_CREATED"', 'type="ORDER_CREATED", version=2'),
    ),
    _mutation(
        "ORDER_UPDATED with a revision of letters",
        "type changed",
        "order",
        (_ORDER_EVENTS, "revision: Annotated[int, Field(ge=1)]", "revision: str"),
        (_ORDERS, "revision=revision\n", "revision=str(revision)\n"),
    ),
    _mutation(
        "ORDER_UPDATED is not told",
        "event dropped",
        "order",
        (_ORDERS, 'f"to {address.city}"), (event,))', 'f"to {address.city}"))'),
    ),
    _mutation(
        "ORDER_CONFIRMED without total",
        "field removed",
        "order",
        (_ORDER_EVENTS, 'taken out."""\n\n    total: Money\n', 'taken out."""\n'),
    ),
    _mutation(
        "ORDER_CONFIRMED must say by whom",
        "required field added",
        "order",
        (
            _ORDER_EVENTS,
            'taken out."""\n\n    total: Money\n',
            'taken out."""\n\n    total: Money\n    confirmed_by: str\n',
        ),
        (
            _ORDERS,
            "OrderConfirmed.model_validate(about),",
            'OrderConfirmed.model_validate(about | {"confirmed_by": "us"}),',
        ),
    ),
    _mutation(
        "an order is cancelled for another reason",
        "enum value added",
        "order",
        (_ORDER_EVENTS, '    "out_of_stock",\n', '    "out_of_stock",\n    "fraud_suspected",\n'),
    ),
    _mutation(
        "ORDER_CANCELLED under another spelling",
        "event renamed",
        "order",
        (_ORDER_EVENTS, 'type="ORDER_CANCELLED"', 'type="ORDER_CANCELED"'),
    ),
    _mutation(
        "customers of orders have ids with a prefix",
        "id format changed",
        "order",
        (_ORDER_EVENTS, "BaseModel, ConfigDict, Field\n", "BaseModel, ConfigDict, Field, field_serializer\n"),
        (
            _ORDER_EVENTS,
            "    customer_id: uuid.UUID\n",
            (
                '    customer_id: uuid.UUID\n\n    @field_serializer("customer_id")\n'
                "    def _prefixed(self, customer_id: uuid.UUID) -> str:\n"
                '        return f"cus_{customer_id.hex}"\n'
            ),
        ),
    ),
    _mutation(
        "addresses may lack the postal code",
        "made nullable",
        "order",
        (_ORDER_EVENTS, "postal_code: str", "postal_code: str | None = None"),
    ),
    _mutation(
        "ORDER_CANCELLED_NOTICE may lack its reason",
        "made optional",
        "order",
        (_NOTICES, "reason: CancelReason", "reason: CancelReason | None = None"),
    ),
    _mutation(
        "notices of orders without total",
        "field removed",
        "order",
        (_NOTICES, "    total: Money\n", ""),
    ),
    _mutation(
        "ORDER_CONFIRMED_NOTICE is not told",
        "event dropped",
        "order",
        (_ORDERS, ", OrderConfirmedNotice.model_validate(about)),", ",),"),
    ),
)

_EVENTS_OF_PAYMENTS = (
    # Payment
    _mutation(
        "PAYMENT_AUTHORIZED without amount",
        "field removed",
        "payment",
        (
            _PAYMENT_EVENTS,
            'nothing has been taken."""\n\n    amount: Money\n',
            'nothing has been taken."""\n',
        ),
    ),
    _mutation(
        "PAYMENT_AUTHORIZED is not told",
        "event dropped",
        "payment",
        (_PAYMENTS, "status=Status.AUTHORIZED), (event,))", "status=Status.AUTHORIZED))"),
    ),
    _mutation(
        "PAYMENT_FAILED says message instead of detail",
        "field renamed",
        "payment",
        (_PAYMENT_EVENTS, "    detail: str\n", "    message: str\n"),
        (_PAYMENTS, "        detail=detail,\n", "        message=detail,\n"),
    ),
    _mutation(
        "PAYMENT_FAILED in another stage",
        "enum value added",
        "payment",
        (
            _PAYMENT_EVENTS,
            'Literal["authorization", "capture"]',
            'Literal["authorization", "capture", "refund"]',
        ),
    ),
    _mutation(
        "PAYMENT_FAILED in a stage of another spelling",
        "enum value renamed",
        "payment",
        (_PAYMENT_EVENTS, 'Literal["authorization", "capture"]', 'Literal["authorisation", "capture"]'),
        (_PAYMENTS, "        stage=stage,\n", '        stage=stage.replace("z", "s"),\n'),
    ),
    _mutation(
        "PAYMENT_FAILED may lack its code",
        "made nullable",
        "payment",
        (_PAYMENT_EVENTS, "    code: str\n", "    code: str | None = None\n"),
    ),
    _mutation(
        "PAYMENT_COMPLETED is PAYMENT_CAPTURED",
        "event renamed",
        "payment",
        (_PAYMENT_EVENTS, 'type="PAYMENT_COMPLETED"', 'type="PAYMENT_CAPTURED"'),
    ),
    _mutation(
        "PAYMENT_COMPLETED is not told",
        "event dropped",
        "payment",
        (_PAYMENTS, "return Outcome(taken, (event,))", "return Outcome(taken)"),
    ),
    _mutation(
        "PAYMENT_VOIDED as version 2",
        "version bumped",
        "payment",
        (_PAYMENT_EVENTS, 'type="PAYMENT_VOIDED"', 'type="PAYMENT_VOIDED", version=2'),
    ),
    _mutation(
        "PAYMENT_REFUNDED with a bare number",
        "type changed",
        "payment",
        (_PAYMENT_EVENTS, "total_refunded: Money", "total_refunded: int"),
        (
            _PAYMENTS,
            "total_refunded=Money(amount=payment.refunded, currency=currency)",
            "total_refunded=payment.refunded",
        ),
    ),
    _mutation(
        "PAYMENT_REFUNDED without refund_id",
        "field removed",
        "payment",
        (_PAYMENT_EVENTS, "    refund_id: uuid.UUID\n", ""),
    ),
)

_EVENTS_OF_STOCK = (
    # Product
    _mutation(
        "STOCK_REJECTED says missing instead of shortages",
        "field renamed",
        "product",
        (_INVENTORY_EVENTS, "    shortages: ", "    missing: "),
        (_STOCK, "shortages=shortages", "missing=shortages"),
    ),
    _mutation(
        "STOCK_REJECTED without a shortage",
        "bound loosened",
        "product",
        (_INVENTORY_EVENTS, "Field(min_length=1)", "Field(min_length=0)"),
    ),
    _mutation(
        "a shortage does not say what is available",
        "field removed",
        "product",
        (_INVENTORY_EVENTS, "    available: Annotated[int, Field(ge=0)]\n", ""),
    ),
    _mutation(
        "a shortage in words",
        "type changed",
        "product",
        (_INVENTORY_EVENTS, "requested: Annotated[int, Field(ge=1)]", "requested: str"),
        (_STOCK, "requested=line.quantity", 'requested=f"{line.quantity} pieces"'),
    ),
    _mutation(
        "STOCK_RESERVED is STOCK_HELD",
        "event renamed",
        "product",
        (_INVENTORY_EVENTS, 'type="STOCK_RESERVED"', 'type="STOCK_HELD"'),
    ),
    _mutation(
        "STOCK_REJECTED as version 2",
        "version bumped",
        "product",
        (_INVENTORY_EVENTS, 'type="STOCK_REJECTED"', 'type="STOCK_REJECTED", version=2'),
    ),
    _mutation(
        "STOCK_RESERVED is not told",
        "event dropped",
        "product",
        (_STOCK, "RESERVE, (StockReserved(order_id=order_id),))", "RESERVE)"),
    ),
)

_EVENTS_OF_USERS = (
    # User
    _mutation(
        "events of users without e-mail address",
        "field removed",
        "user",
        (_USER_EVENTS, "    email: str\n", ""),
    ),
    _mutation(
        "events of users say name instead of display_name",
        "field renamed",
        "user",
        (_USER_EVENTS, "    display_name: str\n", "    name: str\n"),
        (_USERS, "display_name=user.display_name, revision=", "name=user.display_name, revision="),
        (_USERS, "display_name=changed.display_name, revision=", "name=changed.display_name, revision="),
    ),
    _mutation(
        "events of users count revisions from zero",
        "bound loosened",
        "user",
        (_USER_EVENTS, "Field(ge=1, ", "Field(ge=0, "),
    ),
    _mutation(
        "USER_REGISTERED is USER_SIGNED_UP",
        "event renamed",
        "user",
        (_USER_EVENTS, 'type="USER_REGISTERED"', 'type="USER_SIGNED_UP"'),
    ),
    _mutation(
        "USER_UPDATED is not told",
        "event dropped",
        "user",
        (
            _USER,
            "            await parts.outbox.add(tx, *outcome.events)\n    return view(outcome.user)",
            "    return view(outcome.user)",
        ),
    ),
    _mutation(
        "WELCOME_NOTICE is not told",
        "event dropped",
        "user",
        (_USERS, "(told, WelcomeNotice(customer_id=user.id))", "(told,)"),
    ),
)

_ENVELOPES = (
    # What is around every event
    _mutation(
        "events without the attribute that routes them",
        "attribute dropped",
        "all",
        (
            _OUTBOX,
            "attributes = {EVENT_TYPE_ATTRIBUTE: routing_type(EVENTS[job.kind])}",
            "attributes: dict[str, str] = {}",
        ),
    ),
    _mutation(
        "events are routed by another attribute",
        "attribute renamed",
        "all",
        (_ENVELOPE, 'EVENT_TYPE_ATTRIBUTE = "event_type"', 'EVENT_TYPE_ATTRIBUTE = "eventType"'),
    ),
    _mutation(
        "events are routed by their qualified type",
        "attribute changed",
        "all",
        (_OUTBOX, "EVENT_TYPE_ATTRIBUTE: routing_type(EVENTS[job.kind])", "EVENT_TYPE_ATTRIBUTE: job.kind"),
    ),
    _mutation(
        "events go without their envelope",
        "envelope dropped",
        "all",
        (_OUTBOX, "import asyncio\n", "import asyncio\nimport json\n"),
        (_OUTBOX, '"Message": job.body,', '"Message": json.dumps(json.loads(job.body)["data"]),'),
    ),
    _mutation(
        "events do not say their subject",
        "field removed",
        "all",
        (_ENVELOPE, "exclude_none=True", 'exclude_none=True, exclude={"subject"}'),
    ),
    _mutation(
        "events say occurred_at instead of time",
        "field renamed",
        "all",
        (_ENVELOPE, "    time: AwareDatetime\n", "    occurred_at: AwareDatetime\n"),
        (_ENVELOPE, "            time=time,\n", "            occurred_at=time,\n"),
    ),
    _mutation(
        "events tell the time in seconds",
        "unit changed",
        "all",
        (_ENVELOPE, "BaseModel, ConfigDict, Field\n", "BaseModel, ConfigDict, Field, PlainSerializer\n"),
        (
            _ENVELOPE,
            "    time: AwareDatetime\n",
            "    time: Annotated[AwareDatetime, PlainSerializer(lambda time: int(time.timestamp()))]\n",
        ),
    ),
    _mutation(
        "events have ids without dashes",
        "id format changed",
        "all",
        (_ENVELOPE, "BaseModel, ConfigDict, Field\n", "BaseModel, ConfigDict, Field, PlainSerializer\n"),
        (
            _ENVELOPE,
            "    id: uuid.UUID\n    source",
            "    id: Annotated[uuid.UUID, PlainSerializer(lambda id: id.hex)]\n    source",
        ),
    ),
    _mutation(
        "the types of events have another prefix",
        "event renamed",
        "all",
        (_ENVELOPE, r"^mercato\.[A-Z_]+", r"^shop\.[A-Z_]+"),
        (_ENVELOPE, 'return f"mercato.', 'return f"shop.'),
    ),
    _mutation(
        "the sources of events are bare names",
        "id format changed",
        "all",
        (_ENVELOPE, "^/services/[a-z]+$", "^[a-z]+$"),
        (_ENVELOPE, 'source=f"/services/{source}"', "source=source"),
    ),
    _mutation(
        "the data of events is text",
        "type changed",
        "all",
        (_ENVELOPE, "    data: dict[str, Any]\n", "    data: str\n"),
        (_ENVELOPE, 'event.model_dump(mode="json")', "event.model_dump_json()"),
    ),
    _mutation(
        "events refuse fields that they do not know",
        "unknown fields refused",
        "all",
        (
            _ENVELOPE,
            'without asking.\n    """\n\n    model_config = ConfigDict(frozen=True, extra="ignore")',
            'without asking.\n    """\n\n    model_config = ConfigDict(frozen=True, extra="forbid")',
        ),
    ),
    _mutation(
        "money in major units",
        "unit changed",
        "all",
        (_MONEY, "BaseModel, ConfigDict, Field\n", "BaseModel, ConfigDict, Field, PlainSerializer\n"),
        (
            _MONEY,
            "examples=[1999])]",
            'examples=[1999]), PlainSerializer(lambda it: f"{it / 100:.2f}", return_type=str)]',
        ),
    ),
    _mutation(
        "money below zero",
        "bound loosened",
        "all",
        (_MONEY, "ge=0, ", ""),
    ),
    _mutation(
        "currencies of four letters",
        "pattern changed",
        "all",
        (_MONEY, "^[A-Z]{3}$", "^[A-Z]{3,4}$"),
    ),
)

_DELIVERIES = (
    _mutation(
        "STOCK_RESERVED is published with the orders",
        "event moved",
        "product",
        (_TOPOLOGY, 'Topic("order-events", (', 'Topic("order-events", (StockReserved, '),
        (
            _TOPOLOGY,
            'Topic("inventory-events", (StockReserved, StockRejected))',
            'Topic("inventory-events", (StockRejected,))',
        ),
        (
            _TOPOLOGY,
            "    Subscription(PAYMENT_EVENTS, ORDER_QUEUE,",
            (
                "    Subscription(ORDER_EVENTS, ORDER_QUEUE, (StockReserved,)),\n"
                "    Subscription(PAYMENT_EVENTS, ORDER_QUEUE,"
            ),
        ),
    ),
    _mutation(
        "notices of orders have a topic of their own",
        "event moved",
        "order",
        (
            _TOPOLOGY,
            '    "notification-events", (WelcomeNotice, OrderConfirmedNotice, OrderCancelledNotice)\n)\n',
            (
                '    "notification-events", (WelcomeNotice,)\n)\n'
                'NOTICES = Topic("notices", (OrderConfirmedNotice, OrderCancelledNotice))\n'
            ),
        ),
        (_TOPOLOGY, "INVENTORY_EVENTS, USER_EVENTS)", "INVENTORY_EVENTS, USER_EVENTS, NOTICES)"),
        (
            _TOPOLOGY,
            "    Subscription(NOTIFICATION_EVENTS, NOTIFICATION_QUEUE),\n",
            (
                "    Subscription(NOTIFICATION_EVENTS, NOTIFICATION_QUEUE),\n"
                "    Subscription(NOTICES, NOTIFICATION_QUEUE),\n"
            ),
        ),
    ),
    _mutation(
        "the topic of stock has another name",
        "topic renamed",
        "product",
        (_TOPOLOGY, 'Topic("inventory-events"', 'Topic("stock-events"'),
    ),
    _mutation(
        "the queue of payments has another name",
        "queue renamed",
        "payment",
        (_TOPOLOGY, 'Queue("payment-processing-queue"', 'Queue("payments-queue"'),
    ),
    _mutation(
        "dead letters are kept elsewhere",
        "queue renamed",
        "all",
        (_TOPOLOGY, '{self.name}-dlq"', '{self.name}-dead-letters"'),
    ),
    _mutation(
        "the notification service hears of no failed payment",
        "filter narrowed",
        "notification",
        (
            _TOPOLOGY,
            "NOTIFICATION_QUEUE, (PaymentCompleted, PaymentFailed)",
            "NOTIFICATION_QUEUE, (PaymentCompleted,)",
        ),
    ),
    _mutation(
        "the product service hears of no cancellation",
        "filter narrowed",
        "product",
        (
            _TOPOLOGY,
            "INVENTORY_QUEUE, (OrderCreated, OrderConfirmed, OrderCancelled)",
            "INVENTORY_QUEUE, (OrderCreated, OrderConfirmed)",
        ),
    ),
    _mutation(
        "the order service does not hear of stock",
        "subscription removed",
        "order",
        (_TOPOLOGY, "    Subscription(INVENTORY_EVENTS, ORDER_QUEUE, INVENTORY_EVENTS.events),\n", ""),
    ),
)

_ROUTES_OF_NOTIFICATIONS = (
    # Notification
    _mutation(
        "a notification without its text",
        "field removed",
        "notification",
        (_NOTIFICATION, "    text: str\n", ""),
        (_NOTIFICATION, "        text=parts.templates.summary(notification),\n", ""),
    ),
    _mutation(
        "a notification says order instead of order_id",
        "field renamed",
        "notification",
        (_NOTIFICATION, "    order_id: uuid.UUID | None\n", "    order: uuid.UUID | None\n"),
        (_NOTIFICATION, "order_id=notification.order_id", "order=notification.order_id"),
    ),
    _mutation(
        "a notification of a day",
        "unit changed",
        "notification",
        (_NOTIFICATION, "    created_at: dt.datetime\n", "    created_at: dt.date\n"),
        (_NOTIFICATION, "created_at=notification.created_at", "created_at=notification.created_at.date()"),
    ),
    _mutation(
        "a notification of another category",
        "enum value added",
        "notification",
        (
            "services/notification/domain.py",
            '    ACCOUNT = "account"\n',
            '    ACCOUNT = "account"\n    OFFERS = "offers"\n',
        ),
    ),
    _mutation(
        "notifications as a bare list",
        "list unwrapped",
        "notification",
        (_NOTIFICATION, ") -> Page[NotificationView]:", ") -> list[NotificationView]:"),
        (
            _NOTIFICATION,
            (
                "    return Page(\n"
                "        items=[_view(parts, notification) for notification in found[:limit]],\n"
                "        next_cursor=paging.encode(found[limit - 1].id) if more else None,\n    )\n"
            ),
            "    return [_view(parts, notification) for notification in found[:limit]]\n",
        ),
    ),
    _mutation(
        "notifications are not told apart by read",
        "parameter renamed",
        "notification",
        (_NOTIFICATION, 'Query(description="only those', 'Query(alias="seen", description="only those'),
    ),
    _mutation(
        "preferences must name the account",
        "required input added",
        "notification",
        (_NOTIFICATION, 'protect the account.")] = True', 'protect the account.")]'),
        (
            _NOTIFICATION,
            "MailPreferences(orders=wanted.orders, payments=wanted.payments)",
            "MailPreferences(orders=wanted.orders, payments=wanted.payments, account=True)",
        ),
    ),
    _mutation(
        "preferences need an Idempotency-Key",
        "required header added",
        "notification",
        (_NOTIFICATION, "Depends, Query, Request\n", "Depends, Header, Query, Request\n"),
        (
            _NOTIFICATION,
            "async def set_preferences(body: MailPreferences, caller: SignedIn, parts: PartsDep)",
            (
                "async def set_preferences(\n    body: MailPreferences, caller: SignedIn, parts: PartsDep, "
                'key: Annotated[str, Header(alias="Idempotency-Key")]\n)'
            ),
        ),
    ),
    _mutation(
        "preferences are elsewhere",
        "route moved",
        "notification",
        (_NOTIFICATION, '@router.get("/preferences"', '@router.get("/settings"'),
    ),
    _mutation(
        "notifications are read by POST",
        "method changed",
        "notification",
        (
            _NOTIFICATION,
            '@router.put("/{notification_id:uuid}/read"',
            '@router.post("/{notification_id:uuid}/read"',
        ),
    ),
    _mutation(
        "reading a notification answers 202",
        "status changed",
        "notification",
        (
            _NOTIFICATION,
            'operation_id="read_notification"',
            'operation_id="read_notification", status_code=202',
        ),
    ),
)

_ROUTES_OF_ORDERS = (
    # Order
    _mutation(
        "cancelling an order is elsewhere",
        "route moved",
        "order",
        (_ORDER, '"/{order_id:uuid}/cancel"', '"/{order_id:uuid}/cancellation"'),
    ),
    _mutation(
        "the address of an order is changed by PATCH",
        "method changed",
        "order",
        (
            _ORDER,
            '@router.put(\n    "/{order_id:uuid}/address"',
            '@router.patch(\n    "/{order_id:uuid}/address"',
        ),
    ),
    _mutation(
        "placing an order answers 202",
        "status changed",
        "order",
        (_ORDER, "status_code=201", "status_code=202"),
        (_ORDER, "once.answer(tx, 201", "once.answer(tx, 202"),
    ),
    _mutation(
        "an order does not say what was refunded",
        "field removed",
        "order",
        (_ORDER, "    refunded: Money\n", ""),
        (_ORDER, "        refunded=Money(amount=order.refunded, currency=order.total.currency),\n", ""),
    ),
    _mutation(
        "an order may lack its deadline",
        "made nullable",
        "order",
        (_ORDER, "    expires_at: dt.datetime\n", "    expires_at: dt.datetime | None = None\n"),
    ),
    _mutation(
        "an order is SHIPPED",
        "enum value added",
        "order",
        (_ORDERS, '    CONFIRMED = "CONFIRMED"\n', '    CONFIRMED = "CONFIRMED"\n    SHIPPED = "SHIPPED"\n'),
    ),
    _mutation(
        "an order needs a phone number",
        "required input added",
        "order",
        (
            _ORDER,
            "    payment_method_id: uuid.UUID\n    address_id: uuid.UUID\n",
            "    payment_method_id: uuid.UUID\n    address_id: uuid.UUID\n    phone: str\n",
        ),
    ),
    _mutation(
        "an order of ten pieces at most",
        "bound tightened",
        "order",
        (_ORDER, "MAX_QUANTITY = 1000", "MAX_QUANTITY = 10"),
    ),
    _mutation(
        "orders are not listed by status",
        "parameter removed",
        "order",
        (_ORDER, "    status: Annotated[Status | None, Query()] = None,\n", ""),
        (_ORDER, "status=status, ", "status=None, "),
    ),
)

_ROUTES_OF_PAYMENTS = (
    # Payment
    _mutation(
        "refunding answers 200",
        "status changed",
        "payment",
        (_PAYMENT, "    status_code=202,\n", "    status_code=200,\n"),
        (_PAYMENT, "once.answer(tx, 202,", "once.answer(tx, 200,"),
    ),
    _mutation(
        "the payment of an order is elsewhere",
        "route moved",
        "payment",
        (_PAYMENT, '"/by-order/{order_id:uuid}"', '"/of-order/{order_id:uuid}"'),
    ),
    _mutation(
        "a payment method is removed by POST",
        "method changed",
        "payment",
        (_PAYMENT, '@router.delete("/methods/{method_id:uuid}"', '@router.post("/methods/{method_id:uuid}"'),
    ),
    _mutation(
        "a payment method says digits instead of last4",
        "field renamed",
        "payment",
        (_PAYMENT, "    last4: str\n", "    digits: str\n"),
        (_PAYMENT, "        last4=method.last4,\n", "        digits=method.last4,\n"),
    ),
    _mutation(
        "a payment method expires in a month of letters",
        "type changed",
        "payment",
        (_PAYMENT, "    exp_month: int\n", "    exp_month: str\n"),
        (_PAYMENT, "        exp_month=method.exp_month,\n", "        exp_month=str(method.exp_month),\n"),
    ),
    _mutation(
        "a payment is DISPUTED",
        "enum value added",
        "payment",
        (_PAYMENTS, '    VOIDED = "VOIDED"\n', '    VOIDED = "VOIDED"\n    DISPUTED = "DISPUTED"\n'),
    ),
    _mutation(
        "a payment shown fails in another stage",
        "enum value added",
        "payment",
        (
            _PAYMENTS,
            'Stage = Literal["authorization", "capture"]',
            'Stage = Literal["authorization", "capture", "refund"]',
        ),
    ),
    _mutation(
        "a payment shown says reason instead of detail",
        "field renamed",
        "payment",
        (_PAYMENT, "    code: str\n    detail: str\n", "    code: str\n    reason: str\n"),
        (_PAYMENT, "detail=failure.detail", "reason=failure.detail"),
    ),
    _mutation(
        "a refund has an id with a prefix",
        "id format changed",
        "payment",
        (
            _PAYMENT,
            "    id: uuid.UUID\n    amount: Money\n    status: RefundStatus",
            "    id: str\n    amount: Money\n    status: RefundStatus",
        ),
        (_PAYMENT, "RefundView(id=each.id,", 'RefundView(id=f"re_{each.id.hex}",'),
    ),
    _mutation(
        "the refunds of a payment are paged",
        "list wrapped",
        "payment",
        (_PAYMENT, "    refunds: list[RefundView]\n", "    refunds: Page[RefundView]\n"),
        (_PAYMENT, "        refunds=[\n", "        refunds=Page(items=[\n"),
        (_PAYMENT, "        ],\n        shipping_address", "        ]),\n        shipping_address"),
    ),
    _mutation(
        "only tokens of cards are taken",
        "pattern tightened",
        "payment",
        (_PAYMENT, "^pm_[A-Za-z0-9_]+$", "^pm_card_[a-z]+$"),
    ),
    _mutation(
        "a refund must say how much",
        "required input added",
        "payment",
        (_PAYMENT, "    amount: Amount | None = None\n", "    amount: Amount\n"),
    ),
)

_ROUTES_OF_PRODUCTS = (
    # Product
    _mutation(
        "quotes are elsewhere",
        "route moved",
        "product",
        (_PRODUCT, '@router.get("/quotes"', '@router.get("/prices"'),
    ),
    _mutation(
        "quotes are asked for by another parameter",
        "parameter renamed",
        "product",
        (
            _PRODUCT,
            "            max_length=MAX_QUOTES * 40,",
            '            alias="products", max_length=MAX_QUOTES * 40,',
        ),
    ),
    _mutation(
        "quotes need a token",
        "auth required",
        "product",
        (_PRODUCT, "from chassis.auth import Admin\n", "from chassis.auth import Admin, SignedIn\n"),
        (_PRODUCT, "async def get_quotes(\n", "async def get_quotes(\n    _: SignedIn,\n"),
    ),
    _mutation(
        "quotes are made with price instead of unit_price",
        "field renamed",
        "product",
        (_QUOTES, '"unit_price": price', '"price": price'),
    ),
    _mutation(
        "quotes are made without the name",
        "field removed",
        "product",
        (_QUOTES, '"name": row.name, ', ""),
    ),
    _mutation(
        "quotes in major units",
        "unit changed",
        "product",
        (_QUOTES, '"amount": row.price,', '"amount": row.price / 100,'),
    ),
    _mutation(
        "quotes as a bare list",
        "list unwrapped",
        "product",
        (_PRODUCT, """b'{"items":[' +""", """b"[" +"""),
        (_PRODUCT, """+ b"]}")""", """+ b"]")"""),
    ),
    _mutation(
        "products as text",
        "media type changed",
        "product",
        (_PRODUCT, 'media_type="application/json"', 'media_type="text/plain"'),
    ),
    _mutation(
        "searching needs a token",
        "auth required",
        "product",
        (_PRODUCT, "from chassis.auth import Admin\n", "from chassis.auth import Admin, SignedIn\n"),
        (_PRODUCT, "async def search_products(\n", "async def search_products(\n    _: SignedIn,\n"),
    ),
    _mutation(
        "a product in stock in words",
        "type changed",
        "product",
        (_PRODUCT_VIEWS, "    in_stock: bool\n", "    in_stock: str\n"),
        (_PRODUCT_VIEWS, "in_stock=found.in_stock", "in_stock=str(found.in_stock)"),
        (_PRODUCT_VIEWS, "in_stock=product.available > 0", "in_stock=str(product.available > 0)"),
    ),
    _mutation(
        "a product is a draft",
        "enum value added",
        "product",
        (_PRODUCT_VIEWS, 'Literal["for_sale", "retired"]', 'Literal["for_sale", "retired", "draft"]'),
    ),
    _mutation(
        "a product needs a SKU",
        "required input added",
        "product",
        (_PRODUCT, "    sku: ShortLine | None = None\n", "    sku: ShortLine\n"),
    ),
    _mutation(
        "an image is led to by 302",
        "status changed",
        "product",
        (_IMAGES, "    status_code=307,\n", "    status_code=302,\n"),
        (_IMAGES, "responses={307:", "responses={302:"),
        (_IMAGES, "Response(status_code=307,", "Response(status_code=302,"),
    ),
)

_ROUTES_OF_USERS = (
    # User
    _mutation(
        "signing keys cut short",
        "pattern changed",
        "user",
        (
            _TOKENS,
            "return dict(self._published)",
            'return {"keys": [each | {"x": each["x"][:8]} for each in self._published["keys"]]}',
        ),
    ),
    _mutation(
        "signing keys without their ids and curves",
        "field removed",
        "user",
        (
            _TOKENS,
            "return dict(self._published)",
            'return {"keys": [{"kty": each["kty"], "x": each["x"]} for each in self._published["keys"]]}',
        ),
    ),
    _mutation(
        "signing keys in another object",
        "list wrapped",
        "user",
        (_TOKENS, "return dict(self._published)", 'return {"jwks": self._published}'),
    ),
    _mutation(
        "signing keys are elsewhere",
        "route moved",
        "user",
        (_USER, '"/.well-known/jwks.json"', '"/.well-known/keys.json"'),
    ),
    _mutation(
        "signing keys as plain JSON",
        "media type changed",
        "user",
        (_USER, '_JWK_SET = "application/jwk-set+json"', '_JWK_SET = "application/json"'),
    ),
    _mutation(
        "signing keys need a token",
        "auth required",
        "user",
        (
            _USER,
            "async def signing_keys(parts: PartsDep)",
            "async def signing_keys(_: SignedIn, parts: PartsDep)",
        ),
    ),
    _mutation(
        "an address is sent without its country",
        "field removed",
        "user",
        (
            _ADDRESSES,
            'operation_id="get_address"',
            'response_model_exclude={"country"}, operation_id="get_address"',
        ),
    ),
    _mutation(
        "an address that is not there is a conflict",
        "status changed",
        "user",
        (_ADDRESSES, 'return NotFound("You have', 'return Conflict("You have'),
        (_ADDRESSES, "def _unknown() -> NotFound:", "def _unknown() -> Conflict:"),
    ),
    _mutation(
        "an address is shown to admins alone",
        "auth required",
        "user",
        (_ADDRESSES, "from chassis.auth import SignedIn\n", "from chassis.auth import Admin, SignedIn\n"),
        (
            _ADDRESSES,
            "async def get_address(address_id: uuid.UUID, caller: SignedIn,",
            "async def get_address(address_id: uuid.UUID, caller: Admin,",
        ),
    ),
    _mutation(
        "an address of three countries",
        "pattern tightened",
        "user",
        (_BODIES, 'pattern=r"^[A-Z]{2}$"', 'pattern=r"^(AT|CH|DE)$"'),
    ),
    _mutation(
        "signing in gives no refresh token",
        "field removed",
        "user",
        (_SESSIONS, "    refresh_token: str\n", ""),
        (_SESSIONS, "        refresh_token=token.text,\n", ""),
    ),
    _mutation(
        "signing out answers 200",
        "status changed",
        "user",
        (_SESSIONS, '"/logout", status_code=204', '"/logout", status_code=200'),
    ),
    _mutation(
        "a password of sixteen characters",
        "bound tightened",
        "user",
        (_BODIES, "min_length=12", "min_length=16"),
    ),
    _mutation(
        "a profile is changed by PUT",
        "method changed",
        "user",
        (_USER, '@router.patch(\n    "/me"', '@router.put(\n    "/me"'),
    ),
    _mutation(
        "somebody supports",
        "enum value added",
        "user",
        (_USERS, '    SERVICE = "service"\n', '    SERVICE = "service"\n    SUPPORT = "support"\n'),
    ),
    _mutation(
        "a user may lack the day of registration",
        "made nullable",
        "user",
        (_USER, "    registered_at: dt.datetime\n", "    registered_at: dt.datetime | None = None\n"),
    ),
)

BREAKING = (
    *_EVENTS_OF_ORDERS,
    *_EVENTS_OF_PAYMENTS,
    *_EVENTS_OF_STOCK,
    *_EVENTS_OF_USERS,
    *_ENVELOPES,
    *_DELIVERIES,
    *_ROUTES_OF_NOTIFICATIONS,
    *_ROUTES_OF_ORDERS,
    *_ROUTES_OF_PAYMENTS,
    *_ROUTES_OF_PRODUCTS,
    *_ROUTES_OF_USERS,
)
"""Each breaks somebody who is deployed."""

_COMPATIBLE_EVENTS = (
    _mutation(
        "ORDER_CREATED may have a note",
        "optional field added",
        "order",
        (
            _ORDER_EVENTS,
            "    expires_at: AwareDatetime\n",
            "    expires_at: AwareDatetime\n    note: str | None = None\n",
        ),
    ),
    _mutation(
        "ORDER_CONFIRMED says by whom, or nothing",
        "optional field added",
        "order",
        (
            _ORDER_EVENTS,
            'taken out."""\n\n    total: Money\n',
            'taken out."""\n\n    total: Money\n    confirmed_by: str = ""\n',
        ),
        (
            _ORDERS,
            "OrderConfirmed.model_validate(about),",
            'OrderConfirmed.model_validate(about | {"confirmed_by": "us"}),',
        ),
    ),
    _mutation(
        "events of orders in another order of fields",
        "fields reordered",
        "order",
        (
            _ORDER_EVENTS,
            "    order_id: uuid.UUID\n    customer_id: uuid.UUID\n",
            "    customer_id: uuid.UUID\n    order_id: uuid.UUID\n",
        ),
    ),
    _mutation(
        "ORDER_CREATED in other words",
        "description changed",
        "order",
        (_ORDER_EVENTS, "An order was placed: stock is", "Somebody bought something: stock is"),
    ),
    _mutation(
        "ORDER_ARCHIVED is told of besides",
        "event type added",
        "order",
        (
            _ORDER_EVENTS,
            "class OrderCancelled(",
            (
                'class OrderArchived(_OrderEvent, type="ORDER_ARCHIVED"):\n    """Long gone."""\n\n\n'
                "class OrderCancelled("
            ),
        ),
        (
            _TOPOLOGY,
            "import OrderCancelled, OrderConfirmed, OrderCreated,",
            "import OrderArchived, OrderCancelled, OrderConfirmed, OrderCreated,",
        ),
        (_TOPOLOGY, 'Topic("order-events", (', 'Topic("order-events", (OrderArchived, '),
    ),
    _mutation(
        "ORDER_CONFIRMED also as version 2",
        "version added beside the old",
        "order",
        (
            _ORDER_EVENTS,
            "class OrderCancelled(",
            (
                'class OrderConfirmedV2(_OrderEvent, type="ORDER_CONFIRMED", version=2):\n'
                '    """With its sum."""\n\n    amount: Money\n\n    def older(self) -> OrderConfirmed:\n'
                "        return OrderConfirmed(order_id=self.order_id, customer_id=self.customer_id, "
                "total=self.amount)\n\n\nclass OrderCancelled("
            ),
        ),
        (
            _TOPOLOGY,
            "import OrderCancelled, OrderConfirmed, OrderCreated,",
            "import OrderCancelled, OrderConfirmed, OrderConfirmedV2, OrderCreated,",
        ),
        (_TOPOLOGY, 'Topic("order-events", (', 'Topic("order-events", (OrderConfirmedV2, '),
        (_ORDERS, "    OrderConfirmed,\n", "    OrderConfirmedV2,\n"),
        (
            _ORDERS,
            "OrderConfirmed.model_validate(about),",
            'OrderConfirmedV2.model_validate(about | {"amount": order.total}),',
        ),
    ),
    _mutation(
        "PAYMENT_FAILED may say whether to try again",
        "optional field added",
        "payment",
        (_PAYMENT_EVENTS, "    detail: str\n", "    detail: str\n    retryable: bool = False\n"),
    ),
    _mutation(
        "PAYMENT_REFUNDED in another order of fields",
        "fields reordered",
        "payment",
        (
            _PAYMENT_EVENTS,
            "    refund_id: uuid.UUID\n    amount: Money\n",
            "    amount: Money\n    refund_id: uuid.UUID\n",
        ),
    ),
    _mutation(
        "a shortage may say until when",
        "optional field added",
        "product",
        (
            _INVENTORY_EVENTS,
            "    available: Annotated[int, Field(ge=0)]\n",
            "    available: Annotated[int, Field(ge=0)]\n    more_on: str | None = None\n",
        ),
    ),
    _mutation(
        "a shortage by another name in the code",
        "definition renamed",
        "product",
        (_INVENTORY_EVENTS, "class Shortage(", "class Missing("),
        (_INVENTORY_EVENTS, "tuple[Shortage, ...]", "tuple[Missing, ...]"),
        (_STOCK, "import Shortage, StockRejected", "import Missing, StockRejected"),
        (_STOCK, "        Shortage(product_id", "        Missing(product_id"),
    ),
    _mutation(
        "events of users may say a language",
        "optional field added",
        "user",
        (_USER_EVENTS, "    display_name: str\n", '    display_name: str\n    language: str = "en"\n'),
    ),
    _mutation(
        "the revision of a user in other words",
        "description changed",
        "user",
        (_USER_EVENTS, "Grows with each change, so", "Goes up, so"),
    ),
    _mutation(
        "notices of orders may say a channel",
        "optional field added",
        "order",
        (_NOTICES, "    total: Money\n", "    total: Money\n    channel: str | None = None\n"),
    ),
    _mutation(
        "money may be written out",
        "optional field added",
        "all",
        (_MONEY, "    currency: Currency\n", "    currency: Currency\n    written: str | None = None\n"),
    ),
    _mutation(
        "events may name their schema",
        "attribute added",
        "all",
        (
            _ENVELOPE,
            "    traceparent: str | None = None\n    data:",
            "    traceparent: str | None = None\n    dataschema: str | None = None\n    data:",
        ),
    ),
    _mutation(
        "SNS is told the source too",
        "attribute added",
        "all",
        (
            _OUTBOX,
            "    if job.traceparent:\n",
            '    attributes["kind"] = job.kind\n    if job.traceparent:\n',
        ),
    ),
    _mutation(
        "the outbox goes out five at a time",
        "internals changed",
        "all",
        (_OUTBOX, "_BATCH = 10", "_BATCH = 5"),
    ),
)

_COMPATIBLE_DELIVERIES = (
    _mutation(
        "the notification service hears of refunds",
        "filter widened",
        "notification",
        (
            _TOPOLOGY,
            "NOTIFICATION_QUEUE, (PaymentCompleted, PaymentFailed)",
            "NOTIFICATION_QUEUE, (PaymentCompleted, PaymentFailed, PaymentRefunded)",
        ),
    ),
    _mutation(
        "orders are kept for an archive",
        "queue added",
        "order",
        (
            _TOPOLOGY,
            "\nQUEUES = (",
            (
                '\nARCHIVE = Queue("archive-queue", "order", visibility_timeout_s=60, max_receive_count=5)\n'
                "\nQUEUES = (ARCHIVE, "
            ),
        ),
        (
            _TOPOLOGY,
            "    Subscription(USER_EVENTS,",
            "    Subscription(ORDER_EVENTS, ARCHIVE),\n    Subscription(USER_EVENTS,",
        ),
    ),
    _mutation(
        "what is told of reviews will have a topic",
        "topic added",
        "product",
        (_TOPOLOGY, "INVENTORY_EVENTS, USER_EVENTS)", 'INVENTORY_EVENTS, USER_EVENTS, Topic("reviews", ()))'),
    ),
    _mutation(
        "payments are tried for longer",
        "internals changed",
        "payment",
        (
            _TOPOLOGY,
            '"payment", visibility_timeout_s=300, max_receive_count=3',
            '"payment", visibility_timeout_s=600, max_receive_count=9',
        ),
    ),
    _mutation(
        "news of users is not filtered",
        "internals changed",
        "user",
        (_TOPOLOGY, "NOTIFICATION_QUEUE, USER_EVENTS.events)", "NOTIFICATION_QUEUE)"),
    ),
)

_COMPATIBLE_ROUTES = (
    _mutation(
        "a notification says whether it was mailed",
        "field added",
        "notification",
        (_NOTIFICATION, "    text: str\n", "    text: str\n    mailed: bool = False\n"),
    ),
    _mutation(
        "preferences may say a language",
        "optional input added",
        "notification",
        (_NOTIFICATION, "    payments: StrictBool\n", '    payments: StrictBool\n    language: str = "en"\n'),
    ),
    _mutation(
        "notifications may be listed by order",
        "optional parameter added",
        "notification",
        (
            _NOTIFICATION,
            "    limit: Limit = 20,\n",
            "    order_id: Annotated[uuid.UUID | None, Query()] = None,\n    limit: Limit = 20,\n",
        ),
    ),
    _mutation(
        "the unread notifications are counted",
        "route added",
        "notification",
        (
            _NOTIFICATION,
            '@router.get("/{notification_id:uuid}", ',
            (
                '@router.get("/unread")\nasync def count_unread(caller: SignedIn, parts: PartsDep) -> int:\n'
                '    """How many."""\n    return 0\n\n\n@router.get("/{notification_id:uuid}", '
            ),
        ),
    ),
    _mutation(
        "an order says its weight",
        "field added",
        "order",
        (_ORDER, "    refunded: Money\n", "    refunded: Money\n    weight: int | None = None\n"),
    ),
    _mutation(
        "an order may be a gift",
        "optional input added",
        "order",
        (
            _ORDER,
            "    payment_method_id: uuid.UUID\n    address_id: uuid.UUID\n",
            "    payment_method_id: uuid.UUID\n    address_id: uuid.UUID\n    gift: bool = False\n",
        ),
    ),
    _mutation(
        "an order of more pieces",
        "bound loosened",
        "order",
        (_ORDER, "MAX_QUANTITY = 1000", "MAX_QUANTITY = 2000"),
    ),
    _mutation(
        "an order in another order of fields",
        "fields reordered",
        "order",
        (
            _ORDER,
            "    customer_id: uuid.UUID\n    lines: list[OrderLine]\n",
            "    lines: list[OrderLine]\n    customer_id: uuid.UUID\n",
        ),
    ),
    _mutation(
        "orders are summed the other way round",
        "internals changed",
        "order",
        (
            _ORDERS,
            "    amount = sum(line.quantity * line.unit_price.amount for line in lines)\n",
            "    amount = sum(line.unit_price.amount * line.quantity for line in lines)\n",
        ),
    ),
    _mutation(
        "an order by another name in the code",
        "definition renamed",
        "order",
        (_ORDER, "class StepView(", "class Event("),
        (_ORDER, "list[StepView]", "list[Event]"),
        (_ORDER, "            StepView(at=", "            Event(at="),
    ),
    _mutation(
        "a payment method says its country",
        "field added",
        "payment",
        (_PAYMENT, "    last4: str\n", "    last4: str\n    country: str | None = None\n"),
    ),
    _mutation(
        "a refund may say why",
        "optional input added",
        "payment",
        (
            _PAYMENT,
            "    amount: Amount | None = None\n",
            "    amount: Amount | None = None\n    why: str | None = None\n",
        ),
    ),
    _mutation(
        "refunding may be refused for another reason",
        "refusal added",
        "payment",
        (
            _PAYMENT,
            '    responses={409: {"description": "Nothing',
            '    responses={410: {"description": "Too late."}, 409: {"description": "Nothing',
        ),
    ),
    _mutation(
        "longer tokens are taken",
        "bound loosened",
        "payment",
        (_PAYMENT, "max_length=255", "max_length=500"),
    ),
    _mutation(
        "the payment service keeps more cards",
        "internals changed",
        "payment",
        (_PAYMENT, "MAX_METHODS = 20", "MAX_METHODS = 30"),
    ),
    _mutation(
        "a quote says its category",
        "field added",
        "product",
        (
            _PRODUCT_VIEWS,
            "    name: str\n    unit_price: Money\n",
            "    name: str\n    unit_price: Money\n    tax: int = 0\n",
        ),
        (_QUOTES, '"unit_price": price', '"unit_price": price, "tax": 0'),
    ),
    _mutation(
        "products may be searched by colour",
        "optional parameter added",
        "product",
        (
            _PRODUCT,
            "    category: ShortLine | None = None,\n",
            "    category: ShortLine | None = None,\n    colour: ShortLine | None = None,\n",
        ),
    ),
    _mutation(
        "images before products",
        "routes reordered",
        "product",
        (
            "services/product/app.py",
            "[api.router, image_api.router]",
            "[image_api.router, api.router]",
        ),
    ),
    _mutation(
        "quotes in other words",
        "description changed",
        "product",
        (_PRODUCT, "Name and price of those of these products", "What those of these products cost"),
    ),
    _mutation(
        "products may be sorted by stock",
        "value accepted besides",
        "product",
        ("services/product/search.py", '    NAME = "name"\n', '    NAME = "name"\n    STOCK = "stock"\n'),
    ),
    _mutation(
        "quotes are kept for longer",
        "internals changed",
        "product",
        (_QUOTES, "QUOTE_TTL_S = 1.0", "QUOTE_TTL_S = 2.0"),
    ),
    _mutation(
        "a user has a picture",
        "field added",
        "user",
        (_USER, "    roles: list[Role]\n", "    roles: list[Role]\n    picture: str | None = None\n"),
    ),
    _mutation(
        "somebody may register with a language",
        "optional input added",
        "user",
        (_BODIES, "    password: NewPassword\n", '    password: NewPassword\n    language: str = "en"\n'),
    ),
    _mutation(
        "there is a default address",
        "route added",
        "user",
        (
            _ADDRESSES,
            '@router.get("/{address_id:uuid}", ',
            (
                '@router.get("/default")\n'
                "async def get_default(caller: SignedIn, parts: PartsDep) -> AddressView | None:\n"
                '    """Where most goes."""\n    return None\n\n\n@router.get("/{address_id:uuid}", '
            ),
        ),
    ),
    _mutation(
        "signing keys say more",
        "field added",
        "user",
        (
            _TOKENS,
            "return dict(self._published)",
            'return self._published | {"issuer": ISSUER}',
        ),
    ),
    _mutation(
        "an address that is not there is refused in other words",
        "text changed",
        "user",
        (_ADDRESSES, '"You have no such address."', '"This address is none of yours."'),
    ),
    _mutation(
        "a password of ten characters",
        "bound loosened",
        "user",
        (_BODIES, "min_length=12", "min_length=10"),
    ),
    _mutation(
        "signing in is deprecated",
        "deprecated",
        "user",
        (_SESSIONS, 'operation_id="log_in"', 'operation_id="log_in",\n    deprecated=True'),
    ),
)

COMPATIBLE = (*_COMPATIBLE_EVENTS, *_COMPATIBLE_DELIVERIES, *_COMPATIBLE_ROUTES)
"""None breaks anybody."""
