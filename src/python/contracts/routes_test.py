from __future__ import annotations

import pytest

from contracts.routes import path_of
from contracts.services import SERVICES


def test_the_routes_of_the_services_are_where_clients_know_them() -> None:
    """They were released there."""
    known = {"/api/users", "/api/products", "/api/orders", "/api/payments", "/api/notifications"}
    assert known <= set(map(path_of, SERVICES))


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("shipping", "/api/shippings"),
        ("delivery", "/api/deliveries"),
        ("relay", "/api/relays"),
        ("box", "/api/boxes"),
        ("address", "/api/addresses"),
        ("batch", "/api/batches"),
    ],
)
def test_a_name_has_the_plural_that_people_expect(service: str, path: str) -> None:
    """Whoever reads a URL need not know the rule."""
    assert path == path_of(service)
