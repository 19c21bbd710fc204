"""A replay of any run is the same run, whatever had chosen its files and in whatever order they landed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from fanfold.agents.protocol import Agent, AgentError, Assignment
from fanfold.config import FixSettings, load_settings
from fanfold.fix import Request
from fanfold.fix.attempts.played import rounds_of
from fanfold.fix.attempts.trail import Trail, Written
from fanfold.fix.errors import FixError
from fanfold.fix.replay import Replayed, replay
from fanfold.fix.reporting.report import Report
from fanfold.fix.run import carry_out
from fanfold.fix.runs import Past, home_of, pasts
from fanfold.git import Repository
from fanfold.llm.usage import Usage
from fanfold.testing.agents import ScriptedAgent, Sleep
from fanfold.testing.repositories import TemporaryRepository, make_repository

UNUSED = "import os\nimport re\nimport sys\n\nprint(sys.argv)\n"
PART = "import re\nimport sys\n\nprint(sys.argv)\n"
FIXED = "import sys\n\nprint(sys.argv)\n"
WORSE = "import os\nimport re\nimport sys\nimport json\n\nprint(sys.argv)\n"
SILENCED = "import os  # noqa: F401\nimport re  # noqa: F401\nimport sys\n\nprint(sys.argv)\n"


@dataclass
class Place:
    """A repository, runs in it, and replays of them."""

    user: TemporaryRepository
    home: Path
    base: dict[str, Any] = field(default_factory=dict)

    def settings(self, **more: Any) -> FixSettings:
        mine = {"workspaces": self.home / "copies", "state": self.home / "state", "checks": ["ruff"]}
        return load_settings(self.user.root, {**mine, "tests": "none", "runtime": "native", **self.base, **more})

    async def run(self, *agents: Agent, asked: dict[str, Any] | None = None, **more: Any) -> Past:
        settings = self.settings(**more)
        await carry_out(Request(self.user.root, settings, **(asked or {})), agent=agents)
        return await self.last(settings)

    async def last(self, settings: FixSettings) -> Past:
        return (await pasts(home_of(settings, await Repository.open(self.user.root))))[-1]

    async def replay(self, past: Past, **more: Any) -> Replayed:
        return await replay(past, self.settings(**more), self.user.root)

    def tree(self, report: Report) -> str:
        return self.user.git("rev-parse", f"{report.tip}^{{tree}}")


def statuses(report: Report | None) -> dict[str, str]:
    assert report is not None
    return {task.path: task.status for task in report.tasks}


def assert_same(place: Place, past: Past, replayed: Replayed) -> None:
    """Nothing differs, not even what isn't compared for the user."""
    before, now = past.report, replayed.report
    assert before is not None
    assert (replayed.differences, replayed.unplayable, replayed.compared) == ((), (), True)
    assert statuses(now) == statuses(before)
    assert before.tip is None or place.tree(now) == place.tree(before)
    assert (now.rules, now.files, now.left_out) == (before.rules, before.files, before.left_out)
    assert {one.path: one.sent_back for one in now.tasks} == {one.path: one.sent_back for one in before.tasks}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    files = dict.fromkeys(("a.py", "b.py", "c.py"), UNUSED) | {"pyproject.toml": "[tool.ruff]\n"}
    return Place(make_repository(tmp_path / "user", files), tmp_path)


def choose(**asked: Any) -> Callable[[Place], tuple[dict[str, Any], dict[str, Any]]]:
    return lambda _place: (asked, {})


def limit(**settings: Any) -> Callable[[Place], tuple[dict[str, Any], dict[str, Any]]]:
    return lambda _place: ({}, settings)


