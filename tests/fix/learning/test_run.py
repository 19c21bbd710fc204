"""What runs learn from one another: real git, real ruff, scripted agents."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fanfold.agents.protocol import Agent, Assignment
from fanfold.agents.protocol import Report as Said
from fanfold.config import load_settings
from fanfold.fix import Report, Request, run
from fanfold.fix.learning.session import store_at
from fanfold.fix.runs import find_unfinished, home_of
from fanfold.git import Repository
from fanfold.llm.usage import Usage
from fanfold.testing.repositories import make_repository

EASY = "def {name}(value):\n    if value == None:\n        return 0\n    return value\n"
EASY_RIGHT = ("value == None", "value is None")
HARD = "def {name}(value):\n    try:\n        return int(value)\n    except:\n        return 0\n"
HARD_RIGHT = ("except:", "except ValueError:")
NOBODYS = "def {name}(value):\n    l = value\n    return l\n"
KINDS = {"easy": EASY, "hard": HARD, "nobodys": NOBODYS}
FIXES = {"E711": EASY_RIGHT, "E722": HARD_RIGHT}


@dataclass
class Model:
    """Fixes findings of the rules that it knows, each asking at a price.

    Others it leaves alone; or it `errs`: does what is refused, each time something else.
    """

    name: str
    knows: tuple[str, ...]
    price_usd: float
    errs: bool = False
    deterministic: bool = False
    asked: list[Assignment] = field(default_factory=list)

    async def work(self, assignment: Assignment) -> Said:
        self.asked.append(assignment)
        file = assignment.root / assignment.path
        text = file.read_text()
        for rule in {one.rule for one in assignment.findings} & set(self.knows):
            text = text.replace(*FIXES[rule])
        if self.errs and not {one.rule for one in assignment.findings} & set(self.knows):
            text += f"import os_{assignment.attempt}\n"
        file.write_text(text)
        return Said(usage=Usage(requests=1, input_tokens=900, output_tokens=100, cost_usd=self.price_usd))


def cheap_and_strong(*, errs: bool = False) -> tuple[Model, Model]:
    return Model("cheap", ("E711",), 0.002, errs), Model("strong", ("E711", "E722"), 0.02, errs)


async def fix(root: Path, state: Path, agents: Sequence[Agent], **options: object) -> Report:
    told = {"workspaces": state / "copies", "state": state, "tests": "none", "checks": ("ruff",), **options}
    settings = load_settings(root, {"select": ("E7",), **told})
    return await run(Request(root, settings), agent=agents)


def project(root: Path, easy: int, hard: int, nobodys: int = 0) -> Path:
    files = {
        f"{kind}_{number}.py": KINDS[kind].format(name=f"{kind}_{number}")
        for kind, count in (("easy", easy), ("hard", hard), ("nobodys", nobodys))
        for number in range(count)
    }
    return make_repository(root, files).root


def fixed(report: Report) -> int:
    return sum(line.fixed for line in report.tasks)


@pytest.fixture
def fixed_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that go the user's own way are the same ones each time, and not as many as there may be by chance."""
    monkeypatch.setattr("fanfold.fix.learning.session.seed_of", lambda _run: "always the same")


@pytest.mark.usefixtures("fixed_choice")
@pytest.mark.parametrize("errs", [False, True], ids=["who can't fix it leaves it", "who can't fix it tries"])
async def test_a_second_project_takes_far_fewer_calls_for_as_many_fixes(tmp_path: Path, errs: bool) -> None:
    first, second = project(tmp_path / "first", 4, 8, 2), project(tmp_path / "second", 4, 8, 2)
    learned, nothing = tmp_path / "learned", tmp_path / "nothing"
    await fix(first, learned, cheap_and_strong(errs=errs), max_attempts=2)
    plain, taught = cheap_and_strong(errs=errs), cheap_and_strong(errs=errs)

    without = await fix(second, nothing, plain, max_attempts=2)
    with_it = await fix(second, learned, taught, max_attempts=2)

    calls, fewer = (sum(len(agent.asked) for agent in agents) for agents in (plain, taught))
    assert fixed(with_it) == fixed(without) == 12
    assert fewer <= 0.7 * calls, (fewer, calls)


async def test_what_was_learned_loses_no_fix_where_agents_have_changed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    await fix(project(tmp_path / "first", 1, 8), state, cheap_and_strong())
    cheap, strong = Model("cheap", ("E711", "E722"), 0.002), Model("strong", (), 0.02)

    report = await fix(project(tmp_path / "second", 1, 3), state, (cheap, strong))

    assert fixed(report) == 4


