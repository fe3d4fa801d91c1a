"""What tests and pages are made with in the place of a real domain, an address and images."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.services import SERVICES

_IMAGES = {f"{service}_image": "1.0.0" for service in SERVICES}
_OF_A_DOMAIN = {
    "domain_name": "mercato.example.com",
    "hosted_zone_id": "Z0123456789ABC",
    "alert_email": "oncall@mercato.example.com",
}


def context(environment: str) -> Mapping[str, str]:
    """The context of `environment`. Dev has no domain, so that both ways are seen."""
    return {"environment": environment, **_IMAGES, **({} if environment == "dev" else _OF_A_DOMAIN)}
