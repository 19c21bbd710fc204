"""`fanfold doctor`: what is installed, what is missing and what that means, where each setting comes from."""

from __future__ import annotations

import asyncio
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Literal

from fanfold import __version__
from fanfold.agents.presets import PRESETS
from fanfold.agents.presets.present import present
from fanfold.cli.deliver import show
from fanfold.cli.output import Prose, Quoted
from fanfold.cli.render.sections import Line, Lines, Section, Table
from fanfold.config import settings_with_origins, workspaces_home
from fanfold.errors import FanfoldError
from fanfold.fix.attempts.confine import find_bubblewrap
from fanfold.fix.checkers import Scope
from fanfold.fix.checkers.present import Presence, checkers_present
from fanfold.fix.installed import installed_version, site_directories
from fanfold.fix.project import Project, find_project
from fanfold.git import Repository, why_no_overlays
from fanfold.process import allowed_environment, find_program, run
from fanfold.redact import redact
from fanfold.runtimes.choice import chosen

PROBE_DEADLINE_S = 20.0
NOT_FOUND = "missing"


@dataclass(frozen=True)
class Tool:
    """A program that Fanfold can use.

    Args:
        without: what its absence means, shown where it is missing.
        needed: nothing works without it.
        kind: a program, a module that the project's interpreter runs, a package beside Fanfold's own, or a checker.
    """

    name: str
    without: str
    needed: bool = False
    kind: Literal["program", "module", "package", "checker"] = "program"


TOOLS = (
    Tool("git", "nothing works: install git 2.38 or newer", needed=True),
    Tool("ruff", "the agent autofix and the usual checker are missing: pip install ruff", needed=True, kind="checker"),
    Tool("mypy", "types can't be checked: install it where the project's code runs", kind="checker"),
    Tool("pytest", "tests run with --test-command only: install it where the project's code runs", kind="checker"),
    Tool("coverage", "no report says which changed lines tests run: install it where pytest is", kind="module"),
    Tool("pydantic-ai-slim", "the agent llm needs it: pip install 'fanfold[llm]'", kind="package"),
    Tool("openai", "the agent llm needs it for most models: pip install 'fanfold[llm]'", kind="package"),
    Tool("agent-client-protocol", "the agent acp needs it: pip install 'fanfold[acp]'", kind="package"),
    Tool("autotyping", "--annotate adds nothing: pip install 'fanfold[annotations]'", kind="package"),
    Tool("langgraph", "runs use the runtime native: pip install 'fanfold[langgraph]'", kind="package"),
    Tool("distributed", "--workers and --cluster need it: pip install 'fanfold[cluster]'", kind="package"),
    Tool("bwrap", "agents' programs run without a sandbox: install bubblewrap"),
    Tool("uv", "not needed: environments are read, never made"),
)


@dataclass(frozen=True)
class Probe:
    """What came of looking for a tool; `found` is its own first line about its version, None = missing."""

    tool: Tool
    found: str | None
    path: Path | None


def examine(start: Path | None = None) -> int:
    """Print what there is; 0 where `fanfold fix` can run here, else 1."""
    here = start or Path.cwd()
    sections, well = asyncio.run(_examine(here))
    show(sections)
    return 0 if well else 1


async def _examine(start: Path) -> tuple[tuple[Section, ...], bool]:
    repository, root = await _repository(start)
    project = find_project(root)
    checkers, agents, workspaces, sandbox = await asyncio.gather(
        _checkers(project), _agents(), _workspaces(root), find_bubblewrap()
    )
    probes = await asyncio.gather(*(_probe(tool, project, checkers) for tool in TOOLS))
    settings = _settings(root)
    needed = [probe for probe in probes if probe.found is None and probe.tool.needed]
    sections: tuple[Section, ...] = (
        Lines("", ((f"Fanfold {__version__}, Python {platform.python_version()}, {platform.system()}",),)),
        repository,
        _environment(project),
        _tools(probes),
        _checkers_table(checkers),
        agents,
        workspaces,
        _sandbox(*sandbox),
        Lines(
            "Missing", tuple((f"{probe.tool.name}: {probe.tool.without}",) for probe in probes if probe.found is None)
        ),
        _plugins(),
        settings,
    )
    well = not needed and isinstance(settings, Table) and repository.title == "Repository"
    return tuple(section for section in sections if not isinstance(section, Lines) or section.lines), well


async def _repository(start: Path) -> tuple[Lines, Path]:
    try:
        repository = await Repository.open(start)
        state = await repository.working_state()
        lines: list[Line] = [
            ("root: ", Quoted(repository.root)),
            ("branch: ", Quoted(repository.branch or "none, HEAD is detached"), f" at {repository.head[:10]}"),
        ]
        dirty = len({*state.staged, *state.unstaged, *state.untracked})
        if dirty:
            lines.append((f"files with uncommitted text: {dirty}; findings in that text are left out",))
        return Lines("Repository", tuple(lines)), repository.root
    except FanfoldError as error:
        return _trouble("Repository: can't be used", error), start


def _environment(project: Project) -> Lines:
    environment = "none found" if project.environment is None else str(project.environment)
    return Lines(
        "Project's Python", (("interpreter: ", Quoted(project.python)), ("environment: ", Quoted(environment)))
    )


