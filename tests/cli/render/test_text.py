from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from fanfold.cli.render.story import MAX_ROWS, tell_story
from fanfold.cli.render.summary import summary
from fanfold.cli.render.text import print_rich, render_plain
from fanfold.cli.words import seconds
from fanfold.fix.findings.finding import Finding
from fanfold.fix.reporting.report import (
    BudgetLine,
    QueueLine,
    Report,
    RuleCount,
    StageLine,
    TaskLine,
    TestsLine,
    TestsStatus,
)
from fanfold.llm.usage import Usage

NASTY = "[red]x[/]\x1b[2J\n::error::pwned\u202e[link=file:///]"


def plain(report: Report, *, everything: bool = False) -> str:
    return render_plain(tell_story(report, everything=everything))


def on_terminal(report: Report, *, width: int = 100) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="truecolor", width=width, highlight=False)
    print_rich(tell_story(report), console)
    return out.getvalue()


def infected(report: Report) -> Report:
    finding = Finding(NASTY, 1, 1, NASTY, NASTY, NASTY)
    return replace(
        report,
        branch=NASTY,
        tasks=(
            TaskLine(path=NASTY, status="partial", findings=2, fixed=1, left=1, reasons=(NASTY,), refused=(NASTY,)),
        ),
        rules=(RuleCount(NASTY, NASTY, 1, 1),),
        files=(),
        remaining=(finding,),
        uncommitted=(finding,),
        new_findings=(finding,),
        checkers=(replace(report.checkers[0], name=NASTY, error=NASTY),),
        tests=replace(report.tests, command=NASTY, flaky=(NASTY,), taken_out=(NASTY,)),
        notes=(NASTY,),
        stages=(StageLine(stage=1, agent=NASTY, attempts=1), StageLine(stage=2, agent=NASTY[1:])),
    )


def test_limit_of_each_file_that_is_too_small_is_told_with_its_figures(report: Report) -> None:
    why = "of 10 tokens for the task 0 are taken, and the next request may take 40"
    limited = replace(report, budget=BudgetLine(task_max_tokens=10, task_exhausted=why))
    assert f"\nOut of budget: {why}\n" in plain(limited)
    assert "Out of budget" not in plain(replace(report, budget=BudgetLine(task_max_tokens=10)))


def test_summary_comes_first_with_branch_and_the_way_to_take_it(report: Report) -> None:
    assert plain(report).splitlines()[:3] == [
        "Fixed 1 of 3 files and 1 in part: 12 findings → 3",
        "2 commits on fanfold/20260101-000000-ab12 (base bbbbbbbbbb)",
        "Take them with: git merge fanfold/20260101-000000-ab12",
    ]


def test_applied_result_needs_no_merge(report: Report) -> None:
    told = plain(replace(report, applied=True))
    assert "Applied: your branch is at cccccccccc" in told
    assert "git merge" not in told


def test_result_that_could_not_be_applied_says_why_and_how_to_take_it(report: Report) -> None:
    told = plain(replace(report, not_applied="the checkout has uncommitted changes"))
    assert told.splitlines()[2:4] == [
        "Not applied: the checkout has uncommitted changes",
        "Take them with: git merge fanfold/20260101-000000-ab12",
    ]


def test_everything_that_went_wrong_is_told(report: Report) -> None:
    told = plain(report)
    for words in (
        "mypy: config file is broken second line",
        "d.py: test_d.py::test_it no longer passes",
        "b.py: SIM115: adds a finding",
        "5 findings in 2 files: more than --max-files",
        "z.py:1:1 ruff F401 unused too",
        "2 tests failed on the base already",
        "taken out, a test failed with it: d.py",
        "a test is flaky",
        "speed-up 3.0: 30.0 s summed over files, in 10.0 s of wall time",
    ):
        assert words in told


def test_new_finding_is_said_plainly(report: Report) -> None:
    told = plain(replace(report, new_findings=(Finding("a.py", 2, 1, "ruff", "E501", "too long"),)))
    assert "New findings, which must not be:\n  a.py:2:1 ruff E501 too long" in told


