"""Which checkers run, and what becomes of their answers."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.metadata
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from fanfold.fix.checkers.mypy import Mypy
from fanfold.fix.checkers.protocol import Checked, Checker, Reach, Scope
from fanfold.fix.checkers.ruff import Ruff
from fanfold.fix.checkers.run import checkers_for, refuse_unasked, run_checkers
from fanfold.fix.checkers.sarif import SarifCommand
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding

Tree = Callable[..., Scope]


@dataclass
class Scripted:
    """A checker that does what a test says."""

    name: str
    work: Callable[[], Checked] = lambda: Checked("scripted")
    asked: list[Scope] = field(default_factory=list)
    reach: Reach = "file"
    meet: asyncio.Barrier | None = None

    def command(self, scope: Scope) -> tuple[str, ...]:
        """No program."""
        return (str(scope.root),)

    async def check(self, scope: Scope) -> Checked:
        """Wait for the others, then answer."""
        self.asked.append(scope)
        if self.meet is not None:
            await self.meet.wait()
        return self.work()


def names(checkers: Sequence[Checker]) -> list[str]:
    return [checker.name for checker in checkers]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, ["ruff"]),
        ({"pyproject.toml": "[tool.ruff]\nfix = false\n"}, ["ruff"]),
        ({"pyproject.toml": "[tool.mypy]\nstrict = true\n"}, ["mypy"]),
        ({"ruff.toml": "", "setup.cfg": "[mypy]\n"}, ["mypy", "ruff"]),
    ],
)
def test_checkers_are_those_that_the_project_configures(tree: Tree, files: dict[str, str], expected: list[str]) -> None:
    assert names(checkers_for(tree(files).root)) == expected


def test_checkers_are_those_asked_for_in_their_order(tree: Tree) -> None:
    asked = ("bandit={python} -m bandit 'a b' {files}", "mypy", "ruff")
    assert checkers_for(tree({"ruff.toml": ""}).root, asked) == (
        SarifCommand("bandit", ("{python}", "-m", "bandit", "a b", "{files}")),
        Mypy(),
        Ruff(),
    )


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        (["rufff"], "there is no checker 'rufff'"),
        (["ruff", "ruff"], "two checkers are called 'ruff'"),
        (["ruff", "ruff=x"], "two checkers are called 'ruff'"),
        (["=bandit"], "'' is no name"),
        (["a b=bandit"], "'a b' is no name"),
        (["a="], "has no command"),
        (["a='unbalanced"], "can't be read"),
    ],
)
def test_spec_that_makes_no_sense_is_refused(tree: Tree, specs: list[str], words: str) -> None:
    with pytest.raises(FixError) as caught:
        checkers_for(tree({}).root, specs)
    assert words in caught.value.message
    assert caught.value.hint


def test_hint_names_the_nearest_checker_and_all(tree: Tree) -> None:
    with pytest.raises(FixError) as caught:
        checkers_for(tree({}).root, ["myppy"])
    hint = caught.value.hint or ""
    assert hint.startswith("did you mean mypy? known are ")
    assert all(name in hint for name in ("mypy", "ruff", "ty", "name=command"))


def test_checker_that_cannot_be_imported_is_named(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [EntryPoint("broken", "no_such_module:Checker", "fanfold.checkers")]
    monkeypatch.setattr("fanfold.fix.checkers.run.entry_points", lambda group: entries if group else [])
    with pytest.raises(FixError, match=r"'broken'.*can't be imported"):
        checkers_for(tree({}).root, ["broken"])


def test_checkers_are_installed_as_entry_points() -> None:
    group = {entry.name: entry.load() for entry in importlib.metadata.entry_points(group="fanfold.checkers")}
    assert (group["ruff"], group["mypy"]) == (Ruff, Mypy)


def finding(path: str, line: int = 1, rule: str = "R1") -> Finding:
    return Finding(path, line, 1, "x", rule, "m")


async def test_checkers_run_side_by_side(tree: Tree) -> None:
    meet = asyncio.Barrier(3)
    checkers = [Scripted(str(number), meet=meet) for number in range(3)]
    census = await asyncio.wait_for(run_checkers(checkers, tree({})), 30)
    assert len(census.checked) == 3


async def test_answers_keep_the_order_of_the_checkers_and_findings_that_of_places(tree: Tree) -> None:
    late = Checked("b", (finding("b.py", 2), finding("a.py")))
    early = Checked("a", (finding("b.py", 1),))
    census = await run_checkers([Scripted("b", lambda: late), Scripted("a", lambda: early)], tree({}))
    assert [one.checker for one in census.checked] == ["b", "a"]
    assert [(one.path, one.line) for one in census.findings] == [("a.py", 1), ("b.py", 1), ("b.py", 2)]


async def test_no_checker_no_census(tree: Tree) -> None:
    census = await run_checkers([], dataclasses.replace(tree({}), select=("F",)))
    assert (census.checked, census.findings, census.errors) == ((), (), {})


async def test_checker_that_raises_could_not_check_and_the_others_go_on(tree: Tree) -> None:
    def fail() -> Checked:
        raise ZeroDivisionError("by zero")

    good = Checked("good", (finding("a.py"),))
    census = await run_checkers([Scripted("bad", fail), Scripted("good", lambda: good)], tree({}))
    assert census.errors == {"bad": "ZeroDivisionError: by zero"}
    assert census.findings == good.findings


async def test_excluded_paths_are_in_no_answer(tree: Tree) -> None:
    answer = Checked("x", (finding("a.py"), finding("gen/b.py"), finding("c_pb2.py")))
    scope = dataclasses.replace(tree({}), exclude=("gen/", "*_pb2.py"))
    assert [one.path for one in (await run_checkers([Scripted("x", lambda: answer)], scope)).findings] == ["a.py"]


async def test_what_links_lead_to_is_found_where_it_stands_alone(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").touch()
    scope = tree({"a.py": "", "folder/b.py": "", "gone.py": ""})
    (scope.root / "gone.py").unlink()
    (scope.root / "link.py").symlink_to("a.py")
    (scope.root / "out.py").symlink_to(tmp_path / "elsewhere.py")
    (scope.root / "linked").symlink_to("folder")
    paths = ("a.py", "folder/b.py", "gone.py", "link.py", "linked/b.py", "out.py")
    answer = Checked("x", tuple(map(finding, paths)))
    found = (await run_checkers([Scripted("x", lambda: answer)], scope)).findings
    assert [one.path for one in found] == ["a.py", "folder/b.py", "gone.py"]


async def test_glob_that_cannot_be_read_is_the_users_mistake(tree: Tree) -> None:
    with pytest.raises(FixError, match="glob"):
        await run_checkers([Scripted("x")], dataclasses.replace(tree({}), exclude=("!",)))


@pytest.mark.parametrize(
    ("checkers", "rule", "words"),
    [
        ([Ruff()], "mypi:arg-type", "'mypi:arg-type' names no checker of this run"),
        ([Ruff()], "arg-type", "no checker of this run has rules like 'arg-type'"),
        ([Ruff()], "mypy", "'mypy' names no checker of this run"),
        ([Mypy()], "F401", "no checker of this run has rules like 'F401'"),
    ],
)
def test_rule_that_nobody_can_be_asked_for_is_the_users_mistake(checkers: list[Checker], rule: str, words: str) -> None:
    with pytest.raises(FixError) as caught:
        refuse_unasked(checkers, [rule])
    assert words in caught.value.message


def test_rule_may_be_one_of_a_command() -> None:
    refuse_unasked([Ruff(), Scripted("own")], ["F401", "no-eval", "py/x", "own:B1", "own", "ALL"])


def test_all_rules_and_syntax_errors_can_always_be_asked_for() -> None:
    refuse_unasked([Mypy()], ["ALL", "invalid-syntax"])
    refuse_unasked([Ruff()], ["ALL", "invalid-syntax"])


async def test_unknown_rule_is_the_users_mistake_however_many_checkers_run(tree: Tree) -> None:
    with pytest.raises(FixError, match="ruff knows no rule 'Q1234'"):
        await run_checkers([Scripted("x"), Ruff()], dataclasses.replace(tree({}), select=("Q1234",)))


async def test_rules_of_other_checkers_are_no_mistake_in_a_part_of_a_run(tree: Tree) -> None:
    scope = dataclasses.replace(tree({"a.py": "x: int = 1\n"}), select=("mypy:arg-type", "F401", "misc"))
    assert (await run_checkers([Ruff()], scope)).errors == {}
    assert (await run_checkers([Mypy()], scope)).errors == {}


async def test_cancelling_ends_the_programs(tree: Tree, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = f"import os, time; open({str(pipe)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    task = asyncio.create_task(run_checkers([SarifCommand("slow", (sys.executable, "-c", script))], tree({})))
    process = int(await asyncio.to_thread(pipe.read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


async def test_secrets_in_a_tools_words_are_masked(tree: Tree) -> None:
    token = "ghp_" + "a1B2" * 9
    script = f"import sys; sys.exit('cannot reach https://x:{token}@example.com password=hunter2hunter2')"
    census = await run_checkers([SarifCommand("a", (sys.executable, "-c", script))], tree({}))
    assert "cannot reach" in census.errors["a"]
    assert token not in census.errors["a"]
