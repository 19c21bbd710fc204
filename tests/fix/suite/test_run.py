"""The suite runs on the workspace's code, whatever the project's environment points at."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pytest

from fanfold.fix.errors import FixError
from fanfold.fix.project import Project
from fanfold.fix.suite.junit import CaseStatus
from fanfold.fix.suite.run import Suite, SuiteResult, find_suite, regressions
from fanfold.testing.repositories import TemporaryRepository, make_repository

EVERY = (
    *("hatchling src", "hatchling flat", "hatchling exact", "setuptools src", "setuptools flat"),
    *("setuptools mapped", "setuptools strict", "uv_build src", "uv_build flat"),
)
ONE = "tests.test_shop"
ALL = {f"{ONE}::test_total", f"{ONE}::test_process", f"{ONE}::test_process_in_an_environment_of_its_own"}

FAST = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 pytest"
"""Without the plugins that this environment happens to have."""
XDIST = f"{FAST} -p xdist.plugin -n 1"


class Installed(Protocol):
    """What the fixture `installed` makes."""

    project: Project
    folder: str

    @property
    def main(self) -> Path: ...
    def workspace(self, root: Path) -> Path: ...
    def break_core(self, root: Path) -> None: ...
    def change_core(self, root: Path) -> None: ...


Install = Callable[[str], Installed]


def pytest_of(it: Installed, command: str = FAST) -> Suite:
    suite = find_suite(it.main, it.project, command, 60)
    assert suite is not None
    return suite


@pytest.mark.parametrize("name", [*EVERY, "copy of hatchling src"])
async def test_workspace_is_what_is_tested_and_where_it_is_not_the_guard_alone_notices(
    name: str, installed: Install, tmp_path: Path
) -> None:
    it = installed(name)
    changed, broken = it.workspace(tmp_path / "changed"), it.workspace(tmp_path / "broken")
    it.change_core(changed)
    it.break_core(broken)
    redirected, watched = await asyncio.gather(
        pytest_of(it).run(changed, tmp_path / "cache"),
        replace(pytest_of(it), redirect=False).run(broken, tmp_path / "cache"),
    )
    assert redirected.ok, redirected.output_tail
    assert redirected.cases == dict.fromkeys(ALL, "passed")
    assert watched.cases == dict.fromkeys(ALL, "passed")
    assert not watched.ok
    assert watched.error is not None
    assert watched.error.startswith(f"module shop was not loaded from the workspace but from {it.main}/")


async def test_session_itself_fails_and_says_why_where_the_guard_fires(installed: Install, tmp_path: Path) -> None:
    it = installed("hatchling src")
    suite = replace(pytest_of(it, f"{FAST} -k test_total"), redirect=False)
    result = await suite.run(it.workspace(tmp_path / "ws"), tmp_path / "cache")
    assert result.returncode == 1
    assert f"module shop.core was loaded from the main checkout: {it.main}/src/shop/core.py" in result.output_tail


async def test_workers_of_xdist_are_guarded(installed: Install, tmp_path: Path) -> None:
    it = installed("setuptools flat")
    workspace = it.workspace(tmp_path / "ws")
    watched = await replace(pytest_of(it, f"{XDIST} -k test_total"), redirect=False).run(workspace, tmp_path / "c")
    it.change_core(workspace)
    changed = await pytest_of(it, XDIST).run(workspace, tmp_path / "cache")
    assert changed.ok, changed
    assert changed.cases == dict.fromkeys(ALL, "passed")
    assert watched.error is not None
    assert "module shop" in watched.error


@pytest.mark.parametrize("command", ["python -m pytest", "uv run --frozen pytest", "pytest --import-mode=importlib"])
async def test_ways_to_call_pytest_are_compared_test_by_test(command: str, installed: Install, tmp_path: Path) -> None:
    it = installed("uv_build src")
    suite = pytest_of(it, command)
    result = await suite.run(it.workspace(tmp_path / "ws"), tmp_path / "cache")
    assert suite.kind == "pytest"
    assert result.cases is not None
    assert set(result.cases) == ALL
    assert [note.split("`")[1] for note in suite.notes] == (["uv run --frozen"] if command.startswith("uv") else [])


async def test_command_of_any_kind_is_known_by_its_exit_code_and_guarded(installed: Install, tmp_path: Path) -> None:
    it = installed("hatchling src")
    workspace = it.workspace(tmp_path / "ws")
    command = "python -c 'from shop.core import total; assert total([2]) == 2'"
    whole = await pytest_of(it, command).run(workspace, tmp_path / "cache")
    watched = await replace(pytest_of(it, command), redirect=False).run(workspace, tmp_path / "cache")
    it.break_core(workspace)
    broken = await pytest_of(it, command).run(workspace, tmp_path / "cache")
    assert (whole.ok, whole.cases, whole.error, whole.warnings) == (True, None, None, ())
    assert (broken.ok, broken.returncode, broken.error) == (False, 1, None)
    assert watched.error is not None
    assert not watched.ok
    assert regressions(whole, broken) == ("the whole command (exit code 1)",)


async def test_user_environment_and_checkout_stay_as_they_are(installed: Install, tmp_path: Path) -> None:
    it = installed("setuptools src")
    before = listing(it.main)
    workspace = it.workspace(tmp_path / "ws")
    tree = listing(workspace)
    await pytest_of(it).run(workspace, tmp_path / "cache")
    assert listing(it.main) == before
    assert listing(workspace) == tree
    assert list((tmp_path / "cache").iterdir()) == []


def listing(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in sorted(root.rglob("*"))}


@dataclass(frozen=True)
class Plain:
    """A project that isn't installed, on this interpreter: its checkout and one workspace of the same files."""

    main: Path
    workspace: Path

    def suite(self, command: str | None = FAST, deadline_s: float = 60) -> Suite:
        suite = find_suite(self.main, Project(self.main, Path(sys.executable), Path(sys.prefix)), command, deadline_s)
        assert suite is not None
        return suite

    async def run(self, command: str | None = FAST, deadline_s: float = 60) -> SuiteResult:
        return await self.suite(command, deadline_s).run(self.workspace, self.workspace.parent / "cache")


