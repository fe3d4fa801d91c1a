"""The products' images in S3, where clients upload and fetch them by URLs that are signed for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chassis import aws
from chassis.problems import Unavailable
from services.product.domain import Image

UPLOAD_EXPIRES_S = 600
VIEW_EXPIRES_S = 3600


@dataclass(frozen=True)
class Upload:
    """A PUT that S3 accepts for a while: to `url`, with exactly these headers."""

    url: str
    headers: dict[str, str]


@dataclass(frozen=True)
class StoredObject:
    """What S3 says of an object."""

    content_type: str
    size: int


class ImageStore:
    """The bucket. Its client is made at first need: it takes 13 MiB that most processes never use."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._opened: Any = None

    async def upload(self, image: Image) -> Upload:
        """Where to put the object: type and length are part of the signature, so that no other is taken."""
        wanted = {"ContentType": image.content_type, "ContentLength": image.size}
        url = await self._signed("put_object", image, UPLOAD_EXPIRES_S, **wanted)
        return Upload(url, {"Content-Type": image.content_type, "Content-Length": str(image.size)})

    async def view_url(self, image: Image) -> str:
        """Where anybody may fetch the object for the next `VIEW_EXPIRES_S` seconds."""
        return await self._signed("get_object", image, VIEW_EXPIRES_S)

    async def look(self, image: Image) -> StoredObject | None:
        """What was uploaded, None where nothing was. Raises Unavailable."""
        async with self._client() as s3:
            try:
                head = await s3.head_object(Bucket=self._bucket, Key=image.key)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey", "NotFound"):
                    return None
                raise
        return StoredObject(head["ContentType"], head["ContentLength"])

    async def delete(self, image: Image) -> None:
        """Delete the object, if there is one. Raises Unavailable."""
        async with self._client() as s3:
            await s3.delete_object(Bucket=self._bucket, Key=image.key)

    async def close(self) -> None:
        """Close the client."""
        await self._stack.aclose()

    async def _signed(self, operation: str, image: Image, expires_s: int, **parameters: Any) -> str:
        where = {"Bucket": self._bucket, "Key": image.key}
        async with self._client() as s3:
            url: str = await s3.generate_presigned_url(
                operation, Params=where | parameters, ExpiresIn=expires_s
            )
            return url

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        try:
            async with self._opening:
                if self._opened is None:
                    self._opened = await self._stack.enter_async_context(aws.client("s3"))
            yield self._opened
        except Exception as error:
            if aws.is_unavailable(error):
                raise Unavailable("The object store does not answer now; try again shortly.") from error
            raise
