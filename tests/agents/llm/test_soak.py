"""Many files, a model that misbehaves in three answers of ten, and somebody else who counts what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fanfold.config import load_settings
from fanfold.fix import Report, Request, run
from fanfold.process import find_program
from fanfold.testing.model_server import ModelServer, Reply, Requested
from fanfold.testing.repositories import TemporaryRepository, make_repository

SOURCE = '''\
"""Module {n}."""


def check_{n}(text, other):
    if other == None:
        return 0
    try:
        return int(text) + {n}
    except:
        return -1
'''
RIGHT = SOURCE.replace("== None", "is None").replace("except:", "except ValueError:")
HALF = SOURCE.replace("== None", "is None")
TESTS = """\
import importlib

import pytest


@pytest.mark.parametrize("n", range({count}))
def test_check(n):
    check = getattr(importlib.import_module(f"m{{n:04}}"), f"check_{{n}}")
    assert (check("5", 1), check("x", 1), check("5", None)) == (5 + n, -1, 0)
"""
CONFIGURATION = '[tool.ruff.lint]\nselect = ["E", "F"]\n[tool.pytest.ini_options]\npythonpath = ["."]\n'
SELECT = (str(find_program("ruff")), "check", "--isolated", "--no-cache", "--select", "E,F", "--output-format", "json")
NONE_EDIT = {"search": "other == None", "replace": "other is None"}
BARE = {"search": "    except:\n", "replace": "    except ValueError:\n"}
WRONG = ("prose", "json", "form", "anchor", "syntax", "cut", "500", "429", "noqa", "adds", "idle", "other", "behaviour")


def bad(kind: str, n: int) -> Reply:
    """An answer of one of the kinds that are wrong."""
    head = f"def check_{n}(text, other):\n"
    other_result = f"        return int(text) + {n + 1}\n    except ValueError:\n        return -1\n"
    replies = {
        "prose": Reply(text="You should catch ValueError."),
        "json": Reply(arguments='{"replacements": [{"search": "oth'),
        "form": Reply(output={"patch": "- except:\n+ except ValueError:"}),
        "anchor": edits({"search": "return nothing_like_it", "replace": ""}),
        "syntax": defines(n, head + "    if other is None return 0\n"),
        "cut": Reply(output={"replacements": [NONE_EDIT, BARE]}, cut=True),
        "500": Reply(status=500),
        "429": Reply(status=429, retry_after="0"),
        "noqa": edits({"search": "    except:\n", "replace": "    except:  # noqa: E722\n"}),
        "adds": edits(NONE_EDIT, BARE, {"search": "    try:\n", "replace": "    import os\n    try:\n"}),
        "idle": edits({"search": "return 0", "replace": "return 0"}),
        "other": defines(n, "def check(text, other):\n    return int(text)\n"),
        "behaviour": defines(n, f"{head}    if other is None:\n        return 0\n    try:\n{other_result}"),
    }
    return replies[kind]


def edits(*replacements: dict[str, str]) -> Reply:
    return Reply(output={"replacements": list(replacements)}, input_tokens=None, output_tokens=None)


def defines(n: int, code: str) -> Reply:
    definition = {"name": f"check_{n}", "code": code}
    return Reply(output={"definitions": [definition]}, input_tokens=None, output_tokens=None)


@dataclass
class Misbehaving:
    """Three answers of ten are wrong; those on every 25th file are so always."""

    count: int
    kinds: tuple[str, ...] = WRONG
    part: float = 0.3
    given: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    _asked: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    def __call__(self, asked: Requested) -> Reply:
        n = next(n for n in self._mentioned(asked.text))
        self._asked[n] += 1
        chance = Random(f"{n} {self._asked[n]}").random()
        # In turns, by sevens, so that few files see every kind.
        kind = self.kinds[(7 * n + self._asked[n]) % len(self.kinds)] if chance < self.part else "right"
        kind = "noqa" if hopeless(n) else kind
        self.given[kind] += 1
        reply = bad(kind, n) if kind != "right" else self._right(asked, n)
        if reply.status == 200:
            self.tokens += asked.tokens + len(json.dumps(reply.output)) // 4
        return reply

    def _right(self, asked: Requested, n: int) -> Reply:
        """As the file stands: where half of it was fixed before, that half isn't there to be replaced."""
        wanted = [NONE_EDIT] if "other == None" in asked.text else []
        return edits(*wanted, BARE) if n % 3 else defines(n, RIGHT.format(n=n).split("\n\n\n")[1])

    def _mentioned(self, text: str) -> list[int]:
        start = text.index("in the file 'm") + len("in the file 'm")
        return [int(text[start : start + 4])]


