"""Access tokens: signed here, verified everywhere by the keys published here (RFC 7519, RFC 7517)."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import json
import uuid
from collections.abc import Iterable
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from chassis.auth import ALGORITHM, AUDIENCE, ISSUER

ACCESS_TOKEN_LIFE = dt.timedelta(minutes=15)

_SHAPE = "a JSON Web Key Set of private Ed25519 keys, each with a kid of its own or none"


class SigningKeys:
    """The keys of a private JWK Set. The first signs; all are published, so that keys can be exchanged.

    To exchange one: put the new key first and keep the old one behind it until its tokens have expired.
    """

    def __init__(self, jwk_set: str) -> None:
        """Raises ValueError if `jwk_set` is no set of private Ed25519 keys; the message holds none of it."""
        keys = _private_keys(jwk_set)
        self._key = keys[0]
        self._published = KeySet([*keys]).as_dict(private=False, use="sig", alg=ALGORITHM)

    def access_token(
        self, user_id: uuid.UUID, roles: Iterable[str], now: dt.datetime, token_id: uuid.UUID
    ) -> str:
        """A token that says who its bearer is and what they may do, for `ACCESS_TOKEN_LIFE`."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "roles": list(roles),
            "iat": int(now.timestamp()),
            "exp": int((now + ACCESS_TOKEN_LIFE).timestamp()),
            "jti": str(token_id),
        }
        return jwt.encode({"alg": ALGORITHM, "kid": self._key.kid}, claims, self._key, algorithms=[ALGORITHM])

    def published(self) -> dict[str, Any]:
        """The public halves, as a JWK Set."""
        return dict(self._published)

    async def fetch(self) -> dict[str, Any]:
        """The same for a `Verifier`: the service that signs need not ask anyone."""
        return self.published()

    def derive(self, purpose: str) -> bytes:
        """A secret for `purpose` that nobody without the signing key can find."""
        private = base64.urlsafe_b64decode(str(self._key.as_dict(private=True)["d"]) + "=")
        return hmac.digest(private, purpose.encode(), "sha256")


def new_signing_keys() -> str:
    """A private JWK Set with one new key, as SIGNING_KEYS takes it."""
    key = OKPKey.generate_key("Ed25519")
    key.ensure_kid()
    return json.dumps(KeySet([key]).as_dict(private=True))


def _private_keys(jwk_set: str) -> list[OKPKey]:
    try:
        keys = [OKPKey.import_key(key) for key in json.loads(jwk_set)["keys"]]
        for key in keys:
            key.ensure_kid()
        fit = all(key.is_private and key.curve_name == "Ed25519" for key in keys)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        fit, keys = False, []
    if not keys or not fit or len({key.kid for key in keys}) != len(keys):
        raise ValueError(f"it must be {_SHAPE}")
    return keys


if __name__ == "__main__":
    print(new_signing_keys())  # noqa: T201 - a command speaks by printing
