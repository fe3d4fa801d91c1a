"""Data files of load tests: TOML into a model, and what is wrong with one as a sentence."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from loadtests.errors import LoadError


class Part(BaseModel):
    """A part of a file: what it does not know is refused, and nothing is changed after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], path: Path) -> Model:
    """What `path` says. Raises LoadError, naming the file and everything that is wrong in it."""
    try:
        return model(**tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise LoadError(f"{path} is missing.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LoadError(f"{path} is no TOML: {error}.") from None
    except ValidationError as error:
        raise LoadError(f"{path}: {_wrong(error)}.") from None


def _wrong(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'the file'}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors()
    )