def test_columns_are_aligned_and_lines_have_no_trailing_space(report: Report) -> None:
    lines = plain(report).splitlines()
    assert "  a.py  fixed           6      0  12.0 s" in lines
    assert "  b.py  partial         4      1  14.0 s" in lines
    assert lines == [line.rstrip() for line in lines]


def test_result_that_was_not_counted_is_unknown_not_zero(report: Report) -> None:
    told = plain(replace(report, rules=(RuleCount("ruff", "F401", 10, None),)))
    assert "10 findings → not counted" in told
    assert "the result: its findings were not counted" in told


def test_dry_run_shows_the_plan_and_says_that_nothing_changed(report: Report) -> None:
    tasks = (TaskLine(path="a.py", status="planned", findings=12),)
    told = plain(replace(report, dry_run=True, branch=None, tip=None, tasks=tasks, files=()))
    assert told.startswith("Would work on 1 file with 12 findings; nothing was changed\n")
    assert "  file  status   findings\n  a.py  planned        12\n" in told
    assert "?" not in told


def test_dry_run_counts_only_what_would_be_worked_on(report: Report) -> None:
    tasks = (
        TaskLine(path="a.py", status="planned", findings=10),
        TaskLine(path="test_a.py", status="skipped", findings=2, left=2, reasons=("it is a test",)),
    )
    told = plain(replace(report, dry_run=True, branch=None, tip=None, tasks=tasks, files=()))
    assert told.startswith("Would work on 1 file with 10 findings; nothing was changed\n")


@pytest.mark.parametrize("status", ["could not run", "no suite found", "not run"])
def test_summary_says_when_nothing_was_tested(report: Report, status: TestsStatus) -> None:
    told = replace(report, tests=TestsLine(mode="final", status=status))
    assert "".join(summary(told).lines[-1]).startswith("Not tested: ")
    assert "Not tested" not in plain(replace(told, tasks=told.tasks[2:]))


def test_reason_that_many_files_share_is_told_once(report: Report) -> None:
    tasks = tuple(
        TaskLine(path=f"test_{number}.py", status="skipped", findings=1, reasons=("it is a test",))
        for number in range(5)
    )
    mixed = replace(report, tasks=(*tasks, report.tasks[2]))
    assert "Why not fixed:\n  5 files: it is a test\n  d.py: test_d.py::test_it no longer passes\n" in plain(mixed)
    assert "  test_4.py: it is a test\n" in plain(mixed, everything=True)


def test_fix_that_says_its_place_is_told_without_its_path_twice(report: Report) -> None:
    task = replace(report.tasks[1], refused=("b.py:3 SIM115: would add F401",))
    assert "Fixes taken back:\n  b.py:3 SIM115: would add F401\n" in plain(replace(report, tasks=(task,)))
    left = replace(report.tasks[1], reasons=task.refused, refused=())
    assert "Why not fixed:\n  b.py:3 SIM115: would add F401\n" in plain(replace(report, tasks=(left,)))


def test_what_an_agent_says_of_itself_is_no_fix_that_was_taken_back(report: Report) -> None:
    told = plain(replace(report, tasks=(replace(report.tasks[1], refused=("gave no answer that can be used",)),)))
    assert "Remarks of agents:\n  b.py: gave no answer that can be used\n" in told
    assert "Fixes taken back" not in told


def test_remark_that_is_the_reason_is_told_once(report: Report) -> None:
    remark = "right gave no answer that can be used"
    task = replace(report.tasks[1], reasons=(f"strong: {remark}",), refused=(remark, "left a file alone"))
    told = plain(replace(report, tasks=(task,)))
    assert f"Why not fixed:\n  b.py: strong: {remark}\n" in told
    assert "Remarks of agents:\n  b.py: left a file alone\n" in told


def test_summary_says_why_agents_gave_no_answer(report: Report) -> None:
    failed = [
        TaskLine(path=f"{name}.py", status="failed", findings=1, left=1, reasons=("the key was refused",))
        for name in "ef"
    ]
    late = TaskLine(path="g.py", status="timed out", findings=1, left=1, reasons=("w" * 300,))
    alike, mixed = replace(report, tasks=(*failed,)), replace(report, tasks=(*failed, late))
    assert ("No answer for 2 files: ", "the key was refused") in summary(alike).lines
    assert ("No answer for 3 files, 1 of them for other reasons: ", "the key was refused") in summary(mixed).lines
    assert ("No answer for 1 file: ", "w" * 200 + "...") in summary(replace(report, tasks=(late,))).lines
    assert "No answer" not in plain(report)


