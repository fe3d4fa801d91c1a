"""The deployment's commands: `./pants synth`, `./pants infra-diff`, `./pants infra-docs`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from contracts.services import SERVICES
from infra import difference, environment, example, released, synthesis
from infra.difference import DifferenceError
from infra.environment import NAMES, ContextError
from infra.scaling.policy import PolicyError
from infra.synthesis import PolicyViolated

# The checkout, as the launcher says; else where the command is run.
ROOT = Path(os.environ.get("MERCATO_ROOT", "."))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv`; returns the exit status: 0, 1 for what is refused, 2 for misuse."""
    parser = argparse.ArgumentParser(prog="./pants", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_synth(commands)
    _add_diff(commands)
    _add_docs(commands)
    arguments = parser.parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except (ContextError, DifferenceError, PolicyError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except PolicyViolated as error:
        sys.stderr.write(f"the templates break a rule:\n{error}\n")
        return 1
    return status


def _add_synth(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    synth = commands.add_parser(
        "synth", aliases=["templates"], help="write the templates of environments, and have them judged"
    )
    synth.add_argument("environments", nargs="*", metavar="ENVIRONMENT", help=f"{', '.join(NAMES)} (dev)")
    _add_context(synth)
    synth.add_argument("--output", type=Path, help="folder, with one of each environment (cdk.out)")
    synth.add_argument(
        "--example", action="store_true", help="as for tests and pages, with a domain and images of nobody"
    )
    synth.add_argument("--lint", action="store_true", help="have cfn-lint judge the templates as well")
    synth.set_defaults(run=_synth)


def _add_diff(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    diff = commands.add_parser("diff", help="say what deploying would change, what keeps data first")
    diff.add_argument("environment", nargs="?", metavar="ENVIRONMENT", help="with --against: which (prod)")
    diff.add_argument(
        "--against",
        type=Path,
        metavar="FOLDER",
        help="templates to compare with, as of ./pants synth or CloudFormation (those that were released)",
    )
    _add_context(diff)
    diff.add_argument("--allow-stateful", action="store_true", help="what keeps data may go: it is meant")
    diff.add_argument("--form", choices=["text", "markdown", "json"], default="text", help="(%(default)s)")
    diff.add_argument(
        "--release", action="store_true", help="and let these be the released ones, where nothing is refused"
    )
    diff.set_defaults(run=_diff)


def _add_docs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    docs = commands.add_parser("docs", help="write the pages of docs/deployment from the templates")
    docs.add_argument(
        "--check", action="store_true", help="write nothing; fail if a page is stale, and say which"
    )
    docs.add_argument(
        "--templates", type=Path, help="folder with the templates of all environments (they are made anew)"
    )
    docs.set_defaults(run=_docs)


def _add_context(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--context",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="instead of what the environment's file says; order_image=1.4.0 is a service's version",
    )


def _synth(arguments: argparse.Namespace) -> int:
    context = _context(arguments.context)
    asked = json.loads(os.environ.get("CDK_CONTEXT_JSON", "{}"))
    if "CDK_OUTDIR" in os.environ:  # the CDK command line asks, for one environment, and speaks for itself
        given = {key: str(value) for key, value in asked.items() if _is_ours(key)}
        synthesis.synthesise(environment.load(_images() | given | context), Path(os.environ["CDK_OUTDIR"]))
        return 0
    output = arguments.output or ROOT / "cdk.out"
    for name in arguments.environments or [context.get("environment", "dev")]:
        given = dict(example.context(name)) if arguments.example else _images()
        made = environment.load(given | context | {"environment": name})
        _write(made, output / name, lint=arguments.lint)
    return 0


def _docs(arguments: argparse.Namespace) -> int:
    # Imported here: no other command has need of prices and pictures.
    from infra import pages

    with tempfile.TemporaryDirectory(prefix="mercato-templates-") as scratch:
        folder = arguments.templates or Path(scratch)
        if arguments.templates is None:
            for name in NAMES:
                synthesis.synthesise(environment.load(example.context(name)), folder / name)
        made = pages.pages(folder)
    docs = ROOT / pages.FOLDER
    stale = pages.stale(made, docs)
    for name in stale:
        if arguments.check:
            say(f"{pages.FOLDER / name} is stale: {pages.COMMAND} writes it anew")
        else:
            docs.mkdir(parents=True, exist_ok=True)
            (docs / name).write_text(made[name], "utf-8")
            say(f"{pages.FOLDER / name} is written anew")
    if not stale:
        say("the pages are of the templates as they are")
    return 1 if stale and arguments.check else 0


def _write(made: environment.Environment, output: Path, *, lint: bool) -> None:
    paths = synthesis.synthesise(made, output)
    for path in paths:
        resources = len(json.loads(path.read_text("utf-8"))["Resources"])
        say(f"{path}: {resources} resources")
    findings = synthesis.lint(paths) if lint else []
    if findings:
        raise PolicyViolated("\n".join(map(str, findings)))
    judges = "cdk-nag and cfn-lint have" if lint else "cdk-nag has"
    say(f"{made.name}: {len(paths)} stacks; {judges} nothing against them")


def _diff(arguments: argparse.Namespace) -> int:
    folder = arguments.against or ROOT / released.FOLDER
    context = dict(released.CONTEXT) if arguments.against is None else _images()
    context |= {"environment": arguments.environment or released.ENVIRONMENT} | _context(arguments.context)
    with tempfile.TemporaryDirectory(prefix="mercato-diff-") as made:
        synthesis.synthesise(environment.load(context), Path(made))
        status = 0
        if folder.exists() or not arguments.release:  # the first release has nothing to compare with
            said, status = difference.run(
                folder, Path(made), allow_stateful=arguments.allow_stateful, form=arguments.form
            )
            sys.stdout.write(said)
        if arguments.release and status == 0:
            count = released.release(Path(made), folder)
            say(f"released: {count} templates in {folder}")
    return status


def _is_ours(key: str) -> bool:
    """Whether a value of CDK's context is one of an environment: it has many of its own."""
    return key == "environment" or key in environment.Environment.model_fields or key.endswith("_image")


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")


def _context(pairs: Sequence[str]) -> dict[str, str]:
    context = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            raise ContextError(f"{pair!r} is no context: it must be KEY=VALUE.")
        context[key] = value
    return context


def _images() -> dict[str, str]:
    """The version of each service in the checkout; `-c SERVICE_image=…` deploys another."""
    images = {}
    for service in SERVICES:
        path = ROOT / "src/python/services" / service / "VERSION"
        if path.exists():
            images[f"{service}_image"] = path.read_text("utf-8").strip()
    return images


if __name__ == "__main__":
    sys.exit(main())
