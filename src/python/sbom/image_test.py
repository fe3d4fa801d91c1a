from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from locks import lock
from sbom import building, image
from sbom.checkout import Checkout
from sbom.contents import Package
from sbom.errors import SbomError

ID = "sha256:" + "1" * 64
LIBC = Package("libc", "library", "libc6", "2.36")
# As much of Docker's command line as is asked for; what it was asked is in `asked`.
DOCKER = """\
#!/bin/sh
here=$(dirname "$0")
echo "$@" >>"$here/asked"
case "$1" in
  image) cat "$here/$3.json" ;;
  create) echo the-container ;;
  cp) [ -e "$here/lib.tar" ] || { echo "no such folder" >&2; exit 1; }; cat "$here/lib.tar" ;;
esac
"""


class Engine:
    """A Docker Engine with one image, `here`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "docker").write_text(DOCKER)
        (folder / "docker").chmod(0o755)
        self.has({})
        self.holds({"site-packages": building.members("blue", "1.0")})

    def has(self, labels: dict[str, str] | None) -> None:
        """The image has these labels."""
        (self._folder / "here.json").write_text(json.dumps([{"Id": ID, "Config": {"Labels": labels}}]))

    def holds(self, files: dict[str, dict[str, str]]) -> None:
        """The image has these files by the folders below lib that they are in."""
        with tarfile.open(self._folder / "lib.tar", "w") as tar:
            for folder, members in files.items():
                for path, content in members.items():
                    member = tarfile.TarInfo(f"lib/python3.11/{folder}/{path}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content.encode()))

    def breaks(self) -> None:
        """What it copies is no archive."""
        (self._folder / "lib.tar").write_bytes(b"x" * 600)

    def refuses(self) -> None:
        """It copies nothing, and says why."""
        (self._folder / "lib.tar").unlink()

    @property
    def asked(self) -> list[str]:
        """What was asked of it."""
        return (self._folder / "asked").read_text().splitlines()


@pytest.fixture
def engine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The only Engine there is."""
    folder = tmp_path_factory.mktemp("docker")
    monkeypatch.setenv("PATH", f"{folder}:/usr/local/bin:/usr/bin:/bin")
    return Engine(folder)


def labels(commit: str) -> dict[str, str]:
    return {
        f"org.opencontainers.image.{name}": value
        for name, value in (
            ("title", "mercato/order"),
            ("version", "1.2.2"),
            ("revision", commit),
            ("source", "https://git.example.com/mercato.git"),
        )
    }


def test_an_image_is_found_by_its_name(engine: Engine) -> None:
    """Or there is none of that name."""
    engine.has(None)
    assert image.Image(ID, {}) == image.find("here")
    assert image.find("elsewhere") is None


def test_without_docker_there_is_no_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody has to have it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert image.find("here") is None


def test_an_image_is_looked_into_by_its_labels(engine: Engine, tmp_path: Path) -> None:
    """What it is, its commit, the lock of that commit, the libraries in it, and its base; it is not run."""
    commit = building.checkout(tmp_path, "order")
    engine.has(labels(commit))
    engine.holds(
        {"site-packages": building.members("blue", "1.0"), "elsewhere": building.members("red", "3.0")}
    )
    found = image.find("here")
    assert found is not None
    contents = image.contents(Checkout(tmp_path), "order", found, lambda asked: [LIBC] if asked == ID else [])
    assert ("order", "1.2.2", commit, ID) == (
        contents.service,
        contents.version,
        contents.commit,
        contents.image,
    )
    assert ["blue 1.0"] == [f"{each.name} {each.version}" for each in contents.distributions]
    assert (LIBC,) == contents.base
    assert lock.pins(building.LOCK) == contents.pins
    assert contents.made is not None
    assert [f"create {ID}", "cp the-container:/app/lib -", "rm --force the-container"] == engine.asked[1:]


def test_an_image_that_says_nothing_of_itself_has_the_version_of_the_checkout(
    engine: Engine, tmp_path: Path
) -> None:
    """It was built without the launcher: neither commit nor lock are known."""
    building.checkout(tmp_path, "order")
    engine.has({f"org.opencontainers.image.{name}": "unknown" for name in ("revision", "source")})
    found = image.find("here")
    assert found is not None
    contents = image.contents(Checkout(tmp_path), "order", found, lambda _: [])
    assert ("1.2.3", None, None, None) == (
        contents.version,
        contents.commit,
        contents.source,
        contents.made,
    )
    assert {} == contents.pins


def test_the_image_of_another_service_is_refused(engine: Engine, tmp_path: Path) -> None:
    """A document under the wrong name is worse than none."""
    engine.has(labels("unknown"))
    building.checkout(tmp_path, "order", "user")
    found = image.find("here")
    assert found is not None
    with pytest.raises(SbomError, match="is one of mercato/order, not of user"):
        image.contents(Checkout(tmp_path), "user", found, lambda _: [])


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("no libraries", "has no libraries below /app/lib"),
        ("no archive", "/app/lib of the image .* cannot be read"),
        ("no copy", "docker cp the-container:/app/lib - fails: no such folder"),
    ],
)
def test_an_image_that_cannot_be_read_is_told_and_nothing_is_left(
    what: str, problem: str, engine: Engine, tmp_path: Path
) -> None:
    """The container that was made to look into it goes in any case."""
    building.checkout(tmp_path, "order")
    if what == "no libraries":
        engine.holds({"elsewhere": building.members("blue", "1.0")})
    elif what == "no archive":
        engine.breaks()
    else:
        engine.refuses()
    found = image.find("here")
    assert found is not None
    with pytest.raises(SbomError, match=problem):
        image.contents(Checkout(tmp_path), "order", found, lambda _: [])
    assert "rm --force the-container" == engine.asked[-1]


@pytest.mark.parametrize("path", ["../../../../../tmp/sbom-escaped", "x/../../../escaped"])
def test_a_path_that_leads_out_of_the_folder_is_not_followed(
    path: str, engine: Engine, tmp_path: Path
) -> None:
    """Whoever made the image chose it."""
    building.checkout(tmp_path, "order")
    bad = {f"evil-1.dist-info/{path}": "x"} | building.members("blue", "1.0")
    engine.holds({"site-packages": bad})
    found = image.find("here")
    assert found is not None
    contents = image.contents(Checkout(tmp_path), "order", found, lambda _: [])
    assert ["blue"] == [each.name for each in contents.distributions]