async def _probe(tool: Tool, project: Project, checkers: Sequence[Presence]) -> Probe:
    if tool.kind == "package":
        return _package(tool)
    if tool.kind == "checker":
        one = next((one for one in checkers if one.name == tool.name), Presence(tool.name))
        return Probe(tool, one.version and f"{one.name} {one.version}", one.path)
    if tool.kind == "module":
        return await _module(tool, project)
    path = find_program(tool.name, environment=project.environment)
    return Probe(tool, None, None) if path is None else await _asked(tool, [path], project)


async def _module(tool: Tool, project: Project) -> Probe:
    sites = site_directories(project.python, project.environment)
    if installed := await asyncio.to_thread(installed_version, tool.name, sites):
        return Probe(tool, f"{tool.name} {installed}", project.python)
    return await _asked(tool, [project.python, "-m", tool.name], project)


async def _asked(tool: Tool, argv: Sequence[str | Path], project: Project) -> Probe:
    path = Path(argv[0])
    try:
        done = await run([*argv, "--version"], cwd=project.root, env=allowed_environment(), deadline_s=PROBE_DEADLINE_S)
    except FanfoldError:
        return Probe(tool, None, path)
    said = (done.stdout or done.stderr).decode(errors="replace").strip().splitlines()
    return Probe(tool, said[0] if done.returncode == 0 and said else None, path)


def _package(tool: Tool) -> Probe:
    try:
        return Probe(tool, f"{tool.name} {version(tool.name)}", Path(sys.prefix))
    except PackageNotFoundError:
        return Probe(tool, None, None)


def _tools(probes: list[Probe]) -> Table:
    rows = tuple(
        (
            probe.tool.name,
            Prose(probe.found or NOT_FOUND),
            Quoted(probe.path if probe.found is not None and probe.path is not None else ""),
        )
        for probe in probes
    )
    return Table("Tools", ("tool", "version", "where"), rows, 3)


async def _checkers(project: Project) -> tuple[Presence, ...]:
    try:
        specs = settings_with_origins(project.root, {})[0].checks
    except FanfoldError:
        specs = ()  # what is wrong with the settings is told with them
    with tempfile.TemporaryDirectory(prefix="fanfold-") as cache:
        return await checkers_present(Scope(project.root, project, Path(cache)), specs)


def _checkers_table(found: Sequence[Presence]) -> Table:
    """The checkers that are known, with the version of each that is there."""
    rows = tuple(
        (
            one.name,
            Prose(one.trouble or one.version or (NOT_FOUND if one.path is None else "there")),
            "yes" if one.runs else "",
            Quoted(one.path or ""),
        )
        for one in found
    )
    return Table("Checkers", ("checker", "version", "runs here", "where"), rows, 4)


def _sandbox(bubblewrap: Path | None, why: str) -> Lines:
    """What keeps agents' programs in their workspace here, whatever the settings ask for."""
    if bubblewrap is None:
        line: Line = (Prose(f"none: {why}; agents' programs can read and write whatever you can"),)
        return Lines("Sandbox", (line, ("the checkout is watched meanwhile; autofix needs no sandbox",)))
    return Lines("Sandbox", (("bubblewrap works: agents' programs write in their workspace only",),))


def _plugins() -> Lines:
    lines = [
        (f"{kind}: ", Quoted(", ".join(sorted({point.name for point in entry_points(group=f"fanfold.{kind}")}))))
        for kind in ("agents",)
    ]
    return Lines("Known", tuple(lines))


async def _agents() -> Table:
    """The programs that presets call, and how those are installed that aren't there."""
    with tempfile.TemporaryDirectory() as folder:
        found = {one.preset.name: one for one in await present(PRESETS, Path(folder))}
    rows = tuple(
        (preset.name, Prose(there.version or "names no version"), Quoted(there.path))
        if (there := found.get(preset.name)) is not None
        else (preset.name, Prose(NOT_FOUND), Prose(preset.install))
        for preset in PRESETS
    )
    return Table("Agents' programs", ("agent", "version", "where, or how to install it"), rows, 3)


async def _workspaces(root: Path) -> Lines:
    try:
        settings, _ = settings_with_origins(root, {})
    except FanfoldError:
        return Lines("Workspaces", ())  # what is wrong with the settings is told with them
    home = workspaces_home(settings)
    reason = await why_no_overlays(home)
    kind = settings.workspace_kind
    used = kind if kind != "auto" else "plain" if reason else "overlay"
    why = f", since overlays can't be used: {reason}" if reason and kind != "plain" else ""
    return Lines("Workspaces", (("kind: ", used, Prose(why)), ("in: ", Quoted(home))))


def _settings(root: Path) -> Section:
    try:
        settings, origins = settings_with_origins(root, {})
    except FanfoldError as error:
        return _trouble("Settings: can't be used", error)
    rows = tuple(
        (name, Quoted(redact(_shown(name, getattr(settings, name)))), origin) for name, origin in origins.items()
    )
    return Table("Settings", ("setting", "value", "from"), rows, 3)


def _shown(name: str, value: object) -> str:
    if value is None or value == ():
        return "-"
    if name == "runtime" and value == "auto":
        return f"auto, which is {chosen('auto')} here"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _trouble(title: str, error: FanfoldError) -> Lines:
    lines: list[Line] = [(Prose(error.message),)]
    if error.hint:
        lines.append(("hint: ", Prose(error.hint)))
    return Lines(title, tuple(lines))
