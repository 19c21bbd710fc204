"""No request is sent that can bring nothing: what was answered once isn't asked for again in the same words."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fanfold.config import load_settings
from fanfold.fix import Report, Request, run
from fanfold.fix.attempts import verify
from fanfold.fix.attempts.trail import trails_of
from fanfold.fix.checkers import Census
from fanfold.fix.checkers.protocol import Checker, Scope
from fanfold.fix.checkers.run import run_checkers
from fanfold.testing.agents import ScriptedAgent
from fanfold.testing.model_server import ModelServer, Reply, Requested
from fanfold.testing.repositories import make_repository

SHOP = "def read(path):\n    try:\n        return open(path).read()\n    except:\n        return None\n"
RIGHT = Reply(output={"replacements": [{"search": "    except:\n", "replace": "    except OSError:\n"}]})
OBEDIENT = Reply(output={"replacements": [{"search": "    except:\n", "replace": "    except:  # noqa: E722\n"}]})
IDLE = Reply(output={"replacements": []})
NOWHERE = Reply(output={"replacements": [{"search": "    except KeyError:\n", "replace": "    except OSError:\n"}]})
ANSWERS = {
    ("right", "cheap"): [RIGHT],
    ("told", "cheap"): [OBEDIENT, RIGHT],
    ("stubborn", "cheap"): [OBEDIENT],
    ("stubborn", "strong"): [RIGHT],
    ("idle", "cheap"): [IDLE],
    ("idle", "strong"): [RIGHT],
    ("nowhere", "cheap"): [NOWHERE],
    ("nowhere", "strong"): [RIGHT],
    ("never", "cheap"): [OBEDIENT],
    ("never", "strong"): [OBEDIENT],
}
"""By file and model; the last one answers all that come after it."""
CONFIGURATION = """\
[tool.ruff.lint]
select = ["E", "F"]
[tool.fanfold.fix]
agent = ["cheap", "strong"]
[tool.fanfold.fix.agents.cheap]
use = "llm"
model = "cheap"
base_url = "{url}"
[tool.fanfold.fix.agents.strong]
use = "llm"
model = "strong"
base_url = "{url}"
"""


async def fixed(tmp_path: Path) -> tuple[Report, Counter[tuple[str, str]]]:
    """A run over a file of each kind, and how often each model was asked about it."""
    asked: Counter[tuple[str, str]] = Counter()

    def answer(request: Requested) -> Reply:
        name = next(name for name, _ in ANSWERS if f"'{name}.py'" in request.text)
        asked[name, request.body["model"]] += 1
        answers = ANSWERS[name, request.body["model"]]
        return answers[min(asked[name, request.body["model"]], len(answers)) - 1]

    async with ModelServer(answer) as server:
        files = {f"{name}.py": SHOP for name, _ in ANSWERS} | {"pyproject.toml": CONFIGURATION.format(url=server.url)}
        repository = make_repository(tmp_path / "shop", files)
        given = {"workspaces": tmp_path / "copies", "state": tmp_path / "state", "tests": "none", "learn": False}
        return await run(Request(repository.root, load_settings(repository.root, given))), asked


async def test_what_cannot_bring_anything_is_not_asked_and_as_much_is_fixed(tmp_path: Path) -> None:
    report, asked = await fixed(tmp_path)
    assert {line.path.removesuffix(".py"): line.status for line in report.tasks} == {
        "right": "fixed",
        "told": "fixed",
        "stubborn": "fixed",
        "idle": "fixed",
        "nowhere": "fixed",
        "never": "refused",
    }
    assert asked == {
        ("right", "cheap"): 1,
        ("told", "cheap"): 2,
        ("stubborn", "cheap"): 2,
        ("stubborn", "strong"): 1,
        ("idle", "cheap"): 1,
        ("idle", "strong"): 1,
        ("nowhere", "cheap"): 4,
        ("nowhere", "strong"): 1,
        ("never", "cheap"): 2,
        ("never", "strong"): 1,
    }


SILENCED = SHOP.replace("except:", "except:  # noqa: E722")
WORSE = SHOP.replace("open(path)", "open(paths)")
WHOLE = SHOP.replace("except:", "except OSError:")


class Checks:
    """Counts how often changes were checked, and has the first ones fail."""

    def __init__(self, fails: int = 0) -> None:
        self.count, self.fails = 0, fails

    async def __call__(self, checkers: tuple[Checker, ...], scope: Scope) -> Census:
        self.count += 1
        census = await run_checkers(checkers, scope)
        if self.count > self.fails:
            return census
        return replace(census, checked=tuple(replace(one, error="killed") for one in census.checked))


async def scripted(tmp_path: Path, *agents: ScriptedAgent, **more: Any) -> Report:
    repository = make_repository(tmp_path / "shop", {"a.py": SHOP, "pyproject.toml": "[tool.ruff]\n"})
    given = {"workspaces": tmp_path / "copies", "state": tmp_path / "state", "tests": "none", "learn": False}
    settings = load_settings(repository.root, {**given, "checks": ["ruff"], **more})
    return await run(Request(repository.root, settings), agent=agents)


async def test_the_same_change_is_checked_once_whoever_makes_it_and_that_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = Checks()
    monkeypatch.setattr(verify, "run_checkers", checks)
    agents = [ScriptedAgent(otherwise=WORSE, name=name) for name in ("cheap", "strong", "last")]
    report = await scripted(tmp_path, *agents)
    assert (checks.count, [len(one.asked) for one in agents]) == (1, [2, 1, 1])
    [folder] = {path.parent for path in (tmp_path / "state").rglob("attempt-1.json")}
    kept = trails_of(folder)
    assert [(one.agent, one.repeated) for one in kept] == [
        ("cheap", False),
        ("cheap", True),
        ("strong", True),
        ("last", True),
    ]
    assert len({one.reasons for one in kept}) == 1
    [line] = report.tasks
    assert (line.status, line.attempts) == ("refused", 4)


async def test_another_change_gets_another_try_though_it_is_refused_for_the_same_reason(tmp_path: Path) -> None:
    answers = [SILENCED, SILENCED.replace("return None", "return 0"), WHOLE]
    agent = ScriptedAgent({"a.py": answers})
    report = await scripted(tmp_path, agent)
    assert ([line.status for line in report.tasks], len(agent.asked)) == (["fixed"], 3)


async def test_racing_agents_that_make_the_same_each_learn_why_it_was_refused(tmp_path: Path) -> None:
    agents = [ScriptedAgent({"a.py": [WORSE, WHOLE]}, name=name) for name in ("one", "other")]
    report = await scripted(tmp_path, *agents, race=True, jobs=1)
    assert [line.status for line in report.tasks] == ["fixed"]


async def test_what_could_not_be_checked_is_checked_again_and_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "run_checkers", Checks(fails=1))
    agent = ScriptedAgent(otherwise=WHOLE)
    report = await scripted(tmp_path, agent)
    assert ([line.status for line in report.tasks], len(agent.asked)) == (["fixed"], 1)


async def test_checkers_that_never_check_are_no_reason_to_take_a_change_for_a_known_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "run_checkers", Checks(fails=3))
    agent = ScriptedAgent(otherwise=WHOLE)
    report = await scripted(tmp_path, agent)
    assert ([line.status for line in report.tasks], len(agent.asked)) == (["fixed"], 2)
