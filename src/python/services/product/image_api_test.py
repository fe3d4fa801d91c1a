from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from services.product import domain, store
from services.product.conftest import Shop

PNG = {"content_type": "image/png", "size": 1000}


async def test_an_upload_is_signed_for_this_picture_alone(shop: Shop) -> None:
    """Type and length are in the signature; until it is completed nobody sees the image."""
    product = await shop.create()
    where = f"/api/products/{product['id']}"
    answer = await shop.client.post(f"{where}/images", json=PNG, headers=shop.as_admin())
    awaited = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{where}/images/{awaited['id']}")
    upload = awaited["upload"]
    assert upload["method"] == "PUT"
    assert upload["headers"] == {"Content-Type": "image/png", "Content-Length": "1000"}
    url = urlsplit(upload["url"])
    query = parse_qs(url.query)
    assert url.path == f"/images/products/{product['id']}/{awaited['id']}"
    assert query["X-Amz-SignedHeaders"] == ["content-length;content-type;host"]
    assert query["X-Amz-Expires"] == ["600"]
    assert (await shop.client.get(answer.headers["Location"])).status_code == 404
    assert (await shop.client.get(where)).json()["images"] == []


async def test_what_is_no_picture_of_ours_is_refused(shop: Shop) -> None:
    """Other types, nothing, too much."""
    product = await shop.create()
    bad: list[tuple[dict[str, Any], str]] = [
        ({"content_type": "image/svg+xml"}, "/content_type"),
        ({"content_type": "text/html"}, "/content_type"),
        ({"content_type": ""}, "/content_type"),
        ({"content_type": None}, "/content_type"),
        ({"size": 0}, "/size"),
        ({"size": -1}, "/size"),
        ({"size": True}, "/size"),
        ({"size": "1000"}, "/size"),
        ({"size": domain.MAX_IMAGE_BYTES + 1}, "/size"),
        ({"size": 10**30}, "/size"),
        ({"key": "../x"}, "/key"),
    ]
    for wrong, pointer in bad:
        where = f"/api/products/{product['id']}/images"
        answer = await shop.client.post(where, json=PNG | wrong, headers=shop.as_admin())
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), wrong
    assert await shop.rows(store.IMAGES) == 0


async def test_a_product_has_room_for_so_many_images(shop: Shop) -> None:
    """One more is refused until one is deleted."""
    product = await shop.create()
    where = f"/api/products/{product['id']}/images"
    for _ in range(domain.MAX_IMAGES):
        answer = await shop.client.post(where, json=PNG, headers=shop.as_admin())
        assert answer.status_code == 201
    answer = await shop.client.post(where, json=PNG, headers=shop.as_admin())
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/images-full")


async def test_an_image_is_of_its_product(shop: Shop) -> None:
    """Under another one's address it is not found."""
    product, other = await shop.create(), await shop.create()
    where = f"/api/products/{product['id']}/images"
    image = (await shop.client.post(where, json=PNG, headers=shop.as_admin())).json()
    wrong = f"/api/products/{other['id']}/images/{image['id']}"
    headers = shop.as_admin()
    assert (await shop.client.post(f"{wrong}/complete", headers=headers)).status_code == 404
    assert (await shop.client.delete(wrong, headers=headers)).status_code == 404


async def test_without_the_object_store_nothing_is_completed_or_deleted(shop: Shop) -> None:
    """The client is told to try again, and can."""
    product = await shop.create()
    where = f"/api/products/{product['id']}/images"
    image = (await shop.client.post(where, json=PNG, headers=shop.as_admin())).json()
    complete = await shop.client.post(f"{where}/{image['id']}/complete", headers=shop.as_admin())
    delete = await shop.client.delete(f"{where}/{image['id']}", headers=shop.as_admin())
    assert [answer.status_code for answer in (complete, delete)] == [503, 503]
    assert complete.headers["Retry-After"] == "1"
    assert await shop.rows(store.IMAGES) == 1
