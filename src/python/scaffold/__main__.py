"""`./pants new-service`: writes a service more, and says what its author has to decide."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from scaffold import checkout, task, template
from scaffold.name import FEWEST, MOST, Name, Refused, checked


def main(argv: Sequence[str] | None = None) -> int:
    """Make the service that `argv` names; the exit status is 1 where Pants fails, 2 for a refusal."""
    arguments = _parser().parse_args(argv)
    root: Path = arguments.root.absolute()
    try:
        name = checked(arguments.name, _taken(root))
        new, changed = template.rendered(name), checkout.edits(root, name)
        texts = {**new, **changed}
        task.listed(name, lambda path: texts.get(path) or checkout.read(root, path))  # where they belong
        checkout.put(root, new, changed)
    except Refused as error:
        sys.stderr.write(f"{error}\n")
        return 2
    _say(f"The {name.text} service is written; its routes are below {name.path}:")
    for path in (*new, *changed):
        _say(f"  {path}{' (changed)' if path in changed else ''}")
    status = _finish(root, name, pages=arguments.pages)
    _say("What its author has to decide:")
    for line in task.listed(name, partial(checkout.read, root)):
        _say(f"  {line}")
    return status


def _taken(root: Path) -> dict[str, str]:
    own = dict.fromkeys(template.own_words(), "what every new service calls something else")
    return own | checkout.taken(root)


def _finish(root: Path, name: Name, *, pages: bool) -> int:
    """Have Pants form what was written, publish its contracts, and write the pages on all services."""
    sources = f"{checkout.SERVICES}/{name.text}::"
    steps = [["fix", "fmt", sources, str(checkout.LIST)], ["contracts", "write"]]
    if pages:
        steps += [["infra-docs"], ["sbom", "licences"]]
    while steps:
        _say(f"./pants {' '.join(steps[0])}")
        status, said = _pants(root, steps[0])
        if status != 0:
            sys.stderr.write(said)
            left = "; ".join(f"./pants {' '.join(each)}" for each in steps)
            sys.stderr.write(f"That failed: the files stay; mend what it says, and then: {left}\n")
            return 1
        steps.pop(0)
    if not pages:
        _say("docs/deployment and docs/licences.md are stale, and tests say so, until these write them:")
        _say("  ./pants infra-docs; ./pants sbom licences")
    _say(f"Try it: ./pants lint check test {sources}; ./pants up, and {name.path}/docs at the gateway.")
    return 0


def _pants(root: Path, arguments: Sequence[str]) -> tuple[int, str]:
    """The exit status of Pants, and what it said."""
    # In a file: a daemon that is started on the way keeps what it was given, and a pipe would have no end.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        command: list[str | Path] = [root / "pants", *arguments]
        done = subprocess.run(
            command, cwd=root, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False
        )
        said.seek(0)
        return done.returncode, said.read()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./pants new-service", description=__doc__)
    parser.add_argument(
        "name", metavar="NAME", help=f"in {FEWEST} to {MOST} lower-case letters, for one thing: review"
    )
    parser.add_argument(
        "--no-pages",
        dest="pages",
        action="store_false",
        help="leave the pages on the deployment, its cost and licences to later commands",
    )
    parser.set_defaults(root=Path(os.environ.get("MERCATO_ROOT", ".")))
    return parser


if __name__ == "__main__":
    sys.exit(main())
