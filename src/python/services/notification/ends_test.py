"""What is over in the notification service: nothing that a request could end."""

from __future__ import annotations

from chassis import ends
from services.notification.conftest import Shop


def test_nothing_ends(shop: Shop) -> None:
    """A new operation that ends something fails here until somebody has said what is answered after it."""
    assert [] == ends.gaps(shop.app.openapi(), {}, ())