def hopeless(n: int) -> bool:
    return n % 25 == 7


def project(path: Path, count: int) -> TemporaryRepository:
    files = {f"m{n:04}.py": SOURCE.format(n=n) for n in range(count)}
    tests = {"test_all.py": TESTS.format(count=count), "pyproject.toml": CONFIGURATION}
    return make_repository(path, {**files, **tests})


async def fixed(repository: TemporaryRepository, home: Path, model: Misbehaving, **more: Any) -> Report:
    async with ModelServer(model) as server:
        table = {"base_url": server.url, "timeout_seconds": 60, "context_tokens": 4_000, "max_tokens": 1_000}
        settings = load_settings(
            repository.root,
            {
                "workspaces": home,
                "agent": ["llm:scripted"],
                "agents": {"llm": table},
                "max_attempts": 3,
                "jobs": 4,
                "learn": False,
                "coverage": False,
                **more,
            },
        )
        return await run(Request(repository.root, settings))


def recount(repository: TemporaryRepository, report: Report, count: int, tmp_path: Path) -> set[int]:
    """The files that are right, as seen by whoever trusts nobody; all others must be as they were, or half right."""
    tree = tmp_path / "result"
    repository.git("worktree", "add", "--detach", str(tree), report.branch or "HEAD")
    told = {line.path: line for line in report.tasks}
    found = subprocess.run([*SELECT, "."], cwd=tree, capture_output=True, check=False).stdout
    findings = Counter(Path(one["filename"]).name for one in json.loads(found))
    right: set[int] = set()
    for n in range(count):
        name = f"m{n:04}.py"
        text = (tree / name).read_text()
        assert text in {RIGHT.format(n=n), HALF.format(n=n), SOURCE.format(n=n)}, name
        assert told[name].left == findings[name] or told[name].status == "unchanged"
        assert {"fixed": 0, "partial": 1}.get(told[name].status, 2) == findings[name]
        if not findings[name]:
            right.add(n)
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=tree, capture_output=True, check=False
    )
    assert tested.returncode == 0, tested.stdout.decode()[-2_000:]
    changed = repository.git("diff", "--name-only", f"{report.base}..{report.branch or report.base}").split()
    assert all(name.startswith("m") for name in changed)
    return right


@pytest.mark.parametrize("count", [pytest.param(40, id="40"), pytest.param(1_000, id="1000", marks=pytest.mark.soak)])
async def test_nothing_counts_as_fixed_that_isnt_and_no_file_is_lost(tmp_path: Path, count: int) -> None:
    repository = project(tmp_path / "project", count)
    model = Misbehaving(count)
    report = await fixed(repository, tmp_path / "workspaces", model)
    assert model.given.keys() >= set(WRONG)
    assert len(report.tasks) == count
    right = recount(repository, report, count, tmp_path)
    assert {n for n in range(count) if hopeless(n)}.isdisjoint(right)
    assert len(right) >= 0.95 * sum(not hopeless(n) for n in range(count))
    wrong = sum(number for kind, number in model.given.items() if kind != "right")
    assert wrong >= 0.25 * model.given.total()
    assert report.usage is not None


@pytest.mark.parametrize("count", [pytest.param(20, id="20"), pytest.param(500, id="500", marks=pytest.mark.soak)])
async def test_a_budget_is_never_exceeded_and_what_is_finished_is_kept(tmp_path: Path, count: int) -> None:
    repository = project(tmp_path / "project", count)
    model = Misbehaving(count, kinds=tuple(kind for kind in WRONG if kind != "behaviour"))
    most = 600 * count
    report = await fixed(repository, tmp_path / "workspaces", model, max_tokens=most, tests="none")
    assert model.tokens <= most
    right = recount(repository, report, count, tmp_path)
    assert 0 < len(right) < count
    assert len(report.tasks) == count
