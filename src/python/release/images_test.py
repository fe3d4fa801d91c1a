from __future__ import annotations

from pathlib import Path

import pytest

from release.building import Docker
from release.images import Images, of
from release.version import ReleaseError, Version

VERSION = Version(1, 4, 0)
NAME = "registry.example/mercato/order:1.4.0"


@pytest.fixture
def images(docker: Docker, tmp_path: Path) -> Images:
    """Those of a registry in which nothing is."""
    return Images("registry.example", tmp_path)


def test_an_image_is_there_once_it_was_pushed(images: Images, docker: Docker) -> None:
    """Under its version, and by the digest that the registry tells."""
    assert images.digest("order", VERSION) is None
    pushed = images.push("order", VERSION)
    assert f"sha256:{'0' * 63}1" == pushed == images.digest("order", VERSION)
    assert [f"tag mercato/order:1.4.0 {NAME}", f"push --quiet {NAME}"] == [
        call for call in docker.calls() if not call.startswith("manifest")
    ]


def test_a_registry_that_cannot_be_asked_is_no_registry_without_the_image(
    images: Images, docker: Docker
) -> None:
    """Else a version could be pushed twice; Docker's last line says what it was."""
    docker.refuse("manifest", "warning\nno basic auth credentials")
    with pytest.raises(ReleaseError, match=f"whether there is {NAME} cannot be told: no basic auth"):
        images.digest("order", VERSION)


def test_what_docker_refuses_is_told(images: Images, docker: Docker) -> None:
    """An Engine that does not answer, say."""
    docker.refuse("push", "Cannot connect to the Docker daemon")
    with pytest.raises(ReleaseError, match=r"docker push --quiet refuses: Cannot connect to the Docker"):
        images.push("order", VERSION)


@pytest.mark.parametrize("answer", ["", "[]", '{"Descriptor": {}}', '{"Descriptor": {"digest": "latest"}}'])
def test_what_has_no_digest_is_not_trusted(images: Images, docker: Docker, answer: str) -> None:
    """A list of images for several machines is none of ours."""
    docker.hold(NAME, answer)
    with pytest.raises(ReleaseError, match="what docker says of"):
        images.digest("order", VERSION)


def test_without_docker_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReleaseError, match=r"^docker cannot be run: .*; images need a Docker Engine$"):
        Images("registry.example", tmp_path).digest("order", VERSION)


@pytest.mark.parametrize("address", [None, "", "--insecure", "https://registry.example", "a b", "x:y"])
def test_the_registry_is_named_by_the_environment(tmp_path: Path, address: str | None) -> None:
    """What is no address never becomes an argument of Docker's."""
    given = {} if address is None else {"MERCATO_REGISTRY": address}
    with pytest.raises(ReleaseError, match=r"^MERCATO_REGISTRY .*: it names the registry"):
        of(tmp_path, given)
    there = of(tmp_path, {"MERCATO_REGISTRY": "127.0.0.1:5000/shop"})
    assert "127.0.0.1:5000/shop/mercato/order:1.4.0" == there.name("order", VERSION)
