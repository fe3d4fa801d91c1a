"""Ruff as `lint`, `fix` and `fmt`: `ruff check`, `ruff check --fix` and `ruff format`.

The backend that comes with Pants 2.17 speaks the command line of Ruff before 0.1 (no `check`, no `format`).
This one keeps its subsystem, so `[ruff]` and `skip_ruff=True` mean what the documentation of Pants says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from pants.backend.python.lint.ruff import skip_field, subsystem
from pants.backend.python.lint.ruff.subsystem import Ruff, RuffFieldSet
from pants.backend.python.util_rules import pex
from pants.backend.python.util_rules.pex import PexRequest, VenvPex, VenvPexProcess
from pants.core.goals.fix import FixResult, FixTargetsRequest
from pants.core.goals.fmt import FmtResult, FmtTargetsRequest
from pants.core.goals.lint import AbstractLintRequest, LintResult, LintTargetsRequest
from pants.core.util_rules.config_files import ConfigFiles, ConfigFilesRequest
from pants.core.util_rules.partitions import PartitionerType
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.fs import Digest, MergeDigests
from pants.engine.internals.native_engine import Snapshot
from pants.engine.process import FallibleProcessResult
from pants.engine.rules import Get, MultiGet, collect_rules, rule
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel
from pants.util.meta import classproperty
from pants.util.strutil import pluralize


class RuffCheckRequest(LintTargetsRequest):
    field_set_type = RuffFieldSet
    tool_subsystem = Ruff
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION

    @classproperty
    def tool_name(cls) -> str:
        return "ruff check"


class RuffFixRequest(FixTargetsRequest):
    field_set_type = RuffFieldSet
    tool_subsystem = Ruff
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION

    @classproperty
    def tool_name(cls) -> str:
        return "ruff check --fix"

    @classmethod
    def _get_rules(cls) -> Iterable[Any]:
        # A fixer also lints, by failing where it would change something: RuffCheckRequest says more, once.
        linters = (AbstractLintRequest, AbstractLintRequest.Batch)
        for found in super()._get_rules():
            if not (isinstance(found, UnionRule) and found.union_base in linters):
                yield found


class RuffFormatRequest(FmtTargetsRequest):
    field_set_type = RuffFieldSet
    tool_subsystem = Ruff
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION

    @classproperty
    def tool_name(cls) -> str:
        return "ruff format"


@dataclass(frozen=True)
class RunRuff:
    """One run of `ruff SUBCOMMAND` over the files of a snapshot."""

    subcommand: tuple[str, ...]
    snapshot: Snapshot


@rule(level=LogLevel.DEBUG)
async def run_ruff(request: RunRuff, ruff: Ruff) -> FallibleProcessResult:
    files = request.snapshot.files
    ruff_pex, config = await MultiGet(
        Get(VenvPex, PexRequest, ruff.to_pex_request()),
        Get(ConfigFiles, ConfigFilesRequest, ruff.config_request(request.snapshot.dirs)),
    )
    digest = await Get(Digest, MergeDigests((request.snapshot.digest, config.snapshot.digest)))
    named_config = (f"--config={ruff.config}",) if ruff.config else ()
    # Pants caches the whole run; a cache inside the sandbox would only be thrown away.
    argv = (*request.subcommand, "--no-cache", *named_config, *ruff.args, *files)
    return await Get(
        FallibleProcessResult,
        VenvPexProcess(
            ruff_pex,
            argv=argv,
            input_digest=digest,
            output_files=files,
            description=f"Run ruff {' '.join(request.subcommand)} on {pluralize(len(files), 'file')}.",
            level=LogLevel.DEBUG,
        ),
    )


@rule(desc="Lint with ruff", level=LogLevel.DEBUG)
async def ruff_check(request: RuffCheckRequest.Batch[RuffFieldSet, Any]) -> LintResult:
    sources = await Get(SourceFiles, SourceFilesRequest(fs.source for fs in request.elements))
    result = await Get(FallibleProcessResult, RunRuff(("check",), sources.snapshot))
    return LintResult.create(request, result, strip_chroot_path=True)


@rule(desc="Fix with ruff", level=LogLevel.DEBUG)
async def ruff_fix(request: RuffFixRequest.Batch) -> FixResult:
    # What cannot be fixed stays for `lint` to report: here it is no failure.
    result = await Get(FallibleProcessResult, RunRuff(("check", "--fix", "--exit-zero"), request.snapshot))
    return await FixResult.create(request, succeeded(result), strip_chroot_path=True)


@rule(desc="Format with ruff", level=LogLevel.DEBUG)
async def ruff_format(request: RuffFormatRequest.Batch) -> FmtResult:
    result = await Get(FallibleProcessResult, RunRuff(("format",), request.snapshot))
    return await FmtResult.create(request, succeeded(result), strip_chroot_path=True)


def succeeded(result: FallibleProcessResult) -> FallibleProcessResult:
    """The result, unless ruff itself failed (bad settings, a file that does not parse)."""
    if result.exit_code != 0:
        raise RuntimeError(f"ruff failed:\n{result.stdout.decode()}{result.stderr.decode()}")
    return result


def rules() -> Iterable[Any]:
    return (
        *collect_rules(),
        *RuffCheckRequest.rules(),
        *RuffFixRequest.rules(),
        *RuffFormatRequest.rules(),
        *skip_field.rules(),
        *subsystem.rules(),
        *pex.rules(),
    )
