"""The stages of the pipeline: for each, what it runs for a selection, in this order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.selection import Selection, with_dependents

PANTS = "./pants"
# What a change of the deployment would do, for the reader of a pull request.
DIFFERENCE = "dist/ci/infra-diff.md"

_CONTRACTS = "src/python/gate/"
# What the templates are made of comes together in it.
_DEPLOYMENT = "src/python/infra/app.py:lib"


@dataclass(frozen=True)
class Command:
    """One that is run at the root of the checkout; what it prints goes to the file `to`, if one is named."""

    words: tuple[str, ...]
    to: str | None = None


@dataclass(frozen=True)
class Stage:
    """`of` says how much it has to do, `commands` what it runs: none where nothing of it has changed."""

    name: str
    help: str
    commands: Callable[[Selection], list[Command]]
    of: Callable[[Selection], str] = lambda _: ""
    # Whether it is run where no stage is named.
    is_usual: bool = True


def _lint(selection: Selection) -> list[Command]:
    # Each file is looked at by itself: who depends on it is no matter.
    return [_pants(*selection.specs, "lint")] if selection else []


def _check(selection: Selection) -> list[Command]:
    return [_pants(*with_dependents(selection.specs), "check")] if selection else []


def _test(addresses: tuple[str, ...]) -> list[Command]:
    return [_pants("test", *addresses)] if addresses else []


def _deployment(selection: Selection) -> list[Command]:
    if _DEPLOYMENT not in selection.others:
        return []
    return [_pants("synth"), Command((PANTS, "infra-diff", "--form", "markdown"), DIFFERENCE)]


def _of_services(selection: Selection) -> tuple[str, ...]:
    return tuple(each for each in selection.tests if not each.startswith(_CONTRACTS))


def _of_contracts(selection: Selection) -> tuple[str, ...]:
    return tuple(each for each in selection.tests if each.startswith(_CONTRACTS))


def _files(addresses: tuple[str, ...]) -> str:
    return f"{len(addresses)} test file{'s' if len(addresses) != 1 else ''}" if addresses else ""


def _pants(*words: str) -> Command:
    return Command((PANTS, *words))


STAGES = (
    Stage("lint", "the files that changed", _lint),
    Stage("check", "types, also of all that depends on what changed", _check),
    Stage(
        "test",
        "the tests that the change concerns, by the build graph",
        lambda it: _test(_of_services(it)),
        lambda it: _files(_of_services(it)),
    ),
    Stage(
        "contracts",
        "registry and pacts, of the providers that the change concerns",
        lambda it: _test(_of_contracts(it)),
        lambda it: _files(_of_contracts(it)),
    ),
    Stage("deployment", "templates, and what deploying them would change", _deployment),
    Stage(
        "whole",
        "the tests that the change concerns and that need a whole shop",
        lambda it: _test(it.whole),
        lambda it: _files(it.whole),
        is_usual=False,
    ),
)
NAMES = tuple(stage.name for stage in STAGES)
