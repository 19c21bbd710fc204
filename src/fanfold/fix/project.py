"""The user's project: where it is, which interpreter it runs on, and how to run that on a workspace's code."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from fanfold.fix.guard import Guarded, guard_environment
from fanfold.fix.installed import (
    installed_copies,
    own_environment,
    running_interpreter,
    site_directories,
    source_roots,
)
from fanfold.process.environ import allowed_environment

LOCAL_ENVIRONMENTS = (".venv", "venv")
PASSED = (
    *("CI", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD"),
    *("DJANGO_SETTINGS_MODULE", "CONDA_PREFIX"),
    *("PYTHONWARNINGS", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONDEVMODE", "PYTHONASYNCIODEBUG"),
)
"""Variables that steer how Python code and its tests run, and hold no secrets."""


@dataclass(frozen=True)
class Project:
    """A project and its environment.

    `environment` is the virtual environment's directory, None where there is none; `python` is the interpreter
    that the project's tests and type checker run on.
    """

    root: Path
    python: Path
    environment: Path | None = None


def find_project(root: Path, environ: Mapping[str, str] | None = None) -> Project:
    """The project at `root` with the environment that its user would take.

    Args:
        root: the checkout's root.
        environ: the caller's environment variables, None = those of this process.
    Returns:
        With `.venv` or `venv` in the root, else the active virtual or conda environment, else python from PATH,
        else the interpreter that Fanfold runs on. Nothing is made or changed.
    """
    environ = os.environ if environ is None else environ
    candidates = [root / name for name in LOCAL_ENVIRONMENTS]
    candidates += [Path(environ[name]) for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if environ.get(name)]
    for environment in candidates:
        if python := _interpreter(environment):
            return Project(root, python, environment.absolute())
    for name in ("python", "python3"):
        if on_path := shutil.which(name, path=environ.get("PATH", "")):
            return Project(root, Path(on_path).absolute(), own_environment(Path(on_path).absolute()))
    return Project(root, running_interpreter(), own_environment(running_interpreter()))


def _interpreter(environment: Path) -> Path | None:
    for name in ("python", "python3"):
        path = environment / "bin" / name
        if path.is_file() and os.access(path, os.X_OK):
            return path.absolute()  # a link stays a link: it is how Python knows its environment
    return None


def workspace_environment(
    project: Project,
    workspace_root: Path,
    tracked: Collection[str] | None,
    report_dir: Path,
    *,
    redirect: bool = True,
) -> dict[str, str]:
    """The whole environment for a program of the project's that is to run on a workspace's code.

    Args:
        workspace_root: the working tree whose code is to be imported.
        tracked: paths that git knows, relative to the root; what git doesn't know (generated, compiled) and the
            workspace lacks may come from the main checkout. None = not known: then no Python source may.
        report_dir: a directory of this run alone, outside of both trees; `guard.read_reports` reads what
            the run's processes left there.
        redirect: turn imports to the workspace; without it the guard only watches.
    Returns:
        Allowed variables of the caller's (no secrets), the environment's programs first on PATH, the import
        guard first on PYTHONPATH (and `src`, where the project isn't installed), MYPYPATH, a fixed hash seed, no
        bytecode.
    """
    sites = site_directories(project.python, project.environment)
    guarded = Guarded(
        main=project.root,
        workspace=workspace_root,
        apart=() if project.environment is None else (project.environment,),
        copies=installed_copies(project.root, sites),
        tracked=tracked,
        redirect=redirect,
    )
    guard = guard_environment(guarded, report_dir)
    is_installed = bool(guarded.copies or source_roots(project.root, sites))
    sources = () if is_installed else _sources(workspace_root)
    moved = _Moved(project, workspace_root)
    overrides = {
        **guard,
        "PATH": os.pathsep.join(moved.programs()),
        "PYTHONPATH": os.pathsep.join((guard["PYTHONPATH"], *moved.variable("PYTHONPATH"), *sources)),
        "MYPYPATH": os.pathsep.join(mypy_path(project, workspace_root)),
        "PYTHONDONTWRITEBYTECODE": "1",
        # Tests that hang on the order of a set must not tell base and change apart.
        "PYTHONHASHSEED": "0",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(report_dir / "hypothesis"),
    }
    return allowed_environment(PASSED, overrides)


def _sources(workspace_root: Path) -> tuple[str, ...]:
    """Where a package lies that is not installed: its tests can be run all the same."""
    source = workspace_root / "src"
    return (str(source),) if source.is_dir() and not (source / "__init__.py").exists() else ()


def mypy_path(project: Project, workspace_root: Path) -> tuple[str, ...]:
    """MYPYPATH on which the workspace's modules come before those of any installation, first entry first."""
    sites = site_directories(project.python, project.environment)
    roots = [workspace_root / root for root in ("src", *source_roots(project.root, sites))]
    found = [str(root) for root in (*roots, workspace_root) if root.is_dir()]
    return tuple(dict.fromkeys((*found, *_Moved(project, workspace_root).variable("MYPYPATH"))))


@dataclass(frozen=True)
class _Moved:
    """The caller's search paths, with what lies in the main checkout moved to the workspace."""

    project: Project
    workspace: Path

    def variable(self, name: str) -> tuple[str, ...]:
        """Entries of a path variable; a guard of another run is left out."""
        entries = [entry for entry in os.environ.get(name, "").split(os.pathsep) if entry]
        return tuple(self._entry(entry) for entry in entries if not (Path(entry) / "fanfold_guard.py").exists())

    def programs(self) -> tuple[str, ...]:
        """PATH, the environment's programs first."""
        own = self.project.environment / "bin" if self.project.environment else self.project.python.parent
        return tuple(dict.fromkeys((str(own), *self.variable("PATH"))))

    def _entry(self, entry: str) -> str:
        path, environment = Path(entry), self.project.environment
        if not path.is_relative_to(self.project.root) or (environment and path.is_relative_to(environment)):
            return entry
        moved = self.workspace / path.relative_to(self.project.root)
        return str(moved) if moved.is_dir() else entry
