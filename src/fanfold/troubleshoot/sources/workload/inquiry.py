"""One incident at one scheduler: which jobs it is about, and all that is asked of each, in parallel."""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fanfold.engine import BranchError, Done, Limit, Outcome, fan_out
from fanfold.troubleshoot.evidence import Evidence
from fanfold.troubleshoot.incident import Incident
from fanfold.troubleshoot.sources.protocol import SourceError
from fanfold.troubleshoot.sources.workload.api import PlanApi, Relation
from fanfold.troubleshoot.sources.workload.choose import (
    FAR_PAST,
    by_title,
    by_weight,
    distances,
    is_same,
    one_of_each,
    telling_first,
)
from fanfold.troubleshoot.sources.workload.found import Finder
from fanfold.troubleshoot.sources.workload.joblog import read_log, read_through
from fanfold.troubleshoot.sources.workload.plan import Job, JobName
from fanfold.troubleshoot.sources.workload.settings import WorkloadSettings

T = TypeVar("T")
LOG = logging.getLogger(__name__)
Part = Callable[[], Awaitable[list[Evidence]]]

WHICH = "which scheduler it is"
MOST_INSTANCES = 50
MOST_FAILING = 100
MOST_RUNS = 3
MOST_UPSTREAM = 3
MOST_PREDECESSORS = 8
MOST_SUCCESSORS = 8


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Until when parts may take, on the loop's clock: a part within a part ends before that does, and is kept.

    Attributes:
        ends_s: for the outermost parts; what is left of the source's time then is for what they found.
        margin_s: so much earlier for each step inwards.
    """

    ends_s: float
    margin_s: float

    @classmethod
    def beginning(cls, now_s: float, timeout_s: float) -> Deadlines:
        """The deadlines of a source that has `timeout_s` from now."""
        return cls(now_s + 0.95 * timeout_s, 0.05 * timeout_s)

    def at(self, depth: int) -> float:
        """The deadline of parts that stand so deep within others; 0 = the outermost."""
        return self.ends_s - depth * self.margin_s


@dataclass(frozen=True, slots=True)
class Found:
    """What a part came to: evidence, and the names of the jobs that it is about."""

    evidence: list[Evidence]
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One incident at one scheduler."""

    api: PlanApi
    finder: Finder
    settings: WorkloadSettings
    limit: Limit
    incident: Incident
    deadlines: Deadlines

    async def evidence(self) -> list[Evidence]:
        """All that was found, the most telling first.

        Raises:
            SourceError: nothing could be had.
        """
        names = list(dict.fromkeys(self.incident.jobs))
        most = self.settings.max_jobs
        parts: dict[str, Callable[[], Awaitable[Found]]] = {f"job {name}": self._named(name) for name in names[:most]}
        parts["the jobs that fail"] = self._failing(look=not names)
        if self.settings.leaves_open(self.incident.instance):
            parts[WHICH] = self._whether_meant
        outcomes = await self._together(parts, depth=0)
        which = outcomes.pop(WHICH, None)
        done = [outcome.value for outcome in outcomes.values() if isinstance(outcome, Done)]
        if not done:
            raise _why_nothing(outcomes)
        pieces = [piece for found in done for piece in found.evidence]
        for title, outcome in outcomes.items():
            if not isinstance(outcome, Done):
                pieces.append(self._missing(title, outcome.error))
        if isinstance(which, Done):
            pieces += which.value.evidence
        if len(names) > most:
            pieces.append(self._too_many(len(names)))
        return by_weight(pieces, {name for found in done for name in found.about})

    def _failing(self, *, look: bool) -> Callable[[], Awaitable[Found]]:
        async def find() -> Found:
            found = await self.api.failing(most=MOST_FAILING)
            newest = sorted(found.jobs, key=lambda job: job.seen_at or FAR_PAST, reverse=True)
            try:
                in_all = await self.api.count()
            except SourceError:
                in_all = None
            evidence = self.finder.plan(newest, found.count, in_all)
            if not newest:
                evidence += await self._about_the_engine()
            if not look:
                return Found(evidence)
            chosen = newest[: self.settings.max_jobs]
            if found.count > len(chosen):
                evidence.append(self._too_many(found.count))
            evidence += await self._looked_into(chosen, {})
            return Found(evidence, tuple(job.name for job in chosen))

        return find

    def _named(self, text: str) -> Callable[[], Awaitable[Found]]:
        async def find() -> Found:
            name = JobName.parse(text)
            found = await self.api.find(name, most=MOST_INSTANCES)
            if not found.jobs:
                return Found(await self._not_there(name, text))
            chosen = one_of_each(found.jobs, self.incident.until)[: self.settings.max_jobs]
            others = {job.id: [one for one in found.jobs if is_same(one, job) and one.id != job.id] for job in chosen}
            evidence = await self._looked_into(chosen, others)
            if found.count > len(chosen):
                evidence.append(self.finder.note(text, _many(text, found.count, chosen)))
            return Found(evidence, tuple(job.name for job in chosen))

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

    async def _whether_meant(self) -> Found:
        """A note where the scheduler calls itself something else than the instance that is meant."""
        name, meant = (await self.api.engine()).name, self.incident.instance or ""
        if name.casefold() in ("", meant.casefold()):
            return Found([])
        words = f"The scheduler that was asked calls itself {name}. No scheduler is configured by the name of {meant}."
        return Found([self.finder.note("scheduler", words)])

    def _too_many(self, count: int) -> Evidence:
        most = self.settings.max_jobs
        return self.finder.note("plan", f"{count} jobs are concerned; the first {most} were looked into.")

    async def _looked_into(self, jobs: Sequence[Job], others: Mapping[str, Sequence[Job]]) -> list[Evidence]:
        """The jobs, and all that can be had about each; what can't is noted."""
        parts: dict[str, Part] = {}
        for title, job in by_title(jobs).items():
            parts[f"the job log of {title}"] = self._log_of(job, depth=1)
            parts[f"the predecessors of {title}"] = self._before(job)
            parts[f"the successors of {title}"] = self._after(job)
        parts |= {f"workstation {name}": self._workstation(name) for job in jobs for name in _places(job)}
        pieces = [self.finder.job(job) for job in jobs]
        pieces += [piece for job in jobs for piece in self._earlier(job, others.get(job.id, ()))]
        return [*pieces, *self._kept(await self._together(parts, depth=1))]

    def _log_of(self, job: Job, *, depth: int) -> Part:
        async def read() -> list[Evidence]:
            run = job.telling_run
            if run is None or run.started is None:
                return []

            async def lines(first: int, last: int, max_bytes: int) -> tuple[str, bool]:
                return await self.api.log_lines(run, first=first, last=last, max_bytes=max_bytes)

            # A long log must not cost its own beginning: what is behind that has to come a step earlier.
            until_s = self.deadlines.at(depth + 1)
            log = await read_log(lines, max_bytes=self.settings.max_log_bytes, until_s=until_s)
            return self.finder.joblog(job, run, log, await asyncio.to_thread(read_through, log))

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
            titled = by_title(causes[:MOST_UPSTREAM])
            logs = {f"the job log of {title}": self._log_of(other, depth=2) for title, other in titled.items()}
            return [*pieces, *self._kept(await self._together(logs, depth=2))]

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

    async def _together(self, parts: Mapping[str, Callable[[], Awaitable[T]]], *, depth: int) -> dict[str, Outcome[T]]:
        """What came of each part; what isn't there in time is a failure."""
        if not parts:
            return {}
        left_s = max(0.01, self.deadlines.at(depth) - asyncio.get_running_loop().time())
        outcomes = await fan_out(lambda key: parts[key](), list(parts), limit=self.limit, total_deadline_s=left_s)
        return dict(zip(parts, outcomes, strict=True))

    def _kept(self, outcomes: Mapping[str, Outcome[list[Evidence]]]) -> list[Evidence]:
        """The evidence of the parts that came to something; for the others, a note that says why."""
        kept: list[Evidence] = []
        for what, outcome in outcomes.items():
            kept += outcome.value if isinstance(outcome, Done) else [self._missing(what, outcome.error)]
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


def _why_nothing(outcomes: Mapping[str, Outcome[T]]) -> Exception:
    """Why nothing could be had: what a part met, unless none had the time to meet anything."""
    errors = [outcome.error for outcome in outcomes.values() if not isinstance(outcome, Done)]
    met = next((error for error in errors if not isinstance(error, BranchError)), None)
    return met or SourceError("the scheduler didn't answer in time", hint="give the source more time: timeout_s")
