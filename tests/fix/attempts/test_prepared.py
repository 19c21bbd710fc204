"""Workspaces that a setup command and listed files make ready, and what agents' programs run in them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from fanfold.agents import Report
from fanfold.config import load_settings
from fanfold.fix.attempts.confine import Confinement, Place
from fanfold.fix.attempts.prepared import Prepared, SetupError, prepared_for
from fanfold.fix.errors import FixError
from fanfold.fix.project import Project, find_project
from fanfold.git import Repository, Workspace, WorkspacePool
from fanfold.process import Completed, program_reach, run, unusable
from fanfold.redact import redact
from fanfold.testing.repositories import TemporaryRepository, make_repository

FILES = {"a.py": "a = 1\n", "package-lock.json": "1", ".gitignore": "node_modules/\n", "pkg/b.py": "b = 1\n"}
SECRET = "s3cr3t-v4lue-of-the-user"
MAKE = "import os, sys; os.makedirs('node_modules/x', exist_ok=True); open('node_modules/x/y', 'w').write('made');"
COUNT = "open(sys.argv[1], 'a').write('ran\\n');"


@pytest.fixture
def user(tmp_path: Path) -> TemporaryRepository:
    return make_repository(tmp_path / "user", FILES)


class Runs:
    """A setup command in Python that counts how often it ran."""

    def __init__(self, tmp_path: Path) -> None:
        self.log = tmp_path / "ran"

    def command(self, code: str = MAKE) -> tuple[str, ...]:
        return (sys.executable, "-c", f"import sys; {COUNT} {code}", str(self.log))

    @property
    def count(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


@pytest.fixture
def pool_of(user: TemporaryRepository, tmp_path: Path) -> Callable[..., Any]:
    """A pool whose workspaces are made ready as said."""

    async def pool_of(**changes: Any) -> WorkspacePool:
        prepared = Prepared(Project(user.root, Path(sys.executable)), **changes)
        repository = await Repository.open(user.root)
        return WorkspacePool(repository, home=tmp_path / "home", kind="plain", prepare=prepared.ready)

    return pool_of


async def test_setup_runs_once_for_each_workspace_and_what_it_makes_stays(
    pool_of: Callable[..., Any], runs: Runs
) -> None:
    for _ in range(2):
        async with await pool_of(setup=runs.command()) as pool:
            for _ in range(2):
                async with pool.lease(pool.repository.head) as workspace:
                    assert (workspace.root / "node_modules/x/y").read_text() == "made"
                    assert (await workspace.capture()).empty
                    await workspace.reset()
                    await workspace.clean_ignored()
                    assert (workspace.root / "node_modules/x/y").exists()
    assert runs.count == 1


async def test_what_setup_makes_that_git_does_not_ignore_is_no_change_either(
    pool_of: Callable[..., Any], runs: Runs
) -> None:
    code = f"{MAKE} open('generated.py', 'w').write('x'); open('a.py', 'a').write('changed')"
    async with await pool_of(setup=runs.command(code)) as pool, pool.lease(pool.repository.head) as workspace:
        assert (await workspace.capture()).empty
        assert (workspace.root / "generated.py").read_text() == "x"
        assert (workspace.root / "a.py").read_text() == "a = 1\n"


async def test_setup_runs_again_when_a_lockfile_or_the_command_changes(
    pool_of: Callable[..., Any], runs: Runs, user: TemporaryRepository
) -> None:
    async def lease() -> None:
        pool = await pool_of(setup=runs.command(MAKE + changed))
        async with pool, pool.lease(pool.repository.head) as workspace:
            assert (workspace.root / "node_modules/x/y").exists()

    changed = ""
    await lease()
    (user.root / "a.py").write_text("a = 2\n")
    user.git("commit", "-qam", "code")
    await lease()
    assert runs.count == 1
    (user.root / "package-lock.json").write_text("2")
    user.git("commit", "-qam", "lock")
    await lease()
    assert runs.count == 2
    changed = "pass"
    await lease()
    assert runs.count == 3


async def test_setup_runs_again_where_what_it_made_is_gone(pool_of: Callable[..., Any], runs: Runs) -> None:
    async with await pool_of(setup=runs.command()) as pool:
        for _ in range(2):
            async with pool.lease(pool.repository.head) as workspace:
                shutil.rmtree(workspace.root / "node_modules")
    assert runs.count == 2


async def test_without_setup_what_it_made_goes(pool_of: Callable[..., Any], runs: Runs) -> None:
    async with await pool_of(setup=runs.command()) as pool, pool.lease(pool.repository.head):
        pass
    async with await pool_of() as pool, pool.lease(pool.repository.head) as workspace:
        assert not (workspace.root / "node_modules").exists()


async def test_setup_that_fails_says_so_once_with_its_last_words(pool_of: Callable[..., Any], runs: Runs) -> None:
    command = runs.command("print('no such package', file=sys.stderr); sys.exit(4)")
    async with await pool_of(setup=command) as pool:
        for _ in range(3):
            with pytest.raises(SetupError, match=r"exit code 4: no such package"):
                async with pool.lease(pool.repository.head):
                    pass
    assert runs.count == 1


async def test_setup_can_not_write_to_the_checkout_or_to_its_environment(
    pool_of: Callable[..., Any], runs: Runs, user: TemporaryRepository
) -> None:
    found = shutil.which("bwrap")
    if found is None or await unusable(Path(found)):
        pytest.skip("bubblewrap does not work here")
    target = user.root / "planted"
    command = runs.command(f"{MAKE} open({str(target)!r}, 'w')")
    async with await pool_of(setup=command, bubblewrap=Path(found)) as pool:
        with pytest.raises(SetupError, match="Read-only file system"):
            async with pool.lease(pool.repository.head):
                pass
    assert runs.count == 1


async def test_listed_files_are_copied_afresh_and_are_no_change(
    pool_of: Callable[..., Any], user: TemporaryRepository
) -> None:
    for name in (".env", "conf/local.ini"):
        (user.root / name).parent.mkdir(exist_ok=True)
        (user.root / name).write_text("first")
    (user.root / ".env").chmod(0o600)
    async with await pool_of(copies=(".env", "conf/local.ini")) as pool:
        for text in ("first", "second"):
            (user.root / ".env").write_text(text)
            async with pool.lease(pool.repository.head) as workspace:
                assert (workspace.root / ".env").read_text() == text
                assert (workspace.root / ".env").stat().st_mode & 0o777 == 0o600
                assert (workspace.root / "conf/local.ini").read_text() == "first"
                (workspace.root / ".env").write_text("an agent's")
                assert (await workspace.capture()).empty
                await workspace.reset()


async def settings_for(user: TemporaryRepository, **settings: Any) -> Prepared:
    repository = await Repository.open(user.root)
    return await prepared_for(load_settings(user.root, settings), repository, find_project(user.root))


REFUSED = {
    "a.py": "git tracks it",
    "./pkg/../a.py": "git tracks it",
    "gone": "there is no such file",
    "pkg": "it is no file",
    "../beside": "it is outside",
    "link": "it is outside",
    ".git/config": "it is git's",
}


@pytest.mark.parametrize(("name", "why"), REFUSED.items())
async def test_what_can_not_be_copied_is_refused_before_anything_runs(
    user: TemporaryRepository, name: str, why: str
) -> None:
    (user.root.parent / "beside").write_text("x")
    (user.root / "link").symlink_to("../beside")
    with pytest.raises(FixError, match=why):
        await settings_for(user, copy_files=(name,))


COMMANDS = {"npm ci && x": "no shell runs it", "'": "can't be split", " ": "empty"}


@pytest.mark.parametrize(("command", "why"), COMMANDS.items())
async def test_a_setup_command_that_no_shell_could_run_is_refused(
    user: TemporaryRepository, command: str, why: str
) -> None:
    with pytest.raises(FixError, match=why):
        await settings_for(user, setup=command)


async def test_values_of_copied_files_are_masked(user: TemporaryRepository) -> None:
    (user.root / ".env").write_text(f"# the user's\nexport NAME='{SECRET}'\nDEBUG=true\nPORT=8000\n")
    assert SECRET in redact(f"prompt {SECRET} true 8000")
    await settings_for(user, copy_files=(".env",))
    assert redact(f"prompt {SECRET} true 8000 the user's") == "prompt *** true 8000 the user's"


class Installed(Protocol):
    """What the fixture `installed` makes."""

    project: Project
    folder: str

    @property
    def main(self) -> Path: ...
    def change_core(self, root: Path) -> None: ...


KINDS = ("hatchling src", "hatchling exact", "setuptools src", "setuptools mapped", "setuptools strict")


@pytest.fixture(params=["bwrap", "none"])
async def sandbox(request: pytest.FixtureRequest) -> str:
    found = shutil.which("bwrap")
    if request.param == "bwrap" and (found is None or await unusable(Path(found))):
        pytest.skip("bubblewrap does not work here")
    return str(request.param)


class Starts:
    """Stands for an agent that starts programs."""

    name = "starts"
    deterministic = False
    starts_programs = True

    async def work(self, assignment: object) -> Any:
        raise NotImplementedError


@pytest.fixture
def editable(tmp_path: Path) -> Callable[..., Any]:
    """What pytest ends with, called by an agent that changed an installed project and expects that of its tests."""

    async def tested(it: Installed, sandbox: str) -> Completed:
        if not (it.main / ".git").exists():
            (it.main / ".gitignore").write_text(".venv/\n__pycache__/\n*.egg-info/\nbuild/\n")
            me = ("-c", "user.name=x", "-c", "user.email=x")
            for command in (("init", "-q"), ("add", "-A"), (*me, "commit", "-qm", "x")):
                assert (await run(["git", *command], cwd=it.main)).returncode == 0
        repository = await Repository.open(it.main)
        settings = load_settings(it.main, {"sandbox": sandbox})
        confinement = Confinement(settings, repository, it.project)
        async with WorkspacePool(repository, home=tmp_path / "home") as pool, pool.lease(repository.head) as workspace:
            it.change_core(workspace.root)
            return await _pytest(confinement, workspace, tmp_path / "scratch")

    return tested


async def _pytest(confinement: Confinement, workspace: Workspace, scratch: Path) -> Completed:
    ended: list[Completed] = []

    async def work(place: Place) -> Any:
        argv: tuple[str, ...] = ("/bin/sh", "-c", "python -m pytest -q tests -k 'total or process'")
        if place.sandbox is not None:
            argv = place.sandbox.around(argv, workspace.root, read=program_reach(Path("/bin/sh")))
        ended.append(await run(argv, cwd=workspace.root, env=place.environment, deadline_s=120))
        return Report()

    scratch.mkdir(exist_ok=True)
    await confinement.carry_out(Starts(), workspace, "x", scratch, work)
    return ended[0]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_agent_s_own_tests_run_on_its_change_of_an_editable_install(
    kind: str, sandbox: str, installed: Callable[[str], Installed], editable: Callable[..., Any]
) -> None:
    done = await editable(installed(kind), sandbox)
    assert done.returncode == 0, done.stdout.decode()
