"""Takes out of a service's libraries what it never reads: run once, while its image is built.

Debugging symbols, sources in other languages, and what describes the many services of AWS that are not used.
"""

from __future__ import annotations

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


def main(root: Path) -> None:
    """Trim the virtual environment at `root`."""
    for folder in (*_unused_packages(root), *_unused_services(root)):
        shutil.rmtree(folder)
    for path in root.rglob("*"):
        if path.suffix in SOURCES and path.is_file():
            path.unlink()
    libraries = [str(path) for path in root.rglob("*.so*") if path.is_file()]
    if libraries:
        # Dates are those of the input, so that the same input is the same image.
        subprocess.run(["strip", "--strip-unneeded", "--preserve-dates", *libraries], check=True)


def _unused_packages(root: Path) -> Iterator[Path]:
    for packages in root.glob("lib/python3*/site-packages"):
        yield from (packages / name for name in UNUSED if (packages / name).is_dir())
        yield from packages.glob("*/tests")


def _unused_services(root: Path) -> Iterator[Path]:
    for data in root.glob("lib/python3*/site-packages/botocore/data"):
        yield from (path for path in data.iterdir() if path.is_dir() and path.name not in AWS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
