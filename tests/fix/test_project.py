"""Which environment a project has, and what is read from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from fanfold.fix.installed import has_module, installed_copies, site_directories, source_roots
from fanfold.fix.project import Project, find_project, mypy_path, workspace_environment
from fanfold.process import run
from fanfold.testing.repositories import TemporaryRepository


class Installed(Protocol):
    """What the fixture `installed` makes."""

    project: Project
    folder: str
    tracked: tuple[str, ...]

    @property
    def main(self) -> Path: ...
    def workspace(self, root: Path) -> Path: ...
    def mistype_core(self, root: Path) -> None: ...
    def mistyped(self) -> AbstractContextManager[None]: ...


Install = Callable[[str], Installed]
ON_A_PATH = ("hatchling src", "hatchling flat", "setuptools src", "setuptools flat", "uv_build src", "uv_build flat")
STATIC = ("hatchling src", "setuptools src", "uv_build src")
"""Those that mypy finds through the environment alone: not in its working directory, nor through import finders."""


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy knows of the standard library, once for all tests."""
    return tmp_path_factory.mktemp("mypy-cache")


async def mypy(it: Installed, workspace: Path, cache: Path, environment: Mapping[str, str]) -> str:
    """What mypy says of the caller in a workspace."""
    python = it.project.python
    command: list[str | Path] = [python, "-m", "mypy", "--cache-dir", cache, "--python-executable", python]
    done = await run([*command, "tests/caller.py"], cwd=workspace, env=environment)
    return done.stdout.decode()


@pytest.mark.parametrize("name", ON_A_PATH)
async def test_mypy_finds_the_type_error_of_the_workspace_and_not_that_of_the_main_checkout(
    name: str, installed: Install, tmp_path: Path, cache: Path
) -> None:
    it = installed(name)
    workspace = it.workspace(tmp_path / "ws")
    environment = workspace_environment(it.project, workspace, it.tracked, tmp_path / "run")
    with it.mistyped():
        assert "Success" in await mypy(it, workspace, cache, environment)
    it.mistype_core(workspace)
    assert 'incompatible type "list[int]"; expected "str"' in await mypy(it, workspace, cache, environment)


@pytest.mark.parametrize("name", STATIC)
async def test_without_our_environment_mypy_passes_a_broken_workspace(
    name: str, installed: Install, tmp_path: Path, cache: Path
) -> None:
    it = installed(name)
    workspace = it.workspace(tmp_path / "ws")
    it.mistype_core(workspace)
    assert "Success" in await mypy(it, workspace, cache, {})


ROOTS = {
    "hatchling src": ("src",),
    "hatchling flat": (".",),
    "hatchling exact": ("src",),
    "setuptools src": ("src",),
    "setuptools flat": (".",),
    "setuptools mapped": (),
    "uv_build src": ("src",),
    "uv_build flat": (".",),
    "copy of hatchling src": (),
}


@pytest.mark.parametrize("name", ROOTS)
def test_source_roots_are_read_from_the_environment(name: str, installed: Install) -> None:
    it = installed(name)
    sites = site_directories(it.project.python, it.project.environment)
    assert source_roots(it.main, sites) == ROOTS[name]


def test_installed_copies_are_told_from_editable_ones(installed: Install) -> None:
    found = {}
    for name in ("copy of hatchling src", "hatchling src", "uv_build flat"):
        it = installed(name)
        sites = site_directories(it.project.python, it.project.environment)
        found[name] = [
            (path.relative_to(it.main).parts[-1], source) for path, source in installed_copies(it.main, sites)
        ]
    assert found == {"copy of hatchling src": [("shop", "src/shop")], "hatchling src": [], "uv_build flat": []}


def test_modules_are_found_in_the_environment_and_through_its_path_files(installed: Install) -> None:
    it = installed("hatchling src")
    sites = site_directories(it.project.python, it.project.environment)
    assert [has_module(name, sites) for name in ("shop", "pytest", "no_such_module")] == [True, True, False]


