"""Bandit as a checker of single files, with the real bandit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fanfold.fix.checkers import Scope, checkers_for, run_checkers
from fanfold.fix.checkers.bandit import Bandit
from fanfold.fix.errors import FixError

UNSAFE = "import subprocess\n\nsubprocess.call('ls', shell=True)\n"

Tree = Callable[..., Scope]


async def test_findings_have_their_place_and_how_bad_they_are(tree: Tree) -> None:
    answer = await Bandit().check(tree({"pkg/a.py": UNSAFE, "b.py": "def broken(:\n"}))
    assert answer.error is None
    assert answer.version is not None
    found = {finding.rule: finding for finding in answer.findings}
    assert (found["B404"].path, found["B404"].line, found["B404"].column) == ("pkg/a.py", 1, 1)
    assert (found["B602"].line, found["B602"].severity) == (3, "note")
    assert "subprocess_popen_with_shell_equals_true" in found["B602"].message
    assert (found["B602"].url or "").startswith("https://bandit.readthedocs.io/")
    # A file that it can't parse is a finding, and the others are checked.
    assert (found["could-not-check"].path, found["could-not-check"].line) == ("b.py", 0)


async def test_only_the_asked_files_are_checked_and_only_python(tree: Tree) -> None:
    scope = tree({"a.py": UNSAFE, "b.py": UNSAFE, "-c.py": UNSAFE, "notes.md": "text"})
    answer = await Bandit().check(replace(scope, paths=("b.py", "-c.py", "notes.md", "gone.py")))
    assert {finding.path for finding in answer.findings} == {"b.py", "-c.py"}


@pytest.mark.parametrize(
    ("name", "text", "paths"),
    [
        ("pyproject.toml", "[tool.bandit]\nskips = ['B404', 'B603', 'B607', 'B602']\n", None),
        ("bandit.yaml", "skips: [B404, B603, B607, B602]\n", None),
        (".bandit", "[bandit]\nskips: B404,B603,B607,B602\n", None),
        (".bandit", "[bandit]\nskips: B404,B603,B607,B602\n", ("a.py",)),
    ],
)
async def test_the_projects_configuration_counts(
    name: str, text: str, paths: tuple[str, ...] | None, tree: Tree
) -> None:
    scope = tree({"a.py": UNSAFE, name: text})
    assert [checker.name for checker in checkers_for(scope.root)] == ["bandit"]
    answer = await Bandit().check(replace(scope, paths=paths))
    assert (answer.findings, answer.error) == ((), None)


async def test_configuration_that_it_cannot_read_is_could_not_check(tree: Tree) -> None:
    answer = await Bandit().check(tree({"a.py": UNSAFE, "bandit.yaml": "skips: [\n"}))
    assert answer.findings == ()
    assert "bandit" in (answer.error or "")


async def test_it_cannot_be_asked_for_single_tests(tree: Tree) -> None:
    with pytest.raises(FixError, match="B602"):
        await run_checkers([Bandit()], replace(tree({"a.py": UNSAFE}), select=("bandit:B602",)))
