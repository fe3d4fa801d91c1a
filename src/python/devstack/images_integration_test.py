"""The shop runs from the images that would be deployed, wherever a Docker Engine has them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from backing.process import ProcessError
from contracts.services import SERVICES
from devstack import images
from devstack.conftest import OpenShop, up, visit, wait_open
from devstack.saga_integration_test import (
    _invariants_hold,
    test_an_order_is_cancelled_after_it_was_paid,
    test_an_order_is_confirmed_charged_and_mailed,
)

__all__ = [
    "_invariants_hold",
    "test_an_order_is_cancelled_after_it_was_paid",
    "test_an_order_is_confirmed_charged_and_mailed",
    "visit",
]


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenShop]:
    """A shop whose services are containers."""
    try:
        images.ensure_built(SERVICES)
    except ProcessError as error:
        pytest.skip(f"not run from images: {error}")
    directory = tmp_path_factory.mktemp("shop")
    process = up(directory, "--images")
    process.start()
    try:
        wait_open(process, directory)
        yield OpenShop(directory, process)
    finally:
        process.stop()


def test_the_services_are_containers_with_no_more_rights_than_on_aws(open_shop: OpenShop) -> None:
    """A user without a name, nothing that can be written but /tmp, no capability."""
    listed = _docker("ps", "--quiet", "--filter", f"name=mercato-.*-{open_shop.process.pid}-")
    containers = listed.split()
    assert len(SERVICES) == len(containers)
    form = (
        "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}"
    )
    for container in containers:
        said = _docker("inspect", "--format", form, container).strip()
        assert "10001:10001 true [ALL] [no-new-privileges]" == said


def _docker(*arguments: str) -> str:
    return subprocess.run(
        ["docker", *arguments], capture_output=True, check=True, text=True, timeout=30
    ).stdout
