"""What import-linter can't see: who starts programs, who starts git, what importing costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

STARTS = {
    *("asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
    *("os.fork", "os.forkpty", "os.popen", "os.posix_spawn", "os.posix_spawnp", "os.system"),
}
HEAVY = {"asyncio", "pydantic", "rich", "subprocess", "typer"}


@pytest.fixture(scope="module")
def parsed(checkout: Path) -> dict[str, ast.Module]:
    """Each module of the package by its path in it."""
    package = checkout / "src" / "fanfold"
    return {path.relative_to(package).as_posix(): ast.parse(path.read_text()) for path in sorted(package.rglob("*.py"))}


def without(parsed: dict[str, ast.Module], *folders: str) -> Iterator[tuple[str, ast.Module]]:
    return ((name, module) for name, module in parsed.items() if not name.startswith(folders))


def calls(module: ast.Module) -> Iterator[str]:
    """What is called, as it is written: `print`, or a name of a module's."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield ast.unparse(node.func)


def command_lines(module: ast.Module) -> Iterator[str]:
    """The first word of every list or tuple of words."""
    for node in ast.walk(module):
        if isinstance(node, ast.List | ast.Tuple) and len(node.elts) > 1 and isinstance(node.elts[0], ast.Constant):
            yield str(node.elts[0].value)


def test_programs_are_started_by_the_process_package_only(parsed: dict[str, ast.Module]) -> None:
    others = without(parsed, "process/", "git/", "testing/")
    assert not {name for name, module in others if STARTS & set(calls(module))}


def test_git_is_started_by_the_git_package_only(parsed: dict[str, ast.Module]) -> None:
    others = without(parsed, "git/", "testing/")
    assert not {name for name, module in others if "git" in command_lines(module)}


def test_only_the_command_line_prints(parsed: dict[str, ast.Module]) -> None:
    others = without(parsed, "cli/")
    assert not {name for name, module in others if "print" in calls(module)}


def test_the_walk_sees_what_it_looks_for() -> None:
    module = ast.parse("import os\nos.system('x')\nrun(['git', 'status'])\nprint(1)")
    assert STARTS & set(calls(module))
    assert "git" in command_lines(module)
    assert "print" in calls(module)


@pytest.mark.parametrize(("module", "allowed"), [("fanfold", set()), ("fanfold.engine", {"asyncio", "subprocess"})])
def test_importing_stays_cheap(module: str, allowed: set[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert not (HEAVY - allowed) & set(done.stdout.split())
