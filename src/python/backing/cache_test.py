"""The cache: reachable with its password only, and forgetful."""

from __future__ import annotations

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from backing.ports import LOOPBACK


def test_what_is_put_is_got(cache_url: str) -> None:
    """The URL holds everything that a client needs."""
    with redis.Redis.from_url(cache_url, decode_responses=True) as client:
        client.set("name", "value")
        assert "value" == client.get("name")
        assert {"maxmemory-policy": "allkeys-lru"} == client.config_get("maxmemory-policy")


def test_no_password_no_entry(cache_url: str) -> None:
    """Being on the same machine is not enough."""
    port = int(cache_url.rsplit(":", 1)[1].split("/")[0])
    with (
        redis.Redis(LOOPBACK, port, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.get("name")
