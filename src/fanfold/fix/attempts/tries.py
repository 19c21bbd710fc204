"""One agent's tries at one task, in a workspace of its own, each beginning with the best that was verified so far."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path

from fanfold.agents.protocol import Agent, AgentError, Assignment, BudgetExhausted, Material, Report
from fanfold.engine import DeadlineExceeded
from fanfold.fix.attempts.bench import Bench
from fanfold.fix.attempts.confine import Place
from fanfold.fix.attempts.effort import FREE, Effort
from fanfold.fix.attempts.prompt import build_prompt
from fanfold.fix.attempts.stages import Course, goes_on, name_of
from fanfold.fix.attempts.standing import NO_MORE, Standing
from fanfold.fix.attempts.trail import Trail, by_rule, new_id
from fanfold.fix.attempts.verify import Judge, Judgement, TestTree, Verified
from fanfold.fix.failure import words_of
from fanfold.fix.findings.finding import Finding
from fanfold.fix.findings.split import Task
from fanfold.git import Change, Workspace
from fanfold.git.sweep import remove
from fanfold.llm.usage import Spent, Usage, counted
from fanfold.process import uninterrupted

MAX_REFUSED = 20
"""Fixes that an agent took back, of which the next one is told."""


@dataclass(frozen=True)
class Desk:
    """What all tries at one task have in common.

    Args:
        test: runs tests on a verified change and names what it breaks; None = not here.
        numbers: of tries, in the order in which they begin.
        made: the trees that agents have made, and that were judged.
        examined: what was said of their texts.
    """

    bench: Bench
    task: Task
    course: Course
    test: TestTree | None = None
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    made: set[str] = field(default_factory=set)
    examined: dict[bytes, Judgement] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def judge(self, agent: Agent, best: Verified | None) -> AsyncIterator[Judge]:
        """A workspace, and who judges what is made in it."""
        bench = self.bench
        begun = best.texts if best else ()
        others = tuple(path for path in self.task.others if not agent.deterministic or path in begun)
        task = replace(self.task, others=others)
        async with bench.pool.lease(bench.baseline.commit) as workspace:
            await asyncio.to_thread(_seed, bench.cache, workspace.cache)
            place = bench.baseline, bench.repository, bench.project, workspace
            yield Judge(*place, task, self.test, best, self.examined)


@dataclass(frozen=True)
class Worker:
    """One agent at one task, as part of a stage.

    Args:
        stage: the stage's position, from 0.
        tries: how many there are at most.
        efforts: takes what each try took.
        lane: the agent's place in the stage, from 0.
    """

    desk: Desk
    agent: Agent
    stage: int
    tries: int
    efforts: list[Effort]
    lane: int = 0

    async def work(self, standing: Standing) -> Standing:
        """Try until nothing is left, nothing else is to be expected, or there are no tries left; what was reached then.

        An agent may be anybody's: whatever it raises ends its own tries alone.
        """
        try:
            async with self.desk.judge(self.agent, standing.best) as judge:
                for number in range(1, self.tries + 1):
                    if number > 1 or standing.best is not None:
                        await judge.restore_best()
                    one = _Try(self, judge, number, standing)
                    standing = await one.made()
                    if standing.whole or standing.over or (one.futile and not goes_on(self.agent)):
                        break
        except Exception as error:  # noqa: BLE001  what was verified before doesn't go down with it; see `attempt`
            standing = standing.failed(name_of(self.agent), error, words_of(error))
        return standing


@dataclass
class _Try:
    """One try, from what is asked to what came of it.

    Attributes:
        futile: it brought nothing, made nothing that wasn't made before, and nothing new is known of why: whoever is
            asked now is asked the same.
    """

    worker: Worker
    judge: Judge
    number: int
    standing: Standing
    spent: Spent = field(default_factory=Spent)
    futile: bool = False

    async def made(self) -> Standing:
        """Where the task stands after it.

        Somebody else may be faster, the run may end, something may break: what it took until then is lost to nobody.
        """
        trail, report = await self._worked(await self._begun())
        took = replace(trail.effort, error=_unanswered(report))
        self.worker.efforts.append(took)
        try:
            if isinstance(report, Report):
                after, ok = await self._judged(trail, report)
            elif isinstance(report, AgentError | DeadlineExceeded):
                after, ok = await self._failed(trail, report)
            else:
                raise report
        except BaseException as error:
            stopped = isinstance(error, asyncio.CancelledError)
            await uninterrupted(self._keep(replace(trail, error=_ending(error), stopped=stopped)))
            raise
        self.worker.efforts[-1] = replace(took, ok=ok, fixed=after.fixed - self.standing.fixed)
        return after

    @property
    def _agent(self) -> Agent:
        return self.worker.agent

    async def _worked(self, trail: Trail) -> tuple[Trail, Report | BaseException]:
        """The agent's answer, or what ended it."""
        if (trails := self.worker.desk.bench.trails) is not None:
            await trails.begin(self.standing.task.key, trail)
        started_s = time.monotonic()
        try:
            report = await self._work(trail)
        except BaseException as error:  # noqa: BLE001  raised again when it is written down
            usage = self._usage(error.usage if isinstance(error, AgentError) else None)
            said = error.transcript if isinstance(error, AgentError) else ""
            return replace(trail, usage=usage, transcript=said, agent_s=time.monotonic() - started_s), error
        trail = replace(trail, usage=self._usage(report.usage), agent_s=time.monotonic() - started_s)
        trail = replace(trail, transcript=report.transcript, session=report.session)
        return replace(trail, summary=report.summary, refused=report.refused), report

    async def _judged(self, trail: Trail, report: Report) -> tuple[Standing, bool]:
        name = name_of(self._agent)
        change, verdict = await self._examined()
        refusal, made = verdict.reasons, self.worker.desk.made
        repeated = verdict.checked and change.tree in made
        if self._left_better_behind(verdict):
            made.add(change.tree)
            await self.judge.restore_best()
            change, verdict = await self.judge.examine()
        made.add(change.tree)
        await self._keep(replace(trail, repeated=repeated), change, verdict)
        after = self.standing.judged(name, self.judge.best, change, verdict, report.refused)
        gained = after.fixed > self.standing.fixed
        told = refusal or (report.refused[:MAX_REFUSED] if after.left else ())
        self.futile = not gained and (change.empty or repeated) and self.standing.knows(told)
        idle = () if gained or self._agent.deterministic else (NO_MORE,)
        return after.knowing(name, told or idle), verdict.ok

    async def _examined(self) -> tuple[Change, Judgement]:
        """What the agent made, and what is to be said of it; a checker that could not check is asked once more."""
        change, verdict = await self.judge.examine()
        return (change, verdict) if verdict.checked else await self.judge.examine()

    async def _failed(self, trail: Trail, error: AgentError | DeadlineExceeded) -> tuple[Standing, bool]:
        """An agent that ended without an answer may have verified something by then."""
        name, after, over = name_of(self._agent), self.standing, isinstance(error, BudgetExhausted)
        up = "budget" if over else "time" if isinstance(error, DeadlineExceeded) else ""
        trail = replace(trail, error=str(error), stopped=over, over=up)
        self.futile = isinstance(error, AgentError) and not error.again
        if self.judge.best is not self.standing.best and await self.judge.restore_best():
            change, verdict = await self.judge.examine()
            await self._keep(trail, change, verdict)
            after = after.judged(name, self.judge.best, change, verdict)
        else:
            await self._keep(trail)
        words = (isinstance(error, BudgetExhausted) and error.for_many) or str(error)
        return after.failed(name, error, words, over=over), after is not self.standing

    def _left_better_behind(self, verdict: Judgement) -> bool:
        """Whether the agent had something verified on its way that is better than what it left."""
        best = self.judge.best
        return best is not None and best is not self.standing.best and best.verdict.fixed > verdict.fixed * verdict.ok

    def _usage(self, told: Usage | None) -> Usage | None:
        """What the try took: as the agent says; else what was asked within this process; None = nobody knows."""
        if told is None and self._agent.deterministic:
            return FREE
        return told if told is not None else self.spent.usage if self.spent.asked else None

    async def _begun(self) -> Trail:
        return Trail(
            id=new_id(),
            path=self.standing.task.path,
            number=next(self.worker.desk.numbers),
            agent=name_of(self._agent),
            stage=self.worker.stage,
            lane=self.worker.lane,
            again=bool(self.standing.told),
            started_s=time.time(),
            prompt=await asyncio.to_thread(self._prompt),
            asked=by_rule(self.standing.left),
        )

    def _prompt(self) -> str:
        if self._agent.deterministic:
            return ""
        task = replace(self.judge.task, findings=self.standing.left)
        code = (self.judge.workspace.root / task.path).read_text("utf-8", "replace")
        kept = self.standing.best is not None
        return build_prompt(task, code, self._material, self.standing.feedback, kept=kept, leave=self._leave)

    @property
    def _leave(self) -> tuple[Finding, ...]:
        return self.worker.desk.bench.left_alone(self.standing.task, self.standing.best)

    @property
    def _material(self) -> Material:
        """What all tasks are shown, with what this one's policy adds."""
        material, course = self.worker.desk.bench.brief.material, self.worker.desk.course
        return replace(material, examples={**material.examples, **course.examples})

    async def _work(self, trail: Trail) -> Report:
        bench, workspace, path = self.worker.desk.bench, self.judge.workspace, self.standing.task.path
        assignment = Assignment(
            root=workspace.root,
            path=path,
            others=self.judge.task.others,
            findings=self.standing.left,
            prompt=trail.prompt,
            scratch=_scratch(workspace),
            verify=self.judge.verify,
            attempt=self.number,
            feedback=self.standing.feedback,
            commands=bench.commands,
            select=bench.settings.select,
            ignore=bench.settings.ignore,
            formats=bench.formats is not None and await bench.formats(workspace, path),
            annotate=bench.settings.annotate,
            max_file_bytes=bench.settings.workspace_max_bytes,
            material=self._material,
            leave=self._leave,
        )
        work = partial(self._in_place, trail.id, assignment)
        with counted() as self.spent:
            return await bench.confinement.carry_out(self._agent, workspace, path, assignment.scratch, work)

    async def _in_place(self, trail: str, assignment: Assignment, place: Place) -> Report:
        assignment = replace(assignment, sandbox=place.sandbox, environment=place.environment)
        till, key = self.worker.desk.bench.till, self.standing.task.key
        async with till.attempt(key, self._agent, known_as=trail) as purse:
            told: Usage | None = None
            try:
                report = await self._in_time(replace(assignment, purse=purse))
                told = report.usage
            except AgentError as error:
                told = error.usage
                raise
            finally:
                purse.tell(self._usage(told))
            return report

    async def _in_time(self, assignment: Assignment) -> Report:
        deadline_s = self.worker.desk.bench.settings.deadline_s
        try:
            async with asyncio.timeout(deadline_s):
                return await self._agent.work(assignment)
        except TimeoutError:
            raise DeadlineExceeded(
                f"agent {name_of(self._agent)} did not finish within {deadline_s:g} s",
                hint="give it more time with --deadline",
            ) from None

    async def _keep(self, trail: Trail, change: Change | None = None, verdict: Judgement | None = None) -> None:
        """Write down what was said and done, and what came of it."""
        bench, task = self.worker.desk.bench, self.standing.task
        if bench.trails is None:
            return
        if change is not None and not change.empty:
            diff = await bench.pool.patch(change.base, change.tree)
            made = {one.path: f"{one.new_mode} {one.new_oid}" for one in change.paths}
            trail = replace(trail, diff=diff.decode("utf-8", "surrogateescape"), base=change.base, made=made)
        if verdict is not None:
            trail = replace(trail, ok=verdict.ok, fixed=verdict.fixed, left=verdict.left, reasons=verdict.reasons)
            gone = set(verdict.gone)
            trail = replace(trail, missed=by_rule(one for one in task.findings if one not in gone))
        await bench.trails.keep(task.key, trail)


def _unanswered(report: Report | BaseException) -> str | None:
    """Why there is no answer, where that is the agent's own doing."""
    if not isinstance(report, Exception) or isinstance(report, BudgetExhausted):
        return None
    return words_of(report, hint=False)


def _ending(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "it was stopped: another agent was first, or the run ended"
    return f"{type(error).__name__}: {error}"


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
