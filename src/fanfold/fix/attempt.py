"""One branch: an agent works on one file in a workspace of its own until what it made is verified."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fanfold.agents.protocol import AgentError, Assignment, Report
from fanfold.engine import DeadlineExceeded
from fanfold.fix.bench import Bench
from fanfold.fix.confine import Place
from fanfold.fix.effort import Effort, usage_of
from fanfold.fix.prompt import build_prompt
from fanfold.fix.split import Task
from fanfold.fix.trail import Trail, by_rule, new_id
from fanfold.fix.undecodable import schema_of
from fanfold.fix.verify import Judge, Judgement, TestTree
from fanfold.git import Change, Workspace, WorkspaceError
from fanfold.git.sweep import remove
from fanfold.llm.usage import Usage


@dataclass(frozen=True)
class Attempted:
    """What became of one task in its workspace; plain data, which may come from another machine.

    `change` is set only if it was verified. `agent_s` is the time that the agents themselves took, `efforts` what each
    try took. `parcel` holds what the change needs of its own objects where it comes from another machine, `trail` what
    was said and done there; nothing else has them.
    """

    task: Task
    change: Change | None
    verdict: Judgement
    attempts: int
    agent_s: float
    refused: tuple[str, ...] = ()
    parcel: str | None = None
    trail: tuple[Trail, ...] = ()
    efforts: tuple[Effort, ...] = ()

    @property
    def usage(self) -> Usage | None:
        """What all attempts took together, as far as it is known; None = nothing is known of any."""
        return usage_of(self.efforts)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Files may have names that aren't UTF-8."""
        return schema_of(source, handler)


async def attempt(bench: Bench, task: Task, *, told: str = "", test: TestTree | None = None) -> Attempted:
    """Let the agent try until its change is verified whole, or it has no tries left; the best one counts.

    Args:
        told: what is known before the first attempt.
        test: runs tests on a verified change and names what it breaks; None = not here.
    Raises:
        AgentError, DeadlineExceeded: every try ended without anything to judge.
    """
    async with bench.pool.lease(bench.baseline.commit) as workspace:
        await asyncio.to_thread(_seed, bench.cache, workspace.cache)
        judge = Judge(bench.baseline, bench.repository, bench.project, workspace, task, test)
        return await _try_until_verified(bench, judge, told)


async def _try_until_verified(bench: Bench, judge: Judge, feedback: str) -> Attempted:
    tries = 1 if bench.agent.deterministic else bench.settings.max_attempts
    best: Attempted | None = None
    failure: AgentError | DeadlineExceeded = AgentError("no attempt was made")
    agent_s = 0.0
    for number in range(1, tries + 1):
        if number > 1:
            await judge.workspace.reset()
        trail = await _begun(bench, judge, number, feedback)
        started_s = time.monotonic()
        try:
            report = await _work(bench, judge, number, feedback, trail.prompt)
        except (AgentError, DeadlineExceeded) as error:
            failure, feedback, report = error, str(error), Report(refused=(str(error),))
            trail = replace(trail, error=str(error))
            if not await judge.restore_best():
                await _keep(bench, judge, replace(trail, agent_s=time.monotonic() - started_s))
                continue
        finally:
            took_s = time.monotonic() - started_s
            agent_s += took_s
        try:
            change, verdict = await judge.examine()
        except WorkspaceError:
            if best is None:
                raise
            break
        told = replace(trail, agent_s=took_s, transcript=report.transcript, summary=report.summary)
        await _keep(bench, judge, replace(told, refused=report.refused), change, verdict)
        latest = Attempted(judge.task, change if verdict.ok else None, verdict, number, agent_s, report.refused)
        best = latest if best is None else _better(best, latest)
        if verdict.ok and not verdict.left:
            break
        feedback = _feedback(verdict)
    if best is None:
        raise failure
    return replace(best, attempts=number, agent_s=agent_s)


async def _begun(bench: Bench, judge: Judge, number: int, feedback: str) -> Trail:
    return Trail(
        id=new_id(),
        path=judge.task.path,
        number=number,
        agent=bench.agent.name,
        started_s=time.time(),
        prompt=await _prompt(bench, judge.task, judge.workspace, feedback),
        asked=by_rule(judge.task.findings),
    )


async def _keep(
    bench: Bench, judge: Judge, trail: Trail, change: Change | None = None, verdict: Judgement | None = None
) -> None:
    """Write down what was said and done, and what came of it."""
    if bench.trails is None:
        return
    if change is not None and not change.empty:
        diff = await bench.pool.patch(change.base, change.tree)
        trail = replace(trail, diff=diff.decode("utf-8", "surrogateescape"))
    if verdict is not None:
        trail = replace(trail, ok=verdict.ok, fixed=verdict.fixed, left=verdict.left, reasons=verdict.reasons)
        gone = set(verdict.gone)
        trail = replace(trail, missed=by_rule(one for one in judge.task.findings if one not in gone))
    await bench.trails.keep(judge.task.key, trail)


async def _work(bench: Bench, judge: Judge, number: int, feedback: str, prompt: str) -> Report:
    workspace, task = judge.workspace, judge.task
    assignment = Assignment(
        root=workspace.root,
        path=task.path,
        findings=task.findings,
        prompt=prompt,
        scratch=_scratch(workspace),
        verify=judge.verify,
        attempt=number,
        feedback=feedback,
        commands=bench.commands,
        select=bench.settings.select,
        ignore=bench.settings.ignore,
        formats=bench.formats is not None and await bench.formats(workspace, task.path),
        annotate=bench.settings.annotate,
        max_file_bytes=bench.settings.workspace_max_bytes,
        material=bench.brief.material,
    )
    work = partial(_worked, bench, assignment)
    return await bench.confinement.carry_out(workspace, task.path, assignment.scratch, work)


async def _worked(bench: Bench, assignment: Assignment, place: Place) -> Report:
    assignment = replace(assignment, sandbox=place.sandbox, environment=place.environment)
    try:
        async with asyncio.timeout(bench.settings.deadline_s):
            return await bench.agent.work(assignment)
    except TimeoutError:
        raise DeadlineExceeded(
            f"agent {bench.agent.name} did not finish within {bench.settings.deadline_s:g} s",
            hint="give it more time with --deadline",
        ) from None


async def _prompt(bench: Bench, task: Task, workspace: Workspace, feedback: str) -> str:
    if bench.agent.deterministic:
        return ""
    code = (workspace.root / task.path).read_text("utf-8", "replace")
    return build_prompt(task, code, bench.brief.material, feedback)


def _better(best: Attempted, latest: Attempted) -> Attempted:
    """The one that fixes more; a change that may land beats any that may not."""
    better = (latest.verdict.ok, latest.verdict.fixed) >= (best.verdict.ok, best.verdict.fixed)
    return latest if better else best


def _feedback(verdict: Judgement) -> str:
    if verdict.ok:
        return f"{verdict.fixed} findings were fixed, {verdict.left} are left; what was done so far is not in the file."
    return "\n".join(verdict.reasons) or "nothing was changed"


def _scratch(workspace: Workspace) -> Path:
    scratch = workspace.cache / "scratch"
    with contextlib.suppress(OSError):
        if not scratch.is_symlink() and not any(scratch.iterdir()):
            return scratch
    remove(os.fsencode(scratch))
    scratch.mkdir(parents=True)
    return scratch


def _seed(source: Path, target: Path) -> None:
    """A type checker that starts from the base's cache answers in a third of the time."""
    for cache in source.iterdir() if source.is_dir() else ():
        if not (target / cache.name).exists() and cache.is_dir():
            shutil.copytree(cache, target / cache.name)