@pytest.fixture
def plain(tmp_path: Path) -> Callable[[Mapping[str, str]], Plain]:
    def make(files: Mapping[str, str]) -> Plain:
        make_repository(tmp_path / "main", files)
        (tmp_path / "ws").mkdir()
        TemporaryRepository(tmp_path / "ws").write(files)
        return Plain(tmp_path / "main", tmp_path / "ws")

    return make


Make = Callable[[Mapping[str, str]], Plain]


async def test_each_kind_of_outcome_is_told_apart(plain: Make) -> None:
    text = """\
import pytest

def test_good(): pass
def test_bad(): assert 0
@pytest.mark.skip
def test_not_run(): pass
@pytest.mark.xfail
def test_known(): assert 0
@pytest.fixture
def broken(): raise OSError
def test_fixture(broken): pass
@pytest.fixture
def leaking():
    yield
    raise OSError
def test_teardown(leaking): pass
def test_subtests(subtests):
    for n in range(3):
        with subtests.test(n=n): assert n != 1
@pytest.mark.parametrize("n", ["a b", "\\n", "é", "<&>"])
def test_names(n): pass
"""
    files = {"test_it.py": text, "test_a.py": "import nothing_of_this_name\n", "test_b.py": "def test_b(): pass\n"}
    result = await plain(files).run()
    assert result.error is None
    assert not result.ok
    assert result.cases is not None
    cases = {name.removeprefix("test_it::"): status for name, status in result.cases.items()}
    assert {name: cases[name] for name in ("test_good", "test_bad", "test_not_run", "test_known")} == {
        "test_good": "passed",
        "test_bad": "failed",
        "test_not_run": "skipped",
        "test_known": "skipped",
    }
    assert (cases["test_fixture"], cases["test_teardown"], cases["test_subtests"]) == ("error", "error", "failed")
    assert [name for name in cases if name.startswith("test_names")] != []
    # A module that can't be collected hides none of the others.
    assert (cases["test_a"], cases["test_b::test_b"]) == ("error", "passed")


async def test_stopping_at_the_first_failure_does_not_hide_the_other_tests(plain: Make) -> None:
    files = {"test_a.py": "def test_a(): assert 0\ndef test_b(): pass\n", "pytest.ini": "[pytest]\naddopts = -x --ff\n"}
    result = await plain(files).run()
    assert result.cases == {"test_a::test_a": "failed", "test_a::test_b": "passed"}


async def test_projects_that_switch_the_cache_off_run_too(plain: Make) -> None:
    files = {"test_a.py": "def test_a(): pass\n", "pytest.ini": "[pytest]\naddopts = -p no:cacheprovider\n"}
    result = await plain(files).run()
    assert result.ok, result


