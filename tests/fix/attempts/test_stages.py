"""The cascade: who works after whom, with what, and what becomes of it; and agents that race."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents.autofix import Autofix
from fanfold.agents.protocol import Agent, AgentError, Assignment, BudgetExhausted
from fanfold.config import load_settings
from fanfold.fix import Report, Request, run
from fanfold.fix.attempts.stages import Course, EveryStage, course_of, name_of, names_of, stages_of
from fanfold.fix.attempts.trail import Trail, trails_of
from fanfold.fix.findings.split import Task
from fanfold.fix.reporting.report import TaskLine
from fanfold.fix.runs import home_of, pasts
from fanfold.fix.runs.begun import request_again
from fanfold.git import Repository
from fanfold.llm.usage import Usage, count
from fanfold.process import find_program
from fanfold.testing.agents import ScriptedAgent
from fanfold.testing.repositories import TemporaryRepository, make_repository

BROKEN = "import os\nimport re\nimport sys\n\nprint(sys.argv, nothing)\n"
"""Three findings: two unused imports, and a name that nobody defines."""
ONE_LEFT = "import re\nimport sys\n\nprint(sys.argv)\n"
TWO_LEFT = "import re\nimport sys\n\nprint(sys.argv, nothing)\n"
NAME_LEFT = "import sys\n\nprint(sys.argv, nothing)\n"
WHOLE = "import sys\n\nprint(sys.argv)\n"
WORSE = "import os\nimport re\nimport sys\n\nprint(sys.argv, nothing, nobody)\n"
ASKED = Usage(requests=1, input_tokens=100, output_tokens=10, cost_usd=0.5)


@pytest.fixture
def repository(tmp_path: Path) -> TemporaryRepository:
    return make_repository(tmp_path / "r", {"a.py": BROKEN})


async def fix(repository: TemporaryRepository, *agents: Agent, **settings: Any) -> Report:
    home = repository.root.parent
    given = {"workspaces": home / "home", "state": home / "state", "tests": "none", "max_attempts": 1, "learn": False}
    return await run(Request(repository.root, load_settings(repository.root, given | settings)), agent=agents)


def agent(name: str, *answers: Any, deterministic: bool = False) -> ScriptedAgent:
    return ScriptedAgent({"a.py": list(answers)}, name=name, deterministic=deterministic)


def ask(_: Assignment) -> None:
    """As an agent that asks a model within this process."""
    count(ASKED)


def landed(repository: TemporaryRepository, report: Report, path: str = "a.py") -> str:
    return repository.git("show", f"{report.tip}:{path}")


def places(assignment: Assignment) -> list[tuple[int, str]]:
    return [(one.line, one.rule) for one in assignment.findings]


def trails(repository: TemporaryRepository, path: str = "a.py") -> list[Trail]:
    kept = (trails_of(file.parent) for file in (repository.root.parent / "state").rglob("attempt-1.json"))
    [mine] = [trails for trails in kept if trails[0].path == path]
    return mine


def only(report: Report) -> TaskLine:
    [line] = report.tasks
    return line


@dataclass(frozen=True)
class Cascade:
    """A run of four stages: one gets a part right, one does nothing, one crashes, and one fixes what is left."""

    repository: TemporaryRepository
    report: Report
    cheap: ScriptedAgent
    strong: ScriptedAgent
    seen: list[str]
    """What the last one found in the file."""


@pytest.fixture(scope="module")
def cascade(tmp_path_factory: pytest.TempPathFactory) -> Cascade:
    repository = make_repository(tmp_path_factory.mktemp("cascade") / "r", {"a.py": BROKEN})
    seen: list[str] = []

    def look(assignment: Assignment) -> None:
        seen.append((assignment.root / "a.py").read_text())

    cheap, strong = agent("cheap", TWO_LEFT), agent("strong", (look, WHOLE))
    broken = agent("broken", (WORSE, RuntimeError("it gave up")))
    report = asyncio.run(fix(repository, cheap, agent("idle"), broken, strong))
    return Cascade(repository, report, cheap, strong, seen)


def test_stage_begins_with_what_was_verified_and_is_asked_for_what_is_left_where_it_stands_now(
    cascade: Cascade,
) -> None:
    asked = cascade.strong.asked[0]
    assert places(cascade.cheap.asked[0]) == [(1, "F401"), (2, "F401"), (5, "F821")]
    assert places(asked) == [(1, "F401"), (4, "F821")]
    assert cascade.seen == [TWO_LEFT]
    assert "`re` imported" in asked.prompt
    assert "`os` imported" not in asked.prompt
    assert landed(cascade.repository, cascade.report) == WHOLE


def test_stage_that_crashes_loses_nothing_and_is_not_told_of_in_the_end(cascade: Cascade) -> None:
    line = only(cascade.report)
    assert (line.status, line.fixed, line.attempts, line.agent) == ("fixed", 3, 4, "cheap, strong")
    assert line.reasons == ()
    assert [stage.fixed for stage in cascade.report.stages] == [1, 0, 0, 2]


def test_all_agents_whose_work_landed_stand_in_the_commit(cascade: Cascade) -> None:
    message = cascade.repository.git("log", "-1", "--format=%B", str(cascade.report.tip))
    [trailer] = [line for line in message.splitlines() if line.startswith("Fixed-by")]
    assert trailer.endswith("(cheap, strong)")


async def test_later_stage_has_nothing_to_do_with_what_is_whole(repository: TemporaryRepository) -> None:
    strong = agent("strong", WHOLE)
    report = await fix(repository, agent("cheap", WHOLE), strong)
    assert strong.asked == []
    assert only(report).agent == "cheap"


async def test_every_stage_is_told_what_is_to_stay_and_where_it_stands_by_now(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": "import re\nimport sys\n\nprint(sys.argv)\n"})
    repository.commit({"a.py": BROKEN})
    cheap, strong = agent("cheap", TWO_LEFT), agent("strong", ONE_LEFT)
    report = await fix(repository, cheap, strong, Autofix(), only_new="HEAD~1")
    assert [[(one.line, one.rule) for one in each.asked[0].leave] for each in (cheap, strong)] == [
        [(2, "F401")],
        [(1, "F401")],
    ]
    for each in (cheap, strong):
        assert "`re` imported" in each.asked[0].prompt.partition("The project lives with")[2]
    assert (only(report).status, landed(repository, report)) == ("fixed", ONE_LEFT)


async def test_linters_own_fixes_added_last_leave_what_is_to_stay(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": "import re\nimport sys\n\nprint(sys.argv)\n"})
    repository.commit({"a.py": BROKEN})
    named = agent("named", BROKEN.replace(", nothing", ""))
    report = await fix(repository, named, Autofix(), only_new="HEAD~1")
    assert (only(report).agent, landed(repository, report)) == ("named, autofix", ONE_LEFT)


async def test_linters_own_fixes_come_first_and_the_agent_gets_the_rest_except_of_tests(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": BROKEN, "test_a.py": BROKEN})
    strong = agent("strong", WHOLE)
    report = await fix(repository, Autofix(), strong)
    assert [one.path for one in strong.asked] == ["a.py"]
    assert [rule for _, rule in places(strong.asked[0])] == ["F821"]
    lines = {line.path: line for line in report.tasks}
    assert (lines["a.py"].status, lines["a.py"].agent) == ("fixed", "autofix, strong")
    assert (lines["test_a.py"].status, lines["test_a.py"].agent) == ("partial", "autofix")
    assert [(line.stage, line.agent, line.fixed) for line in report.stages] == [(1, "autofix", 4), (2, "strong", 1)]
    assert [(one.number, one.agent, one.stage) for one in trails(repository, "a.py")] == [
        (1, "autofix", 0),
        (2, "strong", 1),
    ]


async def test_what_an_agent_said_before_it_failed_is_kept(repository: TemporaryRepository) -> None:
    error = AgentError("the server went away")
    error.transcript, error.usage = "asked: fix it", ASKED
    await fix(repository, agent("cheap", error))
    assert [(one.error, one.transcript, one.usage) for one in trails(repository)] == [
        ("the server went away", "asked: fix it", ASKED)
    ]


async def test_linters_own_fixes_may_come_last(repository: TemporaryRepository) -> None:
    report = await fix(repository, agent("cheap", "import os\nimport re\nimport sys\n\nprint(sys.argv)\n"), Autofix())
    assert (only(report).agent, landed(repository, report)) == ("cheap, autofix", WHOLE)


async def test_next_stage_is_told_why_all_before_it_were_refused(repository: TemporaryRepository) -> None:
    strong = agent("strong", WHOLE)
    await fix(repository, agent("cheap", WORSE, BROKEN + "import json\n"), strong, max_attempts=2)
    [asked] = strong.asked
    assert "nobody" in asked.feedback
    assert "json" in asked.feedback
    assert "nobody" in asked.prompt
    assert (asked.attempt, places(asked)) == (1, [(1, "F401"), (2, "F401"), (5, "F821")])


async def test_second_try_begins_with_what_the_first_one_got_right(repository: TemporaryRepository) -> None:
    lone = agent("lone", TWO_LEFT, WHOLE)
    report = await fix(repository, lone, max_attempts=2)
    assert places(lone.asked[1]) == [(1, "F401"), (4, "F821")]
    assert only(report).status == "fixed"


async def test_refused_try_takes_nothing_of_what_was_verified(repository: TemporaryRepository) -> None:
    report = await fix(repository, agent("cheap", TWO_LEFT), agent("strong", WORSE))
    line = only(report)
    assert (line.status, line.fixed, line.agent) == ("partial", 1, "cheap")
    assert landed(repository, report) == TWO_LEFT
    assert any("nobody" in reason for reason in line.reasons)


@pytest.mark.parametrize("ending", [AgentError("it gave up"), lambda _: asyncio.Event().wait()])
async def test_stage_that_gives_up_or_hangs_loses_nothing_and_the_next_one_works(
    repository: TemporaryRepository, ending: Any
) -> None:
    strong = agent("strong", WHOLE)
    deadline = {"deadline_s": 1.0} if callable(ending) else {}
    report = await fix(repository, agent("cheap", TWO_LEFT), agent("broken", (WORSE, ending)), strong, **deadline)
    assert places(strong.asked[0]) == [(1, "F401"), (4, "F821")]
    assert (only(report).status, only(report).agent) == ("fixed", "cheap, strong")
    assert only(report).reasons == ()


@pytest.mark.parametrize("error", [AgentError("it gave up"), RuntimeError("it gave up")])
async def test_what_earlier_stages_made_lands_though_the_last_one_crashes(
    repository: TemporaryRepository, error: Exception
) -> None:
    report = await fix(repository, agent("cheap", TWO_LEFT), agent("broken", error))
    assert (only(report).status, landed(repository, report)) == ("partial", TWO_LEFT)
    assert any("it gave up" in reason for reason in only(report).reasons)
    said = "it gave up" if isinstance(error, AgentError) else "RuntimeError: it gave up"
    assert [(line.unanswered, line.error) for line in report.stages] == [(0, None), (1, said)]


async def test_task_fails_with_what_ended_it_where_no_stage_made_anything(repository: TemporaryRepository) -> None:
    spender = agent("spender", (ask, AgentError("it gave up")))
    report = await fix(repository, agent("idle", deterministic=True), spender)
    line = only(report)
    assert (line.status, line.reasons, line.attempts) == ("failed", ("it gave up",), 2)
    assert line.usage == ASKED


async def test_each_stage_has_all_its_tries_and_a_deterministic_one_has_one_without_a_prompt(
    repository: TemporaryRepository,
) -> None:
    others = [WORSE.replace("nobody", name) for name in ("anybody", "somebody", "someone")]
    agents = agent("fixed", deterministic=True), agent("cheap", WORSE, others[0]), agent("strong", *others[1:])
    report = await fix(repository, *agents, max_attempts=2)
    assert [[one.attempt for one in each.asked] for each in agents] == [[1], [1, 2], [1, 2]]
    assert [[bool(one.prompt) for one in each.asked] for each in agents] == [[False], [True] * 2, [True] * 2]
    assert [one.number for one in trails(repository)] == [1, 2, 3, 4, 5]
    assert only(report).attempts == 5


async def test_tests_are_skipped_where_there_is_no_autofix(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"test_a.py": BROKEN})
    strong = agent("strong", WHOLE)
    report = await fix(repository, strong)
    assert (only(report).status, strong.asked) == ("skipped", [])


async def test_exhausted_budget_ends_a_task_and_keeps_what_was_verified(repository: TemporaryRepository) -> None:
    poor, strong = agent("poor", BudgetExhausted("nothing is left of it")), agent("strong", WHOLE)
    report = await fix(repository, agent("cheap", TWO_LEFT), poor, strong, max_attempts=3)
    assert (len(poor.asked), strong.asked) == (1, [])
    assert (only(report).status, landed(repository, report)) == ("partial", TWO_LEFT)
    assert any("nothing is left of it" in reason for reason in only(report).reasons)


async def test_what_an_agent_verified_on_its_way_counts_where_its_last_word_is_worse(
    repository: TemporaryRepository,
) -> None:
    async def verify(assignment: Assignment) -> None:
        assert (await assignment.verify()).ok

    report = await fix(repository, agent("hasty", (TWO_LEFT, verify, WORSE)))
    assert (only(report).status, landed(repository, report)) == ("partial", TWO_LEFT)
    assert any("nobody" in reason for reason in only(report).reasons)


async def test_report_counts_what_each_stage_took_and_brought(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {"a.py": BROKEN, "b.py": WORSE})
    cheap = ScriptedAgent({"a.py": [(ask, TWO_LEFT)], "b.py": [ask]}, name="cheap")
    strong = ScriptedAgent({"a.py": [WHOLE]}, name="strong")
    report = await fix(repository, cheap, strong)
    first, second = report.stages
    assert (first.files, first.attempts, first.files_fixed, first.fixed) == (2, 2, 1, 1)
    assert (first.usage, first.unmeasured) == (ASKED + ASKED, 0)
    assert (second.files, second.files_fixed, second.fixed) == (2, 1, 2)
    assert (second.usage, second.unmeasured) == (None, 2)
    assert report.usage == ASKED + ASKED
    assert only(replace(report, tasks=report.landed)).usage == replace(ASKED, cost_usd=None)


async def test_first_of_a_race_that_is_whole_wins_and_the_others_are_stopped(repository: TemporaryRepository) -> None:
    stopped: list[str] = []
    began = asyncio.Event()

    async def hang(assignment: Assignment) -> None:
        count(ASKED)
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append((assignment.root / "a.py").read_text())

    async def after_the_other(_: Assignment) -> None:
        await began.wait()

    slow, fast = agent("slow", (ONE_LEFT, hang)), agent("fast", (after_the_other, WHOLE))
    report = await fix(repository, slow, fast, race=True)
    assert stopped == [ONE_LEFT]
    assert slow.asked[0].root != fast.asked[0].root
    assert (only(report).agent, landed(repository, report)) == ("fast", WHOLE)
    assert [(line.stage, line.agent, line.fixed) for line in report.stages] == [(1, "slow", 0), (1, "fast", 3)]
    assert report.stages[0].usage == ASKED
    assert {one.agent: one.stopped for one in trails(repository)} == {"slow": True, "fast": False}


async def test_who_has_not_begun_when_a_race_is_won_is_not_asked(repository: TemporaryRepository) -> None:
    first, second = agent("first", WHOLE), agent("second", WHOLE)
    report = await fix(repository, first, second, race=True, jobs=1)
    assert (only(report).agent, len(first.asked), second.asked) == ("first", 1, [])


async def test_who_lost_is_stopped_at_once_though_all_slots_are_busy(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", {f"{name}.py": BROKEN for name in "abc"})
    began, stopped = asyncio.Event(), asyncio.Event()

    async def win_when_the_other_is_at_work(_: Assignment) -> None:
        await began.wait()

    async def hang(_: Assignment) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def wait_for_that(_: Assignment) -> None:
        await stopped.wait()

    first = ScriptedAgent({"a.py": [(win_when_the_other_is_at_work, WHOLE)]}, (wait_for_that, WHOLE), name="first")
    second = ScriptedAgent({"a.py": [hang]}, wait_for_that, name="second")
    report = await fix(repository, first, second, race=True, jobs=2, deadline_s=5.0)
    assert [(line.status, line.agent) for line in report.tasks] == [("fixed", "first")] * 3
    kept = [trail for folder in (tmp_path / "state").rglob("tasks/*") for trail in trails_of(folder)]
    assert [trail.stopped for trail in kept if (trail.path, trail.agent) == ("a.py", "second")] == [True]


async def test_race_that_nobody_wins_has_a_best_one(repository: TemporaryRepository) -> None:
    last = agent("last")
    report = await fix(
        repository, agent("bad", WORSE), agent("good", ONE_LEFT), agent("middling", TWO_LEFT), last, race=True
    )
    assert (only(report).status, only(report).agent, landed(repository, report)) == ("partial", "good", ONE_LEFT)
    assert [line.fixed for line in report.stages] == [0, 2, 0, 0]
    assert only(report).fixed == 2


async def test_deterministic_agents_come_before_a_race(repository: TemporaryRepository) -> None:
    one, other = agent("one"), agent("other", WHOLE)
    report = await fix(repository, one, Autofix(), other, race=True)
    assert [[rule for _, rule in places(each.asked[0])] for each in (one, other)] == [["F821"], ["F821"]]
    assert report.agent == "autofix, one | other"
    assert only(report).agent == "autofix, other"


async def test_race_of_one_is_told_to_be_none(repository: TemporaryRepository) -> None:
    home = repository.root.parent
    given = {"workspaces": home / "home", "state": home / "state", "tests": "none", "race": True}
    report = await run(Request(repository.root, load_settings(repository.root, given)))
    assert any("there is no race" in note for note in report.notes)


async def test_crash_in_a_race_is_no_end_of_it(repository: TemporaryRepository) -> None:
    report = await fix(repository, agent("broken", RuntimeError("oh")), agent("good", WHOLE), race=True)
    assert (only(report).status, only(report).agent) == ("fixed", "good")


async def test_race_of_agents_that_all_crash_fails(repository: TemporaryRepository) -> None:
    report = await fix(repository, agent("one", AgentError("oh")), agent("other", AgentError("no")), race=True)
    assert only(report).status == "failed"
    assert only(report).attempts == 2


async def test_run_that_was_stopped_at_a_stage_is_resumed_from_the_first_one(repository: TemporaryRepository) -> None:
    waiting = asyncio.Event()

    async def hold(_: Assignment) -> None:
        waiting.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(fix(repository, agent("cheap", TWO_LEFT), agent("strong", hold)))
    await waiting.wait()
    running.cancel()
    assert (await running).interrupted
    settings = load_settings(repository.root, {"state": repository.root.parent / "state"})
    [past] = await pasts(home_of(settings, await Repository.open(repository.root)))
    assert [(one.agent, one.stopped) for one in past.trails("a.py")] == [("cheap", False), ("strong", True)]
    request = request_again(past.begun, {}, settings, repository.root)
    cheap, strong = agent("cheap", TWO_LEFT), agent("strong", WHOLE)
    report = await run(request, agent=[cheap, strong], past=past)
    assert (only(report).agent, [len(each.asked) for each in (cheap, strong)]) == ("cheap, strong", [1, 1])


async def test_what_was_stopped_is_counted(repository: TemporaryRepository) -> None:
    waiting = asyncio.Event()

    async def hold(assignment: Assignment) -> None:
        ask(assignment)
        waiting.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(fix(repository, agent("cheap", (ask, TWO_LEFT)), agent("strong", hold)))
    await waiting.wait()
    running.cancel()
    report = await running
    assert [(line.agent, line.files, line.attempts, line.fixed) for line in report.stages] == [
        ("cheap", 1, 1, 0),
        ("strong", 1, 1, 0),
    ]
    assert (only(report).status, only(report).attempts, only(report).left) == ("cancelled", 2, 3)
    assert only(report).usage == report.usage == ASKED + ASKED


@pytest.mark.parametrize("jobs", [1, 2])
async def test_races_stay_within_the_limit_of_the_run(tmp_path: Path, jobs: int) -> None:
    repository = make_repository(tmp_path / "r", {f"{name}.py": BROKEN for name in "abc"})
    running, peak = 0, 0

    async def together(_: Assignment) -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.1)
        running -= 1

    agents = [ScriptedAgent(otherwise=(together, ONE_LEFT), name=name) for name in ("one", "other", "third")]
    report = await fix(repository, *agents, race=True, jobs=jobs)
    assert [line.status for line in report.tasks] == ["partial"] * 3
    assert peak == jobs


@pytest.mark.parametrize("race", [False, True])
async def test_whatever_agents_do_what_is_told_is_what_is_there(tmp_path: Path, race: bool) -> None:
    """Agents that are right, half right, wrong, idle, late or broken by chance; ruff counts what came of it."""
    chance = random.Random(7 + race)
    files = {f"f{number:02}.py": BROKEN for number in range(12)}
    repository = make_repository(tmp_path / "r", files)

    def act(assignment: Assignment) -> Any:
        what = chance.choice([WHOLE, ONE_LEFT, TWO_LEFT, NAME_LEFT, WORSE, "", None, AgentError("no"), KeyError("oh")])
        if isinstance(what, Exception):
            raise what
        if what is not None:
            (assignment.root / assignment.path).write_text(what)
        count(ASKED)
        return asyncio.sleep(chance.choice([0, 0, 0.01]))

    agents = [ScriptedAgent(otherwise=act, name=name) for name in ("one", "other", "third")]
    report = await fix(repository, *agents, race=race, max_attempts=2)
    repository.git("checkout", "-q", str(report.branch))
    done = subprocess.run(
        [str(find_program("ruff")), "check", "--output-format=json"],
        cwd=repository.root,
        capture_output=True,
        check=False,
    )
    left = Counter(Path(one["filename"]).name for one in json.loads(done.stdout))
    assert [line.path for line in report.tasks] == sorted(files)
    assert {line.path: line.left for line in report.tasks} == {path: left[path] for path in files}
    assert {line.path for line in report.landed} == {path for path in files if left[path] < 3}
    assert sum(line.fixed for line in report.stages) == sum(line.fixed for line in report.tasks) > len(files)
    assert sum(line.attempts for line in report.stages) == sum(len(each.asked) for each in agents)
    assert sum(line.files_fixed for line in report.stages) >= len(report.landed)
    for line in report.landed:
        assert line.agent
        assert all(name in ("one", "other", "third") for name in line.agent.split(", "))


def test_race_puts_all_that_may_differ_into_one_stage() -> None:
    one, fixed, other = agent("one"), agent("fixed", deterministic=True), agent("other")
    assert names_of(stages_of([one, fixed, other])) == "one, fixed, other"
    assert names_of(stages_of([one, fixed, other], race=True)) == "fixed, one | other"
    assert names_of(stages_of([fixed], race=True)) == "fixed"


def test_name_of_an_agent_holds_no_secret_and_no_line_break() -> None:
    name = name_of(ScriptedAgent(name="command:my-agent --key sk-proj-abcdefghijklmnopqrstuvwxyz0123456789\n{file}"))
    assert "abcdefghij" not in name
    assert name.isprintable()
    long = "command:" + "x" * 500
    assert len(name_of(ScriptedAgent(name=f"{long} one"))) == 200
    assert name_of(ScriptedAgent(name=f"{long} one")) != name_of(ScriptedAgent(name=f"{long} two"))


class Fixed:
    """A policy that gives every task the same course."""

    def __init__(self, *steps: tuple[int, int | None]) -> None:
        self.steps = steps

    def course(self, task: Task, stages: int) -> Course:  # noqa: ARG002  (the shape of a policy)
        return Course(self.steps)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(2, 1)], ((2, 1), (0, None), (1, None))),
        ([(1, 2), (7, 1), (-1, 1)], ((1, 2), (0, None), (2, None))),
        ([], ((0, None), (1, None), (2, None))),
    ],
)
def test_no_stage_is_lost_whatever_a_policy_says(steps: list[tuple[int, int | None]], expected: Any) -> None:
    task = Task("a.py", "a.py", ())
    assert course_of(Fixed(*steps), task, 3).steps == expected
    assert course_of(EveryStage(), task, 3).steps == ((0, None), (1, None), (2, None))
