"""What `fix` needs to have its branches run on other machines: packed by the run, made use of on each worker.

What travels: the commit's files, the findings, the settings but those about the coordinator's own machine, and what
agents are told of rules and conventions. What doesn't: environment variables (an agent has the keys of the worker that
it runs on), the user's configuration, uncommitted text. A worker has checkers and an environment of its own, and says
no where they don't see what the coordinator's see.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from fanfold.agents import agent_for
from fanfold.config import FixSettings, workspaces_home
from fanfold.fix.attempts.bench import Workplace, bench_of
from fanfold.fix.attempts.prepared import prepared_for
from fanfold.fix.attempts.stages import names_of, stages_of
from fanfold.fix.checkers import Checker, Scope, checkers_for, run_checkers
from fanfold.fix.checkers.invoke import version_of
from fanfold.fix.checkers.sarif import SarifCommand
from fanfold.fix.cluster.cargo import Cargo
from fanfold.fix.cluster.far import FarTill, FarTrails
from fanfold.fix.errors import FixError
from fanfold.fix.findings.finding import Finding
from fanfold.fix.project import Project, find_project
from fanfold.fix.record import Run
from fanfold.fix.suite.run import find_suite
from fanfold.fix.suite.tested import Part, Tester, comparable
from fanfold.git import Bundle, Repository, WorkspacePool, unpacked, write_bundle
from fanfold.process import ProcessError, run
from fanfold.runtimes import get_context

PYTHON = "python"
_ITS_VERSION = "import platform; print(platform.python_version())"


async def pack() -> bytes:
    """What every worker needs for the branches of this run; nothing where it has none.

    Raises:
        FixError: the run's agent can't be had by its name elsewhere.
        BundleError: the commit can't be packed.
    """
    this = get_context(Run)
    if this.bench is None:
        return b""
    if this.given_agent:
        raise FixError(
            f"the agent {names_of(this.stages)} was made for this process, and other machines can't have it",
            hint="name an agent that is installed on all machines, or run on one machine",
        )
    brief = replace(this.bench.brief, settings=_anywhere(this.settings))
    cargo = Cargo(
        brief=brief,
        versions=await versions(this.bench.baseline.checkers, this.repository.root, this.project, this.cache),
        project=this.project,
        cache=this.cache,
        workspaces=workspaces_home(this.settings),
        tested=await _tests_changes(this),
    )
    return await asyncio.to_thread(_joined, cargo.to_json() + b"\n", await _bundle(this))


async def _bundle(this: Run) -> Path:
    """The files of the commit that branches start at, packed once, though more than one flow may send them."""
    base = this.bench.brief.base if this.bench else this.repository.head
    bundle = this.scratch / f"bundle-{base}"
    if not bundle.exists():
        begun = this.scratch / "bundle.begun"
        with begun.open("wb") as file:
            await write_bundle(this.repository, base, file)
        begun.rename(bundle)
    return bundle


def _joined(line: bytes, file: Path) -> bytes:
    """Both as one, without holding either twice: the file may be large."""
    with tempfile.TemporaryFile() as whole, file.open("rb") as source:
        whole.write(line)
        shutil.copyfileobj(source, whole, 1 << 20)
        whole.seek(0)
        return whole.read()


def _anywhere(settings: FixSettings) -> FixSettings:
    """The settings with the program of the agent where it is, if it was given as a path."""
    program, *arguments = settings.agent_command or ("",)
    if os.sep not in program:
        return settings
    return settings.model_copy(update={"agent_command": (str(Path(program).absolute()), *arguments)})


async def _tests_changes(this: Run) -> bool:
    """Whether a change from a worker was to be tested there; waits for the suite's run on the base if so."""
    asked = this.settings.tests == "each" or this.landing.second_on is not None
    return this.tester is not None and asked and comparable((await this.tester.whole()).base)


@contextlib.asynccontextmanager
async def prepare_worker(data: bytes) -> AsyncIterator[Workplace]:
    """Where branches of the run work on this machine: the same commit, with this machine's programs.

    A worker that shares its files with the coordinator, as those of a local cluster do, uses the environment of the
    project and the caches where they are. Any other one finds the project's environment as a run there would
    (the active one, or `python` on PATH), and checks the base once to see that it finds what the coordinator found.

    Raises:
        FixError: a checker is missing, has another version, or finds other things than on the coordinator; the agent
            isn't there; or the data is of another version.
        BundleError: the commit can't be unpacked.
    """
    if not data:
        yield Workplace(elsewhere=True)
        return
    cargo, bundle = _read(data)
    settings, shares = cargo.brief.settings, cargo.cache.is_dir()
    home = cargo.workspaces if shares else workspaces_home(settings)
    # An agent may have a large package to import.
    agents = await asyncio.to_thread(lambda: [agent_for(name, settings) for name in settings.agent])
    stages = stages_of(agents, race=settings.race)
    with tempfile.TemporaryDirectory(prefix="fanfold-", ignore_cleanup_errors=True) as scratch:
        cache = cargo.cache if shares else Path(scratch)
        async with unpacked(bundle, home=home) as repository, WorkspacePool(repository, home=home) as pool:
            project = cargo.project if shares else replace(find_project(repository.root), root=repository.root)
            pool.prepare = (await prepared_for(settings, repository, project)).ready
            checkers = checkers_for(repository.root, _specs(settings, cargo.brief.checkers))
            _refuse_other(cargo, await versions(checkers, repository.root, project, cache))
            if not shares:
                await _refuse_other_findings(cargo, checkers, project, pool, cache)
            async with _tester(cargo, repository, project, pool) as tester:
                bench = bench_of(
                    cargo.brief,
                    repository=repository,
                    project=project,
                    pool=pool,
                    stages=stages,
                    checkers=checkers,
                    cache=cache,
                    tester=tester,
                    trails=FarTrails(),
                    till=FarTill(stages),
                )
                yield Workplace(bench=bench, elsewhere=True)


