"""The suite is held against how it went on the base, whole or in part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fanfold.fix.project import find_project
from fanfold.fix.suite.run import find_suite
from fanfold.fix.suite.tested import Tester, comparable, file_of
from fanfold.git import Repository, WorkspacePool
from fanfold.testing.repositories import TemporaryRepository, make_repository

FILES = {
    "lib.py": "def one() -> int:\n    return 1\n",
    "tests/test_lib.py": "import lib\n\n\ndef test_one():\n    assert lib.one() == 1\n\n\ndef test_other(): pass\n",
    "tests/deep/test_more.py": "class TestMore:\n    def test_two(self):\n        assert True\n",
    "tests/test_red.py": "def test_red():\n    assert False\n",
    "pytest.ini": "[pytest]\npythonpath = .\n",
}


@asynccontextmanager
async def opened(where: Path, files: Mapping[str, str]) -> AsyncIterator[tuple[TemporaryRepository, Tester, str]]:
    """A repository with one commit, who tests it, and the commit's id."""
    made = make_repository(where / "r", files)
    repository = await Repository.open(made.root)
    suite = find_suite(made.root, find_project(made.root), None, 120.0)
    assert suite is not None
    async with WorkspacePool(repository, home=where / "home") as pool:
        tester = Tester(suite, pool, repository.head)
        async with tester.running():
            yield made, tester, repository.head


def test_file_of_a_test_is_told_by_its_dotted_name() -> None:
    assert file_of("tests.test_lib::test_one", FILES) == "tests/test_lib.py"
    assert file_of("tests.deep.test_more.TestMore::test_two[a.b-1]", FILES) == "tests/deep/test_more.py"
    assert file_of("elsewhere.test_x::test_y", FILES) is None


async def test_part_runs_its_files_only_and_the_base_counts_for_these_alone(tmp_path: Path) -> None:
    async with opened(tmp_path, FILES) as (made, tester, base):
        broken = made.commit({"lib.py": "def one() -> int:\n    return 2\n"})
        assert await tester.broken_by(broken) == ("tests.test_lib::test_one",)
        deep = await tester.part(["tests.deep.test_more.TestMore::test_two"], FILES)
        assert deep.suite.argv[-1] == "tests/deep/test_more.py"
        assert set(deep.base.cases or ()) == {"tests.deep.test_more.TestMore::test_two"}
        assert await tester.broken_by(broken, deep) == ()
        lib = await tester.part(["tests.test_lib::test_one"], FILES)
        assert lib.suite.stops_early
        assert await tester.broken_by(broken, lib) == ("tests.test_lib::test_one",)
        assert await tester.broken_by(base, lib) == ()
        unknown = await tester.part(["nowhere::test"], FILES)
        assert unknown.suite == (await tester.whole()).suite


async def test_suite_of_which_nothing_passes_on_the_base_judges_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, {"test_a.py": "import nowhere\n", "a.py": ""}) as (_, tester, _):
        assert not comparable((await tester.whole()).base)


async def test_suite_that_can_not_run_on_the_base_judges_nothing(tmp_path: Path) -> None:
    files = {"conftest.py": "raise RuntimeError\n", "test_a.py": "def test_a(): pass\n"}
    async with opened(tmp_path, files) as (_, tester, base):
        assert (await tester.whole()).base.error is not None
        assert await tester.broken_by(base) == ()
