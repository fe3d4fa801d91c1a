"""What came of the stages, as a table for a terminal and for GitHub's summary of a job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PASSED, FAILED, SKIPPED, LEFT_OUT = "passed", "failed", "skipped", "left out"
_HEAD = ("stage", "result", "seconds", "")
_SECONDS = _HEAD.index("seconds")


@dataclass(frozen=True)
class Result:
    """What came of a stage, and how long it took; none where it was not run."""

    stage: str
    result: str
    seconds: float | None = None
    note: str = ""

    @property
    def row(self) -> tuple[str, str, str, str]:
        """Its cells."""
        return self.stage, self.result, "" if self.seconds is None else f"{self.seconds:.1f}", self.note


def table(results: Sequence[Result]) -> str:
    """The rows, in columns; seconds to the right."""
    rows = [_HEAD, *(each.row for each in results), _sum(results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(_line(row, widths) for row in rows)


def markdown(results: Sequence[Result]) -> str:
    """The same as a table of Markdown."""
    lines: Iterable[str] = (
        "| " + " | ".join(row) + " |"
        for row in (_HEAD, ("---", "---", "---:", "---"), *(each.row for each in results), _sum(results))
    )
    return "\n".join(lines) + "\n"


def has_failed(results: Iterable[Result]) -> bool:
    """Whether any has."""
    return any(each.result == FAILED for each in results)


def _sum(results: Sequence[Result]) -> tuple[str, str, str, str]:
    return Result("all", FAILED if has_failed(results) else PASSED, _seconds(results)).row


def _seconds(results: Iterable[Result]) -> float:
    return sum(each.seconds or 0 for each in results)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    stage, result, seconds, note = (
        cell.rjust(width) if column == _SECONDS else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return f"{stage}  {result}  {seconds}  {note}".rstrip()
