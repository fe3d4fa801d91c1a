from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

import pytest
from joserfc import jwt

from chassis.auth import ALGORITHM, Caller, Verifier
from chassis.problems import Unauthenticated, Unavailable
from chassis.testing import TokenIssuer

ADA = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")


class Published:
    """The keys of one issuer after the other, and how often they were asked for."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self.issuer = issuer
        self.fetched = 0

    async def fetch(self) -> dict[str, Any]:
        self.fetched += 1
        return await self.issuer.fetch()


class Answers:
    """What the user service should not answer when asked for its keys."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def fetch(self) -> dict[str, Any]:
        if isinstance(self._answer, Exception):
            raise self._answer
        answer: dict[str, Any] = self._answer
        return answer


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def issuer() -> TokenIssuer:
    """Whose tokens are accepted."""
    return TokenIssuer()


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=="))


def with_header(token: str, header: object) -> str:
    """The token under another header than it was signed with."""
    return ".".join([_encoded(json.dumps(header).encode()), *token.split(".")[1:]])


def with_claims(token: str, **claims: Any) -> str:
    """The token with other claims than it was signed with."""
    header, payload, signature = token.split(".")
    return f"{header}.{_encoded(json.dumps(_decoded(payload) | claims).encode())}.{signature}"


async def signed_with_the_public_key(issuer: TokenIssuer, token: str) -> str:
    """The token under an HMAC whose secret everyone knows: the published key (RFC 8725, section 2.1)."""
    key = (await issuer.fetch())["keys"][0]
    header = _encoded(json.dumps({"alg": "HS256", "kid": key["kid"]}).encode())
    message = f"{header}.{token.split('.')[1]}"
    secret = base64.urlsafe_b64decode(key["x"] + "=")
    return f"{message}.{_encoded(hmac.digest(secret, message.encode(), hashlib.sha256))}"


async def test_a_token_names_its_caller(issuer: TokenIssuer) -> None:
    """With roles, and with the token for calls on the caller's behalf, which no log shows."""
    token = issuer.token(ADA, "customer", "admin")
    caller = await Verifier(issuer).verify(token)
    assert Caller(ADA, frozenset({"customer", "admin"}), token) == caller
    assert caller.is_admin
    assert token not in repr(caller)


async def test_a_customer_is_no_admin(issuer: TokenIssuer) -> None:
    """Only the role makes one."""
    assert not (await Verifier(issuer).verify(issuer.token(ADA))).is_admin


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"iss": "somebody-else"},
        {"iss": None},
        {"aud": "another-shop"},
        {"aud": None},
        {"sub": None},
        {"sub": "ada"},
        {"sub": 7},
        {"roles": None},
        {"roles": 7},
    ],
    ids=str,
)
async def test_a_token_of_ours_with_other_claims_is_refused(
    issuer: TokenIssuer, claims: dict[str, Any]
) -> None:
    """Expired, of another issuer or for another shop, or for nobody whom we could know."""
    with pytest.raises(Unauthenticated):
        await Verifier(issuer).verify(issuer.token(ADA, **claims))


class Forgetful(TokenIssuer):
    """An issuer that leaves claims out."""

    def without(self, claim: str) -> str:
        header, claims = (_decoded(part) for part in self.token(ADA).split(".")[:2])
        del claims[claim]
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])


@pytest.mark.parametrize("claim", ["exp", "iss", "aud", "sub", "roles"])
async def test_a_token_that_says_less_is_refused(claim: str) -> None:
    """One without an end would be good for ever."""
    issuer = Forgetful()
    with pytest.raises(Unauthenticated):
        await Verifier(issuer).verify(issuer.without(claim))


async def test_a_forged_token_is_refused(issuer: TokenIssuer) -> None:
    """Signed with a key that is not published, by nobody, or by means of what is public; or changed since."""
    token = issuer.token(ADA)
    header, payload, signature = token.split(".")
    kid = _decoded(header)["kid"]
    forged = {
        "another key": TokenIssuer().token(ADA),
        "another key under the known id": with_header(TokenIssuer().token(ADA), _decoded(header)),
        "other claims": with_claims(token, roles=["admin"]),
        "another signature": f"{header}.{payload}.{signature[::-1]}",
        "no signature": f"{header}.{payload}.",
        "no algorithm": with_header(f"{header}.{payload}.", {"alg": "none", "kid": kid}),
        "an HMAC by the public key": await signed_with_the_public_key(issuer, token),
    }
    verifier = Verifier(issuer)
    accepted = []
    for how, each in forged.items():
        with contextlib.suppress(Unauthenticated):
            accepted.append((how, await verifier.verify(each)))
    assert [] == accepted
    assert ADA == (await verifier.verify(token)).id  # or all was refused for another reason


@pytest.mark.parametrize("text", ["", "token", "..", "a.b.c", "é.é.é", "a.b.c.d.e"])
async def test_what_is_no_token_is_refused(issuer: TokenIssuer, text: str) -> None:
    """As a forged one is, and not with an error of ours."""
    with pytest.raises(Unauthenticated):
        await Verifier(issuer).verify(text)