def test_suite_is_not_said_to_pass_on_a_result_that_is_empty(report: Report) -> None:
    told = plain(replace(report, tasks=report.tasks[2:], branch=None, tip=None))
    assert "passes on the result" not in told
    assert "no change is left that the suite would judge\n" in told


def test_runs_of_the_suite_are_told_beside_those_of_one_change_after_another(report: Report) -> None:
    assert (
        "3 runs of the whole suite and 2 runs of single files, 90 s together; change by change on the tip: 5\n"
        in plain(report)
    )


def test_how_changes_landed_is_told(report: Report) -> None:
    told = plain(report)
    assert "2 of 4 changes offered, verified in 1 batch, up to 2 landed in one step\n" in told
    assert "1 change sent back for a second attempt, which landed\n" in told
    assert "the pre-commit hook ran 2 times: /home/ada/hooks/pre-commit\n" in told
    assert "Landing" not in plain(replace(report, queue=QueueLine()))


def test_flaky_tests_are_named(report: Report) -> None:
    assert "flaky, did not count: tests.test_net::test_get\n" in plain(report)


def test_summary_says_why_a_run_could_not_go_on(report: Report) -> None:
    said = plain(replace(report, stopped="somebody moved the branch"))
    assert f"Stopped: somebody moved the branch\nGo on with: fanfold fix --resume {report.run_id}\n" in said


def test_branches_of_single_files_can_be_found(report: Report) -> None:
    assert "Each alone" not in plain(report)
    tasks = (replace(report.tasks[0], branch=f"fanfold/{report.run_id}/a.py"), *report.tasks[1:])
    assert f"Each alone: git branch --list 'fanfold/{report.run_id}/*'\n" in plain(replace(report, tasks=tasks))


SILENT = StageLine(stage=2, agent="strong", files=3, attempts=4, unanswered=4, error="connection refused")


def test_an_agent_of_a_cascade_that_never_answered_is_in_the_summary(report: Report) -> None:
    stages = (StageLine(stage=1, agent="autofix", files=5, attempts=5, fixed=9), SILENT)
    told = render_plain([summary(replace(report, stages=stages))])
    assert "\nNo answer by strong for 3 files: connection refused\n" in told
    once = replace(SILENT, unanswered=3)
    assert "No answer by" not in render_plain([summary(replace(report, stages=(stages[0], once)))])


def test_files_without_an_answer_are_told_once(report: Report) -> None:
    failed = tuple(replace(task, status="failed", reasons=("connection refused",)) for task in report.tasks)
    told = render_plain([summary(replace(report, tasks=failed, stages=(SILENT,)))])
    assert told.count("connection refused") == 1


def test_a_task_of_two_files_names_both(report: Report) -> None:
    two = replace(report.tasks[0], others=("sub/b.py",))
    (line,) = [line for line in plain(replace(report, tasks=(two,))).splitlines() if line.startswith("  a.py")]
    assert line.startswith("  a.py, sub/b.py  fixed ")


@pytest.mark.parametrize(("task_s", "wall_s", "told"), [(4.0, 6.0, True), (1.0, 2.0, False), (4.0, 12.5, False)])
def test_speed_up_is_told_where_it_says_something(report: Report, task_s: float, wall_s: float, told: bool) -> None:
    tasks = tuple(replace(task, elapsed_s=task_s) for task in report.tasks)
    assert ("speed-up" in plain(replace(report, tasks=tasks, wall_s=wall_s))) is told


def test_one_file_has_no_speed_up(report: Report) -> None:
    assert "speed-up" not in plain(replace(report, tasks=report.tasks[:1]))


def test_single_row_too_many_is_shown_instead_of_counted(report: Report) -> None:
    many = tuple(
        TaskLine(path=f"f{number:03}.py", status="fixed", findings=1, fixed=1) for number in range(MAX_ROWS + 1)
    )
    assert f"f{MAX_ROWS:03}.py" in plain(replace(report, tasks=many, files=()))


