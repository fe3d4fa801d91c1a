"""`./pants load derive`: writes the scaling files that follow from profiles, objectives and forecast."""

from __future__ import annotations

import argparse
import sys

from loadtests.checkout import Checkout


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    derive = commands.add_parser(
        "derive", help="write the scaling files that follow from profiles, objectives and forecast"
    )
    derive.add_argument("services", nargs="*", metavar="SERVICE", help="(all that have a profile)")
    derive.add_argument(
        "--check", action="store_true", help="write nothing; fail if a scaling file is stale, and say which"
    )
    derive.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the files, or check them; returns the exit status. All are derived before one is written."""
    checkout = Checkout(arguments.root)
    texts = {service: checkout.scaling_text(service) for service in checkout.chosen(arguments.services)}
    if arguments.check:
        return _check(checkout, texts)
    for service, text in texts.items():
        path = checkout.scaling / f"{service}.toml"
        path.write_text(text, "utf-8")
        sys.stdout.write(f"wrote {path}\n")
    return 0


def _check(checkout: Checkout, texts: dict[str, str]) -> int:
    stale = [
        service
        for service, text in texts.items()
        if (checkout.scaling / f"{service}.toml").read_text("utf-8") != text
    ]
    if stale:
        sys.stderr.write(f"stale: {', '.join(stale)}. ./pants load derive writes them anew.\n")
    return 1 if stale else 0