@pytest.mark.parametrize(
    "header",
    [[], 1, None, "text", {}, {"alg": []}, {"alg": "Ed25519", "kid": 7}, {"alg": "Ed25519", "kid": None}],
    ids=str,
)
async def test_a_token_with_a_strange_header_is_refused(issuer: TokenIssuer, header: object) -> None:
    """A header is read before any signature: everyone may write what they like there."""
    with pytest.raises(Unauthenticated):
        await Verifier(issuer).verify(with_header(issuer.token(ADA), header))


async def test_a_new_key_is_fetched_when_a_token_names_it() -> None:
    """The user service changed its keys: nobody who signs in afterwards is turned away."""
    clock, published = Clock(), Published(TokenIssuer())
    verifier = Verifier(published, clock=clock)
    await verifier.verify(published.issuer.token(ADA))
    published.issuer = TokenIssuer()
    clock.now_s += 11
    assert ADA == (await verifier.verify(published.issuer.token(ADA))).id
    assert 2 == published.fetched


async def test_made_up_key_ids_do_not_have_the_keys_fetched_each_time(issuer: TokenIssuer) -> None:
    """Once, and after ten seconds once more."""
    clock, published = Clock(), Published(issuer)
    verifier = Verifier(published, clock=clock)
    await verifier.verify(issuer.token(ADA))
    fetched = []
    for pass_s in (11.0, 0.0, 9.0, 2.0, 0.0):
        clock.now_s += pass_s
        with pytest.raises(Unauthenticated):
            await verifier.verify(TokenIssuer().token(ADA))
        fetched.append(published.fetched)
    assert [2, 2, 2, 3, 3] == fetched


async def test_keys_are_fetched_once_for_all_who_need_them(issuer: TokenIssuer) -> None:
    """And not for each token."""
    published = Published(issuer)
    verifier = Verifier(published)
    for _ in range(3):
        await verifier.verify(issuer.token(uuid.uuid4()))
    assert 1 == published.fetched


async def test_a_remembered_token_still_expires(issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was verified once is taken for as long as the token says, and for the leeway."""
    verifier, now = Verifier(issuer), time.time()
    token = issuer.token(ADA, expires_in_s=60)
    for passed_s in (0, 59):
        monkeypatch.setattr("time.time", lambda passed_s=passed_s: now + passed_s)
        assert ADA == (await verifier.verify(token)).id
    monkeypatch.setattr("time.time", lambda: now + 66)
    with pytest.raises(Unauthenticated):
        await verifier.verify(token)


async def test_no_more_tokens_are_remembered_than_fit(
    issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest makes room."""
    monkeypatch.setattr("chassis.auth._REMEMBERED_TOKENS", 3)
    verifier = Verifier(issuer)
    tokens = [issuer.token(uuid.uuid4()) for _ in range(5)]
    for token in tokens:
        await verifier.verify(token)
    assert tokens[2:] == list(verifier._verified)


async def test_a_withdrawn_key_is_trusted_for_five_minutes_at_most() -> None:
    """Not even in a token that was verified before; whoever has a token by the new key stays signed in."""
    clock, published = Clock(), Published(TokenIssuer())
    verifier = Verifier(published, clock=clock)
    old = published.issuer.token(ADA)
    await verifier.verify(old)
    published.issuer = TokenIssuer()
    clock.now_s += 299
    assert ADA == (await verifier.verify(old)).id
    clock.now_s += 2
    with pytest.raises(Unauthenticated):
        await verifier.verify(old)
    assert ADA == (await verifier.verify(published.issuer.token(ADA))).id


async def test_old_keys_are_trusted_while_there_are_no_new_ones(issuer: TokenIssuer) -> None:
    """They are asked for every ten seconds meanwhile, and not by each request."""

    class Away(Published):
        """It answers once."""

        async def fetch(self) -> dict[str, Any]:
            keys = await super().fetch()
            if self.fetched > 1:
                raise Unavailable("The user service does not answer.")
            return keys

    clock, published = Clock(), Away(issuer)
    verifier = Verifier(published, clock=clock)
    for pass_s in (0.0, 301.0, 9.0, 2.0, 0.0):
        clock.now_s += pass_s
        assert ADA == (await verifier.verify(issuer.token(ADA))).id
    assert 3 == published.fetched


@pytest.mark.parametrize(
    "answer",
    [Unavailable("The user service does not answer."), {}, {"keys": None}, {"keys": [{"kty": "OKP"}]}, []],
    ids=str,
)
async def test_without_keys_nobody_can_be_known(issuer: TokenIssuer, answer: object) -> None:
    """That is our failure and not the caller's, who may try again with the same token."""
    with pytest.raises(Unavailable):
        await Verifier(Answers(answer)).verify(issuer.token(ADA))