def _read(data: bytes) -> tuple[Cargo, Bundle]:
    end = data.find(b"\n")
    return Cargo.from_json(data[: max(end, 0)]), Bundle.read(memoryview(data)[end + 1 :])


def _specs(settings: FixSettings, names: Sequence[str]) -> tuple[str, ...]:
    """The checkers as a user would name them, the ones that are commands with their commands."""
    commands = {spec.partition("=")[0].strip(): spec for spec in settings.checks if "=" in spec}
    return tuple(commands.get(name, name) for name in names)


async def versions(checkers: Sequence[Checker], root: Path, project: Project, cache: Path) -> dict[str, str | None]:
    """What the project's Python and each checker that Fanfold knows say of their version.

    A command that writes SARIF isn't asked: there is no telling what it would do.
    """
    scope = Scope(root, project, cache)
    try:
        python = (await run([project.python, "-I", "-S", "-c", _ITS_VERSION], deadline_s=60)).stdout.decode().strip()
    except ProcessError:
        python = ""
    # A last digit of Python's changes nothing of what checkers find.
    told: dict[str, str | None] = {PYTHON: python.rpartition(".")[0] or None}
    for checker in checkers:
        if not isinstance(checker, SarifCommand):
            told[checker.name] = await version_of(checker.command(scope)[0], scope)
    return told


def _refuse_other(cargo: Cargo, here: dict[str, str | None]) -> None:
    wanted_of = {name: wanted for name, wanted in cargo.versions.items() if wanted is not None}
    for name, wanted in wanted_of.items():
        found = here.get(name)
        if found != wanted:
            raise FixError(
                f"{name} is {found or 'of no known version'} on this worker, and {wanted} on the coordinator",
                hint=f"install {name} {wanted} on the worker, too: another version finds other things",
            )


async def _refuse_other_findings(
    cargo: Cargo, checkers: Sequence[Checker], project: Project, pool: WorkspacePool, cache: Path
) -> None:
    """Other packages installed, or other settings of the machine's user: what is found tells them all.

    What the checkers keep of it in their caches saves each workspace the same work.
    """
    settings = cargo.brief.settings
    async with pool.lease(cargo.brief.base) as workspace:
        scope = Scope(workspace.root, project, cache, None, settings.select, settings.exclude)
        census = await run_checkers(checkers, scope)
    for name, error in census.errors.items():
        raise FixError(f"{name} can't check the base on this worker: {error}", hint="make it work there first")
    here, there = (Counter(map(_identity, findings)) for findings in (census.findings, cargo.brief.findings))
    if differing := sorted((here - there) + (there - here)):
        one = differing[0]
        where = "this worker" if one in here - there else "the coordinator"
        count = "1 finding differs" if len(differing) == 1 else f"{len(differing)} findings differ"
        raise FixError(
            f"{count} between this worker and the coordinator: "
            f"{one.checker} {one.rule} at {one.path}:{one.line} is found on {where} only",
            hint="install what the project depends on in the same versions on both",
        )


def _identity(finding: Finding) -> Finding:
    return replace(finding, fingerprint="", message="", url=None)


class _Tester(Tester):
    """The suite on a worker, where it must say something wherever it does so on the coordinator."""

    must_run: bool = False

    async def whole(self) -> Part:
        """All of the suite, as the worker has it.

        Raises:
            FixError: it can't tell good changes from bad ones here.
        """
        part = await super().whole()
        if self.must_run and not comparable(part.base):
            raise FixError(
                f"the tests don't run on this worker: {part.base.error or 'none of them passes'}",
                hint="install what they need there, or test on the coordinator only: --tests batch",
            )
        return part


@contextlib.asynccontextmanager
async def _tester(
    cargo: Cargo, repository: Repository, project: Project, pool: WorkspacePool
) -> AsyncIterator[Tester | None]:
    """The suite here; it runs on the base beside the first attempts, if their changes are to be tested."""
    settings = cargo.brief.settings
    if settings.tests == "none":
        yield None
        return
    suite = find_suite(repository.root, project, settings.test_command, settings.test_deadline_s)
    if suite is not None:
        tester = _Tester(suite, pool, cargo.brief.base)
        tester.must_run = cargo.tested
        async with tester.running(at_once=cargo.tested):
            yield tester
    elif cargo.tested:
        raise FixError(
            "there is no pytest on this worker for the project's tests",
            hint=f"install it into {project.environment or project.python}, or test here only: --tests batch",
        )
    else:
        yield None
