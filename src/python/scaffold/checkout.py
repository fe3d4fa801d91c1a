"""The checkout that a service is put into: which words are taken there, and what of it changes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from contracts.routes import plural
from scaffold.name import Name, Refused

SOURCES = PurePosixPath("src/python")
SERVICES = SOURCES / "services"
LIST = SOURCES / "contracts/services.py"
ASSUMPTIONS = SOURCES / "infra/assumptions.toml"

# What stacks, their resources and the processes of a shop are called, stands in these.
_NAMING = ("infra/stacks/*.py", "infra/constructs/*.py", "devstack/shop.py")

_WORK = """
[[work]]
service = "{name}"
task_ms = 0
database_ms = 0
bytes = 0
"""


def taken(root: Path) -> dict[str, str]:
    """Words in use, in lower case, each with what has it. Raises Refused where `root` is no checkout."""
    words: dict[str, str] = {}
    for pattern in _NAMING:
        for path in sorted((root / SOURCES).glob(pattern)):
            if not path.name.endswith("_test.py"):
                where = path.relative_to(root).as_posix()
                words |= dict.fromkeys(_named(path.read_text(encoding="utf-8")), where)
    for path in sorted((root / SOURCES).iterdir()) if (root / SOURCES).is_dir() else ():
        words[path.stem.lower()] = path.relative_to(root).as_posix()
    for path in sorted((root / SERVICES).glob("*/pacts/states.py")):
        words[path.stem] = path.relative_to(root).as_posix()
    for service in (*services(root), *_folders(root)):
        words[service] = words[plural(service)] = f"the {service} service, {SERVICES / service}"
    return words


def services(root: Path) -> list[str]:
    """The services that are listed. Raises Refused where the list is not as it should be."""
    return [str(each.value) for each in _listed(read(root, LIST)).elts if isinstance(each, ast.Constant)]


def edits(root: Path, name: Name) -> dict[PurePosixPath, str]:
    """The files that are there and change, with their new text. Raises Refused where a place is gone."""
    changes: Mapping[PurePosixPath, Callable[[str], str]] = {
        ASSUMPTIONS: lambda text: f"{text.rstrip()}\n{_WORK.format(name=name.text)}",
        # Last: from then on it is one of the services.
        LIST: lambda text: _with_name(text, name.text),
    }
    return {path: change(read(root, path)) for path, change in changes.items()}


def put(root: Path, new: Mapping[PurePosixPath, str], changed: Mapping[PurePosixPath, str]) -> None:
    """Write `new` files, of which none may be there, and `changed` ones; all of them, or none.

    Raises Refused.
    """
    for path in new:
        if (root / path).exists():
            raise Refused(f"{path} is there already: nothing was written; move it away first.")
    before = {path: read(root, path) for path in changed}
    made: list[Path] = []
    try:
        for path, text in new.items():
            _write(root / path, text, made)
        for path, text in changed.items():
            (root / path).write_text(text, encoding="utf-8")
    except BaseException as error:
        for path, text in before.items():
            if read(root, path) != text:
                (root / path).write_text(text, encoding="utf-8")
        _unmake(made)
        if isinstance(error, OSError):
            raise Refused(f"{error.filename} cannot be written ({error.strerror}): nothing was.") from error
        raise


def _write(path: Path, text: str, made: list[Path]) -> None:
    """Write a file, and note in `made` it and the folders that had to be made."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir()
            made.append(folder)
    made.append(path)
    path.write_text(text, encoding="utf-8")


def _unmake(made: list[Path]) -> None:
    for path in reversed(made):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)


def read(root: Path, path: PurePosixPath) -> str:
    """The text of a file of the checkout. Raises Refused."""
    try:
        return (root / path).read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(
            f"{path} cannot be read in {root} ({error.strerror}): run this in a checkout of the shop."
        ) from error


def _folders(root: Path) -> list[str]:
    return [path.name for path in (root / SERVICES).iterdir() if path.is_dir() and "__" not in path.name]


def _listed(text: str) -> ast.Tuple:
    """The tuple in `SERVICES = (…)`."""
    for node in ast.parse(text).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="SERVICES")], value=ast.Tuple() as value) if value.elts:
                return value
    raise Refused(f"{LIST} has no SERVICES = (…), where the service belongs: mend it first.")


def _with_name(text: str, name: str) -> str:
    last = _listed(text).elts[-1]
    lines = text.splitlines(keepends=True)
    assert last.end_lineno is not None
    line = lines[last.end_lineno - 1].encode()
    behind = last.end_col_offset
    lines[last.end_lineno - 1] = (line[:behind] + f', "{name}"'.encode() + line[behind:]).decode()
    return "".join(lines)


def _named(source: str) -> Iterator[str]:
    """The strings in a module that are a word, and what goes before "Logs" and such where one ends in it."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str(text)) if text.isalpha():
                yield text.lower()
                yield text.lower().removesuffix("logs")