async def test_warnings_as_errors_and_strict_configuration_are_not_disturbed(plain: Make) -> None:
    ini = "[pytest]\nfilterwarnings = error\naddopts = --strict-config --strict-markers -W error\n"
    result = await plain({"test_a.py": "def test_a(cache): pass\n", "pytest.ini": ini}).run()
    assert result.ok, result
    assert "Warning" not in result.output_tail


SURROUNDINGS = {
    "src/shop_of_none/__init__.py": "",
    "tests/test_a.py": """\
import os, shop_of_none

def test_root(request):
    assert str(request.config.rootpath) == os.environ["ROOT"]

def test_variables():
    assert os.environ["SHOP"] == "open all day"

def test_secrets():
    assert "SOME_API_KEY" not in os.environ
""",
    "tests/conftest.py": "",
}


async def test_tests_see_the_workspace_the_commands_variables_and_no_secrets(
    plain: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "hidden")
    it = plain(SURROUNDINGS)
    result = await it.run(f"SHOP='open all day' ROOT={it.workspace} pytest -q")
    assert result.ok, result
    assert result.cases == dict.fromkeys(
        [f"tests.test_a::test_{name}" for name in ("root", "variables", "secrets")], "passed"
    )


async def test_pytest_alone_does_not_see_the_working_directory(plain: Make) -> None:
    files = {"extra.py": "", "tests/test_a.py": "import extra\ndef test_a(): pass\n"}
    it = plain(files)
    assert not (await it.run("pytest")).ok
    assert (await it.run("python -m pytest")).ok


NOT_RUNNING = {
    "usage": ({"test_a.py": "def test_a(): pass\n"}, f"{FAST} --no-such-option", "called in a wrong way"),
    "conftest": ({"conftest.py": "1/0", "test_a.py": ""}, FAST, "could not load a conftest.py"),
    "no tests": ({"README": ""}, FAST, "pytest found no tests"),
    "interrupted": (
        {"conftest.py": "import pytest\ndef pytest_collection(): pytest.exit('enough')\n"},
        "pytest",
        "enough",
    ),
    "internal": ({"conftest.py": "def pytest_sessionstart(): raise OSError('disc')\n"}, FAST, "internal error"),
    "killed": ({"test_a.py": "import os\ndef test_a(): os.kill(os.getpid(), 9)\n"}, FAST, "signal 9 ended pytest"),
    "left": ({"test_a.py": "import os\ndef test_a(): os._exit(0)\n"}, FAST, "there is no test report"),
    "no report": ({"test_a.py": "def test_a(): pass\n"}, f"{FAST} -p no:junitxml", "unrecognized arguments"),
    "isolated": ({"test_a.py": "def test_a(): pass\n"}, "python -I -m pytest", "fanfold_guard"),
    "missing": ({"test_a.py": ""}, "./no-such-program", "no-such-program"),
}


@pytest.mark.parametrize("case", NOT_RUNNING)
async def test_suite_that_cannot_run_is_never_passed(case: str, plain: Make) -> None:
    files, command, words = NOT_RUNNING[case]
    result = await plain(files).run(command)
    assert not result.ok
    assert result.error is not None
    assert words in result.error


async def test_suite_that_does_not_end_is_an_error(plain: Make) -> None:
    files = {"test_a.py": "import time\ndef test_a(): time.sleep(600)\n"}
    result = await plain(files).run(deadline_s=1)
    assert result.error == "the tests did not end within 1 s"
    assert not result.ok


async def test_code_that_could_not_be_verified_is_an_error(plain: Make) -> None:
    # A session whose own plugin manager drops the guard's plugin: nothing tells that it went to its end.
    conftest = "import fanfold_guard\ndef pytest_configure(config): config.pluginmanager.unregister(fanfold_guard)\n"
    result = await plain({"conftest.py": conftest, "test_a.py": "def test_a(): pass\n"}).run()
    assert result.returncode == 0
    assert result.error is not None
    assert "could not verify which code ran" in result.error
    assert not result.ok


async def test_command_without_any_python_is_only_warned_about(plain: Make) -> None:
    result = await plain({"README": ""}).run("true")
    assert result.ok
    assert result.warnings == ("not verified which code ran: no Python process reported",)


async def test_program_of_the_checkout_that_git_does_not_know_is_found(plain: Make) -> None:
    it = plain({"README": ""})
    tool = it.main / "tools" / "check"
    tool.parent.mkdir()
    shutil.copyfile(shutil.which("true") or "/bin/true", tool)
    tool.chmod(0o755)
    assert (await it.run("tools/check")).ok


