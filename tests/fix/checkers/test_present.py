"""Which checkers are there: what `fanfold doctor` shows of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fanfold.fix.checkers import Scope
from fanfold.fix.checkers.present import Presence, checkers_present
from fanfold.fix.project import Project

Tree = Callable[..., Scope]


async def by_name(scope: Scope, *specs: str) -> dict[str, Presence]:
    return {one.name: one for one in await checkers_present(scope, specs)}


async def test_known_checkers_have_their_versions_and_those_of_the_project_are_told(tree: Tree) -> None:
    found = await by_name(tree({"pyproject.toml": "[tool.mypy]\n"}))
    assert [name for name, one in found.items() if one.runs] == ["mypy"]
    assert (found["mypy"].version or "")[:1].isdigit()
    assert found["pytest"].version == pytest.__version__
    assert list(found)[:1] == ["bandit"]


async def test_command_of_the_users_own_that_is_nowhere_is_missing(tree: Tree) -> None:
    found = await by_name(tree({}), "spelling=no-such-program-anywhere --sarif")
    assert found["spelling"] == Presence("spelling", None, None, runs=True)
    assert not found["ruff"].runs


async def test_environment_without_pytest_has_no_such_checker(tree: Tree, environment: Callable[..., Path]) -> None:
    home = environment("python", "raise SystemExit('No module named pytest')")
    scope = tree({"test_a.py": ""})
    scope = replace(scope, project=Project(scope.root, home / "bin" / "python", home))
    assert (await by_name(scope))["pytest"].path is None


async def test_a_checker_that_no_run_would_use_is_not_started_to_hear_its_version(
    tree: Tree, environment: Callable[..., Path]
) -> None:
    home = environment("mypy", "print('mypy 1.1.1')")
    environment("python", "")
    installed = home / "lib" / "python3.11" / "site-packages" / "mypy-2.2.2.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: mypy\nVersion: 2.2.2\n")
    scope = tree({})
    scope = replace(scope, project=Project(scope.root, home / "bin" / "python", home))
    assert (await by_name(scope))["mypy"].version == "2.2.2"
    assert (await by_name(scope, "mypy"))["mypy"].version == "1.1.1"


async def test_wrong_settings_hide_no_checker(tree: Tree) -> None:
    found = await by_name(tree({}), "no-such-checker")
    assert not any(one.runs for one in found.values())
    assert found["ruff"].path is not None