def changed(place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    (place.user.root / "b.py").write_text(UNUSED + "print()\n")
    return {"git_changed": True}, {}


def staged(place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    (place.user.root / "b.py").write_text(UNUSED + "print()\n")
    place.user.git("add", "b.py")
    return {"git_staged": True}, {}


def differing(place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    place.user.git("branch", "before")
    place.user.commit({"b.py": "import json\n" + UNUSED})
    return {"git_diff": "before"}, {}


def only_new(place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    place.user.git("branch", "before")
    place.user.commit({"b.py": "import json\n" + UNUSED})
    return {}, {"only_new": "before"}


def baseline(place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    from fanfold.cli import baseline  # what a baseline holds is for whoever writes one to say

    file = place.home / "known.json"
    request = baseline.request_for_baseline(Request(place.user.root, place.settings(exclude=["b.py"])))
    report = asyncio.run(carry_out(request)).report
    baseline.write(file, report)
    return {}, {"baseline": file}


CHOICES: dict[str, Callable[[Place], tuple[dict[str, Any], dict[str, Any]]]] = {
    "paths": choose(paths=("b.py", "c.py")),
    "max files": limit(max_files=1),
    "max findings": limit(max_findings=3),
    "included": limit(include=("b*",)),
    "excluded": limit(exclude=("b*",)),
    "rules": limit(select=("F401",), ignore=("F402",)),
    "changed": changed,
    "staged": staged,
    "differing": differing,
    "only new": only_new,
    "baseline": baseline,
    "shown": choose(diff=True),
    "applied": choose(apply=True),
    "each its branch": limit(per="file"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_files_that_were_chosen_are_chosen_again(place: Place, name: str) -> None:
    asked, settings = CHOICES[name](place)
    agent = ScriptedAgent({"b.py": [WORSE, FIXED]}, otherwise=FIXED)
    past = asyncio.run(place.run(agent, asked=asked, **settings))
    assert any(status == "fixed" for status in statuses(past.report).values())
    # What they were chosen by is gone.
    place.user.git("reset", "-q", "--hard")
    place.user.git("branch", "-q", "-D", "before", check=False)
    (place.home / "known.json").unlink(missing_ok=True)
    assert_same(place, past, asyncio.run(place.replay(past)))


async def test_gate_that_was_opened_for_one_run_is_open_in_its_replay(place: Place) -> None:
    past = await place.run(ScriptedAgent(otherwise=SILENCED), allow=["suppressions"], max_attempts=1)
    assert set(statuses(past.report).values()) == {"fixed"}
    assert_same(place, past, await place.replay(past))


async def test_gate_that_is_configured_since_counts(place: Place) -> None:
    past = await place.run(ScriptedAgent(otherwise=SILENCED), max_attempts=1)
    assert set(statuses(past.report).values()) == {"refused"}
    assert_same(place, past, await place.replay(past))
    (place.user.root / "fanfold.toml").write_text('[fix]\nallow = ["suppressions"]\n')
    replayed = await place.replay(past)
    assert set(statuses(replayed.report).values()) == {"fixed"}


class Dear(ScriptedAgent):
    """Takes a dollar for each answer."""

    async def work(self, assignment: Assignment) -> Any:
        """As the script has it."""
        return replace(await super().work(assignment), usage=Usage(requests=1, input_tokens=120, cost_usd=1.0))


async def hang(_assignment: Assignment) -> None:
    await asyncio.sleep(60)


class Odd(Exception):
    """Nothing that an agent should raise."""


ENDINGS: dict[str, tuple[Agent, dict[str, Any], set[str]]] = {
    "time": (ScriptedAgent({"a.py": [(hang,)]}, otherwise=FIXED), {"deadline_s": 1.0}, {"timed out", "fixed"}),
    "money": (Dear({"a.py": [WORSE]}, otherwise=PART), {"max_cost_usd": 2.5, "jobs": 1}, {"cancelled"}),
    "money of a file": (Dear({"a.py": [()]}, otherwise=PART), {"task_max_cost_usd": 0.5}, {"cancelled"}),
    "crash": (ScriptedAgent({"a.py": [Odd("no")], "b.py": [PART, Odd("no")]}, otherwise=FIXED), {}, {"failed"}),
    "lost": (ScriptedAgent({"a.py": [AgentError("no"), WORSE]}), {}, {"refused", "unchanged"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDINGS)
async def test_attempts_end_as_they_ended(place: Place, name: str) -> None:
    agent, settings, came = ENDINGS[name]
    past = await place.run(agent, **settings)
    assert came <= set(statuses(past.report).values())
    assert_same(place, past, await place.replay(past))


RACES: dict[str, tuple[Any, Any]] = {
    "second is whole": (PART, (Sleep(0.3), FIXED)),
    "as much by both": ((Sleep(0.3), PART), "import os\nimport sys\n\nprint(sys.argv)\n"),
    "nothing and refused": ((), WORSE),
    "refused and nothing": (WORSE, ()),
    "lost and nothing": (AgentError("no"), ()),
    "nothing and lost": ((Sleep(0.3), ()), AgentError("no")),
    "late and lost": ((hang,), AgentError("no")),
    "lost and late": (AgentError("no"), (hang,)),
}


@pytest.mark.parametrize("name", RACES)
@pytest.mark.parametrize("same", [False, True])
async def test_race_comes_to_what_it_came_to(place: Place, name: str, same: bool) -> None:
    first, second = RACES[name]
    agents = ScriptedAgent(otherwise=first, name="one"), ScriptedAgent(otherwise=second, name="one" if same else "two")
    past = await place.run(*agents, asked={"paths": ("a.py",)}, race=True, max_attempts=2, deadline_s=1.5)
    assert_same(place, past, await place.replay(past))


WORDS = "def greet(name: str) -> str:\n    return name\n"
LOUD = "def greet(name: str, *, loud: bool = False) -> str:\n    return name.upper() if loud else name\n"
SHY = "def greet(name: str, *, shy: bool = False) -> str:\n    return '' if shy else name\n"
MAIN = 'from shop.words import greet\n\n\ndef main() -> str:\n    return greet("a", {0}=True)\n'
TWICE = MAIN.format("loud") + "\n\ndef again() -> int:\n    return main()\n"


@pytest.fixture
def shop(tmp_path: Path) -> Place:
    files = {
        "pyproject.toml": '[tool.mypy]\nstrict = true\nfiles = ["shop"]\n',
        "shop/__init__.py": "",
        "shop/words.py": WORDS,
    }
    return Place(make_repository(tmp_path / "user", files), tmp_path, {"checks": ["mypy"]})


def writes(**contents: str) -> Callable[[Assignment], None]:
    def write(assignment: Assignment) -> None:
        for name, content in contents.items():
            (assignment.root / f"shop/{name}.py").write_text(content)

    return write


async def test_race_over_two_files(shop: Place) -> None:
    """The first lane's half needs another file, which the second one's whole leaves alone."""
    shop.user.commit({"shop/app.py": TWICE})
    whole = TWICE.replace(", loud=True", "").replace("-> int", "-> str")
    first = ScriptedAgent(otherwise=(writes(words=LOUD),), name="first")
    second = ScriptedAgent(otherwise=(Sleep(3), writes(app=whole)), name="second")
    past = await shop.run(first, second, race=True, max_attempts=1)
    assert past.report is not None
    assert statuses(past.report) == {"shop/app.py": "fixed"}
    replayed = await shop.replay(past)
    assert_same(shop, past, replayed)
    assert shop.user.git("show", f"{replayed.report.branch}:shop/words.py") == WORDS


async def test_who_landed_first_lands_first(shop: Place) -> None:
    """Two change the same lines of a second file: the one that was slower was in conflict."""
    shop.user.commit({"shop/app.py": MAIN.format("loud"), "shop/bar.py": MAIN.format("shy")})
    slow = (Sleep(4), writes(words=LOUD))
    past = await shop.run(ScriptedAgent({"shop/app.py": [slow], "shop/bar.py": [(writes(words=SHY),)]}), max_attempts=1)
    assert past.report is not None
    assert {one.path: one.sent_back for one in past.report.tasks} == {"shop/app.py": True, "shop/bar.py": False}
    assert_same(shop, past, await shop.replay(past))


async def test_replay_is_not_gone_on_with(place: Place) -> None:
    past = await place.run(ScriptedAgent(otherwise=FIXED))
    await place.replay(past)
    of = await place.last(place.settings())
    assert (of.begun.replays, past.begun.replays) == (past.name, None)
    with pytest.raises(FixError, match=f"{of.name} replays {past.name}"):
        await carry_out(Request(place.user.root, place.settings()), past=of)


async def test_replay_of_a_replay_is_the_same_run(place: Place) -> None:
    past = await place.run(ScriptedAgent({"a.py": [WORSE, PART, FIXED]}, otherwise=PART), max_files=2)
    await place.replay(past)
    again = await place.last(place.settings())
    assert_same(place, again, await place.replay(again))
    assert_same(place, past, await place.replay(again))


def trail(number: int, **more: Any) -> Trail:
    made = {"path": "a.py", "agent": "one", "started_s": float(number), "made": {"a.py": "100644 1"}, "left": 1}
    return Trail(**{"id": f"{number}", "number": number, **made, **more})


def played(*trails: Trail) -> list[str]:
    return [one.id for one in rounds_of(trails)[0]]


def test_who_was_first_to_fix_everything_is_played_first() -> None:
    whole = {"ok": True, "fixed": 2, "left": 0}
    assert played(trail(2, lane=1, **whole), trail(1, **whole)) == ["2", "1"]
    assert played(trail(1, **whole), trail(2, lane=1, **whole)) == ["1", "2"]


def test_process_that_was_killed_does_not_count() -> None:
    killed = [trail(1, id="k1", lane=0), trail(2, id="k2", lane=1)]
    last = [trail(1, id="l1", lane=1, started_s=5.0), trail(2, id="l2", lane=0, started_s=6.0)]
    assert sorted(played(*killed, *last)) == ["l1", "l2"]


def test_nothing_is_played_of_who_was_stopped_before_anything_was_made() -> None:
    before = trail(1, id="before")
    stopped = trail(1, id="stopped", started_s=3.0, stopped=True, made={}, error="it was stopped")
    assert played(before, stopped) == []


async def test_what_ends_at_once_is_all_kept(tmp_path: Path) -> None:
    kept = Written(tmp_path, {"a.py": 0})
    await asyncio.gather(*(kept.keep("a.py", trail(number)) for number in range(1, 25)))
    assert len({json.loads(file.read_text())["id"] for file in tmp_path.rglob("attempt-*.json")}) == 24
