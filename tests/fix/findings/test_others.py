"""Tasks of two files: which second file is meant, and what may be done to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from fanfold.agents.autofix import Autofix
from fanfold.agents.protocol import Assignment
from fanfold.agents.protocol import Report as AgentReport
from fanfold.config import load_settings
from fanfold.fix import Report, Request, run
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.others import with_others
from fanfold.fix.findings.split import Task
from fanfold.testing.repositories import TemporaryRepository, make_repository

FILES = {
    "src/shop/__init__.py": "from shop.words import greet as greet\n",
    "src/shop/words.py": "def greet(name: str) -> str:\n    return name\n\n\nclass Base:\n    pass\n",
    "src/shop/deep/__init__.py": "",
    "src/shop/deep/app.py": "from shop import greet\nfrom ..words import Base as Root\n\n\nclass App(Root): ...\n",
    "src/shop/user.py": "import json\n\nfrom shop.deep.app import App\n\nHERE = App()\n",
    "tests/test_shop.py": "from shop.deep.app import App\n",
}


def finding(message: str, path: str = "src/shop/deep/app.py", rule: str = "call-arg", **more: object) -> Finding:
    return Finding(path, 1, 1, "mypy", rule, message, **more)  # type: ignore[arg-type]


async def others(*findings: Finding, is_test: bool = False, allowed: Callable[[str], bool] = bool) -> tuple[str, ...]:
    async def read(path: str) -> bytes | None:
        return FILES[path].encode() if path in FILES else None

    task = Task(findings[0].path, findings[0].path, findings, is_test)
    (made,) = await with_others([task], FILES.keys(), read, allowed)
    return made.others


@pytest.mark.parametrize(
    ("message", "path", "expected"),
    [
        ('Unexpected keyword argument "loud" for "greet"\n"greet" defined in "shop.words"', None, "src/shop/words.py"),
        ('Too many arguments for "greet"', None, "src/shop/words.py"),
        ('Argument 1 of "run" is incompatible with supertype "shop.words.Base"', None, "src/shop/words.py"),
        ('Signature of "run" incompatible with supertype "Base"', None, "src/shop/words.py"),
        ('"Root" has no attribute "x"', None, "src/shop/words.py"),
        ("Type `App` has no attribute `x`", "src/shop/user.py", "src/shop/deep/app.py"),
        ('"Base" has no attribute "x"', "src/shop/user.py", "src/shop/words.py"),
        ('"App" has no attribute "x"', None, None),
        ('Argument 1 to "dumps" has incompatible type "str"; expected "int"', "src/shop/user.py", None),
    ],
)
async def test_file_that_a_message_is_about_is_the_one_that_defines_what_it_names(
    message: str, path: str | None, expected: str | None
) -> None:
    found = await others(finding(message, path or "src/shop/deep/app.py"))
    assert found == (() if expected is None else (expected,))


async def test_rules_of_one_place_and_tests_get_no_second_file() -> None:
    assert await others(finding('call of "greet"', rule="F401")) == ()
    assert await others(finding('"App" has no attribute "x"', "tests/test_shop.py"), is_test=True) == ()
    assert await others(finding('Too many arguments for "greet"'), allowed=lambda _: False) == ()


async def test_the_one_file_that_most_findings_point_to_is_taken() -> None:
    to_words = finding('Too many arguments for "greet"', "src/shop/user.py")
    related = finding("see there", "src/shop/user.py", rule="x", related="src/shop/__init__.py")
    to_app = finding('"App" has no attribute "y"', "src/shop/user.py")
    assert await others(to_app, to_app, to_words, related) == ("src/shop/deep/app.py",)
    assert await others(related) == ("src/shop/__init__.py",)


WORDS = "def greet(name: str) -> str:\n    return name\n"
LOUD = "def greet(name: str, *, loud: bool = False) -> str:\n    return name.upper() if loud else name\n"
PROJECT = {
    "pyproject.toml": "[tool.ty.rules]\n",
    "shop/__init__.py": "",
    "shop/words.py": WORDS,
    "shop/third.py": "X = 1\n",
    "shop/app.py": 'from shop.words import greet\n\n\ndef main() -> str:\n    return greet("a", loud=True)\n',
}


@dataclass
class Writing:
    """An agent that puts texts into files."""

    texts: Mapping[str, str]
    name: str = "writing"
    deterministic: bool = False
    asked: Assignment | None = None

    async def work(self, assignment: Assignment) -> AgentReport:
        self.asked = assignment
        for path, text in self.texts.items():
            (assignment.root / path).write_text(text)
        return AgentReport()


Fix = Callable[..., Awaitable[Report]]


@pytest.fixture
def repository(tmp_path: Path) -> TemporaryRepository:
    return make_repository(tmp_path / "r", PROJECT)


@pytest.fixture
def fix(repository: TemporaryRepository, tmp_path: Path) -> Fix:
    async def fixed(agent: Writing, *paths: str, **options: object) -> Report:
        told = {"workspaces": tmp_path / "home", "state": tmp_path / "state", "tests": "none", "checks": ("ty",)}
        settings = load_settings(repository.root, {**told, "max_attempts": 1, **options})
        return await run(Request(repository.root, settings, paths=paths), agent=agent)

    return fixed


@pytest.mark.parametrize("checker", ["ty", "mypy"])
async def test_change_of_the_file_where_the_cause_lies_lands(
    repository: TemporaryRepository, fix: Fix, checker: str
) -> None:
    agent = Writing({"shop/words.py": LOUD})
    report = await fix(agent, checks=(checker,))
    assert [(task.path, task.status, task.fixed) for task in report.tasks] == [("shop/app.py", "fixed", 1)]
    assert repository.git("show", f"{report.branch}:shop/words.py") == LOUD
    assert agent.asked is not None
    assert agent.asked.others == ("shop/words.py",)
    assert "'shop/words.py'" in agent.asked.prompt


@pytest.mark.parametrize(
    ("texts", "options", "reason"),
    [
        ({"shop/words.py": LOUD, "shop/third.py": "X = 2\n"}, {}, "changes 'shop/third.py', which is not its file"),
        ({"shop/words.py": LOUD}, {"two_files": False}, "changes 'shop/words.py', which is not its file"),
        ({"shop/words.py": LOUD}, {"exclude": ("shop/words.py",)}, "changes 'shop/words.py', which is not its file"),
        ({"shop/words.py": LOUD.replace(":\n", ":  # type: ignore\n", 1)}, {}, ", in shop/words.py"),
        ({"shop/words.py": LOUD + "def broken(:\n"}, {}, ", in shop/words.py"),
    ],
)
async def test_second_file_is_held_to_the_same_rules_and_no_third_one_is_touched(
    fix: Fix, texts: Mapping[str, str], options: Mapping[str, object], reason: str
) -> None:
    report = await fix(Writing(texts), **options)
    (task,) = report.tasks
    assert (task.status, report.branch) == ("refused", None)
    assert any(reason in one for one in task.reasons), task.reasons


async def test_paths_that_the_user_named_are_the_only_ones_that_change(fix: Fix) -> None:
    report = await fix(Writing({"shop/words.py": LOUD}), "shop/app.py")
    assert report.tasks[0].reasons == ("changes 'shop/words.py', which is not its file",)


async def test_linters_own_fixes_may_follow_on_a_change_of_two_files(tmp_path: Path) -> None:
    app = "import json\n" + PROJECT["shop/app.py"]
    repository = make_repository(tmp_path / "r", {**PROJECT, "shop/app.py": app})
    told = {"workspaces": tmp_path / "home", "state": tmp_path / "state", "tests": "none", "checks": ("ty", "ruff")}
    settings = load_settings(repository.root, told)
    report = await run(Request(repository.root, settings), agent=[Writing({"shop/words.py": LOUD}), Autofix()])
    (task,) = report.tasks
    assert (task.status, task.agent, task.reasons) == ("fixed", "writing, autofix", ())
    assert repository.git("show", f"{report.branch}:shop/words.py") == LOUD
    assert repository.git("show", f"{report.branch}:shop/app.py") == PROJECT["shop/app.py"]


async def test_file_whose_findings_are_gone_by_the_change_of_another_one_is_fixed_along(tmp_path: Path) -> None:
    twice = {**PROJECT, "shop/bpp.py": PROJECT["shop/app.py"]}
    repository = make_repository(tmp_path / "r", twice)
    told = {"workspaces": tmp_path / "home", "state": tmp_path / "state", "tests": "none", "checks": ("ty",)}
    report = await run(
        Request(repository.root, load_settings(repository.root, told)), agent=Writing({"shop/words.py": LOUD})
    )
    assert [(task.status, task.fixed, task.left, task.reasons) for task in report.tasks] == [("fixed", 1, 0, ())] * 2
    assert sorted((task.along, task.commit is None) for task in report.tasks) == [(False, False), (True, True)]
    assert (len(report.landed), report.findings_after, report.exit_code) == (1, 0, 0)


@dataclass
class Asking(Writing):
    """Has its work judged beside a file that it may not change, and leaves both so."""

    async def work(self, assignment: Assignment) -> AgentReport:
        report = await super().work(assignment)
        assert (await assignment.verify()).fixed == 2
        return report


async def test_what_is_good_only_beside_a_file_that_may_not_change_is_judged_without_it(tmp_path: Path) -> None:
    broken = PROJECT["shop/app.py"] + "\n\ndef more() -> str:\n    return 1\n"
    repository = make_repository(tmp_path / "r", {**PROJECT, "shop/app.py": broken})
    told = {"workspaces": tmp_path / "home", "state": tmp_path / "state", "tests": "none", "checks": ("ty",)}
    settings = load_settings(repository.root, {**told, "two_files": False, "max_attempts": 1})
    better = broken.replace("return 1", 'return "1"')
    report = await run(Request(repository.root, settings), agent=Asking({"shop/words.py": LOUD, "shop/app.py": better}))
    (task,) = report.tasks
    assert (task.status, task.fixed, task.left) == ("partial", 1, 1)
    assert repository.git("diff", "--name-only", "main", str(report.branch)).split() == ["shop/app.py"]
