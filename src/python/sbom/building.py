"""Wheels, checkouts and documents of nobody, for the tests."""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

_GIT = (
    "-c",
    "user.name=test",
    "-c",
    "user.email=test@localhost",
    "-c",
    "commit.gpgsign=false",
)

LOCK = """\
blue==1.0 \\
    --hash=sha256:0000000000000000000000000000000000000000000000000000000000000001 \\
    --hash=sha256:0000000000000000000000000000000000000000000000000000000000000002
    # via -r requirements.txt
green==2.0 \\
    --hash=sha256:0000000000000000000000000000000000000000000000000000000000000003
    # via blue
"""
CRATES = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "components": [
        {
            "name": "grey-sys",
            "version": "0.1.0",
            "purl": "pkg:cargo/grey-sys@0.1.0",
            "licenses": [{"expression": "MIT OR GPL-2.0-only"}],
        },
        {"name": "blue-own", "version": "1.0", "purl": "pkg:cargo/blue-own@1.0?download_url=file://own"},
        {"name": "openssl", "version": "4.0", "licenses": [{"license": {"id": "Apache-2.0"}}]},
    ],
}


def members(
    name: str, version: str, metadata: Iterable[str] = (), sboms: Mapping[str, object] | None = None
) -> dict[str, str]:
    """The files of an installed distribution, by their paths: a module, and what is said of it."""
    info = f"{name}-{version}.dist-info"
    header = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *metadata]
    files = {f"{name}/__init__.py": "", f"{info}/METADATA": "\n".join(header) + "\n"}
    files |= {f"{info}/sboms/{each}": json.dumps(said) for each, said in (sboms or {}).items()}
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    return files | {f"{info}/RECORD": record}


def wheel(folder: Path, name: str, version: str, metadata: Iterable[str] = (), **sboms: object) -> Path:
    """A wheel in `folder`; `sboms` are the documents that it carries, by their names without the suffix."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    documents = {f"{each}.json": said for each, said in sboms.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members(name, version, metadata, documents).items():
            archive.writestr(member, content)
    return path


def libraries(packaged: Path, service: str, *licences: str) -> None:
    """The packaged libraries of a service: blue, green, and one for each of `licences`, named after it."""
    deps = packaged / f"src.python.services.{service}" / "libraries.pex" / ".deps"
    wheel(deps, "blue", "1.0", ["License-Expression: MIT"], crates=CRATES)
    wheel(deps, "green", "2.0", ["License-Expression: BSD-3-Clause"])
    for each in licences:
        wheel(deps, f"is_{each.split('-')[0].lower()}", "1.0", [f"License-Expression: {each}"])


def checkout(root: Path, *services: str) -> str:
    """A committed checkout in `root` with these services, at 1.2.3; returns the commit."""
    for service in services:
        file = root / "src/python/services" / service / "VERSION"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("1.2.3\n")
    lock = root / "3rdparty/python/shop/lock.txt"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(LOCK)
    git(root, "init", "-q")
    git(root, "add", "src", "3rdparty")
    git(root, *_GIT, "commit", "-q", "-m", "all", "--date=2026-01-02T03:04:05Z")
    return git(root, "rev-parse", "HEAD").strip()


def git(root: Path, *arguments: str) -> str:
    """What Git says in `root`, whatever the machine has set for it."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(root),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
    }
    return subprocess.run(
        ["git", "-C", str(root), *arguments], env=environment, capture_output=True, text=True, check=True
    ).stdout


def pants(root: Path) -> None:
    """As much of the launcher as is asked for: it packages what lies in `root`/packaged."""
    program = root / "pants"
    program.write_text('#!/bin/sh\nset -e\nmkdir -p dist\ncp -r packaged/* dist/\necho "$@" >asked\n')
    program.chmod(0o755)
