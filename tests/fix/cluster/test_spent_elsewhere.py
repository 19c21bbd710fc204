"""What agents take on real worker processes is kept within the run's budget and told, also where a worker is killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fanfold.cli.main import main
from fanfold.cli.render.data import report_data
from fanfold.config import load_settings
from fanfold.fix import Request, run
from fanfold.fix.attempts.trail import Trail
from fanfold.fix.runs import find_past, home_of
from fanfold.git import Repository
from fanfold.testing.model_server import ModelServer, Reply, Requested
from fanfold.testing.repositories import TemporaryRepository, make_repository

pytest.importorskip("distributed")

UNUSED = "import os\nimport sys\n\nprint(sys.argv)\n"
NAMES = tuple(f"{letter}.py" for letter in "abcdefgh")
RIGHT = {"replacements": [{"search": "import os\n", "replace": ""}]}
LOST = "the worker that it ran on was lost"
OWN: dict[str, Any] = {"id": "", "started_s": 0.0, "agent_s": 0.0, "base": "", "made": {}, "transcript": ""}
"""What is another one in each run."""


def agent(url: str, **more: object) -> str:
    told: dict[str, object] = {"use": "llm", "model": "scripted", "base_url": url, "max_tokens": 50, **more}
    table = "".join(f"{name} = {json.dumps(value)}\n" for name, value in told.items())
    return f'[tool.ruff]\n[tool.fanfold.fix]\nagent = ["model"]\n[tool.fanfold.fix.agents.model]\n{table}'


def asked_for(request: Requested) -> str:
    return next(name for name in NAMES if name in request.text)


def workers() -> list[int]:
    """The worker processes that this process, the coordinator, has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(stat.parent)
    return [int(one.name) for one in found if b"fanfold.runtimes.cluster.host" in (one / "cmdline").read_bytes()]


def requests(told: dict[str, Any]) -> int | None:
    """How many there were; tokens of what is never answered are a guess."""
    return told["usage"] and int(told["usage"]["requests"])


class User:
    """Somebody at a checkout, with a place of their own for what runs keep."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repository: TemporaryRepository | None = None

    async def show(self, run: str, path: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
        assert self.repository is not None
        with contextlib.chdir(self.repository.root), pytest.MonkeyPatch.context() as patch:
            patch.setenv("FANFOLD_FIX_STATE", str(self.root / "state"))
            assert await asyncio.to_thread(main, ["show", run, path, "--json"]) == 0
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return told

    def begin(self, files: dict[str, str]) -> None:
        shutil.rmtree(self.root / "r", ignore_errors=True)
        self.repository = make_repository(self.root / "r", files)

    async def trails(self, name: str, path: str) -> list[Trail]:
        assert self.repository is not None
        settings = load_settings(self.repository.root, {"state": self.root / "state"})
        home = home_of(settings, await Repository.open(self.repository.root))
        return (await find_past(home, name)).trails(path)

    async def fix(self, **options: object) -> dict[str, Any]:
        assert self.repository is not None
        places = {"state": self.root / "state", "workspaces": self.root / "home"}
        how = {"checks": ["ruff"], "tests": "none", "sandbox": "none", "jobs": 2}
        settings = load_settings(self.repository.root, {**places, **how, **options})
        return report_data(await run(Request(self.repository.root, settings)))


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


async def test_tokens_of_a_run_are_kept_by_workers_though_they_are_killed(
    user: User, capsys: pytest.CaptureFixture[str]
) -> None:
    """What they had asked for counts as spent, whether or not it was answered; another worker takes the place."""
    asked: list[Requested] = []
    most = 15_000

    def script(request: Requested) -> Reply:
        asked.append(request)
        if len(asked) == 2:
            for pid in workers():
                os.kill(pid, signal.SIGKILL)
        return Reply(output=RIGHT, input_tokens=request.tokens, hangs=len(asked) <= 2)

    async with ModelServer(script) as server:
        user.begin({"pyproject.toml": agent(server.url), **dict.fromkeys(NAMES, UNUSED)})
        report = await user.fix(runtime="cluster", workers=1, max_tokens=most)
    budget = report["budget"]
    assert sum(request.tokens for request in asked) <= budget["tokens"] <= most
    assert f"{most:,} tokens for the run" in budget["exhausted"]
    statuses = [task["status"] for task in report["tasks"]]
    assert {*statuses} == {"fixed", "cancelled"}
    trails = [trail for name in NAMES for trail in await user.trails(report["run_id"], name)]
    lost = [trail for trail in trails if trail.error == LOST]
    assert len(lost) == 2
    assert all(trail.usage is None and "Fix the findings" in trail.prompt for trail in lost)
    shown = await user.show(report["run_id"], lost[0].path, capsys)
    assert LOST in [attempt["error"] for attempt in shown["attempts"]]
    answered = sum(trail.usage.requests for trail in trails if trail.usage is not None)
    assert answered == report["usage"]["requests"] == statuses.count("fixed")
    assert sum(stage["unmeasured"] for stage in report["stages"]) == len(lost)


async def test_what_failing_agents_took_and_said_comes_back_as_it_is_known_here(user: User) -> None:
    """One that says what can't be used and then nothing was asked, and is paid for that."""
    answers = {
        "a.py": [Reply(output=RIGHT)],
        "b.py": [Reply(text="I can't do that."), Reply(status=500, text="out of order")],
        "c.py": [Reply(hangs=True)],
    }

    async def told(**where: object) -> list[Any]:
        left = {name: list(replies) for name, replies in answers.items()}
        async with ModelServer(lambda request: left[asked_for(request)].pop(0)) as server:
            user.begin(
                {"pyproject.toml": agent(server.url, attempts=1, timeout_seconds=3), **dict.fromkeys(answers, UNUSED)}
            )
            report = await user.fix(max_attempts=1, **where)
        trails = [await user.trails(report["run_id"], name) for name in answers]
        tasks = [(task["path"], task["status"], task["attempts"], requests(task)) for task in report["tasks"]]
        stages = [(one["attempts"], one["unmeasured"], requests(one)) for one in report["stages"]]
        attempts = [[replace(one, **OWN, prompt=one.prompt[:80], usage=None) for one in each] for each in trails]
        return [tasks, stages, attempts]

    there = await told(runtime="cluster", workers=1)
    assert there == await told(runtime="native")
    assert there[0] == [("a.py", "fixed", 1, 1), ("b.py", "failed", 1, 1), ("c.py", "failed", 1, 1)]
