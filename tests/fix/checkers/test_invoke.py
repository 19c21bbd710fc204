"""How checkers' programs are called, and what is said when that fails."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.fix.checkers.invoke import MAX_WORDS, CouldNotCheck, bounded, invoke, located, version_of
from fanfold.fix.checkers.protocol import Scope

Tree = Callable[..., Scope]


async def environment_seen(scope: Scope) -> Mapping[str, str]:
    done = await invoke([sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"], scope)
    seen: Mapping[str, str] = json.loads(done.stdout)
    return seen


async def test_checker_sees_no_secret_and_none_of_its_own_settings(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "RUFF_OUTPUT_FILE", "MYPY_CACHE_DIR", "PYTHONPATH"):
        monkeypatch.setenv(name, "/tmp/x")
    seen = await environment_seen(tree({}))
    assert not {"AWS_SECRET_ACCESS_KEY", "RUFF_OUTPUT_FILE", "MYPY_CACHE_DIR", "PYTHONPATH"} & seen.keys()
    assert seen["PYTHONDONTWRITEBYTECODE"] == "1"


async def test_programs_of_the_projects_environment_come_first(tree: Tree, environment: Callable[..., Path]) -> None:
    home = environment("own-tool", "")
    scope = tree({})
    scope = dataclasses.replace(scope, project=dataclasses.replace(scope.project, environment=home))
    seen = await environment_seen(scope)
    assert seen["PATH"].split(os.pathsep)[0] == str(home / "bin")
    assert seen["VIRTUAL_ENV"] == str(home)
    assert located("own-tool", scope) == str(home / "bin" / "own-tool")
    assert located("nowhere-at-all", scope) == "nowhere-at-all"


async def test_programs_run_in_the_tree(tree: Tree) -> None:
    scope = tree({})
    done = await invoke([sys.executable, "-c", "import os; print(os.getcwd())"], scope)
    assert done.stdout.decode().strip() == str(scope.root)


async def test_output_that_is_too_much_is_no_answer(tree: Tree) -> None:
    argv = [sys.executable, "-c", "print('x' * 3_000_000)"]
    with pytest.raises(CouldNotCheck, match=r"wrote more than 1 MiB"):
        await invoke(argv, tree({}), max_bytes=1024 * 1024)


async def test_much_on_stderr_alone_does_no_harm(tree: Tree) -> None:
    argv = [sys.executable, "-c", "import sys; print('[]'); sys.stderr.write('x' * 3_000_000)"]
    assert (await invoke(argv, tree({}), max_bytes=1024 * 1024)).stdout == b"[]\n"


@pytest.mark.parametrize(
    ("printed", "version"),
    [("ruff 0.17.6", "0.17.6"), ("mypy 2.4.1 (compiled: yes)", "2.4.1"), ("tool 3.0rc1", "3.0rc1"), ("hello", None)],
)
async def test_version_is_what_the_program_prints(
    tree: Tree, environment: Callable[..., Path], printed: str, version: str | None
) -> None:
    program = environment("tool", f"print({printed!r})") / "bin" / "tool"
    assert await version_of(str(program), tree({})) == version


async def test_program_that_is_nowhere_has_no_version(tree: Tree) -> None:
    assert await version_of("nowhere-at-all", tree({})) is None


@given(st.text(max_size=3 * MAX_WORDS))
def test_words_are_bounded_and_hold_no_control_characters(text: str) -> None:
    words = bounded(text)
    assert len(words) <= MAX_WORDS + 50
    assert not {"\x1b", "\r", "\0", "\x07"} & set(words)


def test_long_words_keep_their_beginning_and_their_end() -> None:
    words = bounded("first " + "x" * 10 * MAX_WORDS + " last")
    assert words.startswith("first ")
    assert words.endswith(" last")
    assert "characters" in words
