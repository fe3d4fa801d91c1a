from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from joserfc.jwk import KeySet, OctKey, OKPKey

from chassis.auth import Verifier
from chassis.clock import utc_now
from chassis.problems import Unauthenticated
from services.user.tokens import SigningKeys, new_signing_keys

SOMEBODY = uuid.uuid4()


def jwk_set(*keys: dict[str, Any]) -> str:
    return json.dumps({"keys": keys})


def key(**changes: Any) -> dict[str, Any]:
    return dict(OKPKey.generate_key("Ed25519").as_dict(private=True)) | changes


def token(keys: SigningKeys) -> str:
    return keys.access_token(SOMEBODY, ["customer", "admin"], utc_now(), uuid.uuid4())


async def test_a_token_speaks_for_its_user() -> None:
    """Everyone who has the published keys can tell."""
    keys = SigningKeys(new_signing_keys())
    caller = await Verifier(keys).verify(token(keys))
    assert (caller.id, set(caller.roles)) == (SOMEBODY, {"customer", "admin"})


async def test_keys_can_be_exchanged_without_signing_anybody_out() -> None:
    """Tokens of the old key hold while it stands behind the new one, and no longer."""
    old, new = key(), key()
    issued = token(SigningKeys(jwk_set(old)))
    both = SigningKeys(jwk_set(new, old))
    assert (await Verifier(both).verify(issued)).id == SOMEBODY
    assert (await Verifier(SigningKeys(jwk_set(new))).verify(token(both))).id == SOMEBODY
    with pytest.raises(Unauthenticated):
        await Verifier(SigningKeys(jwk_set(new))).verify(issued)


def test_nothing_private_is_published() -> None:
    """`d` is the private half of an Ed25519 key (RFC 8037)."""
    (published,) = SigningKeys(jwk_set(key())).published()["keys"]
    assert set(published) == {"kty", "crv", "x", "kid", "use", "alg"}


def test_secrets_are_derived_for_a_purpose_each() -> None:
    """The same for the same keys, another for another purpose or other keys."""
    text = new_signing_keys()
    keys = SigningKeys(text)
    assert keys.derive("a") == SigningKeys(text).derive("a")
    assert len({keys.derive("a"), keys.derive("b"), SigningKeys(new_signing_keys()).derive("a")}) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        '{"keys": []}',
        '{"keys": 5}',
        '{"keys": [1]}',
        jwk_set({"kty": "OKP"}),
        jwk_set(key(d="c2hvcnQ")),
        jwk_set(dict(OKPKey.generate_key("Ed25519").as_dict(private=False))),
        jwk_set(dict(OKPKey.generate_key("X25519").as_dict(private=True))),
        json.dumps(KeySet([OctKey.generate_key(256)]).as_dict(private=True)),
        jwk_set(key(kid="same"), key(kid="same")),
    ],
)
def test_what_cannot_sign_is_refused(text: str) -> None:
    """And nothing of it is shown."""
    with pytest.raises(ValueError, match="it must be a JSON Web Key Set of private Ed25519 keys") as caught:
        SigningKeys(text)
    assert "c2hvcnQ" not in str(caught.value)
