"""The routes of images. A client asks for an upload, puts the picture into the object store, and says so."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Awaitable
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.auth import Admin
from chassis.idempotency import OnceForCaller
from chassis.problems import Conflict, NotFound
from chassis.text import Whole
from services.product import domain, images, store, views
from services.product.api import PartsDep, found
from services.product.api import forget as forget_product
from services.product.domain import MAX_IMAGE_BYTES, Image, ImageType, ProductError
from services.product.views import ImageView

# Shorter than the signed address lives that it leads to.
_REDIRECT_KEPT_S = images.VIEW_EXPIRES_S // 2

router = APIRouter(prefix="/api/products/{product_id:uuid}/images", tags=["images"])


class ImagesFull(Conflict):
    slug, title = "images-full", "Too many images"


class ImageMissing(Conflict):
    slug, title = "image-missing", "Image not uploaded"


class ImageDiffers(Conflict):
    slug, title = "image-differs", "Another image was uploaded"


class NewImage(BaseModel):
    """The picture that is to be uploaded: its type, and its length in bytes."""

    model_config = ConfigDict(extra="forbid")

    content_type: ImageType
    size: Annotated[int, Field(strict=True, ge=1, le=MAX_IMAGE_BYTES), Whole]


class UploadView(BaseModel):
    """Where and how to upload the picture."""

    method: Literal["PUT"] = "PUT"
    url: str
    headers: Annotated[dict[str, str], Field(description="Send exactly these: they are signed.")]
    expires_at: dt.datetime


class AwaitedImage(BaseModel):
    """An image that is awaited: upload it, then complete it."""

    id: uuid.UUID
    upload: UploadView


@router.post("", status_code=201, response_model=AwaitedImage, operation_id="add_image")
async def add_image(
    product_id: uuid.UUID, body: NewImage, _: Admin, once: OnceForCaller, parts: PartsDep
) -> Response:
    """Ask for the upload of a picture; what is not completed within a day is forgotten. Admins only."""
    now = parts.clock()
    image = Image(parts.ids(), product_id, body.content_type, body.size, pending_since=now)
    upload = await parts.images.upload(image)
    view = AwaitedImage(
        id=image.id,
        upload=UploadView(
            url=upload.url,
            headers=upload.headers,
            expires_at=now + dt.timedelta(seconds=images.UPLOAD_EXPIRES_S),
        ),
    )
    async with once.transaction() as tx:
        await found(store.locked(tx, product_id))
        try:
            domain.add_image(await store.count_images(tx, product_id), image)
        except ProductError as error:
            raise ImagesFull(str(error)) from None
        await store.insert_image(tx, image)
        return await once.answer(tx, 201, view, location=views.image_url(product_id, image.id))


@router.post(
    "/{image_id:uuid}/complete",
    responses={409: {"description": "The picture has not been uploaded, or is not the one announced."}},
    operation_id="complete_image",
)
async def complete_image(product_id: uuid.UUID, image_id: uuid.UUID, _: Admin, parts: PartsDep) -> ImageView:
    """Say that the picture is uploaded; it is shown from then on. Admins only.

    Needs no Idempotency-Key: completing twice is completing once, and a refusal holds for the moment only.
    """
    async with parts.database.reading() as connection:
        image = await _known(store.find_image(connection, product_id, image_id))
    if image.pending_since is not None:
        await _check(parts, image)
        async with parts.database.transaction() as tx:
            await store.complete_image(tx, image_id)
        await forget_product(parts, product_id)
    return views.of_image(image)


@router.get(
    "/{image_id:uuid}",
    status_code=307,
    response_class=Response,
    responses={307: {"description": "`Location` says where the picture is for the next while."}},
    operation_id="get_image",
)
async def get_image(product_id: uuid.UUID, image_id: uuid.UUID, parts: PartsDep) -> Response:
    """Lead to the picture: this address lasts, the one it leads to does not."""
    async with parts.database.reading() as connection:
        image = await _known(store.find_image(connection, product_id, image_id))
    if image.pending_since is not None:
        raise _unknown()
    headers = {
        "Location": await parts.images.view_url(image),
        "Cache-Control": f"public, max-age={_REDIRECT_KEPT_S}",
    }
    return Response(status_code=307, headers=headers)


@router.delete("/{image_id:uuid}", status_code=204, operation_id="delete_image")
async def delete_image(product_id: uuid.UUID, image_id: uuid.UUID, _: Admin, parts: PartsDep) -> None:
    """Delete a picture, awaited or there. Admins only."""
    async with parts.database.reading() as connection:
        image = await _known(store.find_image(connection, product_id, image_id))
    # The object first: an image without one can be deleted again, an object without its image is never found.
    await parts.images.delete(image)
    async with parts.database.transaction() as tx:
        await store.delete_image(tx, image_id)
    await forget_product(parts, product_id)


async def _check(parts: PartsDep, image: Image) -> None:
    stored = await parts.images.look(image)
    if stored is None:
        raise ImageMissing("The picture is not there yet: upload it, then complete it again.")
    if (stored.content_type, stored.size) != (image.content_type, image.size):
        raise ImageDiffers(
            f"Announced were {image.size} bytes of {image.content_type}, uploaded "
            f"{stored.size} of {stored.content_type}: upload what was announced, or ask for another upload."
        )


async def _known(image: Awaitable[Image]) -> Image:
    try:
        return await image
    except store.ImageUnknown:
        raise _unknown() from None


def _unknown() -> NotFound:
    return NotFound("There is no such image of this product.")