def test_mypy_path_has_existing_folders_of_the_workspace_alone(installed: Install, tmp_path: Path) -> None:
    it = installed("hatchling src")
    workspace = it.workspace(tmp_path / "ws")
    assert mypy_path(it.project, workspace) == (str(workspace / "src"), str(workspace))
    flat = installed("hatchling flat")
    workspace = flat.workspace(tmp_path / "flat")
    assert mypy_path(flat.project, workspace) == (str(workspace),)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Make an environment of nothing but an executable."""

    def environment(name: str, program: str = "python", *marker: str) -> Path:
        path = tmp_path / name / "bin" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        for one in marker:
            (tmp_path / name / one).write_text("")
        return path

    return environment


def test_local_environment_comes_before_the_active_one(make: Callable[..., Path], tmp_path: Path) -> None:
    active, second, first = make("active"), make("root/venv"), make("root/.venv", "python3")
    environ = {"VIRTUAL_ENV": str(tmp_path / "active")}
    assert find_project(tmp_path / "root", environ).python == first
    first.unlink()
    assert find_project(tmp_path / "root", environ) == Project(tmp_path / "root", second, tmp_path / "root/venv")
    second.unlink()
    assert find_project(tmp_path / "root", environ) == Project(tmp_path / "root", active, tmp_path / "active")


def test_conda_then_path_then_our_own_interpreter(make: Callable[..., Path], tmp_path: Path) -> None:
    conda, on_path = make("conda"), make("tools", "python3", "pyvenv.cfg")
    both = {"CONDA_PREFIX": str(tmp_path / "conda"), "PATH": str(on_path.parent)}
    assert find_project(tmp_path, both).python == conda
    assert find_project(tmp_path, {"PATH": both["PATH"]}) == Project(tmp_path, on_path, tmp_path / "tools")
    own = find_project(tmp_path, {})
    assert (own.python, own.environment) == (Path(sys.executable), Path(sys.executable).parent.parent)


def test_active_environment_that_is_gone_is_passed_over(make: Callable[..., Path], tmp_path: Path) -> None:
    environ = {"VIRTUAL_ENV": str(tmp_path / "gone"), "PATH": str(make("tools").parent)}
    assert find_project(tmp_path, environ) == Project(tmp_path, tmp_path / "tools/bin/python")


def test_environment_holds_no_secret_and_leads_to_the_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, workspace = tmp_path / "main", tmp_path / "ws"
    for root in (main, workspace):
        TemporaryRepository(root).write({"lib/a.py": "", "tools/b": "", ".venv/bin/python": ""})
    monkeypatch.setenv("SOME_TOKEN", "hidden")
    monkeypatch.setenv("VIRTUAL_ENV", str(main / ".venv"))
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", str(main / ".venv"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(main / "lib"), "relative", "/elsewhere")))
    monkeypatch.setenv("MYPYPATH", str(main / "lib"))
    monkeypatch.setenv("PATH", os.pathsep.join((str(main / "tools"), str(main / ".venv/bin"), "/usr/bin")))
    project = Project(main, main / ".venv/bin/python", main / ".venv")
    found = workspace_environment(project, workspace, (), tmp_path / "run")
    paths = {name: found[name].split(os.pathsep) for name in ("PATH", "PYTHONPATH", "MYPYPATH")}
    assert paths == {
        "PATH": [str(main / ".venv/bin"), str(workspace / "tools"), "/usr/bin"],
        "PYTHONPATH": [str(tmp_path / "run/guard"), str(workspace / "lib"), "relative", "/elsewhere"],
        "MYPYPATH": [str(workspace), str(workspace / "lib")],
    }
    assert not {"SOME_TOKEN", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"} & set(found)
    assert found["PYTHONDONTWRITEBYTECODE"] == "1"


def test_guard_of_another_run_does_not_come_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    project = Project(tmp_path / "main", Path(sys.executable))
    outer = workspace_environment(project, tmp_path / "ws", (), tmp_path / "outer")
    monkeypatch.setenv("PYTHONPATH", outer["PYTHONPATH"])
    inner = workspace_environment(project, tmp_path / "ws", (), tmp_path / "inner")
    assert inner["PYTHONPATH"] == str(tmp_path / "inner/guard")


METADATA = {
    "a copy": ('{"url": "file://MAIN", "dir_info": {}}', "shop/__init__.py,,\nshop-1.dist-info/RECORD,,\n", ["shop"]),
    "a copy of one file": ('{"url": "file://MAIN"}', "tool.py,,\n../../bin/tool,,\n", ["tool.py"]),
    "editable": ('{"url": "file://MAIN", "dir_info": {"editable": true}}', "shop/__init__.py,,\n", []),
    "of another folder": ('{"url": "file:///elsewhere"}', "shop/__init__.py,,\n", []),
    "from an index": ('{"url": "https://MAIN"}', "shop/__init__.py,,\n", []),
    "not JSON": ("{", "shop/__init__.py,,\n", []),
    "other JSON": ("[1]", "shop/__init__.py,,\n", []),
    "without sources": ('{"url": "file://MAIN"}', "gone/__init__.py,,\n", []),
    "without a record": ('{"url": "file://MAIN"}', None, []),
}


@pytest.mark.parametrize("case", METADATA)
def test_copies_are_what_the_metadata_says(case: str, tmp_path: Path) -> None:
    told, record, expected = METADATA[case]
    main, site = tmp_path / "main dir", tmp_path / "site"
    TemporaryRepository(main).write({"src/shop/__init__.py": "", "tool.py": ""})
    url = told.replace("MAIN", str(main).replace(" ", "%20"))
    TemporaryRepository(site).write({"shop-1.dist-info/direct_url.json": url})
    if record is not None:
        TemporaryRepository(site).write({"shop-1.dist-info/RECORD": record})
    assert [path.name for path, _ in installed_copies(main, (site,))] == expected
