"""`./pants sbom`: what the images of the services are made of, its licences, its vulnerabilities."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sbom import audit, document, image, licence, page, pex
from sbom.advisory import SOURCE, Source
from sbom.checkout import Checkout
from sbom.contents import Contents
from sbom.errors import SbomError

_FOLDER = Path("dist/sbom")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv`.

    Returns the exit status of the process: 0, 1 where something is refused, 2 where it could not be done, 3
    where no source of advisories answered.
    """
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except SbomError as error:
        sys.stderr.write(f"{error}\n")
        return error.status
    return status


# --- write


def _write(arguments: argparse.Namespace) -> int:
    _documents(arguments)
    return 0


def _documents(arguments: argparse.Namespace) -> list[Path]:
    """Write the document of each service that was asked for; returns where they are."""
    checkout = Checkout(arguments.root)
    services = arguments.services or checkout.services()
    if arguments.image and len(services) != 1:
        raise SbomError("--image is of one service: name that one")
    folder = arguments.root / _FOLDER
    found = {service: _image(checkout, service, arguments.image) for service in services}
    missing = [service for service in services if found[service] is None]
    packaged = pex.package(arguments.root, missing) if missing else None
    rules = licence.policy()
    written = []
    for service, its in found.items():
        if its is not None:
            contents = image.contents(checkout, service, its)
        else:
            assert packaged is not None
            contents = pex.contents(checkout, packaged, service)
        folder.mkdir(parents=True, exist_ok=True)
        written.append(_replace(folder / f"{service}.cdx.json", document.text(contents, rules)))
        _say(f"{written[-1].relative_to(arguments.root)}: {_summary(contents)}")
    return written


def _image(checkout: Checkout, service: str, reference: str | None) -> image.Image | None:
    name = reference or f"mercato/{service}:{checkout.version(service)}"
    found = image.find(name)
    if found is None and reference:
        raise SbomError(f"no Docker Engine here has the image {reference}: pull it, or start the Engine")
    return found


def _replace(path: Path, text: str) -> Path:
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _summary(contents: Contents) -> str:
    commit = contents.commit[:10] if contents.commit else "unknown"
    said = [
        f"{contents.service} {contents.version}, commit {commit}",
        f"{len(contents.distributions)} Python distributions",
    ]
    parts = sum(len(each.bundled) for each in contents.distributions)
    said.append(f"{parts} parts compiled into them")
    if contents.image is None:
        said.append("made of the libraries alone: no Docker Engine has the image, so its base is NOT listed")
    else:
        debian = sum(each.is_debian for each in contents.base)
        said.append(
            f"{debian} packages of Debian"
            if debian
            else "its base keeps no record of its packages, so they are NOT listed (build it anew)"
        )
    if not contents.pins:
        said.append("its commit is unknown here, so neither hashes nor what needs what is listed")
    return "; ".join(said)


# --- licences


def _licences(arguments: argparse.Namespace) -> int:
    checkout, rules = Checkout(arguments.root), licence.policy()
    services = checkout.services()
    packaged = arguments.packaged or pex.package(arguments.root, services)
    shipped = {service: pex.libraries(packaged, service) for service in services}
    refused = licence.refused(rules, shipped)
    for each in refused:
        sys.stderr.write(f"{each}\n")
    made, there = page.text(shipped, rules), arguments.root / page.PAGE
    stale = not there.exists() or there.read_text("utf-8") != made
    if not stale:
        _say(f"{page.PAGE} is of what the services ship")
    elif arguments.check:
        _say(f"{page.PAGE} is stale: {page.COMMAND} writes it anew")
    else:
        _replace(there, made)
        _say(f"{page.PAGE} is written anew")
    return 1 if refused or (stale and arguments.check) else 0


# --- audit


def _audit(arguments: argparse.Namespace) -> int:
    documents = arguments.document or _documents(arguments)
    ignored = audit.ignored()
    with Source(arguments.source) as source:
        found = audit.audit(map(_text, documents), source)
    today = datetime.now(UTC).date()
    judged = audit.judge(found, ignored, today, only_fixed=arguments.only_fixed)
    for line in judged.lines:
        _say(line)
    return 1 if judged.refused else 0


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SbomError(f"{path} cannot be read: {error}; ./pants sbom write makes documents") from error


def _say(line: str) -> None:
    # Names come from images and documents: what a terminal obeys is none.
    sys.stdout.write("".join(each if each.isprintable() else " " for each in line) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./pants sbom", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    root = Path(os.environ.get("MERCATO_ROOT", ".")).absolute()
    what = "write the document of each service's image to dist/sbom"
    write = commands.add_parser("write", help=what, description=what)
    write.set_defaults(run=_write, root=root)
    _add_services(write)
    what = "write docs/licences.md, and refuse a licence that may not be in an image"
    licences = commands.add_parser("licences", help=what, description=what)
    licences.add_argument("--check", action="store_true", help="write nothing; fail if the page is stale")
    licences.add_argument(
        "--packaged", type=Path, metavar="FOLDER", help="with packaged libraries (they are packaged)"
    )
    licences.set_defaults(run=_licences, root=root)
    what = (
        "ask for known vulnerabilities of what is in the images; 3 is the status where nobody could be asked"
    )
    check = commands.add_parser("audit", help=what, description=what)
    check.set_defaults(run=_audit, root=root)
    _add_services(check)
    check.add_argument(
        "--document", type=Path, action="append", metavar="FILE", help="ask of these, and write none"
    )
    check.add_argument("--only-fixed", action="store_true", help="what no version mends yet does not refuse")
    check.add_argument(
        "--source",
        default=os.environ.get("OSV_URL", SOURCE),
        metavar="URL",
        help="that answers as OSV does (%(default)s; OSV_URL sets another)",
    )
    return parser


def _add_services(command: argparse.ArgumentParser) -> None:
    command.add_argument("services", nargs="*", metavar="SERVICE", help="(all)")
    command.add_argument(
        "--image", metavar="REF", help="of the one service, instead of mercato/SERVICE:VERSION"
    )


if __name__ == "__main__":
    sys.exit(main())
