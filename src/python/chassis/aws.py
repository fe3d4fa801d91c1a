"""Clients of AWS. Where they go is said by the usual variables: AWS_ENDPOINT_URL, AWS_REGION, credentials."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import create_loader

# One for all clients: it keeps AWS' descriptions of itself, which take 6 MiB and long to read. A session for
# all would keep the credentials too, and with them the account of its first client.
_loader = create_loader()

# One layer retries: the relay and the consumer do, with their own back-off.
_CONFIG: dict[str, Any] = {
    "connect_timeout": 3,
    "retries": {"total_max_attempts": 1, "mode": "standard"},
    "tcp_keepalive": True,
}


def client(
    service: str, *, read_timeout_s: float = 5, endpoint_url: str | None = None
) -> AbstractAsyncContextManager[Any]:
    """A client of an AWS service; `read_timeout_s` must exceed a long poll. Enter it to use it."""
    special = _s3(endpoint_url) if service == "s3" else {}
    config = AioConfig(read_timeout=read_timeout_s, max_pool_connections=20, **_CONFIG, **special)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    session = get_session()
    session.register_component("data_loader", _loader)
    opened: AbstractAsyncContextManager[Any] = session.create_client(
        service, region_name=region, endpoint_url=endpoint_url, config=config
    )
    return opened


def _s3(endpoint_url: str | None) -> dict[str, Any]:
    """What signed URLs need: else they have the retired signature and an address that redirects elsewhere."""
    emulated = endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    # Only AWS itself has an address for each bucket.
    return {"signature_version": "s3v4", "s3": {"addressing_style": "path" if emulated else "virtual"}}


def is_unavailable(error: BaseException) -> bool:
    """Whether AWS could not be reached or could not answer now."""
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)) >= 500
    return isinstance(error, BotoCoreError | OSError | TimeoutError)