async def test_what_a_run_fixed_for_good_is_in_the_figures_and_what_it_took(tmp_path: Path) -> None:
    state = tmp_path / "state"

    await fix(project(tmp_path / "r", 2, 1), state, cheap_and_strong(errs=True), max_attempts=2)

    totals = {(one.agent, one.rule): (one.findings, one.fixed, one.tries) for one in store_at(state).totals()}
    assert totals == {("cheap", "E711"): (2, 2, 2), ("cheap", "E722"): (1, 0, 2), ("strong", "E722"): (1, 1, 1)}
    [strong] = [one for one in store_at(state).totals() if one.agent == "strong"]
    assert (strong.cost_usd, strong.tokens) == (0.02, 1_000)


async def test_diffs_that_landed_are_shown_to_agents_that_read_the_next_time(tmp_path: Path) -> None:
    state, root = tmp_path / "state", project(tmp_path / "r", 1, 0)
    await fix(root, state, cheap_and_strong())
    cheap, strong = cheap_and_strong()

    await fix(root, state, (cheap, strong))

    [example] = cheap.asked[0].material.examples["E711"]
    assert "-    if value == None:" in example
    assert "+    if value is None:" in example


async def test_diffs_are_shown_in_their_own_project_only(tmp_path: Path) -> None:
    state = tmp_path / "state"
    await fix(project(tmp_path / "one", 1, 0), state, cheap_and_strong())
    cheap, strong = cheap_and_strong()

    await fix(project(tmp_path / "other", 1, 0), state, (cheap, strong))

    assert cheap.asked[0].material.examples == {}


async def test_a_user_who_wants_no_learning_gets_none(tmp_path: Path) -> None:
    state, root = tmp_path / "state", project(tmp_path / "r", 1, 2)
    await fix(root, state, cheap_and_strong())
    before = store_at(state).totals()
    cheap, strong = cheap_and_strong(errs=True)

    await fix(root, state, (cheap, strong), learn=False)

    assert len(cheap.asked) == 1 + 2 * 3
    assert cheap.asked[0].material.examples == {}
    assert store_at(state).totals() == before


async def test_a_run_that_only_shows_diffs_teaches_nothing(tmp_path: Path) -> None:
    state, root = tmp_path / "state", project(tmp_path / "r", 1, 0)
    settings = load_settings(root, {"workspaces": state / "w", "state": state, "tests": "none", "select": ("E7",)})

    await run(Request(root, settings, diff=True), agent=cheap_and_strong())

    assert store_at(state).totals() == []


async def test_a_run_goes_on_without_what_cannot_be_read_and_says_so(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    store_at(state).path.write_bytes(b"no database" * 1_000)

    report = await fix(project(tmp_path / "r", 2, 1), state, cheap_and_strong())

    assert fixed(report) == 3
    assert [note.partition(":")[0] for note in report.notes] == [
        "nothing that was learned before was used",
        "nothing was learned",
    ]


async def test_a_run_that_was_stopped_and_finished_later_counts_once(tmp_path: Path) -> None:
    state, root = tmp_path / "state", project(tmp_path / "r", 3, 0)
    settings = load_settings(
        root, {"workspaces": state / "w", "state": state, "tests": "none", "select": ("E7",), "jobs": 1}
    )
    halting = Halting("cheap", ("E711",), 0.002)
    at_work = asyncio.create_task(run(Request(root, settings), agent=halting))
    await halting.reached.wait()
    at_work.cancel()
    assert (await at_work).interrupted

    past = await find_unfinished(home_of(settings, await Repository.open(root)))
    report = await run(Request(root, settings), agent=Model("cheap", ("E711",), 0.002), past=past)

    [total] = store_at(state).totals()
    assert fixed(report) == 3
    assert (total.findings, total.fixed, total.tries) == (3, 3, 3)


@dataclass
class Halting(Model):
    """Never answers the second time that it is asked."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, assignment: Assignment) -> Said:
        if self.asked:
            self.reached.set()
            await asyncio.Event().wait()
        return await super().work(assignment)


async def test_a_change_that_tests_refuse_is_no_success(tmp_path: Path) -> None:
    state, root = tmp_path / "state", tmp_path / "r"
    files = {
        "easy_0.py": EASY.format(name="easy_0"),
        "check.py": "assert '== None' in open('easy_0.py').read()\n",
    }
    suite = f"{sys.executable} -S -E check.py"
    make_repository(root, files)

    report = await fix(root, state, (cheap_and_strong()[0],), tests="batch", test_command=suite, max_attempts=1)

    assert fixed(report) == 0
    assert {(one.agent, one.fixed) for one in store_at(state).totals()} == {("cheap", 0)}
