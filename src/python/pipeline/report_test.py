from __future__ import annotations

from pipeline.report import FAILED, LEFT_OUT, PASSED, SKIPPED, Result, has_failed, markdown, table

RESULTS = [
    Result("lint", PASSED, 1.52),
    Result("test", FAILED, 31.0, "3 test files"),
    Result("deployment", SKIPPED, note="nothing of it has changed"),
    Result("whole", LEFT_OUT, note="5 test files: ./pants ci whole"),
]


def test_a_table_has_a_line_for_each_stage_and_a_sum() -> None:
    """Which stage took the time is what one looks for."""
    assert [
        "stage       result    seconds",
        "lint        passed        1.5",
        "test        failed       31.0  3 test files",
        "deployment  skipped            nothing of it has changed",
        "whole       left out           5 test files: ./pants ci whole",
        "all         failed       32.5",
    ] == table(RESULTS).splitlines()


def test_a_summary_has_the_same_in_markdown() -> None:
    """As GitHub shows it."""
    lines = markdown(RESULTS).splitlines()
    assert ["| stage | result | seconds |  |", "| --- | --- | ---: | --- |"] == lines[:2]
    assert "| test | failed | 31.0 | 3 test files |" == lines[3]
    assert "| all | failed | 32.5 |  |" == lines[-1]


def test_all_has_passed_where_no_stage_has_failed() -> None:
    """One that had nothing to do has not failed."""
    assert has_failed(RESULTS)
    assert not has_failed([RESULTS[0], *RESULTS[2:]])
    assert "all    passed      1.5" == table(RESULTS[:1]).splitlines()[-1]