def test_long_line_is_broken_between_words_on_a_terminal(report: Report) -> None:
    told = on_terminal(replace(report, notes=("word " * 30 + "end",)), width=40)
    lines = told.rpartition("Notes")[2].splitlines()[1:]
    assert len(lines) > 3
    assert all(len(line) <= 40 for line in lines)
    assert [line.split("word")[0] for line in lines[:-1]] == ["  ", *["      "] * (len(lines) - 2)]
    assert " ".join(" ".join(lines).split()) == "word " * 30 + "end"


def test_clean_run_says_which_checkers_found_nothing(report: Report) -> None:
    clean = replace(report, tasks=(), rules=(), files=(), branch=None, checkers=report.checkers[:1])
    assert plain(clean).startswith("Nothing to fix: no finding by ruff in what was selected\n")


def test_run_that_could_not_check_is_not_called_clean(report: Report) -> None:
    told = plain(replace(report, tasks=(), rules=(), files=(), branch=None))
    assert told.startswith("Nothing was fixed, and not everything could be checked\n")


def test_interrupted_run_says_so_first(report: Report) -> None:
    assert plain(replace(report, interrupted=True)).startswith("Interrupted. Fixed 1 of 3 files")


def test_long_run_shows_unfinished_files_and_counts_the_others(report: Report) -> None:
    many = tuple(
        TaskLine(path=f"f{number:03}.py", status="fixed", findings=1, fixed=1, attempts=1) for number in range(100)
    )
    long = replace(report, tasks=(*many, report.tasks[2]), files=())
    assert "  d.py  " in plain(long)
    assert f"and {101 - MAX_ROWS} more" in plain(long)
    assert "f099.py" not in plain(long)
    assert "f099.py" in plain(long, everything=True)


def test_terminal_has_colour_and_the_same_words(report: Report) -> None:
    told = on_terminal(report)
    assert "\x1b[" in told
    assert "Fixed 1 of 3 files and 1 in part: 12 findings → 3" in told
    assert "taken out" in told


def test_quoted_text_is_no_markup_and_no_escape_sequence(report: Report) -> None:
    told = on_terminal(infected(report), width=2000)
    assert "[red]x[/]\\x1b[2J" in told
    assert "\x1b[2J" not in told
    assert "\x1b]8" not in told
    assert "\u202e" not in told


