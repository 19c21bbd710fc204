"""Runs within budgets: what is finished lands, nothing is begun beyond them, and the report says which one it was."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents.protocol import AgentUnusable, Assignment
from fanfold.agents.protocol import Report as Answer
from fanfold.config import load_settings
from fanfold.fix import Request
from fanfold.fix.reporting.report import Report
from fanfold.fix.run import carry_out
from fanfold.fix.runs import Past, home_of, pasts
from fanfold.fix.runs.begun import request_again
from fanfold.git import Repository
from fanfold.llm.usage import Usage
from fanfold.testing.agents import ScriptedAgent
from fanfold.testing.repositories import TemporaryRepository, make_repository

UNUSED = "import os\nimport sys\n\nprint(sys.argv)\n"
FIXED = "import sys\n\nprint(sys.argv)\n"
NAMES = tuple(f"{letter}.py" for letter in "abcdef")


@dataclass
class Spender:
    """Fixes a file with requests of which it knows the most that each may take; asks before each of them.

    Attributes:
        held: a file at which it waits for ever, in its request `held_at`, counted from 0.
        text: what it writes.
        taken: what all requests took.
    """

    requests: int = 1
    most: int = 10
    took: int = 10
    cost_usd: float | None = None
    held: str = ""
    held_at: int = 0
    text: str = FIXED
    name: str = "spender"
    deterministic: bool = False
    taken: int = 0
    paths: list[str] = field(default_factory=list)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, assignment: Assignment) -> Answer:
        self.paths.append(assignment.path)
        usage = Usage()
        assert assignment.purse is not None
        for number in range(self.requests):
            held = await assignment.purse.reserve_in_turn(tokens=self.most, cost_usd=self.cost_usd)
            await asyncio.sleep(0)
            if (assignment.path, number) == (self.held, self.held_at):
                self.waiting.set()
                await asyncio.Event().wait()
            self.taken += self.took
            one = Usage(requests=1, input_tokens=self.took, cost_usd=self.cost_usd)
            held.settle(one)
            usage += one
        (assignment.root / assignment.path).write_text(self.text)
        return Answer(usage=usage)


@dataclass
class Place:
    """A repository with a place for what runs keep, and runs in it."""

    user: TemporaryRepository
    home: Path

    def request(self, **more: Any) -> Request:
        overrides = {"workspaces": self.home / "copies", "state": self.home / "state", "checks": ["ruff"]}
        settings = load_settings(self.user.root, {**overrides, "tests": "none", "runtime": "native", **more})
        return Request(self.user.root, settings)

    async def run(self, *agents: Any, **more: Any) -> Report:
        return (await carry_out(self.request(**more), agent=agents)).report

    async def last(self) -> Past:
        repository = await Repository.open(self.user.root)
        return (await pasts(home_of(self.request().settings, repository)))[-1]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    files = dict.fromkeys(NAMES, UNUSED) | {"pyproject.toml": "[tool.ruff]\n"}
    return Place(make_repository(tmp_path / "user", files), tmp_path)


def by_status(report: Report) -> dict[str, int]:
    statuses = [task.status for task in report.tasks]
    return {status: statuses.count(status) for status in dict.fromkeys(sorted(statuses))}


async def test_as_many_files_as_the_tokens_allow_land_and_the_others_say_why_not(place: Place) -> None:
    agent = Spender()
    report = await place.run(agent, max_tokens=35)
    assert by_status(report) == {"cancelled": 3, "fixed": 3}
    assert agent.taken == 30
    assert report.budget is not None
    assert (report.budget.tokens, report.budget.max_tokens) == (30, 35)
    assert "35 tokens for the run" in str(report.budget.exhausted)
    told = {reason for task in report.tasks for reason in task.reasons if task.status == "cancelled"}
    assert told == {"too little is left of the budget"}
    assert (report.exit_code, report.is_unfinished, len(report.landed)) == (1, False, 3)
    assert (await place.last()).state == "settled"


async def test_limit_of_a_task_ends_that_task_alone_without_another_try(place: Place) -> None:
    agent = Spender(requests=3)
    report = await place.run(agent, task_max_tokens=20)
    assert by_status(report) == {"cancelled": 6}
    assert sorted(agent.paths) == sorted(NAMES)
    assert report.budget is not None
    assert (report.budget.exhausted, report.budget.tokens) == (None, 120)
    assert report.budget.task_exhausted == "of 20 tokens for the task 20 are taken, and the next request may take 10"
    assert {reason for task in report.tasks for reason in task.reasons} == {
        "too little is left of what each file may take"
    }


async def test_money_is_kept_with_several_at_once_and_what_costs_nothing_works_on(place: Place) -> None:
    free = ScriptedAgent(name="free", deterministic=True)
    agent = Spender(cost_usd=0.3)
    report = await place.run(free, agent, max_cost_usd=1.0, jobs=4)
    assert by_status(report) == {"cancelled": 3, "fixed": 3}
    assert report.budget is not None
    assert report.budget.cost_usd == pytest.approx(0.9)
    assert len(free.asked) == len(NAMES)


async def test_what_an_earlier_stage_verified_lands_though_the_money_is_gone(place: Place) -> None:
    place.user.commit(dict.fromkeys(NAMES, "import re\n" + UNUSED))
    first = ScriptedAgent(name="first", deterministic=True, otherwise=UNUSED)
    report = await place.run(first, Spender(cost_usd=2.0), max_cost_usd=1.0)
    assert by_status(report) == {"partial": 6}
    assert {reason for task in report.tasks for reason in task.reasons} == {"too little is left of the budget"}


async def test_minutes_end_the_run_in_order_and_what_is_verified_lands(place: Place) -> None:
    agent = Spender(held="c.py")
    report = await place.run(agent, max_minutes=0.05, jobs=6, max_attempts=3)
    fixed = {task.path for task in report.tasks if task.status == "fixed"}
    assert "c.py" not in fixed
    assert report.interrupted is False
    (held,) = [task for task in report.tasks if task.path == "c.py"]
    assert (held.status, "minutes of the run are over" in held.reasons[0]) == ("cancelled", True)
    assert report.budget is not None
    assert report.budget.exhausted == "the 0.05 minutes of the run are over"
    assert report.exit_code == 1
    assert agent.paths.count("c.py") <= 1


async def test_minutes_of_a_task_stop_who_hangs_at_it(place: Place) -> None:
    report = await place.run(Spender(held="c.py"), task_max_minutes=0.01)
    assert by_status(report) == {"cancelled": 1, "fixed": 5}
    assert report.budget is not None
    assert report.budget.exhausted is None


@pytest.mark.parametrize("limit", ["max_cost_usd", "task_max_cost_usd"])
@pytest.mark.parametrize("agents", [("llm",), ("autofix", "priced", "llm")], ids=["alone", "a later stage"])
async def test_unknown_price_of_a_model_is_refused_before_anything_runs(
    place: Place, agents: tuple[str, ...], limit: str
) -> None:
    local = {"model": "qwen2.5-coder:7b", "base_url": "http://127.0.0.1:9/v1"}
    tables = {"llm": local, "priced": {"use": "llm", **local, "price_per_million": [0, 0]}}
    with pytest.raises(AgentUnusable, match="nobody knows what a request of agent llm costs") as refused:
        await carry_out(place.request(agent=agents, agents=tables, **{limit: 5.0}))
    assert "price_per_million" in str(refused.value.hint)
    assert not list((place.home / "state").rglob("journal.sqlite"))


async def test_model_of_unknown_price_may_be_asked_within_a_limit_of_tokens(place: Place) -> None:
    local = {"model": "qwen2.5-coder:7b", "base_url": "http://127.0.0.1:9/v1", "attempts": 1}
    report = (await carry_out(place.request(agent=["llm"], agents={"llm": local}, max_tokens=10**6))).report
    assert by_status(report) == {"failed": 6}


async def test_unknown_price_that_only_a_request_tells_is_refused_before_anything_is_sent(place: Place) -> None:
    agent = Spender()
    report = await place.run(agent, max_cost_usd=5.0)
    assert agent.taken == 0
    assert by_status(report) == {"cancelled": 6}
    assert all("price_per_million" in task.reasons[0] for task in report.tasks)


async def test_resumed_run_goes_on_with_what_is_left_and_a_higher_limit_may_be_given(place: Place) -> None:
    agent = Spender(held="d.py")
    running = asyncio.create_task(place.run(agent, max_tokens=60, jobs=2))
    await agent.waiting.wait()
    running.cancel()
    stopped = await running
    assert stopped.interrupted
    past = await place.last()
    assert stopped.budget is not None
    spent = stopped.budget.tokens
    assert spent >= agent.taken + 10, "what was set aside for the request that never ended counts"

    async def resumed(**given: Any) -> Report:
        request = request_again(past.begun, given, place.request(**given).settings, place.user.root)
        return (await carry_out(request, agent=again, past=past)).report

    again = Spender()
    report = await resumed(max_tokens=spent + 20)
    assert report.budget is not None
    assert (again.taken, report.budget.tokens, report.budget.max_tokens) == (20, spent + 20, spent + 20)


@pytest.mark.parametrize("limits", [{}, {"max_tokens": 10_000}])
async def test_what_a_killed_process_took_is_in_the_lines_of_who_took_it(
    tmp_path: Path, limits: dict[str, Any]
) -> None:
    """What stands in the record when a process dies is copied away, and put back as if it had ended there."""
    files = {"a.py": UNUSED, "b.py": UNUSED, "pyproject.toml": "[tool.ruff]\n"}
    place = Place(make_repository(tmp_path / "user", files), tmp_path)
    cheap = Spender(name="cheap", requests=2, text=UNUSED + "# by cheap\n")
    strong = Spender(name="strong", requests=3, most=100, held_at=2, held="b.py")
    running = asyncio.create_task(place.run(cheap, strong, max_attempts=1, jobs=1, **limits))
    await strong.waiting.wait()
    folder, killed = (await place.last()).folder.path, place.home / "killed"
    shutil.copytree(folder, killed)
    running.cancel()
    await running
    shutil.rmtree(folder)
    shutil.copytree(killed, folder)
    past = await place.last()
    request = request_again(past.begun, {}, place.request().settings, place.user.root)
    again = [Spender(name="cheap", requests=2, text=UNUSED + "# by cheap\n"), Spender(name="strong", requests=3)]
    report = (await carry_out(request, agent=again, past=past)).report
    lines = {line.agent: line for line in report.stages}
    assert by_status(report) == {"fixed": 2}
    assert [(lines[name].attempts, lines[name].cut_off) for name in ("cheap", "strong")] == [(3, 1), (3, 1)]
    assert lines["cheap"].usage == Usage(requests=6, input_tokens=60)
    # Of three requests that were under way at b.py, two had come to 10 each, and the third to whatever it might.
    assert lines["strong"].usage == Usage(requests=9, input_tokens=30 + 20 + 100 + 30)
    assert report.budget is None or report.budget.tokens == 60 + 180
    [line] = [task for task in report.tasks if task.path == "b.py"]
    assert line.usage is not None
    assert line.usage.input_tokens == 2 * 20 + 30 + 120


async def test_without_limits_the_report_says_nothing_of_a_budget(place: Place) -> None:
    assert (await place.run(Spender())).budget is None


async def test_program_that_never_says_what_it_takes_is_refused_before_anything_runs(place: Place) -> None:
    silent = {"agent": ("command",), "agent_command": ("/bin/true",)}
    for name, words in (("max_cost_usd", "no limit of money"), ("task_max_tokens", "no limit of tokens")):
        with pytest.raises(AgentUnusable, match=words):
            await carry_out(place.request(**silent, **{name: 5}))
    assert not list((place.home / "state").rglob("journal.sqlite"))
    priced = {**silent, "agents": {"command": {"max_cost_usd": 0.5}}}
    report = (await carry_out(place.request(**priced, max_cost_usd=2, max_attempts=1, sandbox="none"))).report
    assert report.budget is not None
    assert report.budget.cost_usd == 2.0
    assert by_status(report) == {"cancelled": 2, "unchanged": 4}
