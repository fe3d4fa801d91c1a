"""What an environment is: its file, what the command line sets instead, and what cannot be deployed."""

from __future__ import annotations

import pytest

from contracts.services import SERVICES
from infra import environment
from infra.environment import NAMES, ContextError

IMAGES = {f"{service}_image": "1.0.0" for service in SERVICES}
DOMAIN = {"domain_name": "mercato.example.com", "hosted_zone_id": "Z0123456789ABC"}
ALERTS = {"alert_email": "oncall@mercato.example.com"}
CA = "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/1"


def load(name: str, **context: str) -> environment.Environment:
    """The environment `name` with an image of each service; but in dev with a domain and somebody to tell."""
    given = {} if name == "dev" else DOMAIN | ALERTS
    return environment.load({"environment": name} | IMAGES | given | context)


def refused(context: dict[str, str]) -> str:
    """What is said against `context`."""
    with pytest.raises(ContextError) as caught:
        environment.load(context)
    return str(caught.value)


# --- the files


@pytest.mark.parametrize("name", NAMES)
def test_every_environment_loads(name: str) -> None:
    """With a version of each service, and, where customers would notice, somebody to tell."""
    assert name == load(name).name


def test_what_the_environments_differ_in() -> None:
    """Prod is kept and closed, dev is cheap and open, staging is as prod but that it may be broken."""
    differ = (
        "public_load_balancer",
        "execute_command",
        "multi_az",
        "deletion_protection",
        "aurora_reader",
        "fault_injection",
        "enable_waf",
    )
    assert {
        "dev": (True, True, False, False, False, False, False),
        "staging": (False, True, True, False, False, True, True),
        "prod": (False, False, True, True, True, False, True),
    } == {name: tuple(getattr(load(name), field) for field in differ) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_asked_for_by_context_only_is_off(name: str) -> None:
    """Instances, blue/green and TLS of the mesh cost money or time."""
    made = load(name)
    assert (False, False, None) == (made.ec2_capacity, made.blue_green, made.private_ca_arn)


def test_names_start_with_the_environment() -> None:
    """So that several fit in one account."""
    assert ["mercato-dev", "mercato-staging", "mercato-prod"] == [load(name).prefix for name in NAMES]


def test_prod_is_the_one_that_customers_depend_on() -> None:
    """What is kept there, is kept nowhere else."""
    assert [False, False, True] == [load(name).is_prod for name in NAMES]


# --- the command line


@pytest.mark.parametrize(
    ("text", "meant"), [("true", True), ("false", False), ("1", True), ("no", False), ("on", True)]
)
def test_the_command_line_sets_what_the_file_says_otherwise(text: str, meant: bool) -> None:
    """By a field's name, in the words that one types."""
    assert meant == load("dev", enable_waf=text).enable_waf


def test_the_origin_is_the_one_that_is_named() -> None:
    """Another than the shop's own, with a port where it has one."""
    made = load("prod", cors_origin="https://shop.example.com:8443")
    assert "https://shop.example.com:8443" == made.origin


def test_without_an_origin_the_shop_s_own_may_call() -> None:
    """That of its domain."""
    assert "https://mercato.example.com" == load("prod").origin


def test_an_image_is_a_version_or_a_digest() -> None:
    """The very image: a tag can be moved where the registry lets it."""
    digest = f"sha256:{'0' * 64}"
    made = load("dev", order_image="2.1.0-rc.1", user_image=digest)
    assert ("2.1.0-rc.1", digest, "1.0.0") == (
        made.images["order"],
        made.images["user"],
        made.images["payment"],
    )


def test_a_value_that_is_empty_is_not_set() -> None:
    """As shells have it: `-c alert_email=` takes back what was said before."""
    assert load("dev", alert_email="").alert_email is None


def test_an_environment_does_not_change() -> None:
    """Two stacks see the same one."""
    with pytest.raises(ValueError, match="frozen"):
        load("dev").enable_waf = True  # type: ignore[misc]


# --- refusals


def test_an_environment_is_named() -> None:
    """There is no default: what is deployed is meant."""
    assert "environment is missing: it must be one of dev, staging, prod." == refused(IMAGES)


def test_an_environment_is_one_of_three() -> None:
    """And not what somebody thought it was called."""
    assert "environment is 'production': it must be one of dev, staging, prod." == refused(
        IMAGES | {"environment": "production"}
    )


def test_what_is_no_value_of_an_environment_is_refused_with_those_that_are() -> None:
    """A typing error would be deployed as nothing."""
    assert (
        "colour, enable_wafs is no value of an environment: there are environment, alert_email, "
        "aurora_reader, blue_green, cors_origin, deletion_protection, domain_name, ec2_capacity, "
        "enable_waf, execute_command, fault_injection, hosted_zone_id, multi_az, private_ca_arn, "
        f"public_load_balancer, and SERVICE_image for {', '.join(SERVICES)}."
    ) == refused(IMAGES | {"environment": "dev", "enable_wafs": "true", "colour": "blue"})


@pytest.mark.parametrize("field", ["name", "images"])
def test_what_is_set_otherwise_cannot_be_set_by_its_field(field: str) -> None:
    """The name is `environment`, images go one by one."""
    assert refused(IMAGES | {"environment": "dev", field: "x"}).startswith(
        f"{field} is no value of an environment"
    )


def test_every_service_has_a_version() -> None:
    """Each that has none is named."""
    given = {key: value for key, value in IMAGES.items() if key not in ("user_image", "payment_image")}
    assert (
        "environment dev:\nuser_image, payment_image missing: say which version of each service is deployed."
    ) == refused(given | {"environment": "dev"})


@pytest.mark.parametrize("image", ["latest", "1.4", "v1.4.0", "sha256:12", "1.4.0 ", "a/b:1.4.0"])
def test_an_image_that_may_be_another_tomorrow_is_refused(image: str) -> None:
    """`latest` is whatever was pushed last."""
    assert ("environment dev:\norder_image must be a version (1.4.0) or a digest (sha256:...).") == refused(
        IMAGES | {"environment": "dev", "order_image": image}
    )


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_where_customers_would_notice_somebody_is_told(name: str) -> None:
    """An alarm that nobody hears is none."""
    assert (
        f"environment {name}:\nalert_email is missing: somebody must hear of alarms in {name}."
    ) == refused(IMAGES | DOMAIN | {"environment": name})


@pytest.mark.parametrize("given", ["domain_name", "hosted_zone_id"])
def test_a_domain_and_its_zone_go_together(given: str) -> None:
    """A certificate of one is proved in the other."""
    assert "environment dev:\ndomain_name and hosted_zone_id go together." == refused(
        IMAGES | {"environment": "dev", given: DOMAIN[given]}
    )


def test_somebody_may_call() -> None:
    """Without a domain the origin has to be said."""
    assert ("environment prod:\ncors_origin is missing, and no domain_name to take it from.") == refused(
        IMAGES | ALERTS | {"environment": "prod"}
    )


def test_in_prod_not_everybody_may_call() -> None:
    """From any page that a customer has open."""
    assert "environment prod:\ncors_origin must not be * in prod." == refused(
        IMAGES | ALERTS | DOMAIN | {"environment": "prod", "cors_origin": "*"}
    )


def test_tls_of_the_mesh_needs_a_domain() -> None:
    """Without a certificate of its own the load balancer cannot speak to the mesh."""
    assert (
        "environment dev:\nprivate_ca_arn needs domain_name: the mesh speaks TLS 1.3 only, and so does to it "
        "a load balancer that has a certificate of its own."
    ) == refused(IMAGES | {"environment": "dev", "private_ca_arn": CA})


def test_everything_that_is_missing_is_said_at_once() -> None:
    """Whoever mends one is not told of the next."""
    assert (
        "environment prod:\ncors_origin is missing, and no domain_name to take it from; "
        "alert_email is missing: somebody must hear of alarms in prod; "
        f"{', '.join(f'{each}_image' for each in SERVICES)} missing: "
        "say which version of each service is deployed."
    ) == refused({"environment": "prod"})


@pytest.mark.parametrize(
    ("field", "value", "hint"),
    [
        ("alert_email", "nobody", "who is told of alarms"),
        ("domain_name", "Mercato.example.com", "the shop is at api.DOMAIN"),
        ("domain_name", "https://mercato.example.com", "the shop is at api.DOMAIN"),
        ("hosted_zone_id", "mercato.example.com", "Route 53's zone of the domain"),
        ("cors_origin", "http://shop.example.com", "web origin that may call the API and upload images"),
        (
            "cors_origin",
            "https://a.example.com,https://b.example.com",
            "web origin that may call the API and upload images",
        ),
        ("cors_origin", "https://shop.example.com/", "web origin that may call the API and upload images"),
        ("private_ca_arn", "arn:aws:acm:x", "signs the certificates between services"),
        ("execute_command", "maybe", "whether a shell may be opened in a task"),
        ("multi_az", "3", "whether each database has a standby in another zone"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_it_is_for(field: str, value: str, hint: str) -> None:
    """The field is named, as it is typed."""
    message = refused(IMAGES | DOMAIN | ALERTS | {"environment": "prod", field: value})
    assert message.startswith(f"environment prod:\n{field} ({hint}): ")
    assert message.endswith(".")
