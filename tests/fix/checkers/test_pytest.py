"""Failing tests as findings: where each is placed, and when nothing can be said."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from fanfold.fix.checkers import Checked, Scope, checkers_for
from fanfold.fix.checkers.pytest import Pytest
from fanfold.fix.errors import FixError
from fanfold.fix.project import Project

CORE = """\
def total(prices):
    return sum(prices) + 1


def first(prices):
    return prices[0]


class Cart:
    def __init__(self):
        self.items = []

    def count(self):
        return 5
"""
TESTS = """\
import pytest
from shop import core
from shop.core import Cart, first, total


def test_total():
    result = total([1, 2])
    assert result == 3


def test_first():
    assert first([]) is None


def test_module():
    assert core.total([]) == 0


def test_method():
    cart = Cart()
    assert cart.count() == 0


def test_that_passes():
    assert first([1]) == 1


def test_of_nothing():
    open("litter", "w").close()
    assert 1 == 2


@pytest.mark.xfail(strict=True)
def test_that_was_to_fail():
    pass


@pytest.fixture
def broken():
    yield 1
    raise ValueError("at the end")


def test_with_teardown(broken):
    pass
"""
SHOP = {"src/shop/__init__.py": "", "src/shop/core.py": CORE, "tests/test_shop.py": TESTS}

Tree = Callable[..., Scope]
Check = Callable[..., Awaitable[Checked]]


@pytest.fixture
def checked(tree: Tree) -> Check:
    """Runs the tests of a tree with no plugins but pytest's own."""

    async def check(files: Mapping[str, str], checker: Pytest | None = None, **scope: object) -> Checked:
        made = replace(tree(files), **scope)  # type: ignore[arg-type]
        environment = Path(sys.prefix)
        made = replace(made, project=Project(made.root, Path(sys.executable), environment))
        return await (checker or Pytest()).check(made)

    return check


@pytest.fixture(autouse=True)
def _no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


async def test_each_failure_is_placed_at_the_code_that_it_is_about(
    checked: Check, tmp_path: Path, names_below: Callable[[Path], set[str]]
) -> None:
    answer = await checked(SHOP)
    assert answer.error is None
    assert answer.version == pytest.__version__
    found = {one.case: (one.path, one.line, one.rule) for one in answer.findings}
    assert found == {
        "tests/test_shop.py::test_total": ("src/shop/core.py", 1, "AssertionError"),
        "tests/test_shop.py::test_first": ("src/shop/core.py", 6, "IndexError"),
        "tests/test_shop.py::test_module": ("src/shop/core.py", 1, "AssertionError"),
        "tests/test_shop.py::test_method": ("src/shop/core.py", 13, "AssertionError"),
        "tests/test_shop.py::test_of_nothing": ("tests/test_shop.py", 30, "AssertionError"),
        "tests/test_shop.py::test_that_was_to_fail": ("tests/test_shop.py", 33, "Failed"),
        "tests/test_shop.py::test_with_teardown (teardown)": ("tests/test_shop.py", 41, "ValueError"),
    }
    messages = {one.case: one.message for one in answer.findings}
    assert messages["tests/test_shop.py::test_first"] == "list index out of range (tests/test_shop.py::test_first)"
    assert "litter" not in names_below(tmp_path / "tree")
    assert names_below(tmp_path / "cache") == set()


async def test_test_that_fails_by_chance_is_no_finding_and_one_that_fails_after_others_is(
    checked: Check, tmp_path: Path
) -> None:
    once = f"""
import pathlib

STATE = []


def test_first():
    STATE.append(1)


def test_after_another():
    assert not STATE


def test_by_chance():
    seen = pathlib.Path({str(tmp_path / "seen")!r})
    is_first = not seen.exists()
    seen.touch()
    assert not is_first
"""
    answer = await checked({"test_a.py": once})
    assert answer.error is None
    assert [one.case for one in answer.findings] == ["test_a.py::test_after_another"]


async def test_tests_that_all_pass_are_no_findings(checked: Check) -> None:
    answer = await checked({"test_a.py": "def test_a():\n    assert True\n"})
    assert (answer.findings, answer.error) == ((), None)


async def test_tests_that_can_not_be_collected_are_no_answer(checked: Check) -> None:
    files = {"test_a.py": "import nowhere_at_all\n", "test_b.py": "def test_b():\n    assert False\n"}
    answer = await checked(files)
    assert "the tests of test_a.py could not be collected" in (answer.error or "")
    assert "nowhere_at_all" in (answer.error or "")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.py": ""}, "there are no tests"),
        ({"conftest.py": "raise RuntimeError\n", "test_a.py": ""}, "could not load a conftest.py"),
        ({"test_a.py": "import os\n\n\ndef test_a():\n    os._exit(0)\n"}, "test report"),
    ],
)
async def test_a_suite_that_does_not_run_is_never_clean(checked: Check, files: Mapping[str, str], words: str) -> None:
    answer = await checked(files)
    assert answer.findings == ()
    assert words in (answer.error or "")


async def test_a_command_of_the_users_own_is_run(checked: Check, tmp_path: Path) -> None:
    (checker,) = checkers_for(tmp_path, ["pytest=pytest tests/one --tb=no"])
    assert isinstance(checker, Pytest)
    files = {f"tests/{name}/test_{name}.py": "def test_a():\n    assert False\n" for name in ("one", "two")}
    answer = await checked(files, checker)
    assert [finding.path for finding in answer.findings] == ["tests/one/test_one.py"]


async def test_a_command_that_is_not_pytests_is_refused(tree: Tree) -> None:
    with pytest.raises(FixError, match="does not call pytest"):
        await Pytest.called("python -m tox").check(tree({"test_a.py": ""}))


def test_no_project_gets_it_without_asking(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    assert [checker.name for checker in checkers_for(tmp_path)] == ["ruff"]
