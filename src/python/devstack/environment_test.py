"""The services' environments: all that their settings read, and nothing else."""

from __future__ import annotations

import os
from importlib import import_module

import pytest

from backing.broker import ACCOUNT, REGION, Provisioned, aws_environment
from contracts.services import SERVICES
from contracts.topology import QUEUES, TOPICS
from devstack.environment import Backing, database_url, environment
from devstack.state import Account, Secrets
from services.user.tokens import new_signing_keys

INTERNAL = "http://127.0.0.1:9000"
SECRETS = Secrets(
    signing_keys=new_signing_keys(),
    stripe_webhook_secret="whsec_x",
    database_passwords={},
    admin=Account("admin@example.com", "a"),
    customer=Account("ada@example.com", "b"),
)


def backing(*, stripe_api_base: str | None = "http://127.0.0.1:9005") -> Backing:
    return Backing(
        database_urls={
            name: f"postgresql://{name}:secret@127.0.0.1:9001/mercato_{name}" for name in SERVICES
        },
        aws=aws_environment("http://127.0.0.1:9002"),
        provisioned=Provisioned(
            {topic.name: f"arn:aws:sns:{REGION}:{ACCOUNT}:{topic.name}" for topic in TOPICS},
            {queue.name: f"http://127.0.0.1:9002/{ACCOUNT}/{queue.name}" for queue in QUEUES},
            "mercato-product-images",
        ),
        redis_url="redis://:secret@127.0.0.1:9003/0",
        smtp_url="smtp://127.0.0.1:9004",
        stripe_api_base=stripe_api_base,
        stripe_api_key="sk_test_x",
        stripe_webhook_secret="whsec_x",
        internal_url=INTERNAL,
    )


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a service; nothing is set in the environment."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    return str(request.param)


def test_a_service_starts_with_its_environment(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its settings find all that they need, and find it usable."""
    found = environment(service, 9100, backing(), SECRETS)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    settings = import_module(f"services.{service}.settings").Settings()
    assert (9100, "local") == (settings.port, settings.environment)
    assert found["DATABASE_URL"] == settings.database_url.get_secret_value()


def test_a_service_is_told_nothing_that_it_does_not_read(service: str) -> None:
    """Least of all another's secrets; what leads to AWS is read by its client."""
    given = backing()
    read = {name.upper() for name in import_module(f"services.{service}.settings").Settings.model_fields}
    assert set() == environment(service, 9100, given, SECRETS).keys() - read - given.aws.keys()


def test_without_an_address_the_provider_is_stripe_itself() -> None:
    """A given key is used against the real API."""
    assert "STRIPE_API_BASE" not in environment("payment", 1, backing(stripe_api_base=None), SECRETS)


def test_a_service_without_wishes_is_told_what_every_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it listens, its database, and whose keys verify tokens."""
    monkeypatch.setattr("devstack.environment.SERVICES", (*SERVICES, "shipping"))
    given = backing()
    given = Backing(**{**vars(given), "database_urls": {"shipping": "postgresql://x/y"}})
    own = environment("shipping", 9100, given, SECRETS).keys() - given.aws.keys()
    assert {"HOST", "PORT", "ENVIRONMENT", "DATABASE_URL", "JWKS_URL"} == own


def test_an_unknown_service_is_refused() -> None:
    """The message names those that there are."""
    given = backing()
    given = Backing(**{**vars(given), "database_urls": {"unheard": "postgresql://x/y"}})
    with pytest.raises(ValueError, match=r"no service 'unheard': there are user, product, order"):
        environment("unheard", 1, given, SECRETS)


def test_each_service_has_a_database_of_its_own_on_a_given_server() -> None:
    """Whatever database the account's URL names; its options stay."""
    account = "postgresql://root:secret@db.example:5433/postgres?ssl=require"
    assert "postgresql://root:secret@db.example:5433/mercato_order?ssl=require" == database_url(
        account, "order"
    )
