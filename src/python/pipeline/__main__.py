"""`./pants ci`: what a pull request goes through, here: for what has changed since its branch left main.

It runs on the standard library alone, and outside of Pants, which it asks one thing after another.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline import git, report, selection
from pipeline.git import Change, PipelineError
from pipeline.report import FAILED, LEFT_OUT, PASSED, SKIPPED, Result
from pipeline.selection import Selection
from pipeline.stage import DIFFERENCE, NAMES, PANTS, STAGES, Command, Stage

# Where GitHub shows Markdown beside a job.
_SUMMARY = "GITHUB_STEP_SUMMARY"
# It takes 65,536 characters.
_COMMENT = 60_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stages in `argv`; returns 0, 1 where one has failed, 2 where they cannot be run."""
    arguments = _parser().parse_args(argv)
    runner = Runner(arguments.root, os.environ)
    try:
        change = git.change(arguments.root, arguments.base)
        _say(_heading(change))
        results = runner.run(runner.selection(change), arguments.stages)
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    _say("\n" + report.table(results))
    runner.summarise(report.markdown(results))
    return 1 if report.has_failed(results) else 0


class Runner:
    """Runs commands at the root of a checkout."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self._root = root
        # By which the launcher had this found, and Pants would find our modules.
        self._environment = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
        if environment.get("CI") == "true":
            # As .ci/run does; but a daemon is worth its start where Pants is called once for each stage.
            self._environment |= {"PANTS_CONFIG_FILES": "+['pants.ci.toml']", "PANTS_PANTSD": "true"}

    def selection(self, change: Change) -> Selection:
        """What the change concerns, as Pants tells. Raises PipelineError with its words."""
        if not change.files:
            return selection.read("", change)
        command = Command((PANTS, "--no-dynamic-ui", *selection.question(change)))
        said = self._start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if said.returncode:
            # Not how its daemon fares.
            lines = [line for line in said.stderr.strip().splitlines() if " [INFO] " not in line]
            raise PipelineError("\n".join(("./pants does not tell what the change concerns:", *lines)))
        return selection.read(said.stdout, change)

    def run(self, selected: Selection, names: Sequence[str]) -> list[Result]:
        """What comes of the stages of these `names`, or of the usual ones. One that fails stops no other."""
        (self._root / DIFFERENCE).unlink(missing_ok=True)
        results = []
        for stage in STAGES:
            if stage.name in names or (stage.is_usual and not names):
                results.append(self._stage(stage, selected))
            elif not names and stage.commands(selected):
                results.append(Result(stage.name, LEFT_OUT, note=_left_out(stage, selected)))
        return results

    def summarise(self, text: str) -> None:
        """Add `text`, and what deploying would change, to GitHub's summary, where there is one."""
        to = self._environment.get(_SUMMARY)
        if not to:
            return
        difference = self._root / DIFFERENCE
        with Path(to).open("a", encoding="utf-8") as summary:
            summary.write(text)
            if difference.exists():
                summary.write("\n" + difference.read_text(encoding="utf-8"))

    def _stage(self, stage: Stage, selected: Selection) -> Result:
        commands = stage.commands(selected)
        if not commands:
            return Result(stage.name, SKIPPED, note="nothing of it has changed")
        started = time.monotonic()
        # All of them: the second says more where the first has failed.
        statuses = [self._run(stage, command) for command in commands]
        seconds = time.monotonic() - started
        return Result(stage.name, FAILED if any(statuses) else PASSED, seconds, stage.of(selected))

    def _run(self, stage: Stage, command: Command) -> int:
        _say(f"\n{stage.name}: {_shown(command)}")
        if command.to is None:
            return self._start(command).returncode
        to = self._root / command.to
        to.parent.mkdir(parents=True, exist_ok=True)
        done = self._start(command, stdout=subprocess.PIPE)
        to.write_text(_short(done.stdout), encoding="utf-8")
        sys.stdout.write(done.stdout)
        return done.returncode

    def _start(
        self, command: Command, stdout: int | None = None, stderr: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        sys.stdout.flush()
        try:
            return subprocess.run(
                command.words,
                cwd=self._root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                text=True,
                check=False,
            )
        except OSError as error:
            raise PipelineError(f"{self._root}/{command.words[0]} cannot be run: {error.strerror}") from error


def _heading(change: Change) -> str:
    count = len(change.files)
    everything = ", one of them of everything" if selection.is_everywhere(change) else ""
    return (
        f"base: {change.base[:12]}, where this left {change.branch}; "
        f"{count} file{'s' if count != 1 else ''} changed{everything}"
    )


def _shown(command: Command) -> str:
    """It, and of many addresses the first."""
    shown, rest = command.words[:3], command.words[3:]
    return " ".join(shown) + (f" and {len(rest)} more" if len(rest) > 1 else "".join(f" {it}" for it in rest))


def _short(text: str) -> str:
    """It, or what a comment on GitHub can hold of it."""
    if len(text) <= _COMMENT:
        return text
    return f"{text[:_COMMENT].rpartition(chr(10))[0]}\n\n… and more: ./pants infra-diff says all of it.\n"


def _left_out(stage: Stage, selected: Selection) -> str:
    return f"{stage.of(selected)}: ./pants ci {stage.name}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./pants ci",
        description="Run what a pull request goes through, for what has changed.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {stage.name:<11} {stage.help}" for stage in STAGES),
    )
    usual = ", ".join(stage.name for stage in STAGES if stage.is_usual)
    parser.add_argument("stages", nargs="*", type=_stage, metavar="STAGE", help=f"of those below ({usual})")
    parser.add_argument(
        "--base",
        default=git.default_branch(),
        metavar="BRANCH",
        help="changed is what is not as where HEAD left this (%(default)s)",
    )
    parser.set_defaults(root=Path(os.environ.get("MERCATO_ROOT", ".")).absolute())
    return parser


def _stage(name: str) -> str:
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"there is no stage {name!r}; there are {', '.join(NAMES)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
