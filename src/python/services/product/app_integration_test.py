from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiobotocore.session import get_session

from backing.cache import Cache as CacheServer
from backing.fixtures import Account
from chassis.database import Database
from chassis.testing import TokenIssuer, run_program, running
from services.product import app as product_app
from services.product import stock
from services.product.conftest import Shop, body, cancelled, confirmed, created, settings
from services.product.domain import Stock

PROGRAM = "services.product.app"

PICTURE = b"\x89PNG\r\n\x1a\n" + b"x" * 992


def connected(database_url: str, broker: Account, cache_url: str) -> dict[str, Any]:
    return {
        "database_url": database_url,
        "inventory_events_topic_arn": broker.topic_arns["inventory-events"],
        "inventory_update_queue_url": broker.queue_urls["inventory-update-queue"],
        "images_bucket": broker.bucket,
        "redis_url": cache_url,
    }


@pytest.fixture
async def shop(
    migrated_url: str, database: Database, broker: Account, cache_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    """The service with everything it speaks to."""
    for name, value in broker.environment.items():
        monkeypatch.setenv(name, value)
    issuer = TokenIssuer()
    app = product_app.build(settings(**connected(migrated_url, broker, cache_url)))
    async with running(app, issuer) as client:
        yield Shop(app, client, issuer, database, uuid.uuid4(), uuid.uuid4())


async def answers(broker: Account, count: int) -> dict[uuid.UUID, str]:
    """The types of the next `count` events that reach the order service, by order."""
    heard: dict[uuid.UUID, str] = {}
    async with get_session().create_client("sqs", **broker.client_options) as sqs, asyncio.timeout(20):
        while len(heard) < count:
            answer = await sqs.receive_message(
                QueueUrl=broker.queue_urls["order-processing-queue"],
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
            )
            for message in answer.get("Messages", []):
                envelope = json.loads(message["Body"])
                heard[uuid.UUID(envelope["subject"])] = envelope["type"]
    return heard


async def becomes(shop: Shop, expected: Stock) -> None:
    """Return once the stock is as expected."""
    async with asyncio.timeout(20), shop.database.reading() as connection:
        while await stock.find(connection, expected.product_id) != expected:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def test_orders_are_answered_over_the_real_queues(shop: Shop, broker: Account) -> None:
    """Reserved, rejected, bought and given back, as published on the topic of the orders."""
    product = uuid.UUID((await shop.create(stock=5))["id"])
    first, second, third = (uuid.uuid4() for _ in range(3))
    await broker.publish(created(first, (product, 3)))
    assert await answers(broker, 1) == {first: "mercato.STOCK_RESERVED.v1"}
    await broker.publish(created(second, (product, 3)), created(third, (product, 2)))
    assert await answers(broker, 2) == {
        second: "mercato.STOCK_REJECTED.v1",
        third: "mercato.STOCK_RESERVED.v1",
    }
    await broker.publish(confirmed(first), cancelled(second), cancelled(third))
    await becomes(shop, Stock(product, on_hand=2, reserved=0, sold=3, received=5))


async def test_a_picture_is_uploaded_shown_and_deleted(shop: Shop, broker: Account) -> None:
    """Straight into the bucket, as announced and no other way; everybody is led to it."""
    product = await shop.create()
    where = f"/api/products/{product['id']}"
    announced = {"content_type": "image/png", "size": len(PICTURE)}
    awaited = (await shop.client.post(f"{where}/images", json=announced, headers=shop.as_admin())).json()
    upload, address = awaited["upload"], f"{where}/images/{awaited['id']}"

    early = await shop.client.post(f"{address}/complete", headers=shop.as_admin())
    assert (early.status_code, early.json()["type"]) == (409, "/problems/image-missing")
    async with httpx.AsyncClient() as internet:
        larger = upload["headers"] | {"Content-Length": str(len(PICTURE) + 1)}
        html = upload["headers"] | {"Content-Type": "text/html"}
        for headers, content in ((larger, PICTURE + b"x"), (html, PICTURE)):
            refused = await internet.put(upload["url"], content=content, headers=headers)
            assert refused.status_code == 403
        await shop.client.get(where)  # now the cache knows the product without a picture
        taken = await internet.put(upload["url"], content=PICTURE, headers=upload["headers"])
        assert taken.status_code == 200
        complete, again = [
            await shop.client.post(f"{address}/complete", headers=shop.as_admin()) for _ in range(2)
        ]
        assert (complete.status_code, complete.json()["url"]) == (200, address)
        assert (again.status_code, again.json()) == (200, complete.json())
        shown = (await shop.client.get(where)).json()
        assert (shown["image_url"], shown["images"]) == (address, [complete.json()])
        led = await shop.client.get(address)
        assert led.status_code == 307
        fetched = await internet.get(led.headers["Location"])
        assert (fetched.content, fetched.headers["Content-Type"]) == (PICTURE, "image/png")

        assert (await shop.client.delete(address, headers=shop.as_admin())).status_code == 204
        assert (await shop.client.get(where)).json()["images"] == []
        assert (await shop.client.get(address)).status_code == 404
        assert (await internet.get(led.headers["Location"])).status_code == 404


async def test_another_picture_than_announced_is_not_shown(shop: Shop, broker: Account) -> None:
    """Should the store have taken one."""
    product = await shop.create()
    where = f"/api/products/{product['id']}/images"
    announced = {"content_type": "image/png", "size": len(PICTURE)}
    awaited = (await shop.client.post(where, json=announced, headers=shop.as_admin())).json()
    async with get_session().create_client("s3", **broker.client_options) as s3:
        key = f"products/{product['id']}/{awaited['id']}"
        await s3.put_object(Bucket=broker.bucket, Key=key, Body=b"<html>", ContentType="text/html")
    answer = await shop.client.post(f"{where}/{awaited['id']}/complete", headers=shop.as_admin())
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/image-differs")


async def test_what_admins_change_is_seen_at_once_by_those_who_read_the_cache(shop: Shop) -> None:
    """Though the product and the categories are kept there."""
    product = await shop.create(category="Tea")
    where = f"/api/products/{product['id']}"

    async def seen() -> tuple[str, int, Any]:
        shown = (await shop.client.get(where)).json()
        counted = (await shop.client.get("/api/products/categories")).json()
        return shown["name"], shown["available"], counted["items"]

    assert await seen() == ("Green tea", 0, [{"name": "Tea", "products": 1}])
    await shop.receive(product["id"], 3)
    changed = body(name="Cup", category="Table")
    await shop.client.put(where, json=changed, headers=shop.as_admin())
    assert await seen() == ("Cup", 3, [{"name": "Table", "products": 1}])
    await shop.client.post(f"{where}/retire", headers=shop.as_admin())
    assert await seen() == ("Cup", 0, [])


async def test_the_catalogue_works_while_the_cache_is_dead(shop: Shop, cache_server: CacheServer) -> None:
    """Killed under its readers, and back again."""
    product = await shop.create()
    where = f"/api/products/{product['id']}"

    async def statuses() -> set[int]:
        paths = [where, "/api/products/categories"] * 10
        return {answer.status_code for answer in await asyncio.gather(*map(shop.client.get, paths))}

    assert await statuses() == {200}
    cache_server.process.kill()
    try:
        assert await statuses() == {200}
        changed = await shop.client.put(where, json=body(name="Cup"), headers=shop.as_admin())
        assert (changed.status_code, (await shop.client.get(where)).json()["name"]) == (200, "Cup")
    finally:
        cache_server.start()
        cache_server.wait_ready()
    assert await statuses() == {200}


def test_the_program_migrates_and_says_what_is_missing(
    database_url: str, broker: Account, cache_url: str
) -> None:
    """As an operator starts it."""
    given = connected(database_url, broker, cache_url) | {"port": "1", "jwks_url": "http://127.0.0.1:9"}
    env = broker.environment | {name.upper(): value for name, value in given.items()}

    for _ in range(2):
        migrated = run_program(PROGRAM, env, "migrate")
        assert (migrated.returncode, migrated.stderr) == (0, "")
    del env["IMAGES_BUCKET"]
    env["REDIS_URL"] = "memcached://secret"
    refused = run_program(PROGRAM, env, "serve")
    assert refused.returncode == 78
    assert "IMAGES_BUCKET is not set" in refused.stderr
    assert "REDIS_URL cannot be used" in refused.stderr
    assert "secret" not in refused.stderr
