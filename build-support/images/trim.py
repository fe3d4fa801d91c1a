"""Takes out of each layer of a service's image what it never reads: run once, while the image is built.

Debugging symbols, sources in other languages, and what describes the many services of AWS that are not used.
And the times of files, so that the same input is the same layer, and a registry is sent what has changed.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# What no code of a service imports, below site-packages: tests, other databases, Stripe's types,
# a resolver of names that checks of e-mail addresses do not use here, a parser of C.
UNUSED = (
    "dns",
    "dateutil/zoneinfo",
    "pycparser",
    "sqlalchemy/dialects/mssql",
    "sqlalchemy/dialects/mysql",
    "sqlalchemy/dialects/oracle",
    "sqlalchemy/dialects/sqlite",
    "sqlalchemy/ext/mypy",
    "sqlalchemy/testing",
    "stripe/params",
    # What Stripe sells besides payments; its library imports each when it is first asked for.
    *(
        f"stripe/{product}"
        for product in (
            "apps",
            "billing",
            "billing_portal",
            "checkout",
            "climate",
            "entitlements",
            "events",
            "financial_connections",
            "forwarding",
            "identity",
            "issuing",
            "radar",
            "reporting",
            "sigma",
            "tax",
            "terminal",
            "test_helpers",
            "treasury",
        )
    ),
)
# The services of AWS that are called, and the one that credentials come from.
AWS = {"s3", "secretsmanager", "sesv2", "sns", "sqs", "sts"}
SOURCES = {".c", ".cpp", ".h", ".hpp", ".pxd", ".pyx", ".pyi", ".proto"}


def main(root: Path, layer: Path) -> None:
    """Trim the virtual environment at `root`, and move it into the new folder `layer`."""
    for folder in (*_unused_packages(root), *_unused_services(root)):
        shutil.rmtree(folder)
    for path in root.rglob("*"):
        if path.suffix in SOURCES and path.is_file():
            path.unlink()
    libraries = [str(path) for path in root.rglob("*.so*") if path.is_file()]
    if libraries:
        subprocess.run(["strip", "--strip-unneeded", *libraries], check=True)
    # Nobody edits an image, so its bytecode need not be compared with the 1,300 sources of a start.
    compileall.compile_dir(root, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    for path in (root, *root.rglob("*")):
        os.utime(path, (0, 0), follow_symlinks=False)
    layer.mkdir()
    shutil.move(root, layer)


def _unused_packages(root: Path) -> Iterator[Path]:
    for packages in root.glob("lib/python3*/site-packages"):
        yield from (packages / name for name in UNUSED if (packages / name).is_dir())
        yield from packages.glob("*/tests")


def _unused_services(root: Path) -> Iterator[Path]:
    for data in root.glob("lib/python3*/site-packages/botocore/data"):
        yield from (path for path in data.iterdir() if path.is_dir() and path.name not in AWS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
