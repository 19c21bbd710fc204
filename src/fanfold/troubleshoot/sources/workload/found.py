"""What was found, as evidence: a few lines for people, facts for rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from fanfold.redact import redact
from fanfold.troubleshoot.codes import codes_in
from fanfold.troubleshoot.evidence import Evidence, Fact, Kind
from fanfold.troubleshoot.sources.workload.joblog import Block, JobLog, Reading
from fanfold.troubleshoot.sources.workload.plan import (
    FAILING,
    Engine,
    Job,
    JobRun,
    Link,
    WorkstationState,
    usual_elapsed_s,
)

MAX_CHARS = 1_500
MOST_NAMES = 20


class Finder:
    """Makes evidence of one source.

    Args:
        source: its name.
        reference: where the scheduler is.
    """

    def __init__(self, source: str, reference: str) -> None:
        self._source, self._reference = source, reference

    def job(self, job: Job) -> Evidence:
        """A job: its state, how its last run went, what it says is wrong."""
        run = job.last_run
        facts = _job_facts(job) | (_run_facts(run) if run else {})
        words = [f"Job {job.title} on {job.workstation or 'an unknown workstation'} is in {_state(job)}"]
        words += _run_words(run) if run else ["has not run yet"]
        text = ", ".join(words) + "."
        if run and run.elapsed_s and run.estimated_s:
            text += f" It took {_duration(run.elapsed_s)}; {_duration(run.estimated_s)} were estimated."
        if job.error:
            text += f"\nThe scheduler says: {job.error}"
        if job.changed:
            text += f"\nIts definition was last changed at {job.changed.isoformat()}."
        codes = _codes(run.return_code if run else None, job.error)
        return self._piece("job", job.name, text, facts, codes=codes, at=job.seen_at)

    def run(self, job: Job, run: JobRun) -> Evidence:
        """An earlier run."""
        facts: dict[str, Fact] = {"job": job.name, "run": run.id, "status": run.status, **_run_facts(run)}
        text = (
            f"An earlier run of {job.title} ended in {', '.join([run.status or 'an unknown state', *_run_words(run)])}."
        )
        return self._piece("run", job.name, text, facts, codes=_codes(run.return_code, ""), at=run.ended or run.started)

    def history(self, job: Job, runs: Iterable[JobRun]) -> Evidence:
        """All known runs of a job together: does it always fail, how long does it usually take."""
        runs = list(runs)
        failed = [run for run in runs if run.status in FAILING]
        fine = [run for run in runs if run.status == "SUCC"]
        usual_s = usual_elapsed_s(runs)
        facts: dict[str, Fact] = {
            "job": job.name,
            "failures": len(failed),
            "successes": len(fine),
            "last_failure": _iso(_newest(failed)),
            "last_success": _iso(_newest(fine)),
            "usual_elapsed_s": usual_s,
        }
        text = f"Of {len(runs)} runs of {job.title} that the plan has, {len(failed)} failed and {len(fine)} succeeded."
        if usual_s is not None:
            text += f" A success usually takes {_duration(usual_s)}."
        return self._piece("history", job.name, text, facts, at=_newest(runs))

    def joblog(self, job: Job, run: JobRun, log: JobLog, reading: Reading) -> list[Evidence]:
        """The telling places of a log; the first piece has all its codes."""
        status = log.exit_status if log.exit_status is not None else run.return_code
        facts: dict[str, Fact] = {
            "job": job.name,
            "run": run.id,
            "exit_status": status,
            "user": log.field("USER") or None,
            "script": log.field("JCLFILE") or log.field("TASK") or None,
            "lines": log.total if log.total is not None else len(log.lines),
            "bytes": log.bytes,
            "cut": bool(log.cut),
        }
        pieces = []
        for index, block in enumerate(reading.blocks or [reading.last]):
            text = "\n".join((_log_words(job, status, block, log), *block.lines)).strip()
            codes = reading.codes if index == 0 else block.codes
            pieces.append(self._piece("joblog", job.name, text, facts, codes=codes, at=run.ended or run.started))
        return pieces

    def dependency(self, job: Job, other: Job, *, relation: str, depth: int) -> Evidence:
        """A job before or after another."""
        facts: dict[str, Fact] = {
            "job": job.name,
            "other": other.name,
            "relation": relation,
            "depth": depth,
            "status": other.status,
            "substatus": other.substatus,
            "what": other.title,
            "type": "job",
        }
        run = other.last_run
        said = ", ".join([_state(other), *(_run_words(run) if run else [])])
        if relation == "predecessor":
            text = f"{job.title} comes after {other.title} (depth {depth}), which is in {said}."
            if other.changed:
                facts["changed"] = _iso(other.changed)
                text += f"\nThe definition of {other.title} was last changed at {other.changed.isoformat()}."
        else:
            text = f"{other.title} comes after {job.title} (depth {depth}) and is in {said}."
        codes = _codes(run.return_code if run else None, other.error) if other.is_failing else ()
        return self._piece("dependency", other.name, text, facts, codes=codes, at=other.seen_at)

    def waits_for(self, job: Job, link: Link) -> Evidence:
        """Something else than a job that a job waits for: a file, a resource, a prompt, a job stream, a time."""
        facts: dict[str, Fact] = {
            "job": job.name,
            "other": link.name,
            "relation": "predecessor",
            "depth": 1,
            "status": link.status,
            "what": link.name,
            "type": link.type,
        }
        how = "depended on, and has it" if link.is_satisfied else "waits for"
        text = f"{job.title} {how}: {link.type} {link.name} ({link.status or 'state unknown'})."
        return self._piece("dependency", link.name, text, facts, at=job.seen_at)

    def workstation(self, state: WorkstationState) -> Evidence:
        """A workstation and whether it is well."""
        wrong = [
            *(["it is not linked"] if state.linked is False else []),
            *(["it is not running"] if state.running is False else []),
            *(["its limit is 0, so no job starts"] if state.limit == 0 else []),
            *([f"its fence is {state.fence}"] if state.fence else []),
            *(["its health check failed"] if state.healthy is False else []),
        ]
        facts: dict[str, Fact] = {
            "workstation": state.name,
            "status": "UNLINKED" if state.linked is False else "DOWN" if state.running is False else "LINKED",
            "linked": state.linked,
            "running": state.running,
            "limit": state.limit,
            "fence": state.fence,
            "agents": list(state.agents),
            "healthy": state.healthy,
        }
        text = f"Workstation {state.name}: {'; '.join(wrong) or 'linked and running, nothing is wrong with it'}."
        if state.message:
            text += f" It says: {state.message}"
        return self._piece("workstation", state.name, text, facts, codes=codes_in(state.message))

    def plan(self, jobs: Iterable[Job], count: int, in_all: int | None) -> list[Evidence]:
        """What fails in the whole plan, by status; or that nothing does."""
        by_status: dict[str, list[Job]] = {}
        for job in jobs:
            by_status.setdefault(job.status, []).append(job)
        of = f" of {in_all} in the plan" if in_all is not None else ""
        if not by_status:
            text = f"No job{of} is in {', '.join(FAILING)}."
            return [self._piece("plan", "plan", text, {"status": "ABEND", "jobs": [], "count": 0})]
        pieces = []
        shown = sum(map(len, by_status.values()))
        for status, those in by_status.items():
            names = list(dict.fromkeys(job.name for job in those))[:MOST_NAMES]
            number = count if len(by_status) == 1 else len(those)
            text = f"{number} job(s){of} in {status}: {', '.join(names)}."
            if count > shown:
                text += f" {count} fail in all, of which the {shown} newest were looked at."
            facts: dict[str, Fact] = {"status": status, "jobs": names, "count": number}
            pieces.append(self._piece("plan", "plan", text, facts))
        return pieces

    def engine(self, engine: Engine, now: datetime) -> Evidence:
        """What the plan covers; a plan that has ended is why jobs aren't in it."""
        text = f"Scheduler {engine.name} {engine.version}".strip()
        if engine.plan_starts and engine.plan_ends:
            text += f" has a plan from {engine.plan_starts.isoformat()} to {engine.plan_ends.isoformat()}."
            if engine.plan_ends < now:
                text += " That plan has ended and was not extended."
        return self.note(engine.name or "scheduler", text)

    def note(self, subject: str, text: str) -> Evidence:
        """Something worth knowing about what was asked, or what could not be had."""
        return self._piece("note", subject, text, {}, codes=codes_in(text))

    def _piece(
        self,
        kind: Kind,
        subject: str,
        text: str,
        facts: Mapping[str, Fact],
        *,
        codes: tuple[str, ...] = (),
        at: datetime | None = None,
    ) -> Evidence:
        return Evidence(
            source=self._source,
            kind=kind,
            subject=_clean(subject),
            text=_clean(text),
            facts={name: _clean(fact) if isinstance(fact, str) else fact for name, fact in facts.items()},
            codes=codes,
            at=at,
            reference=self._reference,
        )