FOUND = {
    "a test file": {"pkg/tests/test_a.py": ""},
    "a test file named the other way": {"a_test.py": ""},
    "pyproject": {"pyproject.toml": "[tool.pytest.ini_options]\n"},
    "pytest.ini": {"pytest.ini": ""},
    "tox.ini": {"tox.ini": "[pytest]\n"},
    "setup.cfg": {"setup.cfg": "[tool:pytest]\n"},
}
NOT_FOUND = {
    "no tests": {"pkg/a.py": "", "pyproject.toml": "[tool.ruff]\n", "tox.ini": "[tox]\n", "setup.cfg": "[x"},
    "tests of others": {"node_modules/x/test_a.py": "", ".tox/test_a.py": "", "e/pyvenv.cfg": "", "e/test_b.py": ""},
    "broken configuration": {"pyproject.toml": "[tool.pytest", "tox.ini": "pytest", "setup.cfg": "\xff"},
}  # fmt: skip


@pytest.mark.parametrize("case", FOUND)
def test_pytest_is_found_by_tests_or_configuration(case: str, plain: Make) -> None:
    suite = plain(FOUND[case]).suite(None)
    assert (suite.kind, suite.argv) == ("pytest", (sys.executable, "-m", "pytest"))


@pytest.mark.parametrize("case", NOT_FOUND)
def test_no_suite_is_found_without_tests(case: str, plain: Make) -> None:
    it = plain(NOT_FOUND[case])
    assert find_suite(it.main, Project(it.main, Path(sys.executable), Path(sys.prefix)), None, 60) is None


def test_no_suite_is_found_where_the_environment_has_no_pytest(plain: Make, tmp_path: Path) -> None:
    it = plain({"test_a.py": ""})
    (tmp_path / "env/lib/python3.12/site-packages").mkdir(parents=True)
    project = Project(it.main, tmp_path / "env/bin/python", tmp_path / "env")
    assert find_suite(it.main, project, None, 60) is None


def test_a_command_whose_program_is_not_there_is_refused(plain: Make) -> None:
    it = plain({"test_a.py": ""})
    with pytest.raises(FixError, match="program 'nosuchprogram' is not installed"):
        it.suite("nosuchprogram -q")


def result(cases: Mapping[str, CaseStatus] | None, returncode: int = 0) -> SuiteResult:
    return SuiteResult(returncode == 0, cases, returncode, None, "", 0.0)


COMPARED: dict[str, tuple[Mapping[str, CaseStatus], Mapping[str, CaseStatus], tuple[str, ...]]] = {
    "nothing changed": ({"a": "passed", "b": "failed"}, {"a": "passed", "b": "failed"}, ()),
    "repaired": ({"a": "failed"}, {"a": "passed"}, ()),
    "failed": ({"a": "passed"}, {"a": "failed"}, ("a",)),
    "error": ({"a": "passed"}, {"a": "error"}, ("a",)),
    "skipped now": ({"a": "passed"}, {"a": "skipped"}, ("a",)),
    "missing": ({"a": "passed", "b": "passed"}, {"b": "passed"}, ("a",)),
    "missing but was red": ({"a": "failed"}, {}, ()),
    "new and red": ({"a": "failed"}, {"a": "failed", "b": "failed"}, ()),
    "one of two of the same name": ({"a": "failed", "a (2)": "passed"}, {"a": "failed", "a (2)": "failed"}, ("a",)),
    "one of two is gone": ({"a": "passed", "a (2)": "passed"}, {"a": "passed"}, ("a",)),
    "failed subtest is gone": ({"a": "failed", "a (2)": "passed"}, {"a": "passed"}, ()),
    "subtest fails": ({"a": "passed"}, {"a": "failed", "a (2)": "passed"}, ("a",)),
}


@pytest.mark.parametrize("case", COMPARED)
def test_regressions_are_tests_that_passed_and_no_longer_do(case: str) -> None:
    base, now, expected = COMPARED[case]
    assert regressions(result(base, 1), result(now, 1)) == expected


def test_session_that_ends_badly_without_a_red_test_is_a_regression() -> None:
    assert regressions(result({"a": "passed"}), result({"a": "passed"}, 1)) == ("the test session (exit code 1)",)


def test_command_that_was_red_already_is_no_regression() -> None:
    assert regressions(result(None, 1), result(None, 1)) == ()
