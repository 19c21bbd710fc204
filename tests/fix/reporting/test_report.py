from __future__ import annotations

from dataclasses import replace

import pytest

from fanfold.fix.attempts.effort import Effort
from fanfold.fix.attempts.stages import Stage
from fanfold.fix.findings.finding import Finding
from fanfold.fix.reporting.report import CheckerLine, Report, RuleCount, TaskLine, TaskStatus, TestsLine, TestsStatus
from fanfold.fix.reporting.stagelines import stage_lines
from fanfold.testing.agents import ScriptedAgent

CLEAN = Report(
    run_id="r1",
    version="0.1.0",
    repository="repo",
    base="b" * 40,
    agent="autofix",
    tests=TestsLine(mode="final"),
    wall_s=10.0,
    checkers=(CheckerLine("ruff", "0.17.6", 0, 0),),
)
FINDING = Finding("a.py", 1, 1, "ruff", "F401", "unused")


def fixed(path: str = "a.py", *, status: TaskStatus = "fixed", left: int = 0, elapsed_s: float = 0.0) -> TaskLine:
    return TaskLine(
        path=path,
        status=status,
        findings=1 + left,
        fixed=1,
        left=left,
        attempts=1,
        elapsed_s=elapsed_s,
        commit="c" * 40,
    )


LANDED = replace(CLEAN, branch="fanfold/r1", tip="c" * 40, tasks=(fixed(),), rules=(RuleCount("ruff", "F401", 1, 0),))


def test_a_stage_tells_how_often_it_gave_no_answer_and_why() -> None:
    agent = ScriptedAgent(name="cheap")
    efforts = (Effort(stage=0, agent="cheap", error="busy"), Effort(stage=0, agent="cheap", error="gone"))
    (silent,) = stage_lines([Stage((agent,))], {"a.py": efforts}, {})
    assert (silent.attempts, silent.unanswered, silent.error) == (2, 2, "gone")
    (fine,) = stage_lines([Stage((agent,))], {"a.py": (Effort(stage=0, agent="cheap"),)}, {})
    assert (fine.attempts, fine.unanswered, fine.error) == (1, 0, None)


@pytest.mark.parametrize("report", [CLEAN, LANDED])
def test_nothing_left_exits_0(report: Report) -> None:
    assert report.exit_code == 0


@pytest.mark.parametrize(
    "status",
    ["unchanged", "refused", "failed", "timed out", "conflict", "taken out", "skipped", "cancelled", "planned"],
)
def test_task_that_did_not_land_exits_1(status: TaskStatus) -> None:
    assert replace(LANDED, tasks=(fixed(), fixed("b.py", status=status))).exit_code == 1


def test_partial_fix_exits_1() -> None:
    assert replace(LANDED, tasks=(fixed(status="partial", left=1),)).exit_code == 1


def test_checker_that_could_not_check_is_never_clean() -> None:
    report = replace(CLEAN, checkers=(CheckerLine("mypy", None, 0, None, "crashed"),))
    assert report.exit_code == 1
    assert report.unchecked == ("mypy: crashed",)


def test_checker_with_empty_words_of_error_is_never_clean() -> None:
    assert replace(CLEAN, checkers=(CheckerLine("mypy", None, 0, None, ""),)).exit_code == 1


@pytest.mark.parametrize(
    ("status", "code"), [("passed", 0), ("not run", 0), ("no suite found", 0), ("could not run", 1)]
)
def test_only_a_suite_that_spoke_for_the_result_exits_0(status: TestsStatus, code: int) -> None:
    assert replace(LANDED, tests=TestsLine(mode="final", status=status)).exit_code == code


def test_new_finding_exits_1() -> None:
    assert replace(LANDED, new_findings=(FINDING,)).exit_code == 1


def test_result_that_was_to_be_applied_and_was_not_exits_1() -> None:
    assert replace(LANDED, not_applied="the checkout is dirty").exit_code == 1


def test_result_that_was_not_counted_exits_1() -> None:
    report = replace(LANDED, rules=(RuleCount("ruff", "F401", 1, None), RuleCount("ruff", "E501", 1, 0)))
    assert report.findings_after is None
    assert report.exit_code == 1


def test_what_a_dry_run_would_fix_is_not_fixed() -> None:
    assert replace(LANDED, branch=None, tip=None, dry_run=True).exit_code == 1
    assert replace(CLEAN, dry_run=True).exit_code == 0


def test_run_that_could_not_go_on_exits_1() -> None:
    assert replace(CLEAN, stopped="somebody moved the branch").exit_code == 1


def test_interrupted_exits_130_whatever_else_is_so() -> None:
    assert replace(LANDED, interrupted=True).exit_code == 130


def test_findings_that_were_left_out_do_not_count() -> None:
    assert replace(CLEAN, uncommitted=(FINDING,)).exit_code == 0


def test_speedup_is_summed_time_over_measured_time() -> None:
    tasks = (fixed("a.py", elapsed_s=12.0), fixed("b.py", elapsed_s=8.0))
    report = replace(LANDED, tasks=tasks, wall_s=5.0)
    assert (report.tasks_s, report.average_s, report.speedup) == (20.0, 10.0, 4.0)


def test_no_task_has_no_speedup_and_no_average() -> None:
    assert (CLEAN.speedup, CLEAN.average_s) == (None, None)


def test_tasks_that_never_ran_do_not_lower_the_average() -> None:
    skipped = TaskLine(path="b.py", status="skipped", findings=1, left=1)
    assert replace(LANDED, tasks=(fixed(elapsed_s=4.0), skipped)).average_s == 4.0