def _clean(text: str) -> str:
    """Without secrets and control characters, and not too long; masked first, for half a secret isn't recognised."""
    kept = "".join(letter for letter in redact(text) if letter.isprintable() or letter == "\n")
    return kept if len(kept) <= MAX_CHARS else f"{kept[:MAX_CHARS]} …"


def _job_facts(job: Job) -> dict[str, Fact]:
    return {
        "job": job.name,
        "jobstream": job.jobstream,
        "workstation": job.workstation,
        "folder": job.folder,
        "status": job.status,
        "substatus": job.substatus,
        "error": job.error,
        "recovery": job.recovery,
        "changed": _iso(job.changed),
        "run": job.last_run.id if job.last_run else None,
    }


def _run_facts(run: JobRun) -> dict[str, Fact]:
    return {
        "return_code": run.return_code,
        "started": _iso(run.started),
        "ended": _iso(run.ended),
        "elapsed_s": run.elapsed_s,
        "estimated_s": run.estimated_s,
        "attempt": run.attempt,
        "workstation": run.workstation,
    }


def _state(job: Job) -> str:
    return (
        f"{job.status} ({job.substatus})" if job.substatus not in ("", job.status) else job.status or "an unknown state"
    )


def _run_words(run: JobRun) -> list[str]:
    words = []
    if run.return_code is not None:
        words.append(f"return code {run.return_code}")
    if run.attempt is not None and run.attempt > 1:
        words.append(f"attempt {run.attempt}")
    if run.ended:
        words.append(f"ended {run.ended.isoformat()}")
    elif run.started:
        words.append(f"running since {run.started.isoformat()}")
    return words


def _log_words(job: Job, status: int | None, block: Block, log: JobLog) -> str:
    words = f"Job log of {job.title}"
    if status is not None:
        words += f", exit status {status}"
    if log.cut:
        words += f" ({log.cut})"
    if not block.first:
        return f"{words}; no line of it looks like an error, its last ones are:"
    line = block.first
    if log.gap is not None and log.total is not None and line > log.gap:
        line += log.total - len(log.lines)
    return f"{words}, from line {line}:"


def _codes(return_code: int | None, text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*([f"RC={return_code}"] if return_code else []), *codes_in(text)]))


def _newest(runs: Iterable[JobRun]) -> datetime | None:
    return max((at for run in runs if (at := run.ended or run.started)), default=None)


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