def test_quoted_text_starts_no_line_of_its_own(report: Report) -> None:
    told = plain(infected(report))
    assert not [line for line in told.splitlines() if line.lstrip().startswith("::")]
    assert all(line.isprintable() for line in told.split("\n"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.text(st.characters(exclude_categories=()), min_size=1), words=st.text(st.characters(exclude_categories=()))
)
def test_any_text_gives_as_many_lines_as_harmless_text(report: Report, path: str, words: str) -> None:
    def lines(path: str, words: str) -> list[str]:
        task = replace(report.tasks[0], path=path, reasons=(words,))
        return plain(replace(report, tasks=(task,), notes=(words,))).split("\n")

    told = lines(path, words)
    assert len(told) == len(lines("a.py", "words"))
    assert all(line.isprintable() for line in told)


def test_a_file_that_was_stopped_has_the_time_that_agents_worked_on_it(report: Report) -> None:
    task = replace(report.tasks[0], path="x.py", status="cancelled", attempts=1, elapsed_s=0.0, agent_s=7.5)
    [row] = [line for line in plain(replace(report, tasks=(task,))).splitlines() if "  x.py  " in line]
    assert row.endswith("7.5 s")


def test_summary_alone_is_short(report: Report) -> None:
    assert len(summary(report).lines) == 4


def test_summary_names_checkers_that_could_not_check(report: Report) -> None:
    assert "Not checked by mypy" in render_plain((summary(report),)).splitlines()
    able = replace(report, checkers=report.checkers[:1])
    assert "Not checked" not in render_plain((summary(able),))


@pytest.mark.parametrize(("value", "told"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (75, "75 s"), (725, "12 min 5 s")])
def test_times_are_told_as_people_say_them(value: float, told: str) -> None:
    assert seconds(value) == told


STAGES = (
    StageLine(stage=1, agent="autofix", files=3, attempts=3, files_fixed=2, fixed=7, usage=Usage(cost_usd=0.0)),
    StageLine(stage=2, agent="llm:small", files=2, attempts=4, files_fixed=1, fixed=2, unmeasured=1),
)
"""A cascade, in which nobody knows what one attempt took."""
SPENT = Usage(requests=3, input_tokens=1200, output_tokens=34, cost_usd=0.0125)


def test_each_agent_of_a_cascade_has_a_row_with_what_it_brought_and_took(report: Report) -> None:
    told = plain(replace(report, stages=(STAGES[0], replace(STAGES[1], usage=SPENT))))
    [head, first, second] = [line.split() for line in told.partition("Agents:\n")[2].splitlines()[:3]]
    assert head == ["agent", "files", "attempts", "landed", "fixed", "tokens", "cost", "time"]
    assert first == ["1.", "autofix", "3", "3", "2", "7", "0", "0.00", "USD", "0.0", "s"]
    assert second == ["2.", "llm:small", "2", "4", "1", "2", "1,234+", "0.0125", "USD+", "0.0", "s"]
    assert "Spent at least 0.0125 USD and 1,234 tokens in 3 requests\n" in told


def test_files_tell_whose_work_landed_where_there_are_several(report: Report) -> None:
    tasks = (replace(report.tasks[0], agent="autofix, llm:small"), *report.tasks[1:])
    [row] = [line for line in plain(replace(report, stages=STAGES, tasks=tasks)).splitlines() if "  a.py  " in line]
    assert "autofix, llm  " in row


def test_agents_of_a_kind_are_told_apart_by_their_numbers(report: Report) -> None:
    lines = (*STAGES, replace(STAGES[1], agent="llm:large"))
    tasks = (replace(report.tasks[0], agent="autofix, llm:large"),)
    told = plain(replace(report, stages=lines, tasks=tasks))
    assert "  1, 2b  " in told
    assert "  2b. llm:large  " in told


def test_one_agent_that_took_nothing_needs_no_table(report: Report) -> None:
    told = plain(replace(report, stages=STAGES[:1]))
    assert "Agents" not in told
    assert "Spent" not in told
    assert "  by  " not in told


def test_what_was_stopped_before_anybody_knew_its_cost_is_told(report: Report) -> None:
    line = replace(STAGES[1], attempts=2, unmeasured=2)
    told = plain(replace(report, stages=(line,), interrupted=True))
    assert "Nobody knows what 2 attempts took\n" in told
    assert "Nobody" not in plain(replace(report, stages=STAGES[:1], interrupted=True))
    assert "Nobody" not in plain(replace(report, stages=(line,)))


def test_agent_that_asked_for_nothing_cost_nothing(report: Report) -> None:
    asked = StageLine(stage=1, agent="cheap", files=1, attempts=1, usage=Usage(requests=1, input_tokens=5))
    idle = StageLine(stage=2, agent="strong", files=1, attempts=1, usage=Usage())
    rows = [line.split() for line in plain(replace(report, stages=(asked, idle))).splitlines()]
    assert ["1.", "cheap", "1", "1", "0", "0", "5", "?", "0.0", "s"] in rows
    assert ["2.", "strong", "1", "1", "0", "0", "0", "0.00", "USD", "0.0", "s"] in rows


def test_one_agent_that_cost_something_has_its_row(report: Report) -> None:
    told = plain(replace(report, stages=(replace(STAGES[1], usage=replace(SPENT, cost_usd=None), unmeasured=0),)))
    assert "Spent 1,234 tokens in 3 requests\n" in told
    assert "2. llm:small" in told


def test_what_is_known_of_the_cost_is_told_where_not_all_of_it_is(report: Report) -> None:
    free = replace(STAGES[1], usage=replace(SPENT, cost_usd=None), unmeasured=0)
    told = plain(replace(report, stages=(replace(STAGES[1], usage=SPENT, unmeasured=0), free)))
    assert "Spent at least 0.0125 USD and 2,468 tokens in 6 requests\n" in told
