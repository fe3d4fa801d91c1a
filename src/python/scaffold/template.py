"""The files of a service as templates: a folder that looks as `src/python` will."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scaffold.name import Name

FOLDER = Path(__file__).parent / "templates"
SUFFIX = ".j2"
# A name that nobody takes: words that do not have it in them are the templates' own.
_NOBODYS = Name("qqqqqq")


def rendered(name: Name, folder: Path = FOLDER) -> dict[PurePosixPath, str]:
    """The text of each new file of a service, by its path below the checkout."""
    # Nothing is escaped: what is written is Python and TOML, and the name is letters alone.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(folder), undefined=StrictUndefined, keep_trailing_newline=True
    )
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob(f"*{SUFFIX}"))
    return {_place(each, name): environment.get_template(each).render(name.words()) for each in found}


def own_words(folder: Path = FOLDER) -> set[str]:
    """What the modules of the templates call things, whatever the service is called: in lower case."""
    sources = {path: text for path, text in rendered(_NOBODYS, folder).items() if path.suffix == ".py"}
    words = {word.lower() for text in sources.values() for word in _names(ast.parse(text))}
    modules = {path.stem for path in sources}
    return {word for word in words | modules if _NOBODYS.text not in word}


def _place(template: str, name: Name) -> PurePosixPath:
    path = template.removesuffix(SUFFIX).replace("PLURAL", name.plural).replace("NAME", name.text)
    return PurePosixPath("src/python") / path


def _names(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        match node:
            case ast.Name(id=word) | ast.arg(arg=word):
                yield word
            case ast.FunctionDef(name=word) | ast.AsyncFunctionDef(name=word) | ast.ClassDef(name=word):
                yield word
            case ast.alias(name=word, asname=None):
                yield from word.split(".")
            case ast.alias(asname=str(word)):
                yield word
