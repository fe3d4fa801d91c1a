from __future__ import annotations

import io
import json
import tarfile
from hashlib import sha256
from pathlib import Path, PurePosixPath

import pytest

from sbom import syft
from sbom.building import members
from sbom.contents import Package
from sbom.errors import SbomError

STATUS = """\
Package: {name}
Source: {source}
Version: 2.36-9
Architecture: amd64
Maintainer: Nobody <nobody@example.com>
Description: nothing
Depends: {needs}
Status: install ok installed
"""
FILES = {
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian"\n',
    "var/lib/dpkg/status.d/libc6": STATUS.format(name="libc6", source="glibc", needs="base"),
    "var/lib/dpkg/status.d/libssl3": STATUS.format(name="libssl3", source="openssl", needs="libc6 (>= 2)"),
    "usr/share/doc/libc6/copyright": "License: LGPL-2.1-only\n\nLicense: Redistribution\n",
}


def packed(files: dict[str, str]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        folders = {str(parent) for path in files for parent in PurePosixPath(path).parents} - {"."}
        for folder in sorted(folders):
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))
    return written.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An image as `docker save` writes it."""
    libraries = {
        f"app/lib/python3.11/site-packages/{path}": each for path, each in members("blue", "1").items()
    }
    others = {
        f"usr/local/lib/python3.11/site-packages/{path}": each for path, each in members("pip", "2").items()
    }
    layer = packed(FILES | libraries | others).decode("latin-1")
    digest = sha256(layer.encode("latin-1")).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": ["order:1"], "Layers": ["layer.tar"]}]
    path = tmp_path / "image.tar"
    path.write_bytes(
        packed({"manifest.json": json.dumps(manifest), "config.json": json.dumps(config), "layer.tar": layer})
    )
    return path


def test_the_program_finds_what_the_base_of_an_image_has(archive: Path) -> None:
    """Packages of Debian with what they were built from, and what of Python is not the service's."""
    found = {each.name: each for each in syft.packages(f"docker-archive:{archive}", "/app")}
    assert {"debian", "libc6", "libssl3", "pip"} == found.keys()
    libc = found["libc6"]
    assert libc.is_debian
    assert libc.purl.endswith("?arch=amd64&distro=debian-12&upstream=glibc")
    assert ("LGPL-2.1-only",) == libc.licences
    assert (libc.ref,) == found["libssl3"].needs


def test_what_it_cannot_look_into_is_told(tmp_path: Path) -> None:
    """In its words."""
    with pytest.raises(SbomError, match=r"Syft cannot look into the image docker-archive:.*nothing"):
        syft.packages(f"docker-archive:{tmp_path / 'nothing.tar'}", "/app")


def test_its_numbers_and_guesses_are_left_out() -> None:
    """The next version of Syft would have others, and the same image would have another document."""
    component = {
        "bom-ref": "pkg:generic/python@3.11?package-id=0123",
        "type": "application",
        "name": "python",
        "version": "3.11",
        "purl": "pkg:generic/python@3.11",
        "cpe": "cpe:2.3:a:python:python:3.11:*:*:*:*:*:*:*",
        "licenses": [{"license": {"id": "PSF-2.0"}}, {"license": {"name": "By"}}],
        "properties": [{"name": "syft:location:0:path", "value": "/usr/local/bin/python3.11"}],
    }
    assert (
        Package(
            "pkg:generic/python@3.11",
            "application",
            "python",
            "3.11",
            "pkg:generic/python@3.11",
            "cpe:2.3:a:python:python:3.11:*:*:*:*:*:*:*",
            ("PSF-2.0",),
        ),
    ) == syft.read(json.dumps({"components": [component]}), "/app")


@pytest.mark.parametrize("said", ["", "[]", "{}", '{"components": [{}]}', '{"components": [1]}'])
def test_what_it_says_otherwise_is_refused(said: str) -> None:
    """A document with a base that was half understood would look whole."""
    with pytest.raises(SbomError, match=r"says what sbom/syft\.py does not understand"):
        syft.read(said, "/app")
