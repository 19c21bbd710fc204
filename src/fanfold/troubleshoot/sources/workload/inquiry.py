"""One incident at one scheduler: which jobs it is about, and all that is asked of each, in parallel."""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from fanfold.engine import BranchError, Done, Limit, Outcome, fan_out
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.workload.api import PlanApi, Relation
from fanfold.troubleshoot.sources.workload.choose import (
    FAR_PAST,
    by_weight,
    distances,
    is_same,
    one_of_each,
    telling_first,
)
from fanfold.troubleshoot.sources.workload.found import Finder
from fanfold.troubleshoot.sources.workload.joblog import read_log
from fanfold.troubleshoot.sources.workload.plan import Job, JobName
from fanfold.troubleshoot.sources.workload.settings import WorkloadSettings

T = TypeVar("T")
LOG = logging.getLogger(__name__)
Part = Callable[[], Awaitable[list[Evidence]]]

MOST_INSTANCES = 50
MOST_FAILING = 100
MOST_RUNS = 3
MOST_UPSTREAM = 3
MOST_PREDECESSORS = 8
MOST_SUCCESSORS = 8


@dataclass(frozen=True, slots=True)
class Failing:
    """What fails in the plan."""

    evidence: tuple[Evidence, ...]
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What there is under one name: the jobs to look into, and by their ids other instances of each."""

    jobs: tuple[Job, ...] = ()
    others: Mapping[str, tuple[Job, ...]] = field(default_factory=dict)
    notes: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One incident at one scheduler."""

    api: PlanApi
    finder: Finder
    settings: WorkloadSettings
    limit: Limit
    incident: Incident
    until_s: float

    async def evidence(self) -> list[Evidence]:
        """All that was found, the most telling first."""
        notes: list[Evidence] = []
        plan, jobs, others = await self._jobs(notes)
        parts = {f"job {job.id}": self._looking_into(job, others.get(job.id, ())) for job in jobs}
        titles = {f"job {job.id}": job.title for job in jobs}
        for name in dict.fromkeys(name for job in jobs for name in _places(job)):
            parts[f"workstation {name}"] = self._workstation(name)
            titles[f"workstation {name}"] = f"workstation {name}"
        pieces = self._kept(await self._together(parts), titles, notes)
        return by_weight([*(self.finder.job(job) for job in jobs), *pieces, *plan, *notes], {job.name for job in jobs})

    async def _jobs(self, notes: list[Evidence]) -> tuple[list[Evidence], list[Job], dict[str, tuple[Job, ...]]]:
        """What the plan is like, the jobs to look into, and other instances of each."""
        names = list(dict.fromkeys(self.incident.jobs))
        parts: dict[str, Callable[[], Awaitable[object]]] = {f"job {name}": self._finding(name) for name in names}
        first = await self._together({**parts, "the jobs that fail": self._failing})
        if not any(isinstance(outcome, Done) for outcome in first.values()):
            raise _why_nothing(first)
        plan: list[Evidence] = []
        jobs: list[Job] = []
        others: dict[str, tuple[Job, ...]] = {}
        for title, outcome in first.items():
            if not isinstance(outcome, Done):
                notes.append(self._missing(title, outcome.error))
            elif isinstance(outcome.value, Failing):
                plan = list(outcome.value.evidence)
                jobs += [] if names else outcome.value.jobs
            elif isinstance(outcome.value, Named):
                notes += outcome.value.notes
                jobs += outcome.value.jobs
                others |= outcome.value.others
        most = self.settings.max_jobs
        if len(jobs) > most:
            notes.append(
                self.finder.note("plan", f"{len(jobs)} jobs are concerned; the first {most} were looked into.")
            )
        return plan, list({job.id: job for job in jobs}.values())[:most], others

    async def _failing(self) -> Failing:
        found = await self.api.failing(most=MOST_FAILING)
        try:
            in_all = await self.api.count()
        except SourceError:
            in_all = None
        newest = sorted(found.jobs, key=lambda job: job.seen_at or FAR_PAST, reverse=True)
        evidence = self.finder.plan(newest, found.count, in_all)
        if not newest:
            evidence += await self._about_the_engine()
        return Failing(tuple(evidence), tuple(newest))

    def _finding(self, text: str) -> Callable[[], Awaitable[Named]]:
        async def find() -> Named:
            name = JobName.parse(text)
            found = await self.api.find(name, most=MOST_INSTANCES)
            if not found.jobs:
                return Named(notes=tuple(await self._not_there(name, text)))
            chosen = one_of_each(found.jobs, self.incident.until)
            others = {
                job.id: tuple(one for one in found.jobs if is_same(one, job) and one.id != job.id) for job in chosen
            }
            notes = []
            if found.count > len(chosen):
                notes.append(self.finder.note(text, _many(text, found.count, chosen)))
            return Named(jobs=tuple(chosen), others=others, notes=tuple(notes))

        return find

    async def _not_there(self, name: JobName, text: str) -> list[Evidence]:
        """That there is no such job, and which ones have names like it."""
        try:
            known = await self.api.near(name, most=MOST_FAILING)
        except SourceError:
            known = ()
        near = difflib.get_close_matches(name.name.upper(), known, n=5, cutoff=0.5)
        words = f"There is no job of the name {text} in the plan."
        if near:
            words += f" Names like it: {', '.join(near)}."
        return [self.finder.note(text, words), *await self._about_the_engine()]

    async def _about_the_engine(self) -> list[Evidence]:
        try:
            return [self.finder.engine(await self.api.engine(), self.incident.now)]
        except SourceError:
            return []

    def _looking_into(self, job: Job, others: Sequence[Job]) -> Part:
        async def look() -> list[Evidence]:
            parts = {
                "the job log": self._log_of(job),
                "the predecessors": self._before(job),
                "the successors": self._after(job),
            }
            notes: list[Evidence] = []
            pieces = self._kept(await self._together(parts), {part: f"{part} of {job.title}" for part in parts}, notes)
            return [*pieces, *self._earlier(job, others), *notes]

        return look

    def _log_of(self, job: Job) -> Part:
        async def read() -> list[Evidence]:
            run = job.telling_run
            if run is None or run.started is None:
                return []

            async def lines(first: int, last: int, max_bytes: int) -> tuple[str, bool]:
                return await self.api.log_lines(run, first=first, last=last, max_bytes=max_bytes)

            # Time is left for what stands behind the log: a long one must not cost its beginning.
            now_s = asyncio.get_running_loop().time()
            log = await read_log(
                lines, max_bytes=self.settings.max_log_bytes, until_s=now_s + 0.8 * (self.until_s - now_s)
            )
            return self.finder.joblog(job, run, log)

        return read

    def _before(self, job: Job) -> Part:
        async def follow() -> list[Evidence]:
            pieces = [self.finder.waits_for(job, link) for link in job.links if link.type != "job"]
            found = await self._related(job, "predecessor")
            for other, depth in telling_first(found)[:MOST_PREDECESSORS]:
                pieces.append(self.finder.dependency(job, other, relation="predecessor", depth=depth))
            # Whatever failed or runs late before the job may be why it waits or failed.
            causes = [other for other, _ in reversed(found) if other.is_failing or other.status == "EXEC"]
            pieces += [self.finder.job(other) for other in causes[:MOST_UPSTREAM]]
            logs = await self._together({other.id: self._log_of(other) for other in causes[:MOST_UPSTREAM]})
            titles = {other.id: f"the job log of {other.title}" for other in causes}
            notes: list[Evidence] = []
            return [*pieces, *self._kept(logs, titles, notes), *notes]

        return follow

    def _after(self, job: Job) -> Part:
        async def follow() -> list[Evidence]:
            found = await self._related(job, "successor")
            pieces = [
                self.finder.dependency(job, other, relation="successor", depth=depth)
                for other, depth in found[:MOST_SUCCESSORS]
            ]
            if len(found) > MOST_SUCCESSORS:
                text = f"{len(found)} jobs come after {job.title}; the nearest {MOST_SUCCESSORS} are listed."
                pieces.append(self.finder.note(job.name, text))
            return pieces

        return follow

    async def _related(self, job: Job, relation: Relation) -> list[tuple[Job, int]]:
        """Jobs before or after it, with their distances, the nearest first."""
        found = await self.api.related(job, relation, depth=self.settings.depth)
        if found is None:
            raise SourceError(f"this API doesn't tell {relation}s", hint="set api = 2")
        steps = distances(job, found, relation)
        return sorted(((other, steps[other.id]) for other in found), key=lambda pair: pair[1])

    def _earlier(self, job: Job, others: Sequence[Job]) -> list[Evidence]:
        """Earlier runs, of the job itself and of its other instances, and what they come to together."""
        runs = sorted(
            (run for one in (*others, job) for run in one.runs), key=lambda run: run.started or run.ended or FAR_PAST
        )
        earlier = [run for run in runs if run is not job.last_run]
        if not earlier:
            return []
        listed = [self.finder.run(job, run) for run in reversed(earlier[-MOST_RUNS:])]
        return [self.finder.history(job, [run for run in runs if run.status]), *listed]

    def _workstation(self, name: str) -> Part:
        async def look() -> list[Evidence]:
            state = await self.api.workstation(name)
            if state is None:
                return [self.finder.note(name, f"Workstation {name} is not in the plan.")]
            return [self.finder.workstation(state)]

        return look

    async def _together(self, parts: Mapping[str, Callable[[], Awaitable[T]]]) -> dict[str, Outcome[T]]:
        """What came of each part; what isn't there in time is a failure."""
        if not parts:
            return {}
        left_s = max(0.01, self.until_s - asyncio.get_running_loop().time())
        outcomes = await fan_out(lambda key: parts[key](), list(parts), limit=self.limit, total_deadline_s=left_s)
        return dict(zip(parts, outcomes, strict=True))

    def _kept(
        self, outcomes: Mapping[str, Outcome[list[Evidence]]], titles: Mapping[str, str], notes: list[Evidence]
    ) -> list[Evidence]:
        """The evidence of the parts that came to something; of the others a note says why."""
        kept: list[Evidence] = []
        for key, outcome in outcomes.items():
            if isinstance(outcome, Done):
                kept += outcome.value
            else:
                notes.append(self._missing(titles[key], outcome.error))
        return kept

    def _missing(self, what: str, error: Exception) -> Evidence:
        if isinstance(error, SourceError):
            said = f"{error.message} ({error.hint})" if error.hint else error.message
        elif isinstance(error, BranchError):
            said = "there was no time left"
        else:  # whatever else a server may have sent that was not thought of: the other parts stand
            LOG.warning("part_failed", exc_info=error, extra={"source": self.settings.name, "part": what})
            said = f"{type(error).__name__}: {error}"
        return self.finder.note(what, f"Could not be had: {what}: {said}")


def _places(job: Job) -> list[str]:
    """The workstations that a job is on: its own, and where it really ran."""
    run = job.last_run
    return [name for name in dict.fromkeys((job.workstation, run.workstation if run else "")) if name]


def _many(text: str, count: int, chosen: Sequence[Job]) -> str:
    picked = ", ".join(f"{job.title} on {job.workstation}" for job in chosen[:5])
    return f"The plan has {count} instances of {text}; looked into: {picked}."


def _why_nothing(outcomes: Mapping[str, Outcome[object]]) -> Exception:
    """Why nothing could be had: what a part met, unless none had the time to meet anything."""
    errors = [outcome.error for outcome in outcomes.values() if not isinstance(outcome, Done)]
    met = next((error for error in errors if not isinstance(error, BranchError)), None)
    return met or SourceError("the scheduler didn't answer in time", hint="give the source more time: timeout_s")
