"""Ruff as a checker, with the real ruff."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fanfold.fix.checkers.protocol import Scope
from fanfold.fix.checkers.ruff import Ruff
from fanfold.fix.errors import FixError
from fanfold.process import run

UNUSED = "import os\n"

Tree = Callable[..., Scope]


def named(scope: Scope, *paths: str) -> Scope:
    return dataclasses.replace(scope, paths=paths)


async def test_findings_have_relative_paths_and_places(tree: Tree) -> None:
    scope = tree({"ruff.toml": 'lint.select = ["F", "E7"]\n', "a.py": "import os\nx = None\nprint(x == None)\n"})
    answer = await Ruff().check(scope)
    assert answer.error is None
    assert answer.version is not None
    assert answer.version[0].isdigit()
    unused, comparison = answer.findings
    assert (unused.path, unused.line, unused.column, unused.end_line, unused.end_column) == ("a.py", 1, 8, 1, 10)
    assert (unused.checker, unused.rule, unused.fixable) == ("ruff", "F401", "safe")
    assert unused.url == "https://docs.astral.sh/ruff/rules/unused-import"
    assert (comparison.rule, comparison.fixable) == ("E711", "unsafe")


async def test_clean_tree_has_no_findings_and_no_error(tree: Tree) -> None:
    answer = await Ruff().check(tree({"a.py": "x = 1\n"}))
    assert (answer.findings, answer.error) == ((), None)


async def test_tree_without_python_is_clean(tree: Tree) -> None:
    answer = await Ruff().check(tree({"a.txt": "import os\n"}))
    assert (answer.findings, answer.error) == ((), None)


async def test_nothing_in_the_tree_changes_whatever_the_configuration_asks_for(
    tree: Tree, names_below: Callable[[Path], set[str]]
) -> None:
    pyproject = (
        '[tool.ruff]\nfix = true\nfix-only = true\nunsafe-fixes = true\nshow-fixes = true\noutput-format = "full"\n'
    )
    scope = tree({"pyproject.toml": pyproject, "a.py": UNUSED})
    answer = await Ruff().check(scope)
    assert [finding.rule for finding in answer.findings] == ["F401"]
    assert (scope.root / "a.py").read_text() == UNUSED
    assert names_below(scope.root) == {"a.py", "pyproject.toml"}


async def test_command_fixes_once_fix_follows_it(tree: Tree) -> None:
    scope = tree({"a.py": UNUSED})
    done = await run([*Ruff().command(scope), "--fix", "a.py"], cwd=scope.root)
    assert done.returncode == 0
    assert (scope.root / "a.py").read_text() == ""


async def test_named_file_that_vanished_is_a_finding(tree: Tree) -> None:
    scope = tree({"pyproject.toml": '[tool.ruff.lint]\nselect = ["F"]\n'})
    answer = await Ruff().check(named(scope, "gone.py"))
    assert answer.error is None
    assert [(finding.path, finding.rule) for finding in answer.findings] == [("gone.py", "E902")]


async def test_file_that_cannot_be_decoded_is_a_finding(tree: Tree) -> None:
    scope = tree({"pyproject.toml": '[tool.ruff.lint]\nselect = ["F"]\n', "latin.py": 'x = "é"\n'.encode("latin-1")})
    answer = await Ruff().check(scope)
    assert [(finding.path, finding.rule) for finding in answer.findings] == [("latin.py", "E902")]


async def test_syntax_error_is_a_finding(tree: Tree) -> None:
    answer = await Ruff().check(tree({"a.py": "def f(:\n    pass\n"}))
    assert answer.error is None
    assert {finding.rule for finding in answer.findings} == {"invalid-syntax"}


async def test_selected_rules_are_checked_besides_configured_ones(tree: Tree) -> None:
    scope = tree(
        {"pyproject.toml": '[tool.ruff.lint]\nselect = ["F"]\nignore = ["T201"]\n', "a.py": "import os\nprint(1)\n"}
    )
    answer = await Ruff().check(dataclasses.replace(scope, select=("ruff:T20", "mypy:arg-type", "arg-type")))
    assert [finding.rule for finding in answer.findings] == ["F401", "T201"]


@pytest.mark.parametrize("rule", ["F4O1", "ruff:ZZZ9", "f401"])
async def test_unknown_selected_rule_is_the_users_mistake(tree: Tree, rule: str) -> None:
    with pytest.raises(FixError) as caught:
        await Ruff().check(dataclasses.replace(tree({"a.py": UNUSED}), select=(rule,)))
    assert rule.removeprefix("ruff:") in caught.value.message


async def test_hint_names_the_nearest_rule(tree: Tree) -> None:
    with pytest.raises(FixError) as caught:
        await Ruff().check(dataclasses.replace(tree({"a.py": UNUSED}), select=("F4011",)))
    assert "did you mean F401?" in (caught.value.hint or "")


async def test_unknown_rule_in_the_configuration_is_ruffs_to_complain_about(tree: Tree) -> None:
    scope = tree({"ruff.toml": 'lint.select = ["ZZZ9"]\n', "a.py": UNUSED})
    answer = await Ruff().check(dataclasses.replace(scope, select=("F401",)))
    assert answer.findings == ()
    assert "ZZZ9" in (answer.error or "")


async def test_warnings_on_stderr_are_no_errors(tree: Tree) -> None:
    scope = tree({"ruff.toml": 'select = ["F"]\nlint.extend-select = ["D203", "D211"]\n', "a.py": UNUSED})
    answer = await Ruff().check(scope)
    assert answer.error is None
    assert "F401" in {finding.rule for finding in answer.findings}


async def test_excluded_file_stays_excluded_when_named(tree: Tree) -> None:
    scope = tree({"ruff.toml": 'exclude = ["vendored"]\n', "vendored/a.py": UNUSED})
    assert (await Ruff().check(named(scope, "vendored/a.py"))).findings == ()


async def test_named_file_is_checked_only_if_ruff_would_by_itself(tree: Tree) -> None:
    files = {"README.md": "# no Python\n", "tool.txt": UNUSED, "a.py": UNUSED}
    scope = tree(files)
    answer = await Ruff().check(named(scope, *files))
    assert [finding.path for finding in answer.findings] == ["a.py"]


async def test_included_files_are_those_of_the_configuration(tree: Tree) -> None:
    files = {"ruff.toml": 'include = ["src/**/*.txt"]\n', "src/x/tool.txt": UNUSED, "a.py": UNUSED, "other.txt": UNUSED}
    scope = tree(files)
    alone = await Ruff().check(scope)
    answer = await Ruff().check(named(scope, *files))
    assert [finding.path for finding in answer.findings] == ["src/x/tool.txt"]
    assert answer.findings == alone.findings


async def test_no_path_is_no_work_not_the_whole_tree(tree: Tree) -> None:
    assert (await Ruff().check(named(tree({"a.py": UNUSED})))).findings == ()


STRANGE = [
    "a b.py",
    "-x.py",
    "@x.py",
    "--fix.py",
    "ünï.py",
    "new\nline.py",
    "dir with\ttab/c.py",
    "%41.py",
    "[a].py",
    "*.py",
]


@pytest.mark.parametrize("whole", [True, False])
async def test_strange_names_come_back_as_they_are(tree: Tree, whole: bool) -> None:
    raw = [*STRANGE, os.fsdecode(b"raw\xff.py"), os.fsdecode(b"f\xe9/x.py")]
    scope = tree(dict.fromkeys(raw, UNUSED))
    answer = await Ruff().check(scope if whole else named(scope, *raw))
    assert answer.error is None
    assert sorted(finding.path for finding in answer.findings) == sorted(raw)


async def test_root_may_be_a_link(tree: Tree, tmp_path: Path) -> None:
    scope = tree({"sub/a.py": UNUSED})
    link = tmp_path / "link"
    link.symlink_to(scope.root)
    answer = await Ruff().check(dataclasses.replace(scope, root=link))
    assert [finding.path for finding in answer.findings] == ["sub/a.py"]


async def test_linked_file_keeps_its_own_name(tree: Tree, tmp_path: Path) -> None:
    scope = tree({"a.py": "x = 1\n"})
    outside = tmp_path / "outside.py"
    outside.write_text(UNUSED)
    (scope.root / "link.py").symlink_to(outside)
    answer = await Ruff().check(scope)
    assert [finding.path for finding in answer.findings] == ["link.py"]


async def test_thousands_of_paths_are_checked_in_several_calls(tree: Tree) -> None:
    names = [f"{'deep' * 40}/{number:04}_{'x' * 180}.py" for number in range(6_000)]
    scope = tree(dict.fromkeys(names[:20], UNUSED))
    answer = await Ruff().check(named(scope, *names))
    assert answer.error is None
    assert len(answer.findings) == 6_000
    assert {finding.rule for finding in answer.findings[:20]} == {"F401"}


async def test_finding_in_a_notebook_has_no_line_of_the_file(tree: Tree) -> None:
    notebook = (
        '{"cells": [{"cell_type": "code", "execution_count": null, "id": "a", "metadata": {}, "outputs": [], '
        '"source": ["import os"]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    (finding,) = (await Ruff().check(tree({"n.ipynb": notebook}))).findings
    assert (finding.path, finding.line, finding.column, finding.end_line) == ("n.ipynb", 0, 0, None)
    assert finding.message.startswith("cell 1, line 1: ")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import sys; sys.exit('no such planet')", "can't be read (JSONDecodeError"),
        ("print('[{\"code\": ')", "can't be read"),
        ("print('not json')", "can't be read"),
        ("print('{}')", "can't be read"),
        ("import sys; print('[]'); sys.exit(1)", "exit code 1 with []"),
        ("print('[1]')", "can't be read"),
        ("print('[{}]')", "can't be read"),
        ("print('null')", "can't be read"),
        ("import os; os.kill(os.getpid(), 11)", "was ended by SIGSEGV"),
        ("import sys; sys.exit(2)", "ended with exit code 2"),
        ("import sys; sys.stderr.write('\\x1b[31mred\\x1b[0m ' + 'x' * 10**6); sys.exit(2)", "red xxx"),
    ],
)
async def test_whatever_else_ruff_does_is_could_not_check(
    tree: Tree, environment: Callable[..., Path], script: str, words: str
) -> None:
    scope = tree({"a.py": UNUSED})
    project = dataclasses.replace(scope.project, environment=environment("ruff", script))
    answer = await Ruff().check(dataclasses.replace(scope, project=project))
    assert answer.findings == ()
    assert answer.error is not None
    assert words in answer.error
    assert len(answer.error) < 2_200
    assert "\x1b" not in answer.error


async def test_ruff_of_the_projects_environment_comes_first(tree: Tree, environment: Callable[..., Path]) -> None:
    scope = tree({"a.py": UNUSED})
    home = environment("ruff", "import sys; print('ruff 0.0.1' if '--version' in sys.argv else '[]')")
    project = dataclasses.replace(scope.project, environment=home)
    answer = await Ruff().check(dataclasses.replace(scope, project=project))
    assert (answer.findings, answer.error, answer.version) == ((), None, "0.0.1")


async def test_time_runs_out(tree: Tree, environment: Callable[..., Path]) -> None:
    scope = tree({"a.py": UNUSED})
    script = "import sys, time; '--version' in sys.argv or time.sleep(60)"
    project = dataclasses.replace(scope.project, environment=environment("ruff", script))
    answer = await Ruff(deadline_s=0.2).check(dataclasses.replace(scope, project=project))
    assert answer.error == "ruff didn't end within 0.2 s"


async def test_file_outside_the_tree_is_could_not_check(
    tree: Tree, environment: Callable[..., Path], tmp_path: Path
) -> None:
    place = '"location": {"row": 1, "column": 1}'
    item = f'[{{"code": "F401", "filename": "{tmp_path}/other.py", "message": "m", {place}}}]'
    scope = tree({"a.py": UNUSED})
    project = dataclasses.replace(scope.project, environment=environment("ruff", f"print({item!r})"))
    answer = await Ruff().check(dataclasses.replace(scope, project=project))
    assert answer.error == f"ruff looked at a file outside the tree: {tmp_path}/other.py"


@pytest.mark.parametrize(
    ("name", "text", "configured"),
    [
        ("pyproject.toml", "[tool.ruff]\nline-length = 100\n", True),
        ("pyproject.toml", "[tool.ruff.lint]\nselect = ['F']\n", True),
        ("pyproject.toml", "[tool.black]\n", False),
        ("ruff.toml", "", True),
        (".ruff.toml", "", True),
        ("setup.cfg", "[flake8]\n", False),
    ],
)
def test_configured_where_ruff_reads_it(tree: Tree, name: str, text: str, configured: bool) -> None:
    assert Ruff.configured(tree({name: text}).root) is configured


def test_pyproject_that_is_no_toml_is_named(tree: Tree) -> None:
    with pytest.raises(FixError, match=r"pyproject\.toml can't be read"):
        Ruff.configured(tree({"pyproject.toml": "[tool.ruff\n"}).root)
